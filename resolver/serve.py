"""What happens to one miss: from the listener to a lookup, and from its result to the reply.

Clients with one answer key join one lookup and share its route. The reply is stored for native
under the generation of the policy in force, counted, and recorded. A lookup that fails or takes
long is answered from stale data where there are any (RFC 8767). Questions that are never
resolved are turned away here: other classes than IN and meta-types (RFC 6895 section 3.1), RD=0.
"""

import logging
from dataclasses import dataclass, field
from typing import final

from policy.border import Policy
from resolver import limits
from resolver.cache import Answer, AnswerKey, AnswerStore, build_answer
from resolver.carried import Carried
from resolver.carry import Punted
from resolver.compose import Sections, addresses_in, compose
from resolver.counters import Clock
from resolver.listen import Listener, Miss
from resolver.model import (
    IN,
    Address,
    Books,
    ClientContext,
    Ede,
    Purpose,
    Question,
    Rcode,
    Record,
    Result,
    Transport,
    Type,
)
from resolver.records import RecordQueue
from resolver.resolve import Driver
from resolver.tally import Tally, Turned, first_abroad

_log = logging.getLogger("inland.serve")

_META_TYPES = frozenset({Type.OPT, *range(128, 255)})
"""RFC 6895 section 3.1: OPT and the QTYPEs and meta-TYPEs 128–255; ANY is answered by the core."""

_INTERNAL = ClientContext(Transport.INTERNAL, Address(b""))

_TURNED = {
    Turned.CLASS: (Rcode.REFUSED, Ede.NOT_SUPPORTED, "only class IN is resolved"),
    Turned.TYPE: (Rcode.NOTIMP, Ede.NOT_SUPPORTED, "this type cannot be resolved"),
    Turned.RECURSION: (Rcode.REFUSED, Ede.OTHER, "only questions with RD set are resolved"),
    Turned.OVERLOAD: (Rcode.SERVFAIL, Ede.NOT_READY, "too many clients wait for this answer"),
    Turned.STOPPING: (Rcode.SERVFAIL, Ede.NOT_READY, "this server is stopping"),
}


@final
@dataclass(slots=True, eq=False)
class _Pending:
    """A lookup under way with the clients that wait for it: each with its time of arrival."""

    key: AnswerKey
    waiting: list[tuple[float, Miss]] = field(default_factory=list)
    late: bool = False  # it takes longer than clients wait
    shown: bool = False  # clients have got stale data meanwhile


