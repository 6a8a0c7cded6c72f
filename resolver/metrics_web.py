"""Requests that the exporter refused.

Counted where it happens (:mod:`resolver.web`) and rendered here.
"""

from collections.abc import Iterator
from typing import final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric


@final
class Refusals:
    """Requests that were not answered, by why. Written by the exporter's thread alone."""

    def __init__(self) -> None:
        self.counts = {"host": 0, "password": 0}

    def metrics(self) -> Iterator[Metric]:
        """At a scrape."""
        refused = CounterMetricFamily(
            "inland_web_refusals",
            "Requests to the exporter under a foreign name, or without the right password.",
            labels=("why",),
        )
        for why, count in self.counts.items():
            refused.add_metric((why,), count)
        yield refused
