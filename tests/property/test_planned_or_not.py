"""Planned or not, a lookup is the same, in virtual time: one seeded scenario run both ways.

*The same books* means, of a scenario in which no reply comes later than its wait, with servers
chosen by one chance in one way:

* every client gets the same reply at the same time: rcode, all sections, TTLs;
* the same questions go to the same addresses in the same order at the same times, over the same
  transport, with the same label (verdict, country, purpose, reason), EDNS and letter case;
* the same records are kept, in the same order: question, client, rcode, route, destination,
  reason, seconds, generation of the policy, and every exchange with zone, server, tier, outcome
  and round trip (a silent server may be told as *timeout* or as *unanswered*: which one depends on
  whether the door's own time-out came before the lookup's end, and native has no such time-out);
* lookups by transport, route and destination, escapes by reason and destination and the histogram
  of seconds are equal, and needless escapes are none;
* what is remembered is equal: records and their ends, cuts with their servers and addresses,
  round trips, strikes, hold-down and EDNS of each server, lame servers, failed questions.

Known to differ, kept out by the choice of seeds: Python's exchanges live three seconds, planned
ones their wait; so Python waits for silent servers, and a second lookup hears what is under way.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from itertools import islice
from random import Random
from typing import Any

import dns.rdatatype
import pytest

from policy.border import Mode, Policy
from policy.inputs import PolicyInputs, Stated
from policy.load import load_policy
from resolver import limits, limits_servers
from resolver.model import Address, Question, Rcode, Record, Route, Transport, address_text
from resolver.names import to_text
from resolver.servers import Server
from resolver.wire import parse_message
from testbed.truth import Truth
from testbed.world import World, make_world
from tests.interpreted import interpreted as pytestmark  # noqa: F401
from tests.virtual_odd import ODDITIES, OddHost
from tests.virtual_servers import Host, address, name
from tests.virtual_service import Client, Served
from tests.virtual_world import flat, flat_expected, world_hosts

TYPES = ("A", "A", "A", "AAAA", "MX", "TXT", "SOA", "NS", "DS", "CNAME")
LATENCY_MAX = 0.125  # below the least wait: a reply is in time or never
GRID = 1024  # times are multiples of a power of two, so that sums do not depend on their order
SILENT = {"timeout", "unanswered"}


@dataclass(frozen=True)
class Step:
    """One thing that happens: ``what`` is ask, pause, down, up, reload or flush."""

    what: str
    text: str = ""
    kind: str = "A"
    do: bool = False
    cd: bool = False
    number: float = 0


def on_grid(seconds: float) -> float:
    """The nearest time on the grid that is not 0."""
    return max(1, round(seconds * GRID)) / GRID


@pytest.fixture(autouse=True)
def _exact_times(monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_grid(monkeypatch.setattr)


def put_on_grid(setattr_: Callable[[Any, str, Any], None]) -> None:
    """Bring all waits onto the grid."""
    wait = Server.wait
    setattr_(Server, "wait", lambda server, tries: on_grid(wait(server, tries)))
    setattr_(limits_servers, "WAIT_HOME", 0.15625)
    setattr_(limits, "STALE_CLIENT_SECONDS", 1.75)


def policy_for(world: World, variant: int = 0) -> Policy:
    """The world's border; variants decide otherwise in one thing each."""
    inputs = PolicyInputs(
        home=frozenset({"XA"}),
        domestic=tuple(Stated(ip_network(text)) for text in world.domestic_prefixes),
        foreign=tuple(
            Stated(ip_network(row["prefix"]), row["country"]) for row in world.foreign_prefixes
        ),
        zones=(name("xa."),),
        registry=False,
    )
    if variant == 1:
        inputs = replace(inputs, mode=Mode.OBSERVE)
    elif variant == 2:
        inputs = replace(inputs, zones=(), patience=0.125)
    return load_policy(inputs)


