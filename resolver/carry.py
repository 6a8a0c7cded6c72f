"""Plans carried out by native: published through here, and what became of them read back.

Native answers a plain reply by itself and tells of it in sums; it gives everything else back as a
punt, with the clients that wait. An answer with an address that native has not met is told with
its addresses, and native learns where they stand.

Limitations: a plan speaks for all views; the view of a client is not in the packed records, which
are read only when a sink wants them.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast, final

from policy.border import Policy
from resolver import _native, limits, limits_servers, limits_verify
from resolver.cache import Answer, AnswerStore, RecordStore
from resolver.concern import Concern
from resolver.counters import DESTINATIONS, TRANSPORTS, Counters
from resolver.exchange import FAILURES
from resolver.listen import Miss, miss_from_tuple
from resolver.model import (
    Address,
    ClientContext,
    Destination,
    Outcome,
    Question,
    Record,
    Route,
    Transport,
    Verdict,
)
from resolver.names import Name, ancestors
from resolver.plan import Plan, Planner, Punt, Server
from resolver.wire import message_from_tuple

_VIEW: Final = 0
_SILENT: Final = 7
_ENDS: Final = ("positive", "nodata", "nxdomain", "unanswered")
_NUMBER: Final = {destination: at for at, destination in enumerate(DESTINATIONS)}
_RECORD = struct.Struct("=dddQHHBBBBBB")


@dataclass(frozen=True, slots=True)
class Sum:
    """Clients that got their answers under one plan, of one server, one transport, one
    destination. ``buckets`` are those of the bounds that
    native was given."""

    plan: Plan
    server: int
    transport: Transport
    destination: Destination
    count: int
    buckets: Sequence[int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Unlocated:
    """An answer that was sent, with an address of which native did not know where it is."""

    plan: Plan
    server: int
    question: Question
    rcode: int
    end: str
    rtt: float
    addresses: tuple[Address, ...]
    answers: Sequence[tuple[bool, bool, float, Answer]]  # DO, CD, life
    views: Sequence[tuple[int, int]]  # with the generation of each
    clients: Sequence[tuple[int, bytes, float]]  # transport, address, seconds


@dataclass(frozen=True, slots=True)
class Punted:
    """An exchange that Python goes on with, and who waits for it."""

    punt: Punt
    misses: tuple[Miss, ...]


@final
@dataclass(frozen=True, slots=True)
class PackedRecords:
    """Records of a batch of planned lookups as native packed them."""

    count: int
    octets: bytes
    plans: dict[int, Plan]
    policy: Policy

    def records(self) -> Iterator[Record]:
        """The records, in the order of their ends."""
        at = 0
        while at < len(self.octets):
            (
                time, seconds, rtt, number, rcode, rtype, server, transport, destination, end,
                first, address_octets,
            ) = _RECORD.unpack_from(self.octets, at)  # fmt: skip
            at += _RECORD.size
            address = Address(self.octets[at : at + address_octets])
            at += address_octets
            begin = at
            while self.octets[at]:
                at += 1 + self.octets[at]
            at += 1
            question = Question(Name(self.octets[begin:at]), rtype)
            plan = self.plans[number]
            tried = plan.tried(server, question)
            tried.outcome, tried.rtt = _ENDS[end], rtt
            label = plan.servers[server].label
            yield Record(
                time,
                question,
                ClientContext(TRANSPORTS[transport], address, _VIEW),
                rcode,
                route_of(plan, server),
                DESTINATIONS[destination],
                label.reason,
                seconds,
                self.policy.generation,
                (tried.exchange(),) if first else (),
            )


@dataclass(frozen=True, slots=True)
class News:
    """What native has done since the last time."""

    sums: list[Sum]
    rtts: list[tuple[Plan, int, list[float], bytes]]
    records: PackedRecords | None
    unlocated: list[Unlocated]
    punted: list[Punted]


def route_of(plan: Plan, server: int) -> Route:
    """The route of a lookup whose only exchange was with this server."""
    domestic = plan.servers[server].label.verdict is Verdict.DOMESTIC
    return Route.DOMESTIC if domestic else Route.ESCAPED


@final
class NativePlans:
    """Implements :class:`resolver.board.Plans`, and reads back what became of them."""

    def __init__(
        self,
        answers: AnswerStore,
        records: RecordStore,
        counters: Counters,
        port: int,
        policy: Policy,
        flights_max: int,
        ttl_max: int,
        ttl_negative_max: int,
        seconds_bounds: Sequence[float],
        kernel_ports: bool | None = None,
    ) -> None:
        self._counters = counters
        self._policy = policy
        self._parted = _parted(policy)
        self.native = _native.Plans(
            answers.native,
            records.native,
            port,
            flights_max,
            limits.PLANNED_PER_ZONE,
            limits.PLANNED_PER_CLIENT,
            limits.JOINERS_MAX,
            limits_verify.PLAN_TRIES_MAX,
            limits.PLANNED_BACKLOG_MAX,
            limits.LOCATIONS_MAX,
            ttl_max,
            ttl_negative_max,
            limits_servers.EXPLORE_ONE_IN,
            limits_servers.FARTHER_SECONDS,
            limits.UPSTREAM_LINGER_SECONDS,
            list(seconds_bounds),
            kernel_ports,
        )
        self.native.set_policy(policy.generation_number, (), (), ())

    def set_policy(self, policy: Policy, concern: Concern | None = None) -> None:
        """Another policy: all plans are void, and so is what is known of addresses. ``concern``:
        names whose questions are Python's, and addresses whose answers are."""
        self._policy = policy
        self._parted = _parted(policy)
        # Clients that are told more, or that response policy zones name, are answered by Python.
        classes = enumerate(policy.views, 1)
        views = [number for number, one in classes if one.explain or one.zoned]
        tables: list[_native.NameTable] = []
        ranges: Sequence[_native.RangeLayer] = ()
        if concern is not None:
            tables = [_table(concern.rows)]
            # What a rulebook calls a table of names is one of native's.
            tables += cast("Sequence[_native.NameTable]", concern.tables)
            ranges = cast("Sequence[_native.RangeLayer]", concern.ranges)
        self.native.set_policy(policy.generation_number, tables, views, ranges)

    def fileno(self) -> int:
        """Readable when there is news."""
        return self.native.fileno()

    def publish(self, plan: Plan) -> None:
        """Put a plan in force in the place of what stands for its cut."""
        if plan.zone in self._parted:
            # Names without an address have different destinations below this zone.
            self.native.bar(_VIEW, plan.zone, plan.until)
            return
        slot = self._counters.slot
        self.native.publish(
            plan.number,
            _VIEW,
            plan.zone,
            plan.any_depth,
            plan.randomise_case,
            plan.own_set,
            _NUMBER[self._policy.destination((), plan.zone)],
            [
                (s.address, slot(s.label, Transport.UDP), s.wait, _options(s), s.score)
                for s in plan.servers
            ],
            plan.expires,
            plan.until,
            plan.tag,
            plan.proven,
        )

    def shown(self, zone: Name) -> "_native.ShownPlanTuple | None":
        """What native holds for a cut: number, end, proven keys."""
        return self.native.shown(_VIEW, zone)

    def bar(self, zone: Name, until: float) -> None:
        """A cut without a plan: misses below it are Python's."""
        self.native.bar(_VIEW, zone, until)

    def forget(self, name: Name, subtree: bool) -> None:
        """There is no such cut any more (or none at and below the name)."""
        self.native.forget(name, subtree)

    def leave(self, question: Question, until: float, now: float) -> None:
        """A question is Python's until then."""
        self.native.leave(question.name, question.rtype, until, now)

    def forgive(self) -> None:
        """No question has failed."""
        self.native.forgive()

    def locate(self, addresses: Sequence[Address]) -> None:
        """Tell native where these addresses are."""
        self.native.locate([(address, self._policy.side(address)) for address in addresses])

    def stop(self) -> None:
        """Carry out no plan from now on; what is under way ends."""
        self.native.stop()

    def under_way(self) -> int:
        """Planned exchanges that have not ended."""
        return self.native.under_way()

    def take(self, planner: Planner, now: float) -> News:
        """What native has done since the last call."""
        sums, rtts, octets, count, unlocated, punts = self.native.take()
        found: dict[int, Plan] = {}
        numbers = {key[0] for key, *_ in sums}
        numbers |= {row[0] for row in unlocated} | {row[0] for row in punts}
        for number in numbers:
            plan = planner.get(number)
            assert plan is not None, "an exchange outlived the memory of its plan"
            found[number] = plan
        # How fast a server was may come seconds after all else, or too late.
        trips = [
            (plan, server, times, identity)
            for number, server, times, identity in rtts
            if (plan := planner.get(number)) is not None
        ]
        return News(
            [
                Sum(
                    found[number], server, TRANSPORTS[transport], DESTINATIONS[destination],
                    clients, buckets, seconds,
                )
                for (number, server, transport, destination), clients, buckets, seconds in sums
            ],
            trips,
            PackedRecords(count, octets, found, self._policy) if count else None,
            [
                Unlocated(
                    found[number], server, Question(Name(name), rtype), rcode, _ENDS[end], rtt,
                    tuple(map(Address, addresses)), answers, views, clients,
                )
                for number, server, name, rtype, rcode, end, rtt, addresses, answers, clients,
                views in unlocated
            ],
            [_punted(found, row, now) for row in punts],
        )  # fmt: skip


