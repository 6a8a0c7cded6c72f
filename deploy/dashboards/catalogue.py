"""The catalogue of metrics: names, types, labels and help, as the exporter tells them.

Responsible for asking an idle resolver's own exporter, so that nothing is told a second time, and
for the closed sets that label values come from. ``None`` in place of a set: the values are those of
the configuration (zones, files, rules) or of the world (countries).

Limitations: label names are read from prometheus-client's metric families, which keep them to
themselves.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from prometheus_client.metrics_core import Metric as Family

from policy.decision import Action
from policy.inputs import Mode
from policy.rpz_trigger import Trigger
from resolver.app import App
from resolver.assemble import world_loader
from resolver.counters import OVERFLOW
from resolver.mirrors.keep import OUTCOMES, STATES
from resolver.mirrors.refusal import Why
from resolver.model import Destination, Purpose, Reason, Route, Transport, Verdict

Values = frozenset[str] | None


def _words(kind: type[Enum], *more: str) -> frozenset[str]:
    return frozenset({str(member.value) for member in kind} | set(more))


SETS: dict[str, Values] = {
    "transport": _words(Transport),
    "route": _words(Route),
    "destination": _words(Destination),
    "reason": _words(Reason),
    "verdict": _words(Verdict, OVERFLOW),
    "purpose": _words(Purpose),
    "direction": frozenset({"sent", "received"}),
    "mode": _words(Mode),
    "country": None,
    "source": None,
    "zone": None,
}
"""Values of a label, whatever metric carries it."""

SETS_OF: dict[tuple[str, str], Values] = {
    ("inland_mirror_state", "state"): frozenset(STATES),
    ("inland_mirror_looks", "result"): frozenset(OUTCOMES),
    ("inland_mirror_refusals", "why"): _words(Why),
    ("inland_rpz_state", "state"): frozenset(STATES),
    ("inland_rpz_entries", "trigger"): _words(Trigger),
    ("inland_rpz_hits", "trigger"): _words(Trigger),
    ("inland_rpz_hits", "action"): _words(Action, "disabled"),
}
"""Values of a label of one metric."""

ALWAYS = ("up", "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds",
          "process_max_fds", "process_start_time_seconds")  # fmt: skip
"""What Prometheus and prometheus-client add to each target."""

PROMISED = {"inland_island_mode": ()}
"""Metrics that are described but not exported yet; a panel that needs one is left out until then,
and a test says when a line here has become idle."""

TARGET = ("job", "instance")
"""Labels that Prometheus gives to each series of a target."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``labels``: each with the set of its values, if that is closed."""

    name: str  # as in "# TYPE": with _total for a counter
    kind: str  # counter, gauge or histogram
    help: str
    labels: dict[str, Values]

    @property
    def samples(self) -> tuple[str, ...]:
        """Names under which it can be asked for."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)


@cache
def catalogue() -> dict[str, Metric]:
    """All metrics of the program by name, in the exporter's order. Starts an idle resolver on
    loopback ports for a moment.

    Raises:
        InlandError: it does not start.
    """
    nothing = {"dns": ["127.0.0.1:0"]}
    config: dict[str, Any] = {"home": ["XA"], "listen": nothing, "border": {"registry": False}}
    config |= {"metrics": {"listen": None}, "resolution": {"workers": 1}}
    with ExitStack() as closing:
        app = App(world_loader(config, None), closing)
        return described(app.exporter.collect())


def described(families: Iterable[Family]) -> dict[str, Metric]:
    """What the families of an exporter say of themselves."""
    found = {}
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        seen = [sample.labels for sample in family.samples]
        labels = {
            label: _values(family.name, label, frozenset(has[label] for has in seen))
            for label in getattr(family, "_labelnames", ())
        }
        found[name] = Metric(name, family.type, family.documentation, labels)
    return found


def _values(name: str, label: str, seen: frozenset[str]) -> Values:
    """The closed set: a stated one, or what an idle exporter shows already."""
    if (name, label) in SETS_OF:
        return SETS_OF[name, label]
    if label in SETS:
        return SETS[label]
    return seen if seen and name not in _FACTS else None


_FACTS = frozenset({"inland_build_info", "inland_policy_info", "inland_evidence_info"})
"""Metrics whose labels tell a fact of this very process."""


@cache
def by_sample() -> dict[str, Metric]:
    """Each metric by each name under which it can be asked for."""
    return {sample: metric for metric in catalogue().values() for sample in metric.samples}