def scenario(world: World, seed: int, count: int) -> list[Step]:
    """Known names, unknown names, names below them, all types, repeats; pauses, outages, reloads
    and flushes in between."""
    chance = Random(seed)
    zones = [zone for zone in world.delegations if zone != "."]
    known = [question for question, _ in Truth(world).questions()]
    busy = chance.sample(zones, min(len(zones), 6))
    addresses = [s.address for s in world.servers.values()]
    down: list[str] = []
    steps: list[Step] = []
    for number in range(count):
        at = chance.random()
        do, cd = chance.random() < 0.3, chance.random() < 0.2
        zone = chance.choice(busy if at < 0.6 else zones)
        if at < 0.75:
            steps.append(Step("ask", f"r{number}.{zone}", chance.choice(TYPES), do, cd))
        elif at < 0.8:
            steps.append(Step("ask", f"deep.r{number}.{zone}", "A", do, cd))
        elif at < 0.9:
            question = chance.choice(known)
            steps.append(Step("ask", question.name, question.rtype, do, cd))
        elif at < 0.93:
            steps.append(Step("ask", zone, chance.choice(TYPES), do, cd))
        elif at < 0.96:
            steps.append(Step("pause", number=chance.choice((0.25, 2, 4, 7, 40, 400))))
        elif at < 0.98:
            if down and chance.random() < 0.6:
                steps.append(Step("up", down.pop()))
            else:
                down.append(chance.choice(addresses))
                steps.append(Step("down", down[-1]))
        elif at < 0.99:
            steps.append(Step("reload", number=chance.randrange(3)))
        else:
            steps.append(Step("flush", chance.choice((zone, "."))))
        if chance.random() < 0.25 and steps[-1].what == "ask":
            steps.append(steps[-1])
    return steps


class Run:
    """A scenario carried out one way."""

    policy = staticmethod(policy_for)

    def __init__(
        self, world: World, seed: int, plans: bool, *, odd: int = 0, loss: float = 0.0, **how: Any
    ) -> None:
        self.world = world
        hosts: dict[Address, Host] = {}
        for at, host in world_hosts(world).items():
            host.latency = on_grid(min(host.latency, LATENCY_MAX))
            hosts[at] = OddHost(host, seed, odd) if odd else host
        hints = [(name(server), (address(at),)) for server, at in world.delegations["."].parent_set]
        self.hosts = hosts
        self.served = Served(
            hosts, tuple(hints), self.policy(world), plans=plans, seed=seed, loss=loss, **how
        )
        self.clients: list[Client] = []

    def step(self, step: Step) -> Client | None:
        """One step; the client of a question, whose reply is not waited for."""
        served = self.served
        match step.what:
            case "ask":
                client = served.ask(step.text, step.kind, step.do, step.cd)
                self.clients.append(client)
                return client
            case "pause":
                served.run(step.number)
            case "down" | "up":
                self.hosts[address(step.text)].up = step.what == "up"
            case "reload":
                served.reload(self.policy(self.world, int(step.number)))
            case "flush":
                served.flush(name(step.text), subtree=True)
        return None

    def one_by_one(self, steps: Iterable[Step]) -> None:
        """Each client waits for its reply before the next thing happens."""
        for step in steps:
            if (client := self.step(step)) is not None:
                self.served.finish(client)
        self.served.run(60)

    def sent(self) -> list[tuple[Any, ...]]:
        """What went through the door, told readably."""
        door = self.served.door
        return [
            (
                round(at, 6), address_text(ask.address), to_text(ask.question.name),
                ask.question.rtype, ask.transport.value, ask.label, ask.edns, ask.randomise_case,
            )
            for at, ask in zip(door.times, door.sent, strict=True)
        ]  # fmt: skip

    def replies(self) -> list[tuple[Any, ...]]:
        """What clients got, and when."""
        return [
            (
                to_text(client.key.question.name), client.key.question.rtype, client.reply,
                client.replied and round(client.replied, 6), client.hit,
            )
            for client in self.clients
        ]  # fmt: skip

    def records(self) -> list[tuple[Any, ...]]:
        """The ledger, told readably."""
        return [flat_record(record) for record in self.served.ledger.records]

    def tallies(self) -> tuple[Any, ...]:
        """Sums."""
        tally, needless = self.served.tally, self.served.driver.needless
        seconds = {route: (h.buckets, round(h.total, 6)) for route, h in tally.seconds.items()}
        return tally.lookups, tally.escaped, seconds, tally.worst.ranking(99), needless

    def memory(self) -> dict[str, Any]:
        """What the core knows."""
        core, now = self.served.core, self.served.now
        records = {
            (to_text(at), rtype): (round(ends, 6), cached.kind, cached.rrset, cached.rank)
            for (at, rtype), (_, ends, cached) in self.served.records.entries.items()
            if ends > now
        }
        cuts = {
            to_text(zone): (
                round(cut.expires, 6), cut.parent, cut.child, cut.addresses,
                {n: round(until, 6) for n, until in cut.resolved.items()},
            )
            for zone, cut in core.cuts._cuts.items()
            if cut.expires > now
        }  # fmt: skip
        servers = {
            address_text(at): (
                s.srtt and round(s.srtt, 6), round(s.rttvar, 6), s.strikes, s.held, s.probing,
                round(s.no_edns_until, 6),
            )
            for at, s in core.servers._servers.items()
            if s.srtt is not None or s.strikes or s.no_edns_until  # else only looked at
        }  # fmt: skip
        lame = {key: round(until, 6) for key, until in core.servers._lame.items()}
        failures = {
            to_text(q.name): (round(failure.until, 6), failure.gap)
            for q, failure in self.served.scheduler._failures._known.items()
            if failure.until > now and isinstance(q, Question)
        }
        return {
            "records": records, "cuts": cuts, "servers": servers, "lame": lame,
            "failures": failures,
        }  # fmt: skip


