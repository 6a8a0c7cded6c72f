"""Figures: the quotients and sums that rules, alerts and panels share, each written once.

A figure is an expression over a :class:`Scope`: which series, over which time, and which labels of
the target stay. Rates are taken of each series first and summed then, so a restart of one instance
is no drop of the sum; a share is a quotient of sums, never a mean of quotients; where nothing
happened it has no value rather than 0 or a quotient by zero.

Series of :data:`APPEARING` metrics come into being with their first count, which ``rate`` does not
see. They are summed for each instance first, at a step, with 0 where the instance was watched
already and the series was not there yet: one counter that begins at 0 and falls only at a restart.
"""

from collections.abc import Callable
from dataclasses import dataclass

STEP = "15s"
"""How often Prometheus looks, as in ``deploy/prometheus/prometheus.yml``."""

JOB = ("job",)
INSTANCE = ("job", "instance")

ABROAD = 'verdict!="domestic"'
CLIENTS = 'transport!="internal"'

APPEARING = frozenset(
    {
        "inland_exchanges_total",
        "inland_exchange_bytes_total",
        "inland_exchange_replies_total",
        "inland_exchange_connections_total",
        "inland_exchange_labels_total",
        "inland_policy_actions_total",
        "inland_policy_held_back_total",
        "inland_policy_shadow_total",
    }
)
"""Metrics with too many label sets to be counted from 0 on."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which series (matchers), over which window, and which labels stay beside a figure's own.
    ``step``: how finely sums of :data:`APPEARING` metrics are looked at."""

    window: str
    keep: tuple[str, ...] = ()
    matchers: tuple[str, ...] = ()
    step: str = STEP

    def select(self, name: str, *more: str) -> str:
        """The series of a metric."""
        inner = ",".join((*more, *self.matchers))
        return f"{name}{{{inner}}}" if inner else name

    def total(self, by: tuple[str, ...], inner: str) -> str:
        """The sum of something over all but the labels that stay."""
        labels = ", ".join((*self.keep, *by))
        return f"sum by ({labels}) ({inner})" if labels else f"sum({inner})"

    def rate(self, by: tuple[str, ...], name: str, *more: str) -> str:
        """How often a counter counts, per second."""
        return self._over("rate", by, name, more)

    def increase(self, by: tuple[str, ...], name: str, *more: str) -> str:
        """By how much a counter grew within the window."""
        return self._over("increase", by, name, more)

    def stepped(self, by: tuple[str, ...], name: str, *more: str) -> str:
        """As :meth:`rate`, looked at by steps: to be divided by, or to divide, another such."""
        return self.total(by, f"rate({self._whole(by, name, more)}[{self.window}:{self.step}])")

    def _over(self, function: str, by: tuple[str, ...], name: str, more: tuple[str, ...]) -> str:
        if name in APPEARING:
            inner = f"{self._whole(by, name, more)}[{self.window}:{self.step}]"
        else:
            inner = f"{self.select(name, *more)}[{self.window}]"
        return self.total(by, f"{function}({inner})")

    def _whole(self, by: tuple[str, ...], name: str, more: tuple[str, ...]) -> str:
        """One counter for each instance and ``by``, from 0 on."""
        series, labels = self.select(name, *more), ", ".join((*INSTANCE, *by))
        watched = self.select("inland_build_info")
        return (
            f"(sum by ({labels}) ({series})"
            f" or 0 * sum by ({labels}) ({series} @ end()) and on (job, instance) {watched})"
        )


