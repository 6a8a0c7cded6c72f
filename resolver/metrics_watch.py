"""Metrics of the watch over delegations. Zones are those of the configuration, at most
``watch.zones_max`` of them."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.names import to_text
from resolver.watch.changes import Kind
from resolver.watch.keep import STATES, Watcher


def watch_metrics(watcher: Watcher) -> Iterator[Metric]:
    """All of them, at a scrape. Called in the scraper's thread."""
    yield from _sums(watcher)
    changes = CounterMetricFamily(
        "inland_watch_zone_changes", "Changes of a zone's delegation.", labels=("zone",)
    )
    changed = GaugeMetricFamily(
        "inland_watch_zone_changed_timestamp_seconds", "Its last change.", labels=("zone",)
    )
    addresses = GaugeMetricFamily(
        "inland_watch_zone_addresses",
        "Addresses of its servers, by where they were at the last look.",
        labels=("zone", "verdict"),
    )
    for zone, watched in list(watcher.zones.items()):
        text, kept = to_text(zone), watched.kept
        changes.add_metric((text,), watched.changes)
        if kept is not None and kept.told:
            changed.add_metric((text,), kept.told[-1].time)
        for verdict, count in watched.verdicts.items():
            addresses.add_metric((text, verdict), count)
    yield from (changes, changed, addresses)


def _sums(watcher: Watcher) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "inland_watch_zones", "Zones whose delegation is followed.", labels=("state",)
    )
    told = watcher.status()
    for state in STATES:
        states.add_metric((state,), told[state])
    yield states
    yield GaugeMetricFamily(
        "inland_watch_left_out", "Listed zones beyond watch.zones_max.", value=watcher.left_out
    )
    kinds = CounterMetricFamily(
        "inland_watch_changes", "Changes of delegations, by kind.", labels=("kind",)
    )
    for kind in Kind:
        kinds.add_metric((kind.value,), watcher.changed[kind])
    yield kinds
    looks = CounterMetricFamily("inland_watch_looks", "Looks at a delegation.", labels=("result",))
    for result, count in watcher.looks.items():
        looks.add_metric((result,), count)
    yield looks
    yield CounterMetricFamily(
        "inland_watch_exchanges", "Exchanges that looks have cost.", value=watcher.exchanges
    )
    yield GaugeMetricFamily(
        "inland_watch_behind_seconds",
        "By how much the most overdue look is late.",
        value=told["behind_seconds"],
    )
