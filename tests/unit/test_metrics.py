"""The exporter shows exactly what the parts have counted, under the names of docs/metrics.md."""

import re
import select
import socket
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from resolver import counters, names
from resolver.counters import Clock, Counters
from resolver.errors import StateError
from resolver.evidence import SourceFact
from resolver.exchange import NativeDoor
from resolver.metrics import Exporter, Facts
from resolver.metrics_mirrors import mirror_metrics
from resolver.metrics_policy import policy_metrics
from resolver.metrics_privacy import privacy_metrics
from resolver.metrics_proofs import proof_metrics
from resolver.metrics_reloads import Reloads
from resolver.metrics_rpz import rpz_metrics
from resolver.metrics_watch import watch_metrics
from resolver.model import (
    Address,
    Ask,
    Destination,
    Label,
    Outcome,
    Purpose,
    Question,
    Reason,
    Route,
    Transport,
    Verdict,
)
from resolver.prove import Prover
from resolver.rpz_run import ResponseZones
from resolver.tags import Tags
from resolver.tally import SECONDS_BOUNDS, Tally, Turned
from resolver.watch.keep import Telling, Watcher
from resolver.web import MetricsServer
from tests.unit.mirror_rig import MirrorRig

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

FACTS = Facts(
    generation="abc",
    mode="prefer",
    cache_entries={"answers": 3, "records": 5},
    cache_bytes={"answers": 300, "records": 500},
    records_lost=7,
    lookups_under_way=2,
    needless=0,
    evidence=(
        SourceFact("database geo", "2026-06-01", "ab" * 32, 700, 1_780_272_000.0),
        SourceFact("anycast list", "none", "cd" * 32, 0, None),
    ),
    evidence_stood_in=1,
)


class Rig:
    """An exporter on a free port, over counters and a tally of its own."""

    def __init__(self, folder: Path) -> None:
        self.counters = Counters(None, 4)
        self.tally = Tally()
        self.mirrors = MirrorRig(folder)
        self.prover = Prover(self.mirrors.core, self.mirrors.clock)
        telling = Telling(lambda *work: None, lambda changed: None)
        self.watcher = Watcher(self.mirrors.core, self.mirrors.clock, None, telling)
        self.reloads = Reloads()
        exporter = Exporter(self.counters, self.tally, lambda: FACTS, "0.0", self.more)
        self.server = MetricsServer(exporter, ("127.0.0.1", 0), refusals=exporter.refusals)

    def more(self) -> Iterator[Metric]:
        yield from mirror_metrics(self.mirrors.keeper, self.mirrors.tools.fetch)
        yield from proof_metrics(self.prover)
        yield from watch_metrics(self.watcher)
        yield from self.reloads.metrics()
        yield from privacy_metrics(self.counters, self.mirrors.core.withheld)
        yield from policy_metrics(Tags(), self.tally, self.counters)
        mirrors = self.mirrors
        zones = ResponseZones(mirrors.tools, mirrors.clock, None, None, lambda: None)
        yield from rpz_metrics(zones, Tags(), self.tally, self.counters)

    def text(self) -> str:
        host, port = self.server.address
        with urlopen(f"http://{host}:{port}/metrics", timeout=10) as reply:
            content: bytes = reply.read()
        return content.decode()

    def samples(self) -> Samples:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.server.close()
    made.mirrors.door.close()


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_lookups_are_counted_by_route_and_destination(rig: Rig) -> None:
    for _ in range(3):
        rig.tally.lookup(Transport.UDP, Route.DOMESTIC, Destination.MIXED, Reason.NONE)
    rig.tally.lookup(Transport.TCP, Route.ESCAPED, Destination.FOREIGN, Reason.DOMESTIC_FAILED)
    found = rig.samples()
    labels = {"transport": "udp", "route": "domestic", "destination": "mixed"}
    assert found[key("inland_lookups_total", **labels)] == 3
    why = {"reason": "domestic_failed", "destination": "foreign"}
    assert found[key("inland_escaped_lookups_total", **why)] == 1


def test_escapes_by_reason_add_up_to_escaped_lookups(rig: Rig) -> None:
    for reason in (Reason.UNLOCATED, Reason.POLICY, Reason.UNLOCATED):
        rig.tally.lookup(Transport.INTERNAL, Route.ESCAPED, Destination.NONE, reason)
    found = rig.samples()
    reasons = sum(v for (name, _), v in found.items() if name == "inland_escaped_lookups_total")
    routes = sum(
        value
        for (name, labels), value in found.items()
        if name == "inland_lookups_total" and ("route", "escaped") in labels
    )
    assert reasons == routes == 3


