"""What happens to one miss: from the listener to a lookup, and from its result to the reply.

Clients with one answer key join one lookup and share its route. Before any work the rules in force
are asked (:mod:`resolver.decide`): they answer at once, or say how servers are chosen; and again
when the result is there. A lookup that fails or takes long is answered from stale data where there
are any (RFC 8767). Questions that are never resolved are turned away here: other classes than IN
and meta-types (RFC 6895 section 3.1), RD=0.
"""

import logging
from typing import Final, final

from policy.border import Policy
from policy.decision import PLAIN
from resolver import limits
from resolver.cache import AnswerKey, AnswerStore
from resolver.carried import Carried
from resolver.carry import Punted
from resolver.counters import Clock
from resolver.decide import Case, Decider
from resolver.failures import servfail
from resolver.listen import Listener, Miss
from resolver.lookups import Lookup
from resolver.model import IN, Books, Ede, Purpose, Question, Rcode, Result, Transport, Type
from resolver.records import RecordQueue
from resolver.replies import Replies, ToldHits
from resolver.resolve import Driver
from resolver.shadow_trials import Trials
from resolver.tally import Tally, Turned
from resolver.where_zone import WhereZone, where_zone

_log = logging.getLogger("inland.serve")

_META_TYPES: Final = frozenset({Type.OPT, *range(128, 255)})
"""RFC 6895 section 3.1: OPT and the QTYPEs and meta-TYPEs 128–255; ANY is answered by the core."""


