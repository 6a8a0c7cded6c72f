"""The exporter: native's counters and Python's own, rendered as Prometheus metrics.

Names and labels are those of ``docs/metrics.md``. Label values come from closed sets, so the
number of series is bounded. ``resolver/web.py`` serves them. Limitations: no metric yet whose
subject does not exist (island mode).
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from resolver.counters import HIT_SECONDS_BOUNDS, OVERFLOW, Counters
from resolver.evidence import SourceFact
from resolver.metrics_web import Refusals
from resolver.model import Destination, Reason, Route, Transport
from resolver.tally import SECONDS_BOUNDS, Tally

Counts = dict[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is neither counted in native nor in the tally, at the time of a scrape."""

    generation: str
    mode: str
    cache_entries: Mapping[str, int]  # by cache: answers, records
    cache_bytes: Mapping[str, int]
    records_lost: int
    lookups_under_way: int
    needless: int
    evidence: tuple[SourceFact, ...] = ()
    evidence_stood_in: int = 0


_SCALARS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    (
        "inland_queries",
        "Readable questions from allowed clients.",
        "transport",
        {"udp": "queries_udp", "tcp": "queries_tcp"},
    ),
    (
        "inland_malformed",
        "Messages from clients that could not be read: dropped, or answered with an error.",
        "result",
        {"dropped": "malformed_dropped", "answered": "malformed_answered"},
    ),
    ("inland_refused", "Questions that access.allow does not let in.", "", {"": "refused"}),
    (
        "inland_kernel_drops",
        "Datagrams from clients that the kernel dropped, its queue being full.",
        "",
        {"": "kernel_drops"},
    ),
    ("inland_misses", "Questions that the answer cache could not answer.", "", {"": "misses"}),
    (
        "inland_planned",
        "Questions that native took up by a plan, and those of them given to Python in the end.",
        "result",
        {"taken": "planned", "punted": "planned_punted"},
    ),
    ("inland_shed", "Misses answered SERVFAIL, too many waiting.", "", {"": "misses_shed"}),
    (
        "inland_replies",
        "Replies to clients, and those that the kernel did not take.",
        "result",
        {"sent": "replies_sent", "failed": "replies_failed"},
    ),
    (
        "inland_tcp_clients",
        "Streams of clients: accepted, refused beyond their bounds, dropped as slow readers.",
        "result",
        {
            "accepted": "tcp_clients",
            "refused": "tcp_clients_refused",
            "slow": "tcp_clients_slow",
        },
    ),
    (
        "inland_upstream_discarded",
        "Datagrams from upstream that ended no exchange.",
        "why",
        {
            "mismatched": "upstream_mismatched",
            "late": "upstream_late",
            "malformed": "upstream_malformed",
        },
    ),
    ("inland_icmp_errors", "ICMP errors for upstream datagrams.", "", {"": "icmp_errors"}),
    ("inland_send_failures", "Upstream sends not taken by the kernel.", "", {"": "send_failures"}),
)
"""Metric, help, label, and native's scalar for each value of the label."""


