"""Metrics of response policy zones. Zones are those of the configuration.

Hits come from tags as those of rules do, so cached answers count; those of disabled zones, which
decide nothing, are counted where Python answers.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.counters import Counters
from resolver.metrics_policy import marks
from resolver.mirrors.keep import STATES
from resolver.rpz_run import ResponseZones
from resolver.tags import Tags
from resolver.tally import Tally

_GAUGES = {
    "serial": ("inland_rpz_serial", "Serial of the zone in force."),
    "age_seconds": ("inland_rpz_age_seconds", "Since a source last found the zone current."),
    "not_applied": ("inland_rpz_not_applied", "Owners and records that cannot be applied."),
    "bytes": ("inland_rpz_bytes", "Octets that its compiled form takes in native."),
}


def rpz_metrics(
    zones: ResponseZones, tags: Tags, tally: Tally, counters: Counters
) -> Iterator[Metric]:
    """All of them, at a scrape."""
    told = zones.status()
    for key, (name, text) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=("zone",))
        for zone, facts in told.items():
            if key in facts:
                gauge.add_metric((zone,), facts[key])
        yield gauge
    entries = GaugeMetricFamily(
        "inland_rpz_entries", "Triggers of the zone in force.", labels=("zone", "trigger")
    )
    states = GaugeMetricFamily(
        "inland_rpz_state", "1 for the state that the zone is in.", labels=("zone", "state")
    )
    for zone, facts in told.items():
        for trigger, count in facts.get("entries", {}).items():
            entries.add_metric((zone, trigger), count)
        for state in STATES:
            states.add_metric((zone, state), int(facts.get("state") == state))
    hits = CounterMetricFamily(
        "inland_rpz_hits", "Lookups that a zone matched.", labels=("zone", "trigger", "action")
    )
    for labels, count in sorted(_hits(zones, tags, tally, counters).items()):
        hits.add_metric(labels, count)
    yield from (entries, states, hits)
    yield CounterMetricFamily(
        "inland_rpz_hits_not_logged", "Hits left out of the log.", value=zones.hits.left_out
    )


def _hits(
    zones: ResponseZones, tags: Tags, tally: Tally, counters: Counters
) -> Counter[tuple[str, str, str]]:
    """By zone, kind of trigger and effect; ``held`` effects are what a mode did not allow."""
    found: Counter[tuple[str, str, str]] = Counter()
    for mark, count in marks(tags, tally, counters):
        head, zone, trigger = (*mark.live.rule.split(":", 2), "", "")[:3]
        if head == "rpz" and trigger and not mark.live.held:
            found[zone, trigger, mark.live.action] += count
    silent = zones.shelf.disabled()
    for (zone, trigger, _), count in list(zones.hits.counts.items()):
        if zone in silent:
            found[zone, trigger, "disabled"] += count
    return found