@final
class Service:
    """Misses in, replies out. Implements :class:`resolver.resolve.Clients`."""

    def __init__(
        self,
        listener: Listener,
        driver: Driver,
        clock: Clock,
        answers: AnswerStore,
        records: RecordQueue,
        tally: Tally,
        policy: Policy,
        carried: Carried | None = None,
    ) -> None:
        self._listener = listener
        self._driver = driver
        self._clock = clock
        self._answers = answers
        self._records = records
        self._tally = tally
        self._carried = carried
        self.set_policy(policy)
        self._pending: dict[AnswerKey, _Pending] = {}
        self._replies: list[tuple[int, Answer]] = []
        self._stopping = False
        self._fault_told = float("-inf")

    def set_policy(self, policy: Policy) -> None:
        """From now on only answers composed under this policy are served."""
        self._policy = policy
        self._answers.set_generation(policy.generation_number)

    def stop(self) -> None:
        """Turn new clients away; those that wait get their answers."""
        self._stopping = True

    def fileno(self) -> int:
        """Readable when misses wait."""
        return self._listener.fileno()

    def accept(self, now: float) -> None:
        """Take a batch of misses: join, start a lookup, or turn away."""
        if self._carried is not None:
            for punted in self._carried.take(self._policy, now):
                self._go_on(punted, now)
        for miss in self._listener.take(limits.TURN_MISSES):
            self._admit(miss, now)
        if not self._stopping:
            for key in self._answers.take_due(limits.TURN_REFRESHES):
                self._refresh(key)

    def _admit(self, miss: Miss, now: float) -> None:
        if (turned := self._turned(miss)) is not None:
            self._turn_away(miss, turned, now)
            return
        pending = self._pending.get(miss.key)
        if pending is None:
            self._start(miss, now)
            return
        is_full = len(pending.waiting) >= limits.JOINERS_MAX
        shown = self._driver.stale(miss.key.question) if pending.late or is_full else None
        if shown is not None:
            self._answer(miss.key, [(now, miss)], shown, Books())
        elif is_full:
            self._turn_away(miss, Turned.OVERLOAD, now)
        else:
            pending.waiting.append((now, miss))

    def _go_on(self, punted: Punted, now: float) -> None:
        """Native has given an exchange back: the lookups of those who wait begin with it. Without
        anybody left it still stands in the books, as work without a client."""
        punt = punted.punt
        self._driver.punted(punt)
        for miss in punted.misses:
            # They have waited since the question was sent.
            self._admit(miss, punt.sent)
        if not punted.misses or self._stopping:

            def done(result: Result, books: Books) -> None:
                self.internal(punt.question, punt.tried.ask.label.purpose, result, books)

            self._driver.lookup(punt.question, done)

    def flush(self) -> None:
        """Send this turn's replies in one call."""
        if self._replies:
            self._listener.reply(self._replies)
            self._replies = []

    def _turned(self, miss: Miss) -> Turned | None:
        if self._stopping:
            return Turned.STOPPING
        if miss.rclass != IN:
            return Turned.CLASS
        if miss.key.question.rtype in _META_TYPES:
            return Turned.TYPE
        return None if miss.recursion else Turned.RECURSION

    def _turn_away(self, miss: Miss, turned: Turned, now: float) -> None:
        self._tally.turned[turned] += 1
        rcode, ede, why = _TURNED[turned]
        sections = Sections(rcode, (), (), ((ede, why),), 0.0)
        answer = build_answer(miss.key.question, sections, now, miss.rclass)
        self._replies.append((miss.token, answer))

    def _start(self, miss: Miss, now: float) -> None:
        pending = _Pending(miss.key, [(now, miss)])
        self._pending[miss.key] = pending

        def done(result: Result, books: Books) -> None:
            self._end(pending, result, books)

        def early(result: Result, books: Books) -> bool:
            return self._show(pending, result, books)

        self._driver.lookup(miss.key.question, done, early=early, arrived=now)

    def _refresh(self, key: AnswerKey) -> None:
        """Look up anew what is asked for often and ends soon. Clients whose questions come after
        that end join. What fails leaves the old answer its time."""
        if key in self._pending:
            return
        pending = self._pending[key] = _Pending(key)

        def done(result: Result, books: Books) -> None:
            if not pending.waiting:
                self.internal(key.question, Purpose.REFRESH, result, books)
            if pending.waiting or result.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
                self._end(pending, result, books)
            else:
                del self._pending[key]

        def early(result: Result, books: Books) -> bool:
            return self._show(pending, result, books)

        self._driver.lookup(key.question, done, Purpose.REFRESH, early)

    def _show(self, pending: _Pending, result: Result, books: Books) -> bool:
        """A lookup takes longer than clients wait: show them what there is. It goes on, and what
        it spends from now on counts as work without a client."""
        pending.late = True
        if not pending.waiting:
            return False
        waiting, pending.waiting = pending.waiting, []
        self._answer(pending.key, waiting, result, books)
        pending.shown = True
        return True

    def _end(self, pending: _Pending, result: Result, books: Books) -> None:
        del self._pending[pending.key]
        self._answer(pending.key, pending.waiting, result.shown, books)
        if pending.shown and not pending.waiting and books.exchanges:
            self.internal(pending.key.question, Purpose.REFRESH, result, books)

    def _answer(
        self, key: AnswerKey, waiting: list[tuple[float, Miss]], result: Result, books: Books
    ) -> None:
        try:
            self._finish(key, waiting, result, books)
        except Exception as error:  # our fault in one answer must not silence all others
            self.fault(error)
            self._finish(key, waiting, Result(Rcode.SERVFAIL, cacheable=False), books)

    def _finish(
        self, key: AnswerKey, waiting: list[tuple[float, Miss]], result: Result, books: Books
    ) -> None:
        policy = self._policy
        now = self._clock.now()
        stale = result.stale is not None
        sections = compose(result, key.question, key.do)
        answer = build_answer(key.question, sections, now)
        destination = policy.destination(addresses_in(result.answer), key.question.name)
        if sections.lifetime > 0:
            self._answers.put(
                key,
                policy.generation_number,
                answer,
                sections.lifetime,
                destination,
                now,
                stale=stale,
            )
        exchanges = tuple(books.trail)
        zone = first_abroad(books.trail)
        self._tally.stale += len(waiting) if stale else 0
        if result.rcode == Rcode.SERVFAIL:
            self._tally.failed[books.route] += len(waiting)
        for arrived, miss in waiting:
            seconds = now - arrived
            self._replies.append((miss.token, answer))
            self._tally.lookup(
                miss.client.transport, books.route, destination, books.reason, 1, zone
            )
            self._tally.seconds[books.route].observe(seconds)
            self._records.put(
                Record(
                    self._clock.wall(),
                    key.question,
                    miss.client,
                    result.rcode,
                    books.route,
                    destination,
                    books.reason,
                    seconds,
                    policy.generation,
                    exchanges,
                    stale,
                )
            )
            exchanges = ()  # joined clients share the route; the work is told once

    def fault(self, error: Exception) -> None:
        """A fault of the program, met by one question: count it, and tell of some."""
        self._tally.faults += 1
        now = self._clock.now()
        if now >= self._fault_told + limits.FAULT_LOG_SECONDS:
            self._fault_told = now
            _log.error("a fault of the program; the lookup ends as SERVFAIL", exc_info=error)

    def internal(self, question: Question, purpose: Purpose, result: Result, books: Books) -> None:
        """Work without a client has ended: a lookup like any other, so that no escape hides."""
        policy = self._policy
        destination = policy.destination((), question.name)
        zone = first_abroad(books.trail)
        self._tally.lookup(Transport.INTERNAL, books.route, destination, books.reason, 1, zone)
        self._records.put(
            Record(
                self._clock.wall(),
                question,
                _INTERNAL,
                result.rcode,
                books.route,
                destination,
                books.reason,
                sum(exchange.rtt for exchange in books.trail),
                policy.generation,
                tuple(books.trail),
            )
        )