@final
class Exporter(Collector):
    """Collects from the parts at each scrape; ``facts`` is called in the scraper's thread."""

    def __init__(
        self,
        counters: Counters,
        tally: Tally,
        facts: Callable[[], Facts],
        version: str,
        more: Callable[[], Iterable[Metric]] = tuple,
    ) -> None:
        self._counters = counters
        self._tally = tally
        self._facts = facts
        self._version = version
        self._more = more
        self.refusals = Refusals()

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        yield from self._lookups()
        yield self._lookup_seconds()
        yield from self._exchanges()
        yield from self._native()
        facts = self._facts()
        yield from self._standing(facts)
        yield from _evidence(facts)
        yield from self.refusals.metrics()
        yield from self._more()

    def _lookups(self) -> Iterator[Metric]:
        lookups = CounterMetricFamily(
            "inland_lookups",
            "Client questions answered, by how far they went.",
            labels=("transport", "route", "destination"),
        )
        for (transport, route, destination), count in self._lookup_counts().items():
            lookups.add_metric((transport.value, route.value, destination.value), count)
        yield lookups
        escaped = CounterMetricFamily(
            "inland_escaped_lookups",
            "Lookups with an exchange to a foreign or unknown address, by the first one's reason.",
            labels=("reason", "destination"),
        )
        reasons = (reason for reason in Reason if reason is not Reason.NONE)
        every = dict.fromkeys(product(reasons, Destination), 0) | self._tally.escaped
        for (reason, destination), count in every.items():
            escaped.add_metric((reason.value, destination.value), count)
        yield escaped
        failed = CounterMetricFamily(
            "inland_failed_lookups", "Lookups answered SERVFAIL.", labels=("route",)
        )
        for route, count in list(self._tally.failed.items()):
            failed.add_metric((route.value,), count)
        yield failed
        turned = CounterMetricFamily(
            "inland_turned_away", "Questions answered without a lookup.", labels=("why",)
        )
        for why, count in list(self._tally.turned.items()):
            turned.add_metric((why.value,), count)
        yield turned
        yield _counter(
            "inland_stale_answers",
            "Lookups answered from stale data (RFC 8767).",
            self._tally.stale + self._counters.scalars()["stale_hits"],
        )
        yield _counter(
            "inland_faults", "Lookups that ended in a fault of the program.", self._tally.faults
        )

    def _lookup_counts(self) -> dict[tuple[Transport, Route, Destination], int]:
        # From 0 on, so that the first of a kind is an increase and not a new series.
        counts = dict.fromkeys(product(Transport, Route, Destination), 0) | self._tally.lookups
        for hit in self._counters.hits():
            key = (hit.transport, Route.LOCAL, hit.destination)
            counts[key] = counts.get(key, 0) + hit.count
        return counts

    def _lookup_seconds(self) -> Metric:
        seconds = HistogramMetricFamily(
            "inland_lookup_seconds",
            "Time from a question's arrival to its reply.",
            labels=("route",),
        )
        hits, hits_total = self._counters.hit_seconds()
        for route, histogram in self._tally.seconds.items():
            buckets, total = list(histogram.buckets), histogram.total
            if route is Route.LOCAL:
                for bound, count in zip(HIT_SECONDS_BOUNDS, hits, strict=False):
                    buckets[SECONDS_BOUNDS.index(bound)] += count
                buckets[-1] += hits[-1]  # above native's bounds: how far is not known
                total += hits_total
            seconds.add_metric((route.value,), _cumulate(buckets), total)
        return seconds

    def _exchanges(self) -> Iterator[Metric]:
        rows = [r for r in self._counters.exchanges() if r.verdict != OVERFLOW or r.intended]
        exchanges = CounterMetricFamily(
            "inland_exchanges",
            "Questions sent upstream: datagrams that the kernel took, questions on streams.",
            labels=("verdict", "country", "purpose", "reason", "transport"),
        )
        octets: Counts = {}
        connections: Counts = {}
        replies: Counts = {}
        for row in rows:
            labels = (row.verdict, row.country, row.purpose, row.reason, row.transport)
            exchanges.add_metric(labels, row.sent)
            where = (row.verdict, row.country, row.transport)
            _add(octets, ("sent", *where), row.octets_sent)
            _add(octets, ("received", *where), row.octets_received)
            _add(replies, where, row.replies)
            _add(connections, (row.verdict, row.country), row.connections)
        yield exchanges
        yield _labelled(
            "inland_exchange_bytes",
            "Octets of DNS messages exchanged with upstream servers.",
            ("direction", "verdict", "country", "transport"),
            octets,
        )
        yield _labelled(
            "inland_exchange_replies",
            "Replies that matched an exchange.",
            ("verdict", "country", "transport"),
            replies,
        )
        yield _labelled(
            "inland_exchange_connections",
            "Streams opened to upstream servers.",
            ("verdict", "country"),
            connections,
        )

    def _native(self) -> Iterator[Metric]:
        """Native's counters without labels of their own, by :data:`_SCALARS`."""
        counts = self._counters.scalars()
        for name, text, label, scalars in _SCALARS:
            if label:
                family = CounterMetricFamily(name, text, labels=(label,))
                for value, scalar in scalars.items():
                    family.add_metric((value,), counts[scalar])
                yield family
            else:
                yield _counter(name, text, sum(counts[scalar] for scalar in scalars.values()))

    def _standing(self, facts: Facts) -> Iterator[Metric]:
        entries = GaugeMetricFamily("inland_cache_entries", "Entries held.", labels=("cache",))
        size = GaugeMetricFamily("inland_cache_bytes", "Octets held.", labels=("cache",))
        for cache, count in facts.cache_entries.items():
            entries.add_metric((cache,), count)
            size.add_metric((cache,), facts.cache_bytes[cache])
        yield entries
        yield size
        yield GaugeMetricFamily(
            "inland_lookups_under_way", "Lookups not ended yet.", value=facts.lookups_under_way
        )
        yield _counter(
            "inland_records_lost", "Records that did not reach the sink.", facts.records_lost
        )
        yield _counter(
            "inland_needless_escapes",
            "Escapes while an earlier tier was not exhausted; must stay 0.",
            facts.needless,
        )
        policy = GaugeMetricFamily(
            "inland_policy_info", "The policy in force.", labels=("generation", "mode")
        )
        policy.add_metric((facts.generation, facts.mode), 1)
        yield policy
        yield GaugeMetricFamily(
            "inland_validation_enabled", "Whether DNSSEC is validated (not yet).", value=0
        )
        build = GaugeMetricFamily("inland_build_info", "The program.", labels=("version", "python"))
        build.add_metric((self._version, sys.version.split()[0]), 1)
        yield build


def _evidence(facts: Facts) -> Iterator[Metric]:
    """The sources of evidence; as many series as the configuration names files, at most."""
    info = GaugeMetricFamily(
        "inland_evidence_info",
        "A source of evidence in force.",
        labels=("source", "date", "sha256"),
    )
    records = GaugeMetricFamily(
        "inland_evidence_records", "Ranges or networks that it holds.", labels=("source",)
    )
    age = GaugeMetricFamily(
        "inland_evidence_age_seconds", "Time since its date.", labels=("source",)
    )
    for fact in facts.evidence:
        info.add_metric((fact.source, fact.date, fact.digest), 1)
        if fact.records:
            records.add_metric((fact.source,), fact.records)
        if fact.made is not None:
            age.add_metric((fact.source,), max(0.0, time.time() - fact.made))
    yield info
    yield records
    yield age
    yield GaugeMetricFamily(
        "inland_evidence_stood_in",
        "Files of evidence that could not be used at the start, whose last good copy is.",
        value=facts.evidence_stood_in,
    )


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, labels: tuple[str, ...], counts: Counts) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _add(counts: Counts, key: tuple[str, ...], count: int) -> None:
    counts[key] = counts.get(key, 0) + count


def _cumulate(buckets: list[int]) -> list[tuple[str, float]]:
    rows = []
    total = 0
    for bound, count in zip((*map(str, SECONDS_BOUNDS), "+Inf"), buckets, strict=True):
        total += count
        rows.append((bound, float(total)))
    return rows