def share(part: str, whole: str, by: tuple[str, ...] = ()) -> str:
    """``part`` by ``whole``, which lacks the labels ``by``; no value where ``whole`` is 0."""
    matching = f" ignoring ({', '.join(by)}) group_left ()" if by else ""
    return f"{part} /{matching} ({whole} > 0)"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``subject`` and ``form`` make its recorded name, ``labels`` its own labels."""

    subject: str
    form: str
    labels: tuple[str, ...]
    unit: str  # as Grafana names it
    about: str
    expr: Callable[[Scope], str]

    def recorded(self, keep: tuple[str, ...], window: str) -> str:
        """The name of its recording rule: level, subject, form and window."""
        level = "_".join((keep[-1], *self.labels))
        return f"{level}:{self.subject}:{self.form}{window}"


def _quantile(q: float, by: tuple[str, ...]) -> Callable[[Scope], str]:
    return lambda s: (
        f"histogram_quantile({q}, {s.rate((*by, 'le'), 'inland_lookup_seconds_bucket')})"
    )


def _not_from_cache(s: Scope) -> str:
    missed = s.rate((), "inland_misses_total")
    taken = s.rate((), "inland_planned_total", 'result="taken"')
    return f"({missed} + {taken} + {s.rate((), 'inland_shed_total')})"


def _native_share(s: Scope) -> str:
    taken = s.rate((), "inland_planned_total", 'result="taken"')
    punted = s.rate((), "inland_planned_total", 'result="punted"')
    return share(f"({taken} - {punted})", f"({s.rate((), 'inland_misses_total')} + {taken})")


def _failed(s: Scope) -> str:
    shed = s.rate((), "inland_shed_total")
    failed = s.rate((), "inland_failed_lookups_total")
    asked = s.rate((), "inland_lookups_total", CLIENTS)
    return share(f"({failed} + {shed})", f"({asked} + {shed})")


def _of_lookups(name: str, by: tuple[str, ...]) -> Callable[[Scope], str]:
    return lambda s: share(s.rate(by, name), s.rate((), "inland_lookups_total"), by)


LOOKUPS = Figure(
    "inland_lookups", "rate", ("route",), "reqps",
    "Lookups a second, by how far they went.",
    lambda s: s.rate(("route",), "inland_lookups_total"),
)  # fmt: skip
ROUTES = Figure(
    "inland_lookups", "share", ("route",), "percentunit",
    "Share of lookups by how far they went: local, domestic, escaped.",
    _of_lookups("inland_lookups_total", ("route",)),
)  # fmt: skip
ESCAPED = Figure(
    "inland_escaped_lookups", "share", (), "percentunit",
    "Share of lookups that left the country.",
    _of_lookups("inland_escaped_lookups_total", ()),
)  # fmt: skip
WHY = Figure(
    "inland_escaped_lookups", "share", ("reason",), "percentunit",
    "Share of lookups that left the country, by the reason of the first exchange abroad.",
    _of_lookups("inland_escaped_lookups_total", ("reason",)),
)  # fmt: skip
HOMEWARD = Figure(
    "inland_domestic_destination_escaped", "share", (), "percentunit",
    "Of the lookups whose answer stands at home, the share that left the country on the way.",
    lambda s: share(
        s.rate((), "inland_escaped_lookups_total", 'destination="domestic"'),
        s.rate((), "inland_lookups_total", 'destination="domestic"'),
    ),
)  # fmt: skip
ABROAD_PER_LOOKUP = Figure(
    "inland_exchanges_abroad", "per_lookup", (), "none",
    "Questions sent abroad for each lookup.",
    lambda s: share(
        s.stepped((), "inland_exchanges_total", ABROAD), s.stepped((), "inland_lookups_total")
    ),
)  # fmt: skip
COUNTRIES = Figure(
    "inland_exchanges_abroad", "rate", ("country",), "reqps",
    "Questions sent abroad a second, by country.",
    lambda s: s.rate(("country",), "inland_exchanges_total", ABROAD),
)  # fmt: skip
BYTES_ABROAD = Figure(
    "inland_exchange_bytes_abroad", "rate", ("direction",), "Bps",
    "Octets of DNS exchanged with servers abroad a second.",
    lambda s: s.rate(("direction",), "inland_exchange_bytes_total", ABROAD),
)  # fmt: skip
LABELS_ABROAD = Figure(
    "inland_exchange_labels_abroad", "per_exchange", (), "none",
    "Labels of the name in a question sent abroad, on average: www.example.com has three.",
    lambda s: share(
        s.stepped((), "inland_exchange_labels_total", ABROAD),
        s.stepped((), "inland_exchanges_total", ABROAD),
    ),
)  # fmt: skip
NEEDLESS = Figure(
    "inland_needless_escapes", "rate", (), "reqps",
    "Escapes a second while a domestic server was not exhausted; must be 0.",
    lambda s: s.rate((), "inland_needless_escapes_total"),
)  # fmt: skip
FAILED = Figure(
    "inland_failed_lookups", "share", (), "percentunit",
    "Share of the clients' questions that were answered SERVFAIL.",
    _failed,
)  # fmt: skip
HITS = Figure(
    "inland_answer_cache_hits", "share", (), "percentunit",
    "Share of the clients' questions that the answer cache answered.",
    lambda s: "1 - " + share(_not_from_cache(s), s.rate((), "inland_queries_total")),
)  # fmt: skip
NATIVE = Figure(
    "inland_planned", "share", (), "percentunit",
    "Of what the answer cache could not answer, the share that native carried out by plans alone.",
    _native_share,
)  # fmt: skip
REPLIED = Figure(
    "inland_exchange_replies", "share", ("verdict",), "percentunit",
    "Replies for each question sent upstream, by where the servers stand. A zone transfer is one "
    "question with several replies.",
    lambda s: (
        s.rate(("verdict",), "inland_exchange_replies_total")
        + f" / ({s.rate(('verdict',), 'inland_exchanges_total')} > 0)"
    ),
)  # fmt: skip
P50 = Figure(
    "inland_lookup_seconds", "p50_", (), "s",
    "Half of the clients had their reply within this time.",
    _quantile(0.5, ()),
)  # fmt: skip
P99 = Figure(
    "inland_lookup_seconds", "p99_", (), "s",
    "All but one of a hundred clients had their reply within this time.",
    _quantile(0.99, ()),
)  # fmt: skip
P99_BY_ROUTE = Figure(
    "inland_lookup_seconds", "p99_", ("route",), "s",
    "The same, by how far the lookups went.",
    _quantile(0.99, ("route",)),
)  # fmt: skip
PROOFS = Figure(
    "inland_proofs", "count", (), "none",
    "Addresses proven to stand in home.",
    lambda s: s.total((), s.select("inland_proofs")),
)  # fmt: skip

RECORDED: tuple[tuple[Figure, tuple[tuple[tuple[str, ...], str], ...]], ...] = (
    (LOOKUPS, ((INSTANCE, "5m"), (JOB, "5m"))),
    (ROUTES, ((INSTANCE, "5m"), (JOB, "5m"), (JOB, "1h"))),
    (ESCAPED, ((INSTANCE, "5m"), (JOB, "5m"), (JOB, "1h"))),
    (WHY, ((JOB, "5m"), (JOB, "1h"))),
    (HOMEWARD, ((JOB, "1h"),)),
    (ABROAD_PER_LOOKUP, ((JOB, "5m"), (JOB, "1h"))),
    (COUNTRIES, ((JOB, "5m"), (JOB, "1h"))),
    (BYTES_ABROAD, ((JOB, "5m"), (JOB, "1h"))),
    (LABELS_ABROAD, ((JOB, "1h"),)),
    (NEEDLESS, ((INSTANCE, "5m"), (JOB, "5m"))),
    (FAILED, ((INSTANCE, "5m"), (JOB, "5m"))),
    (HITS, ((INSTANCE, "5m"), (JOB, "5m"))),
    (NATIVE, ((INSTANCE, "5m"),)),
    (REPLIED, ((INSTANCE, "5m"), (JOB, "5m"))),
    (P50, ((INSTANCE, "5m"), (JOB, "5m"))),
    (P99, ((INSTANCE, "5m"), (JOB, "5m"))),
    (P99_BY_ROUTE, ((JOB, "5m"),)),
    (PROOFS, ((INSTANCE, ""),)),
)
"""What is recorded: each figure with the levels (labels of the target that stay) and windows."""

STEPS = {"1h": "30s"}
"""How finely a window is looked at where sums are; as often as Prometheus looks, if not listed."""

USUAL = ESCAPED.recorded(JOB, "1h") + ":usual"
USUAL_EXPR = f"avg_over_time({ESCAPED.recorded(JOB, '1h')}[7d] offset 1h)"
"""What the share of escapes has been on average in the last week, without the last hour."""