def flat_record(record: Record) -> tuple[Any, ...]:
    """A record, told readably and with silence in one word."""
    exchanges = tuple(
        (
            to_text(e.zone), e.server and to_text(e.server), address_text(e.address),
            to_text(e.question.name), e.question.rtype, e.transport.value, e.label, e.tier,
            "silent" if e.outcome in SILENT else e.outcome,
            0 if e.outcome in SILENT else round(e.rtt, 6),
        )
        for e in record.exchanges
    )  # fmt: skip
    return (
        round(record.time, 6), to_text(record.question.name), record.question.rtype,
        record.client, record.rcode, record.route, record.destination, record.reason,
        round(record.seconds, 6), record.generation, exchanges,
    )  # fmt: skip


def assert_same(ours: Any, theirs: Any, what: str) -> None:
    """Equal, or the first difference is told."""
    if isinstance(ours, dict):
        keys = [k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)]
        told = {key: (ours.get(key), theirs.get(key)) for key in keys[:3]}
        assert not keys, f"{what}: {len(keys)} differ, such as (planned, not) {told}"
        return
    for at, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        assert mine == other, f"{what} number {at}: planned\n{mine}\nnot\n{other}"
    assert len(ours) == len(theirs), what


def both(world: World, seed: int, steps: list[Step], **how: Any) -> tuple[Run, Run]:
    """The scenario planned and not."""
    planned, unplanned = (Run(world, seed, plans, **how) for plans in (True, False))
    for run in (planned, unplanned):
        run.one_by_one(steps)
    return planned, unplanned


def assert_same_books(planned: Run, unplanned: Run) -> None:
    """See the top of this file."""
    assert_same(planned.sent(), unplanned.sent(), "exchange")
    assert_same(planned.replies(), unplanned.replies(), "reply")
    assert_same(planned.records(), unplanned.records(), "record")
    assert planned.tallies() == unplanned.tallies()
    assert planned.served.driver.needless == 0
    theirs = unplanned.memory()
    for what, known in planned.memory().items():
        assert_same(known, theirs[what], what)


