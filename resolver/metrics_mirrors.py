"""Metrics of the mirrors and of what is fetched for them. Zones are those of the configuration."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.fetch import Fetch
from resolver.mirrors.keep import STATES, Keeper
from resolver.names import to_text

_GAUGES = {
    "age_seconds": ("inland_mirror_age_seconds", "Since a source last found the copy current."),
    "expires_in_seconds": (
        "inland_mirror_expires_seconds",
        "Until the copy must not be used any more; 0 and less: expired.",
    ),
    "serial": ("inland_mirror_serial", "Serial of the copy."),
    "records": ("inland_mirror_records", "Resource records of the copy."),
    "bytes": ("inland_mirror_bytes", "Octets of memory that the copy takes."),
}


def mirror_metrics(keeper: Keeper, fetch: Fetch) -> Iterator[Metric]:
    """All of them, at a scrape. Called in the scraper's thread."""
    mirrors = [(to_text(zone), mirror) for zone, mirror in list(keeper.mirrors.items())]
    told = {zone: keeper.status_of(mirror) for zone, mirror in mirrors}
    for field, (name, text) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=("zone",))
        for zone, facts in told.items():
            if field in facts:
                gauge.add_metric((zone,), facts[field])
        yield gauge
    states = GaugeMetricFamily(
        "inland_mirror_state", "1 for the state that the mirror is in.", labels=("zone", "state")
    )
    looks = CounterMetricFamily(
        "inland_mirror_looks", "Looks at the sources of a mirror.", labels=("zone", "result")
    )
    refusals = CounterMetricFamily(
        "inland_mirror_refusals", "Sources that could not be used.", labels=("zone", "why")
    )
    for zone, mirror in mirrors:
        for state in STATES:
            states.add_metric((zone, state), int(mirror.state == state))
        for result, count in list(mirror.looked.items()):
            looks.add_metric((zone, result), count)
        for why, count in list(mirror.refused.items()):
            refusals.add_metric((zone, why.value), count)
    yield from (states, looks, refusals)
    fetches = CounterMetricFamily(
        "inland_fetches", "Files asked for over HTTP.", labels=("result",)
    )
    for result, count in list(fetch.requests.items()):
        fetches.add_metric((result,), count)
    yield fetches
    yield CounterMetricFamily(
        "inland_fetch_bytes", "Octets of files fetched over HTTP.", value=fetch.octets
    )