def test_the_histogram_cumulates_and_keeps_the_sum(rig: Rig) -> None:
    seconds = rig.tally.seconds[Route.DOMESTIC]
    for value in (0.003, 0.003, 0.2, 100.0):
        seconds.observe(value)
    found = rig.samples()
    name, route = "inland_lookup_seconds", "domestic"
    assert found[key(f"{name}_bucket", route=route, le="0.0025")] == 0
    assert found[key(f"{name}_bucket", route=route, le="0.005")] == 2
    assert found[key(f"{name}_bucket", route=route, le="0.25")] == 3
    assert found[key(f"{name}_bucket", route=route, le="+Inf")] == 4
    assert found[key(f"{name}_count", route=route)] == 4
    assert found[key(f"{name}_sum", route=route)] == pytest.approx(100.206)


def test_a_bound_belongs_to_its_bucket(rig: Rig) -> None:
    rig.tally.seconds[Route.LOCAL].observe(SECONDS_BOUNDS[3])
    assert rig.tally.seconds[Route.LOCAL].buckets[3] == 1


def test_an_exchange_is_shown_under_the_label_it_was_sent_with(rig: Rig) -> None:
    label = Label(Verdict.FOREIGN, "XB", Purpose.NAMESERVER_ADDRESS, Reason.NO_DOMESTIC_SERVER)
    question = Question(names.from_text("example.xb."), 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
        upstream.bind(("127.0.0.1", 0))
        door = NativeDoor(
            Clock(),
            rig.counters,
            port=upstream.getsockname()[1],
            workers=1,
            in_flight_max=10,
            linger=0.1,
            tcp_idle=1.0,
            outcomes_max=10,
        )
        try:
            ask = Ask(Address(bytes([127, 0, 0, 1])), question, label, timeout=0.1)
            door.submit([(1, ask), (2, ask)])
            sizes = {len(upstream.recv(4096)) for _ in range(2)}
            outcomes: list[tuple[int, Outcome]] = []
            while len(outcomes) < 2:
                assert select.select([door.fileno()], [], [], 10)[0]
                outcomes += door.take()
        finally:
            door.close()
    found = rig.samples()
    where = {"verdict": "foreign", "country": "XB", "transport": "udp"}
    why = {"purpose": "nameserver_address", "reason": "no_domestic_server"}
    assert found[key("inland_exchanges_total", **where, **why)] == 2
    assert found[key("inland_exchange_bytes_total", direction="sent", **where)] == 2 * sizes.pop()
    assert found[key("inland_exchange_bytes_total", direction="received", **where)] == 0
    assert found[key("inland_exchange_replies_total", **where)] == 0


def test_labels_shown_are_summed_by_verdict_and_names_withheld_are_counted(rig: Rig) -> None:
    rig.mirrors.core.withheld.denied += 3
    rig.mirrors.core.withheld.refused += 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
        upstream.bind(("127.0.0.1", 0))
        door = NativeDoor(
            Clock(),
            rig.counters,
            port=upstream.getsockname()[1],
            workers=1,
            in_flight_max=10,
            linger=0.1,
            tcp_idle=1.0,
            outcomes_max=10,
        )
        try:
            for number, (verdict, text, needed) in enumerate(
                [
                    (Verdict.FOREIGN, ".", 1),
                    (Verdict.FOREIGN, "example.xb.", 2),
                    (Verdict.FOREIGN, "a.b.example.xb.", 3),
                    (Verdict.DOMESTIC, "a.b.c.example.xa.", 2),
                ]
            ):
                label = Label(verdict, "XB", Purpose.ANSWER, Reason.NO_DOMESTIC_SERVER)
                question = Question(names.from_text(text), 1)
                where = Address(bytes([127, 0, 0, 1]))
                door.submit([(number, Ask(where, question, label, timeout=5, needed=needed))])
                upstream.recv(4096)
        finally:
            door.close()
    found = rig.samples()
    for side, labels, beyond in (("foreign", 6, 1), ("domestic", 5, 3)):
        assert found[key("inland_exchange_labels_total", verdict=side)] == labels
        assert found[key("inland_exchange_labels_beyond_total", verdict=side)] == beyond
    assert found[key("inland_withheld_names_total", result="denied")] == 3
    assert found[key("inland_withheld_names_total", result="refused")] == 1


def test_standing_facts(rig: Rig) -> None:
    rig.tally.turned[Turned.CLASS] += 1
    found = rig.samples()
    assert found[key("inland_cache_entries", cache="records")] == 5
    assert found[key("inland_cache_bytes", cache="answers")] == 300
    assert found[key("inland_records_lost_total")] == 7
    assert found[key("inland_needless_escapes_total")] == 0
    assert found[key("inland_policy_info", generation="abc", mode="prefer")] == 1
    assert found[key("inland_validation_enabled")] == 0
    assert found[key("inland_kernel_drops_total")] == 0
    assert found[key("inland_turned_away_total", why="class")] == 1


def test_every_scalar_of_native_is_exported(rig: Rig) -> None:
    source = Path("resolver/metrics.py").read_text(encoding="utf-8")
    exported = set(re.findall(r'"([a-z_]+)"', source))
    assert set(rig.counters.scalars()) <= exported


def test_the_metrics_are_those_of_the_manual(rig: Rig) -> None:
    rig.tally.lookup(Transport.UDP, Route.ESCAPED, Destination.NONE, Reason.POLICY)
    manual = set(re.findall(r"`(inland_\w+)`", Path("docs/metrics.md").read_text("utf-8")))
    text = rig.text()
    shown = set(re.findall(r"^# TYPE (inland_\w+) ", text, re.MULTILINE))
    assert manual == shown


def test_a_label_that_is_not_ours_is_shown_as_overflow() -> None:
    row = counters.ExchangeCount.from_slot(("overflow", 1, 2, 3, 4, 5, 6, 7, 8))
    assert {row.verdict, row.country, row.purpose, row.reason, row.transport} == {"overflow"}
    assert (row.sent, row.connections, row.labels, row.labels_beyond) == (2, 6, 7, 8)


def test_a_port_in_use_is_a_clear_error(rig: Rig) -> None:
    exporter = Exporter(rig.counters, rig.tally, lambda: FACTS, "0.0")
    with pytest.raises(StateError, match=r"metrics\.listen: cannot listen on 127\.0\.0\.1 port"):
        MetricsServer(exporter, rig.server.address)


def test_ipv6_is_served(rig: Rig) -> None:
    server = MetricsServer(Exporter(rig.counters, rig.tally, lambda: FACTS, "0.0"), ("::1", 0))
    try:
        with urlopen(f"http://[::1]:{server.address[1]}/metrics", timeout=10) as reply:
            assert b"inland_build_info" in reply.read()
    finally:
        server.close()


def test_each_source_of_evidence_shows_its_date_hash_size_and_age(rig: Rig) -> None:
    samples = rig.samples()
    info = key("inland_evidence_info", source="database geo", date="2026-06-01", sha256="ab" * 32)
    assert samples[info] == 1
    assert samples[key("inland_evidence_records", source="database geo")] == 700
    assert key("inland_evidence_records", source="anycast list") not in samples
    age = samples[key("inland_evidence_age_seconds", source="database geo")]
    assert abs(age - (time.time() - 1_780_272_000.0)) < 60 or age == 0
    assert key("inland_evidence_age_seconds", source="anycast list") not in samples
    assert samples[key("inland_evidence_stood_in")] == 1


def test_lookups_and_escapes_are_there_before_the_first(rig: Rig) -> None:
    found = rig.samples()
    for transport, route, destination in product(Transport, Route, Destination):
        labels = {"transport": transport.value, "route": route.value}
        assert found[key("inland_lookups_total", **labels, destination=destination.value)] == 0
    reasons = {dict(labels)["reason"] for (name, labels) in found if "escaped_lookups" in name}
    assert reasons == {reason.value for reason in Reason} - {"none"}
    assert found[key("inland_failed_lookups_total", route="escaped")] == 0


def test_reloads_are_counted_and_the_last_is_told(rig: Rig) -> None:
    def shown() -> tuple[float, float, float]:
        found = rig.samples()
        return (
            found[key("inland_reloads_total", result="done")],
            found[key("inland_reloads_total", result="refused")],
            found[key("inland_last_reload_successful")],
        )

    assert shown() == (0, 0, 1)
    with pytest.raises(StateError), rig.reloads.attempt():
        raise StateError("no")
    assert shown() == (0, 1, 0)
    with rig.reloads.attempt():
        pass
    assert shown() == (1, 1, 1)
    assert rig.samples()[key("inland_pack_stood_in")] == 0


def test_requests_refused_are_among_the_metrics(rig: Rig) -> None:
    assert rig.samples()[key("inland_web_refusals_total", why="host")] == 0
    request = Request(rig.server.url, headers={"Host": "rebound.example"})
    with pytest.raises(HTTPError, match="421"):
        urlopen(request, timeout=10)
    assert rig.samples()[key("inland_web_refusals_total", why="host")] == 1
    assert rig.samples()[key("inland_web_refusals_total", why="password")] == 0
