"""Metrics of what policy did with lookups, and what the shadow would have done.

Both come from tags (:mod:`resolver.tags`): lookups that Python answered are counted in the tally,
hits of native's cache by native. Series are bounded by the number of tags.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.counters import Counters
from resolver.tags import Mark, Tags
from resolver.tally import Tally

NONE = "none"
"""In the place of a rule where there is none."""


def policy_metrics(tags: Tags, tally: Tally, counters: Counters) -> Iterator[Metric]:
    """Effects of the live policy, what its modes held back, and the shadow's."""
    done = CounterMetricFamily(
        "inland_policy_actions",
        "Lookups that a rule has decided, by rule and effect; cached answers too.",
        labels=("rule", "action"),
    )
    held = CounterMetricFamily(
        "inland_policy_held_back",
        "Lookups that a rule would have decided, had the mode allowed it.",
        labels=("rule", "action"),
    )
    shadow = CounterMetricFamily(
        "inland_policy_shadow",
        "Lookups by what the shadow policy would have done, beside what was done.",
        labels=("rule", "live", "shadow"),
    )
    live: dict[tuple[str, str, bool], int] = {}
    beside: dict[tuple[str, str, str], int] = {}
    for mark, count in marks(tags, tally, counters):
        if mark.live.rule:
            key = (mark.live.rule, mark.live.action, mark.live.held)
            live[key] = live.get(key, 0) + count
        if mark.shadow.action:
            row = shadow_labels(mark)
            beside[row] = beside.get(row, 0) + count
    for (rule, action, was_held), count in live.items():
        (held if was_held else done).add_metric((rule, action), count)
    for labels, count in beside.items():
        shadow.add_metric(labels, count)
    yield done
    yield held
    yield shadow
    trials = CounterMetricFamily(
        "inland_shadow_lookups",
        "Lookups for the shadow policy alone, by what became of them.",
        labels=("result",),
    )
    for result, count in tuple(tally.trials.items()):
        trials.add_metric((result,), count)
    yield trials
    where = CounterMetricFamily(
        "inland_where_answers",
        "Clients that asked over DNS what is known of a name, by whether anything was.",
        labels=("result",),
    )
    for known, count in tuple(tally.where.items()):
        where.add_metric(("told" if known else "unknown",), count)
    yield where


def marks(tags: Tags, tally: Tally, counters: Counters) -> Iterator[tuple[Mark, int]]:
    """Lookups by what both policies said of them."""
    yield from tags.marks(list(tally.tags.items()))
    yield from tags.marks(counters.tags())


def shadow_labels(mark: Mark) -> tuple[str, str, str]:
    """Rule, what was done, what the shadow would have done. The rule is the shadow's; where it has
    none, that of the live policy."""
    shadow = mark.shadow if not mark.shadow.held else mark.shadow._replace(action=NONE)
    live = NONE if mark.live.held else mark.live.action
    return shadow.rule or mark.live.rule or NONE, live, shadow.action
