"""Native's part in memory and virtual time: a table of plans, and a thread that carries them out.

Takes the place of ``_native.Plans`` behind :class:`resolver.carry.NativePlans`, so that all that
Python does with plans is the product's own: publishing, unpacking, booking, going on from punts.
The rules are those of ``resolver/native/src/plan``, written again; ``tests/system/test_plans.py``
runs the real thing.

Limitations: one thread, no bounds on what is under way, and sockets that linger for ever.
"""

import heapq
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from resolver._native import NameTable, RangeLayer, RangeTable
from resolver.cache import AnswerKey, AnswerStore, build_answer
from resolver.compose import addresses_in, compose
from resolver.contest import Candidate, Contest
from resolver.core import Core
from resolver.counters import DESTINATIONS
from resolver.delegation import Delegation
from resolver.iterate import from_records
from resolver.listen import Miss
from resolver.model import (
    Address,
    Ask,
    CachedKind,
    Failure,
    Outcome,
    Question,
    Rank,
    Rcode,
    Result,
    Security,
    Type,
)
from resolver.names import Name, ancestors, is_subdomain, label_count
from resolver.tally import SECONDS_BOUNDS
from tests.virtual_plain import miss_to_tuple, plain

LEFT_TO_PYTHON = frozenset({Type.NS, Type.CNAME, Type.DNAME, Type.DS, Type.RRSIG, Type.ANY})
RECORD = struct.Struct("=dddQHHBBBBBB")
ENDS = {Rcode.NOERROR: 0, Rcode.NXDOMAIN: 2}
FAILURES = {failure: number for number, failure in enumerate(Failure, 1)}
SILENT = 7

Fly = Callable[[Ask], tuple[float, Outcome]]
"""Sends one question; when its fate is told, in seconds from now, and what it is."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan as it was published."""

    number: int
    zone: Name
    any_depth: bool
    randomise_case: bool
    own_set: tuple[Name, ...]
    destination: int
    servers: tuple[tuple[Address, int, float, bool, float], ...]
    expires: float
    tag: int
    generation: int


@dataclass(slots=True, eq=False)
class Flight:
    """An exchange under way, with the clients that wait for it and when they came."""

    plan: Planned
    server: int
    question: Question
    sent: float
    waiters: list[tuple[float, Miss]]
    over: bool = False


@dataclass(slots=True)
class Sum:
    """Lookups of one class."""

    clients: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS_BOUNDS) + 1))
    seconds: float = 0.0


def plan_tier(core: Core, plan: Planned) -> int:
    """The tier of a plan's servers: all are of one."""
    return core.policy.standing(plan.servers[0][0]).tier


