"""Dashboards, recording rules and alerts, made from what the exporter says of its own metrics.

``python -m deploy.dashboards`` writes ``deploy/prometheus/*.rules.yml`` and
``deploy/grafana/*.json``; ``make docs`` does it too, and a test fails when they are stale. Nothing
is told twice: names, types, labels and help are the exporter's (:mod:`.catalogue`), a quotient such
as the share of escapes is written once (:mod:`.figures`) and used by rules and panels alike.

A new metric appears by itself in the row *Everything else* of the Operations dashboard; to place it
better, add a line to :mod:`.operations` or :mod:`.regulator`, and to :mod:`.alerts` for an alert.
"""