def _table(rows: Sequence[tuple[Name, bool]]) -> _native.NameTable:
    """Names, true with all below, as a table."""
    owners: dict[bytes, None] = {}
    for name, below in rows:
        owners[name] = None
        if below:
            owners[b"\x01*" + name] = None
    return _native.NameTable(b"".join([owner + b"\0\0\0\0" for owner in owners]))


def _options(server: Server) -> int:
    """What a question to a server has of EDNS, by native's number."""
    return (2 if server.nsid else 1) if server.edns else 0


def _punted(plans: dict[int, Plan], row: "_native.PuntTuple", now: float) -> Punted:
    number, server, name, rtype, failure, message, rtt, octets, misses = row
    question = Question(Name(name), rtype)
    outcome = None
    if failure != _SILENT:
        read = message_from_tuple(message) if message else None
        outcome = Outcome(read, FAILURES[failure], rtt, octets)
    plan = plans[number]
    usual = plan.servers[server].is_usual
    punt = Punt(question, plan.tried(server, question), outcome, now - rtt, usual)
    return Punted(punt, tuple(map(miss_from_tuple, misses)))


def _parted(policy: Policy) -> frozenset[Name]:
    """Zones that are not domestic as such and have a listed zone below."""
    return frozenset(
        above
        for zone in policy.domestic_zones
        for above in ancestors(zone)
        if policy.destination((), above) is Destination.NONE
    )