class VirtualPlans:
    """The interface of ``_native.Plans``, and what a listener's thread does with it.

    ``fly`` sends; ``reply`` hands a client its answer. Which server is asked is drawn from the
    core's own chance in the core's own way, by what is known of the servers now, and so is the
    wait: native has both from the plan, which is some seconds old. So a run with plans and one
    without draw alike.
    """

    def __init__(
        self,
        core: Core,
        answers: AnswerStore,
        fly: Fly,
        reply: Callable[[Miss, Any], None],
    ) -> None:
        self._core = core
        self._answers = answers
        self._fly = fly
        self._reply = reply
        self._cuts: dict[Name, tuple[Planned | None, float]] = {}
        self._left: dict[Question, float] = {}
        self._sides: dict[Address, int] = {}
        self._generation = 0
        self._flights: dict[Question, Flight] = {}
        self._events: list[tuple[float, int, int, Flight, Outcome | None]] = []
        self._numbers = count()
        self.carried = self.punted = self.late = 0
        self._forget_news()

    # --- what Python says ----------------------------------------------------------------------

    def publish(
        self,
        number: int,
        view: int,
        zone: bytes,
        any_depth: bool,
        randomise_case: bool,
        own_set: Sequence[bytes],
        destination: int,
        servers: Sequence[tuple[bytes, int, float, bool, float]],
        expires: float,
        until: float,
        tag: int = 0,
        proven: Sequence[tuple[int, int, bytes, float]] | None = None,
    ) -> None:
        """As in ``_native_plans.pyi``, and so are the others."""
        assert proven is None, "no zone is validated in these worlds"
        chosen = tuple((Address(a), slot, wait, edns, s) for a, slot, wait, edns, s in servers)
        names = tuple(map(Name, own_set))
        plan = Planned(
            number,
            Name(zone),
            any_depth,
            randomise_case,
            names,
            destination,
            chosen,
            expires,
            tag,
            self._generation,
        )
        self._cuts[plan.zone] = plan, until

    def bar(self, view: int, zone: bytes, expires: float) -> None:
        self._cuts[Name(zone)] = None, expires

    def forget(self, zone: bytes, subtree: bool) -> None:
        for known in [
            z for z in self._cuts if z == zone or (subtree and is_subdomain(z, Name(zone)))
        ]:
            del self._cuts[known]

    def leave(self, name: bytes, rtype: int, until: float, now: float) -> None:
        self._left[Question(Name(name), rtype)] = until

    def forgive(self) -> None:
        self._left.clear()

    def locate(self, sides: Sequence[tuple[bytes, int]]) -> None:
        self._sides.update({Address(address): side for address, side in sides})

    def set_policy(
        self,
        generation: int,
        concerned: Sequence[NameTable],
        views: Sequence[int],
        ranges: Sequence[RangeLayer],
    ) -> None:
        self._ranges = RangeTable(ranges)
        self._concerned = tuple(concerned)
        self._views = frozenset(views)
        self._generation = generation
        self._cuts = {zone: (None, until) for zone, (_, until) in self._cuts.items()}
        self._sides.clear()

    # --- what clients ask ----------------------------------------------------------------------

    def offer(self, miss: Miss, busy: bool, now: float) -> bool:
        """Whether a plan speaks for the miss; then it is under way. ``busy``: Python has it."""
        question = miss.key.question
        if self._is_concerned(miss):
            return False
        flight = self._flights.get(question)
        if flight is not None:
            flight.waiters.append((now, miss))
            self.carried += 1
            return True
        plan = self._find(question, now)
        if (
            plan is None
            or busy
            or self._left.get(question, now) > now
            or from_records(self._core.records, question, now) is not None
        ):
            return False
        self._begin(plan, miss, now)
        return True

    def _is_concerned(self, miss: Miss) -> bool:
        at = miss.key.question.name
        found = any(table.find(at) is not None for table in self._concerned)
        return found or miss.key.view in self._views

    def _in_ranges(self, at: Address) -> bool:
        return any(self._ranges.values(self._ranges.find(at)))

    def _find(self, question: Question, now: float) -> Planned | None:
        for zone in ancestors(question.name):
            plan, until = self._cuts.get(zone, (None, 0.0))
            if until <= now:
                continue
            depth = label_count(question.name) - label_count(zone)
            fits = plan is not None and plan.expires > now and (plan.any_depth or depth <= 1)
            return plan if fits and question.rtype not in LEFT_TO_PYTHON else None
        return None

    def _begin(self, plan: Planned, miss: Miss, now: float) -> None:
        question = miss.key.question
        server, wait = self._choose(plan, now)
        known = self._core.planner.get(plan.number)
        assert known is not None
        flight = Flight(plan, server, question, now, [(now, miss)])
        self._flights[question] = flight
        self.carried += 1
        delay, outcome = self._fly(known.tried(server, question).ask)
        self._at(now + delay, 0, flight, outcome)
        self._at(now + wait, 1, flight, None)

    def _choose(self, plan: Planned, now: float) -> tuple[int, float]:
        """As :class:`resolver.contest.Contest` picks, by what is known of the servers now; and how
        long it waits."""
        nowhere = Delegation(plan.zone, (), {}, float("inf"))
        contest = Contest(self._core, nowhere, now)
        servers, tier = self._core.servers, plan_tier(self._core, plan)
        due = [Candidate(at, plan.zone, tier, servers.get(at)) for at, *_ in plan.servers]
        contest.candidates.update((candidate.address, candidate) for candidate in due)
        chosen = contest._pick(due, now)
        wait = min(contest.wait(chosen, now), self._core.policy.patience)
        return due.index(chosen), wait

    # --- what arrives --------------------------------------------------------------------------

    def _at(self, when: float, order: int, flight: Flight, outcome: Outcome | None) -> None:
        heapq.heappush(self._events, (when, order, next(self._numbers), flight, outcome))

    def next_event(self) -> float | None:
        """When something happens next."""
        return self._events[0][0] if self._events else None

    def run(self, now: float) -> None:
        """Whatever is due: replies first, then waits that are over."""
        while self._events and self._events[0][0] <= now:
            _, _, _, flight, outcome = heapq.heappop(self._events)
            if flight.over:
                if outcome is not None and outcome.failure is not Failure.TIMEOUT:
                    self._came_late(flight, outcome)
                continue
            flight.over = True
            del self._flights[flight.question]
            message = outcome.message if outcome is not None else None
            settings = self._core.settings
            found = None
            if message is not None:
                ttls = settings.ttl_max, settings.ttl_negative_max
                plan = flight.plan
                found = plain(message, plan.zone, plan.own_set, flight.question, *ttls)
            if flight.plan.generation != self._generation:
                found = None  # asked under another policy
            if found is not None and any(map(self._in_ranges, addresses_in(found.answer))):
                found = None
            if outcome is not None and found is not None:
                self._finish(flight, found, outcome.rtt, now)
            else:
                self._punt(flight, outcome, now)

    def _came_late(self, flight: Flight, outcome: Outcome) -> None:
        self.late += 1
        if outcome.message is not None:
            self._rtts.append((flight.plan.number, flight.server, [outcome.rtt], b""))

    def _finish(self, flight: Flight, result: Result, rtt: float, now: float) -> None:
        plan, question = flight.plan, flight.question
        self._rtts.append((plan.number, flight.server, [rtt], b""))
        addresses = addresses_in(result.answer)
        destination = self._destination(addresses, plan.destination)
        end = 1 if not result.answer and result.rcode == 0 else ENDS[Rcode(result.rcode)]
        answers: dict[tuple[bool, bool], tuple[Any, float]] = {}
        clients = []
        kept = dict.fromkeys(
            (miss.key.view, miss.generation, miss.key.do, miss.key.cd) for _, miss in flight.waiters
        )
        first = True
        for arrived, miss in flight.waiters:
            key = miss.key
            if (key.do, key.cd) not in answers:
                sections = compose(result, question, key.do)
                made = build_answer(question, sections, now), sections.lifetime
                answers[key.do, key.cd] = made
            self._reply(miss, answers[key.do, key.cd][0])
            seconds = now - arrived
            if destination is None:
                clients.append((0, bytes(miss.client.address), seconds))
                continue
            self._sum(plan.number, flight.server, destination, seconds)
            self._records += RECORD.pack(
                now, seconds, rtt, plan.number, result.rcode, question.rtype,
                flight.server, 0, destination, end, first, len(miss.client.address),
            ) + miss.client.address + question.name  # fmt: skip
            self._count += 1
            first = False
        if destination is None:
            made_all = [(do, cd, life, made) for (do, cd), (made, life) in answers.items()]
            self._unlocated.append(
                (
                    plan.number, flight.server, question.name, question.rtype, result.rcode, end,
                    rtt, addresses, made_all, clients,
                    sorted({(view, generation) for view, generation, *_ in kept}),
                )
            )  # fmt: skip
        else:
            for view, generation, do, cd in kept:
                made, life = answers[do, cd]
                if life > 0:
                    answer_key = AnswerKey(view, question, do, cd)
                    place = DESTINATIONS[destination]
                    self._answers.put(answer_key, generation, made, life, place, now, tag=plan.tag)
        self._store(result, question, plan.servers[flight.server][0], now)

    def _store(self, result: Result, question: Question, origin: Address, now: float) -> None:
        records, security = self._core.records, Security.INDETERMINATE
        for rrset in result.answer:
            records.put(rrset, Rank.ANSWER, security, origin, now)
        if not result.answer:
            kind = CachedKind.NXDOMAIN if result.rcode == Rcode.NXDOMAIN else CachedKind.NODATA
            ttl, proofs = result.authority[0].ttl, result.authority
            records.put_negative(question, kind, ttl, proofs, security, origin, now)

    def _sum(self, plan: int, server: int, destination: int, seconds: float) -> None:
        found = self._sums.setdefault((plan, server, 0, destination), Sum())
        found.clients += 1
        found.seconds += seconds
        found.buckets[sum(bound < seconds for bound in SECONDS_BOUNDS)] += 1

    def _destination(self, addresses: Sequence[Address], without: int) -> int | None:
        found = None
        for address in addresses:
            side = self._sides.get(address)
            if side is None:
                return None
            if side < 2:
                found = side if found in (None, side) else 2
        return without if found is None else found

    def _punt(self, flight: Flight, outcome: Outcome | None, now: float) -> None:
        self.punted += len(flight.waiters)
        failure, message, octets, rtt = SILENT, None, 0, now - flight.sent
        if outcome is not None:
            failure = FAILURES[outcome.failure] if outcome.failure is not None else 0
            message = outcome.message
            octets = outcome.size
        misses = [miss_to_tuple(miss) for _, miss in flight.waiters]
        question = flight.question
        self._punts.append(
            (
                flight.plan.number, flight.server, question.name, question.rtype, failure, message,
                rtt, octets, misses,
            )
        )  # fmt: skip

    def take(self) -> tuple[Any, ...]:
        """All news since the last call."""
        sums = [(key, s.clients, s.buckets, s.seconds) for key, s in self._sums.items()]
        news = sums, self._rtts, self._records, self._count, self._unlocated, self._punts
        self._forget_news()
        return news

    def _forget_news(self) -> None:
        self._sums: dict[tuple[int, int, int, int], Sum] = {}
        self._rtts: list[tuple[int, int, list[float], bytes]] = []
        self._records = b""
        self._count = 0
        self._unlocated: list[tuple[Any, ...]] = []
        self._punts: list[tuple[Any, ...]] = []