@final
class _Pending:
    """A lookup under way with the clients that wait for it: each with its time of arrival."""

    __slots__ = (
        "case", "key", "late", "left", "lookup", "purpose", "question", "selection", "shown",
        "waiting",
    )  # fmt: skip

    def __init__(
        self,
        key: AnswerKey,
        waiting: list[tuple[float, Miss]],
        purpose: Purpose = Purpose.ANSWER,
    ) -> None:
        self.key = key
        self.waiting = waiting
        self.purpose = purpose
        self.case: Case | None = None  # what rules have to do with it
        self.lookup: Lookup | None = None  # of the stage under way, with what it asks
        self.question: Question | None = None
        self.selection = PLAIN
        self.late = False  # it takes longer than clients wait
        self.shown = False  # clients have got stale data meanwhile
        self.left = False  # another policy is in force: nobody waits here any more


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
        decider: Decider | None = None,
    ) -> None:
        self._listener = listener
        self._driver = driver
        self._clock = clock
        self._answers = answers
        self._tally = tally
        self._carried = carried
        self._replies = Replies(listener, clock, answers, records, tally, policy)
        self._trials = Trials(driver, clock, tally, self._replies.keep, self.internal)
        self._decider: Decider | None = None
        self._where: WhereZone | None = None
        self._policy = policy
        self._pending: dict[AnswerKey, _Pending] = {}
        self._stopping = False
        self._fault_told = float("-inf")
        self.set_policy(policy, decider)

    def set_policy(self, policy: Policy, decider: Decider | None = None) -> None:
        """From now on only what was decided under this policy is served, and lookups under way
        go on as it says. ``decider`` asks its rules, if it has any."""
        was_plain = self._decider is None and not self._policy.views
        is_same = self._policy.generation_number == policy.generation_number
        self._decider, self._policy = decider, policy
        self._trials.follow(decider)
        self._replies.set_policy(policy, decider)
        self._where = where_zone(policy, decider, self._replies.notes)
        # In this order: native serves nothing while the generations of the two differ, so no answer
        # of one is given to a client by the views of the other.
        self._answers.set_generation(policy.generation_number)
        rows = [
            (str(network), number)
            for number, one in enumerate(policy.views, 1)
            for network in one.clients
        ]
        self._listener.set_views(rows, policy.generation_number)
        if not is_same and (not was_plain or decider is not None or rows):
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Another policy: all who wait are admitted anew under it. What is under way and what it
        still wants goes on; what it does not ends, and nothing more is asked for it."""
        before, self._pending = list(self._pending.values()), {}
        now = self._clock.now()
        for pending in before:
            pending.left = True
            waiting, pending.waiting = pending.waiting, []
            for arrived, miss in waiting:
                self._admit(miss, arrived, now)
        for pending in before:
            if pending.lookup is not None and pending.question is not None:
                self._driver.leave(pending.lookup, pending.question, pending.selection)
        self.flush()  # what was answered at once need not wait for a turn

    def tell_hits(self, told: ToldHits) -> None:
        """Who is told of what response policy zones matched."""
        self._replies.on_hits = told

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
            self._admit(miss, now, now)
        if not self._stopping:
            for key in self._answers.take_due(limits.TURN_REFRESHES):
                self._refresh(key)

    def flush(self) -> None:
        """Send this turn's replies in one call."""
        self._replies.flush()

    def _admit(self, miss: Miss, arrived: float, now: float) -> None:
        if (turned := self._turned(miss)) is not None:
            self._replies.turn_away(miss, turned, now)
            return
        if miss.generation != self._policy.generation_number:
            miss = self._seen_anew(miss)
        if self._where is not None and self._told_where(self._where, miss, arrived, now):
            return
        pending = self._pending.get(miss.key)
        if pending is None:
            self._start(miss, arrived, now)
            return
        if self._sent_away(pending.case, miss, arrived, now):
            return
        is_full = len(pending.waiting) >= limits.JOINERS_MAX
        shown = None
        if pending.late or is_full:
            shown = self._driver.stale(miss.key.question, pending.selection)
        if shown is not None and self._show_to(pending, [(arrived, miss)], shown, Books()):
            return
        if is_full:
            self._replies.turn_away(miss, Turned.OVERLOAD, now)
        else:
            pending.waiting.append((arrived, miss))

    def _seen_anew(self, miss: Miss) -> Miss:
        """A miss that native took under another policy: in which view it is now."""
        view = self._listener.view(miss.client.address)
        if view == miss.key.view:
            return miss
        return miss._replace(
            key=miss.key._replace(view=view), client=miss.client._replace(view=view)
        )

    def _told_where(self, where: WhereZone, miss: Miss, arrived: float, now: float) -> bool:
        """Whether a client was told what is known of a name; no work comes of it."""
        key = miss.key
        try:
            told = where.answer(key.view, key.question, now, self._clock.wall())
        except Exception as error:
            self.fault(error)
            told = Result(Rcode.SERVFAIL, cacheable=False)
        if told is None:
            return False
        self._tally.where[told.rcode == Rcode.NOERROR] += 1
        self._replies.give(key, [(arrived, miss)], told, Books(), None)
        return True

    def _sent_away(self, case: Case | None, miss: Miss, arrived: float, now: float) -> bool:
        """Whether a client over UDP was told to come back by TCP."""
        if case is None or not case.over_streams or miss.client.transport is not Transport.UDP:
            return False
        decider = self._decider
        if decider is None:
            return False
        nothing = Result(Rcode.NOERROR, cacheable=False)
        self._replies.truncate(miss, decider.ruling(case, nothing), arrived, now)
        return True

    def _go_on(self, punted: Punted, now: float) -> None:
        """Native has given an exchange back: the lookups of those who wait begin with it. Without
        anybody left it still stands in the books, as work without a client."""
        punt = punted.punt
        self._driver.punted(punt)
        for miss in punted.misses:
            # They have waited since the question was sent.
            self._admit(miss, punt.sent, now)
        if self._decider is None and (not punted.misses or self._stopping):

            def done(result: Result, books: Books) -> None:
                self.internal(punt.question, punt.tried.ask.label.purpose, result, books)

            self._driver.lookup(punt.question, done)
            return
        spent = self._driver.unclaimed(punt.question)
        if spent is not None:
            ended = servfail(Ede.OTHER, "nobody waits")
            self.internal(punt.question, punt.tried.ask.label.purpose, ended, spent)

    def _turned(self, miss: Miss) -> Turned | None:
        if self._stopping:
            return Turned.STOPPING
        if miss.rclass != IN:
            return Turned.CLASS
        if miss.key.question.rtype in _META_TYPES:
            return Turned.TYPE
        return None if miss.recursion else Turned.RECURSION

    def _start(self, miss: Miss, arrived: float, now: float) -> None:
        pending = _Pending(miss.key, [(arrived, miss)])
        if self._decider is not None:
            key = miss.key
            pending.case = self._decider.open(key.view, key.question, self._clock.wall())
            if self._sent_away(pending.case, miss, arrived, now):
                return
        self._pending[miss.key] = pending
        self._look_up(pending, arrived)

    def _refresh(self, key: AnswerKey) -> None:
        """Look up anew what is asked for often and ends soon. Clients whose questions come after
        that end join. What fails leaves the old answer its time."""
        if key in self._pending:
            return
        pending = _Pending(key, [], Purpose.REFRESH)
        if self._decider is not None:
            if key.view > len(self._policy.views):
                return
            case = pending.case = self._decider.open(key.view, key.question, self._clock.wall())
            if self._decider.at_once(case) is not None:
                return
        self._pending[key] = pending
        self._look_up(pending, None)

    def _look_up(self, pending: _Pending, arrived: float | None) -> None:
        """Begin the lookup of the name that is to be asked for, or end without one."""
        case, question = pending.case, pending.key.question
        selection = PLAIN
        if case is not None and self._decider is not None:
            made = self._decider.at_once(case)
            if made is not None:
                self._ended(pending, made, Books())
                return
            question, selection = case.link, case.selection
        pending.question, pending.selection = question, selection

        def done(result: Result, books: Books) -> None:
            self._ended(pending, result, books)

        def early(result: Result, books: Books) -> bool:
            return self._show(pending, result, books)

        first = case is None or len(case.stages) == 1
        pending.lookup = self._driver.lookup(
            question, done, pending.purpose, early if first else None, arrived, selection
        )

    def _ended(self, pending: _Pending, result: Result, books: Books) -> None:
        """A stage has ended: on along the aliases, or to the reply."""
        pending.lookup = None
        case, decider = pending.case, self._decider
        if pending.left:
            if books.exchanges or (case is not None and case.books.exchanges):
                self._book(pending, result, books)
            return
        if case is None or decider is None:
            self._end(pending, result, result.shown, books)
            return
        shown = result.shown
        if result.onward is None:
            shown = decider.judge(case, shown, self._clock.now())
        if shown.onward is None:
            self._end(pending, result, shown, case.total(books))
        elif decider.go_on(case, shown, books):
            arrived = pending.waiting[0][0] if pending.waiting else None
            self._look_up(pending, arrived)
        else:
            loop = servfail(Ede.OTHER, "chain of aliases is too long or a loop")
            shown = decider.judge(case, loop, self._clock.now())
            self._end(pending, loop, shown if shown.onward is None else loop, case.books)

    def _book(self, pending: _Pending, result: Result, books: Books) -> None:
        spent = books if pending.case is None else pending.case.total(books)
        self.internal(pending.key.question, pending.purpose, result, spent)

    def _show(self, pending: _Pending, result: Result, books: Books) -> bool:
        """A lookup takes longer than clients wait: show them what there is. It goes on, and what
        it spends from now on counts as work without a client."""
        pending.late = True
        if not pending.waiting:
            return False
        waiting, pending.waiting = pending.waiting, []
        if not self._show_to(pending, waiting, result, books):
            pending.waiting = waiting
            return False
        pending.shown = True
        return True

    def _show_to(
        self,
        pending: _Pending,
        waiting: list[tuple[float, Miss]],
        result: Result,
        books: Books,
    ) -> bool:
        """Answer some clients with what the records hold; false when rules are against it."""
        case, decider = pending.case, self._decider
        if case is not None and decider is not None:
            case = case.aside()
            result = decider.judge(case, result, self._clock.now())
            if result.onward is not None:
                return False
        self._answer(pending.key, case, waiting, result, books)
        return True

    def _end(self, pending: _Pending, result: Result, shown: Result, books: Books) -> None:
        """A lookup has ended with ``result``; clients get what is ``shown``."""
        del self._pending[pending.key]
        waiting, refreshed = pending.waiting, pending.purpose is Purpose.REFRESH
        if not waiting and (refreshed or (pending.shown and books.exchanges)):
            self.internal(pending.key.question, Purpose.REFRESH, result, books)
            if refreshed and result.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
                return
        self._answer(pending.key, pending.case, waiting, shown, books)

    def _answer(
        self,
        key: AnswerKey,
        case: Case | None,
        waiting: list[tuple[float, Miss]],
        result: Result,
        books: Books,
    ) -> None:
        try:
            ruling, later = None, False
            if case is not None and self._decider is not None:
                ruling = self._decider.ruling(case, result)
                later = self._trials.take(key, case, len(waiting), result, ruling)
            self._replies.give(key, waiting, result, books, ruling, later=later)
        except Exception as error:  # our fault in one answer must not silence all others
            self.fault(error)
            failed = Result(Rcode.SERVFAIL, cacheable=False)
            self._replies.give(key, waiting, failed, books, None)

    def fault(self, error: Exception) -> None:
        """A fault of the program, met by one question: count it, and tell of some."""
        self._tally.faults += 1
        now = self._clock.now()
        if now >= self._fault_told + limits.FAULT_LOG_SECONDS:
            self._fault_told = now
            _log.error("a fault of the program; the lookup ends as SERVFAIL", exc_info=error)

    def internal(self, question: Question, purpose: Purpose, result: Result, books: Books) -> None:
        """Work without a client has ended: a lookup like any other, so that no escape hides."""
        self._replies.internal(question, purpose, result, books)