@pytest.mark.parametrize(
    ("odd", "loss"), [(0, 0.0), (0, 0.03), (0, 0.1), (10, 0.0), (4, 0.0), (2, 0.0)]
)
@pytest.mark.parametrize("minimise", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 8])
def test_the_same_books_either_way(seed: int, minimise: bool, odd: int, loss: float) -> None:
    world = make_world("small", seed)
    steps = scenario(world, seed, 400)
    planned, unplanned = both(world, seed, steps, odd=odd, loss=loss, qname_minimisation=minimise)
    assert_same_books(planned, unplanned)
    carrier = planned.served.carrier
    assert carrier is not None
    assert carrier.carried > 50, "plans are of use"
    assert carrier.punted > 0, "and are not all"


def test_every_oddity_is_met_by_a_planned_exchange() -> None:
    met: set[str] = set()
    for seed in range(1, 6):
        run = Run(make_world("small", seed), seed, True, odd=2)
        run.one_by_one(scenario(run.world, seed, 400))
        met |= {kind for host in run.hosts.values() for kind in getattr(host, "met_planned", ())}
    assert met == set(ODDITIES)


@pytest.mark.parametrize("loss", [0.0, 0.1])
@pytest.mark.parametrize("plans", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_forty_clients_get_the_truth_and_all_is_told(seed: int, plans: bool, loss: float) -> None:
    """Here chance may fall differently, since lookups hear each other's replies; so each way is
    held against the truth: answers, escapes that need not have been, and books that tell all."""
    world = make_world("small", seed)
    truth = Truth(world)
    run = Run(world, seed, plans, loss=loss)
    waiting = iter(step for step in scenario(world, seed, 1200) if step.what == "ask")
    active: list[Client] = []
    while True:
        active = [client for client in active if client.reply is None]
        for step in islice(waiting, 40 - len(active)):
            client = run.step(step)
            assert client is not None
            active.append(client)
        if not active:
            break
        run.served.turn()
    run.served.run(60)
    wrong = [client for client in run.clients if not is_right(truth, client, loss)]
    assert wrong == []
    assert_told(run)
    if not loss:
        assert truth.avoidable_exchanges(roles(run)) == []
    if plans:
        carrier = run.served.carrier
        assert carrier is not None and carrier.carried > 100


def is_right(truth: Truth, client: Client, loss: float) -> bool:
    """Whether a client got the truth; under loss a failure is no lie."""
    assert client.reply is not None
    told, question = parse_message(client.reply), client.key.question
    rtype = dns.rdatatype.to_text(dns.rdatatype.RdataType(question.rtype))
    expected = truth.expected(to_text(question.name), rtype)
    if told.rcode == Rcode.SERVFAIL and loss:
        return True
    right = expected.rcode, flat_expected(expected.answer)
    return (told.rcode, flat(told.answer)) == right


def assert_told(run: Run) -> None:
    """Nothing needless; each lookup is in the sums and in one record; each exchange in a record."""
    served = run.served
    tally, records = served.tally, served.ledger.records
    assert served.driver.needless == 0
    assert sum(tally.lookups.values()) == len(records)
    misses = [record for record in records if record.client.transport is Transport.UDP]
    assert len(misses) == sum(not client.hit for client in run.clients)
    sums = Counter((r.client.transport, r.route, r.destination) for r in records)
    assert sums == tally.lookups
    escapes = Counter((r.reason, r.destination) for r in records if r.route is Route.ESCAPED)
    assert (escapes, escapes.total()) == (tally.escaped, tally.worst.total)
    told = Counter(
        (e.address, e.question, e.transport, e.label) for r in records for e in r.exchanges
    )
    sent = Counter((a.address, a.question, a.transport, a.label) for a in served.door.sent)
    assert told.keys() == sent.keys()
    assert not sent - told, "each is told, and by all lookups that waited for it"


def roles(run: Run) -> list[tuple[str, str, int]]:
    """Exchanges as the testbed reports them: address, zone whose server was asked, count."""
    out = []
    for ask in run.served.door.sent:
        server = run.world.servers[address_text(ask.address)]
        rtype = dns.rdatatype.to_text(dns.rdatatype.RdataType(ask.question.rtype))
        out.append((server.address, server.role(to_text(ask.question.name), rtype), 1))
    return out
