"""Steps all resolutions: grants their wishes, joins equal questions, keeps quotas and deadlines.

Pure: time comes in as ``now``, exchanges go out as a batch and come back through ``deliver``. A
lookup is a client's question (or internal work); a task is the resolution of one question under
one selection, shared by all who wait for it. Each exchange of a task is
charged to every lookup that waits for it, directly or not; a task ends early when none of them
has quota or time left. RFC 9520 (failures are cached), RFC 5452 section 5 (equal questions are
asked once), RFC 8767 section 5 (when stale data are shown: ``patience`` holds the client response
timers, and failures the recheck timer).
"""

from collections import deque

from policy.decision import PLAIN, Selection, Way
from resolver import limits
from resolver.core import Core
from resolver.descend import learn_late
from resolver.failures import Failures, servfail
from resolver.forward import forward
from resolver.iterate import resolve
from resolver.lookups import Done, Early, Internal, Line, Lookup, UnderWay
from resolver.model import (
    Address,
    Ask,
    Books,
    Ede,
    Outcome,
    Purpose,
    Question,
    Rcode,
    Result,
    Transport,
    Type,
)
from resolver.payers import books, let_go, payers, tickets, waits_above
from resolver.plan import Punt
from resolver.task import Flight, Sameness, Task, Waits, probing
from resolver.wishes import Await, AwaitProbe, LookUpAll, News, Probe, Probed, Tried, Wish


class Scheduler:
    """All resolutions under way. Not thread-safe: one driver owns it."""

    make_lookup = Lookup

    def __init__(self, core: Core, internal: Internal | None = None) -> None:
        self.core = core
        self.now = self._heard = 0.0
        self.needless = 0
        self.internal = internal
        self._tasks = UnderWay()
        self._probes: dict[Address, Task] = {}
        self.tickets = 0
        self._flights: dict[int, Flight] = {}
        self._latest: dict[Sameness, Flight] = {}
        self._ready: deque[Task] = deque()
        self._waits = Waits()
        self._deadlines, self._patience = Line(), Line()
        self._failures = Failures(core)
        self._batch: list[tuple[int, Ask]] = []
        self._punts: dict[Question, Punt] = {}

    def __len__(self) -> int:
        """Resolutions under way, probes left out."""
        return len(self._tasks)

    def lookup(
        self,
        question: Question,
        now: float,
        done: Done,
        purpose: Purpose = Purpose.ANSWER,
        early: Early | None = None,
        arrived: float | None = None,
        selection: Selection = PLAIN,
    ) -> Lookup | None:
        """Begin (or join) the resolution of a question; ``done`` is called once, from
        :meth:`advance`, or at once when the resolver is full (and then there is no lookup).

        ``early`` comes before it, at most once, when the lookup takes longer than clients
        wait (from ``arrived`` on) and the records hold an answer; if somebody got that, the books
        of ``done`` hold what was spent from then on.
        """
        self.now = now
        task = self._task_for(question, selection, purpose, depth=0)
        if task is None:
            self._punts.pop(question, None)
            full = servfail(Ede.OTHER, "too many resolutions under way")
            done(self._failures.with_stale(question, full, now, selection), Books())
            return None
        began = now if arrived is None else arrived
        lookup = self.make_lookup(began + limits.LOOKUP_SECONDS, done)
        lookup.early = early
        if early is not None and self.core.settings.serve_stale:
            self._patience.add(began + limits.STALE_CLIENT_SECONDS, lookup, task)
        task.waiters.append(lookup)
        self._deadlines.add(lookup.deadline, lookup, task)
        self._take_up(task, lookup)
        return lookup

    def leave(self, lookup: Lookup, question: Question, selection: Selection) -> None:
        """Nobody wants a lookup any more. Its ``done`` gets what was spent, unless others go on."""
        task = self._tasks.get(question, selection)
        if lookup.over or task is None or lookup not in task.waiters:
            return
        lookup.over = True
        task.waiters.remove(lookup)
        spent = Books() if task.waiters else books(task, lookup.told)
        if not task.waiters:
            self._give_up(task)
        lookup.done(servfail(Ede.OTHER, "given up"), spent)

    def punted(self, punt: Punt, now: float) -> None:
        """An exchange under a plan comes back; lookups of its question follow at once and begin
        with it. A resolution that is under way already only has it in its books."""
        self.now = now
        if punt.outcome is not None and punt.outcome.message is not None:
            self.core.heard(punt.tried, punt.outcome.message, punt.outcome.rtt, now)
        self.tickets += 1
        punt.tried.ticket = self.tickets
        task = self._tasks.get(punt.question, PLAIN)
        if task is not None:
            task.spent[punt.tried.ticket] = punt.tried
        else:
            self._punts[punt.question] = punt

    def unclaimed(self, question: Question) -> Books | None:
        """The books of an exchange that came back and that no lookup began with."""
        punt = self._punts.pop(question, None)
        if punt is None:
            return None
        task = Task(self, question, Purpose.ANSWER, 0)
        task.spent[punt.tried.ticket] = punt.tried
        return books(task)

    def _take_up(self, task: Task, lookup: Lookup) -> None:
        punt = self._punts.pop(task.question, None)
        if punt is not None:
            task.punt = punt
            task.spent[punt.tried.ticket] = punt.tried
            lookup.exchanges_left -= 1

    def deliver(self, ticket: int, outcome: Outcome, now: float) -> None:
        """The end of one exchange."""
        self.now = now
        flight = self._flights.pop(ticket)
        self.core.servers.get(flight.ask.address).under_way -= 1
        if self._latest.get(flight.sameness) is flight:
            del self._latest[flight.sameness]
        ask = flight.ask
        if outcome.message is not None and ask.transport is Transport.UDP:
            self.core.heard(flight.hearers[0][1], outcome.message, outcome.rtt, now)
        elif outcome.message is not None:
            self.core.alive(ask.address)
        for task, tried in flight.hearers:
            if task.over:
                tried.outcome, tried.rtt = "late", outcome.rtt
                learn_late(self.core, task.purpose, tried, outcome.message, now)
            else:
                task.arrived(tried, outcome)
                if outcome.message is not None and task.looks_up_for(tried):
                    let_go(task, self._give_up)
                self._wake(task)

    def advance(self, now: float, heard: float | None = None) -> list[tuple[int, Ask]]:
        """Step everything that has news or whose time has come; the asks to send now. ``heard``: up
        to when every outcome has been delivered (left out: now); no wait is over before."""
        self.now, self._heard = now, now if heard is None else heard
        while (due := self._deadlines.pop(now)) is not None:
            self._drop(*due, servfail(Ede.NO_REACHABLE_AUTHORITY, "out of time"))
        self._show_early()
        while (waited := self._waits.pop(self._heard)) is not None:
            self._wake(waited)
        while self._ready:
            task = self._ready.popleft()
            task.is_ready = False
            self._step(task)
        self.core.planner.settle(self.core, now)
        batch, self._batch = self._batch, []
        return batch

    def submitted(self, batch: list[tuple[int, Ask]], now: float) -> None:
        """The door has these only since ``now``: waits for their replies begin here."""
        for ticket, _ in batch:
            for task, tried in self._flights[ticket].hearers:
                if isinstance(task.wish, Await) and task.wish.tried is tried:
                    task.late = now - self.now

    def next_deadline(self) -> float | None:
        """When :meth:`advance` must be called at the latest, news or not."""
        due = min(self._deadlines.next(), self._patience.next(), self._waits.next())
        return due if due != float("inf") else None

    def flush_failures(self) -> None:
        """Forget cached failures (operator's flush)."""
        self._failures.clear()
        self.core.planner.port.forgive()

    # --- tasks ---------------------------------------------------------------------------------

    def _task_for(
        self, question: Question, selection: Selection, purpose: Purpose, depth: int
    ) -> Task | None:
        task = self._tasks.get(question, selection)
        if task is not None:
            return task if len(task.waiters) < limits.WAITERS_MAX else None
        if len(self._tasks) >= limits.RESOLUTIONS_MAX:
            return None
        task = Task(self, question, purpose, depth, selection)
        task.steps = forward(task) if selection.way is Way.FORWARD else resolve(task)
        self._tasks.put(task)
        self._wake(task)
        return task

    def _wake(self, task: Task) -> None:
        if not task.is_ready:
            task.is_ready = True
            self._ready.append(task)

    def _step(self, task: Task) -> None:
        """Step one task until it must wait."""
        if not task.begun:
            task.begun = True
            for_client = task.purpose is Purpose.ANSWER and task.punt is None
            failed = self._failures.cached(task.question, self.now, for_client, task.selection)
            failed = None if task.is_probe else failed
            if failed is not None:
                self._finish(task, failed, again=True)
                return
            self._advance(task, None)
        while not task.over and (news := task.news(self._heard)) is not None:
            self._advance(task, news)

    def _advance(self, task: Task, news: News | None) -> None:
        task.advance(news, self.now)
        if task.result is not None:
            self._finish(task, task.result)
        elif task.wish is not None:
            self._grant(task, task.wish)

    def _grant(self, task: Task, wish: Wish) -> None:
        match wish:
            case Await():
                if wish.tried is not None and not self._send(task, wish.tried):
                    return
                self._waits.add(wish.until, task)
            case AwaitProbe(_, until):
                self._waits.add(until, task)
            case LookUpAll(questions, purpose, _):
                self._look_up(task, questions, purpose)

    def _send(self, task: Task, tried: Tried) -> bool:
        """Charge an exchange to all payers and put it into the batch; false when none can pay."""
        if not task.is_probe and not self._charge(task):
            return False
        ask = tried.ask
        sameness = (ask.address, ask.question, ask.transport, ask.edns, ask.recursion)
        flight = self._latest.get(sameness)
        if flight is not None and task not in [hearer for hearer, _ in flight.hearers]:
            # Another task has just asked this server the same: hear its reply (RFC 5452 5.1).
            tried.ask, tried.needless = flight.ask, False
        else:
            self.tickets += 1
            self.needless += tried.needless
            flight = Flight(self.tickets, ask, sameness)
            self._flights[flight.ticket] = self._latest[sameness] = flight
            self._batch.append((flight.ticket, ask))
            self.core.servers.get(ask.address).under_way += 1
        tried.ticket = flight.ticket
        task.spent[flight.ticket] = tried
        flight.hearers.append((task, tried))
        return True

    def _charge(self, task: Task) -> bool:
        for lookup, holder in payers(task):
            lookup.exchanges_left -= 1
            if lookup.exchanges_left < 0 and not lookup.over:
                self._drop(lookup, holder, servfail(Ede.OTHER, "too much work for one lookup"))
        return not task.over

    def _look_up(self, task: Task, questions: tuple[Question, ...], purpose: Purpose) -> None:
        task.pending = len(questions)
        task.results = [None] * len(questions)
        for at, question in enumerate(questions):
            child = self._child(task, question, purpose)
            if child is None:
                task.pending -= 1
            else:
                child.waiters.append((task, at))
                task.children.append(child)

    def _child(self, task: Task, question: Question, purpose: Purpose) -> Task | None:
        selection, decider = task.selection, self.core.decider
        if decider is not None:
            selection = decider.beside(question, selection)
        known = self._tasks.get(question, selection)
        if known is None and task.depth >= limits.DEPTH_MAX:
            return None
        if known is not None and (known is task or waits_above(task, known)):
            return None
        able = False
        for lookup, _ in payers(task):
            lookup.sublookups_left -= 1
            able |= lookup.sublookups_left >= 0
        if not able:
            return None
        return self._task_for(question, selection, purpose, task.depth + 1)

    # --- ends ----------------------------------------------------------------------------------

    def _finish(self, task: Task, result: Result, again: bool = False) -> None:
        """A task has its result: tell all who wait. ``again``: of a failure that was cached."""
        self._remove(task)
        if not task.is_probe and not again:
            self._failures.remember(task.question, result, self.now, task.selection)
        for waiter in task.waiters:
            if isinstance(waiter, Lookup):
                if not waiter.over:
                    self._end(waiter, task, result)
            else:
                parent, at = waiter
                parent.spent.update(task.spent)
                parent.mirrored += task.mirrored
                parent.results[at] = result
                parent.pending -= 1
                if not parent.over and (parent.pending == 0 or parent.has_enough(at)):
                    let_go(parent, self._give_up)
                    self._wake(parent)
        task.waiters.clear()

    def _end(self, lookup: Lookup, task: Task, result: Result) -> None:
        lookup.over = True
        if not task.is_probe:
            result = self._failures.with_stale(task.question, result, self.now, task.selection)
        lookup.done(result, books(task, lookup.told))

    def _drop(self, lookup: Lookup, task: Task, result: Result) -> None:
        """A lookup ends without its task; a task that nobody waits for any more is given up."""
        task.waiters.remove(lookup)
        self._end(lookup, task, result)
        if not task.waiters:
            self._failures.remember(task.question, result, self.now, task.selection)
            self._give_up(task)

    def _give_up(self, task: Task) -> None:
        self._remove(task)
        let_go(task, self._give_up)

    def _remove(self, task: Task) -> None:
        task.over = True
        if task.is_probe:
            return
        task.close()
        self._tasks.remove(task)

    # --- stale answers -------------------------------------------------------------------------

    def stale(self, question: Question, now: float, selection: Selection = PLAIN) -> Result | None:
        """What there is for a client that shall not wait, stale data included."""
        return self._failures.meanwhile(question, now, selection)

    def _show_early(self) -> None:
        """Client response timers (RFC 8767 section 5). The lookup goes on."""
        while (due := self._patience.pop(self.now)) is not None:
            lookup, task = due
            if lookup.early is None:
                continue
            found = self.stale(task.question, self.now, task.selection)
            if found is not None and lookup.early(found, books(task)):
                lookup.told = frozenset(tickets(task))

    # --- probes --------------------------------------------------------------------------------

    def probe(self, wish: Probe) -> None:
        """Probe a held-down server in the background, one probe at a time."""
        self.core.servers.get(wish.address).probe_started()
        self.verify(wish)

    def verify(self, wish: Probe) -> None:
        """Ask a server what probes ask, unless it is being asked."""
        if wish.address in self._probes:
            return
        task = Task(self, Question(wish.zone, Type.SOA), wish.label.purpose, 0)
        task.is_probe = True
        task.steps = probing(task, wish)
        self._probes[wish.address] = task
        task.waiters.append(Lookup(float("inf"), lambda r, b: self._probed(wish, r, b)))
        self._wake(task)

    def _probed(self, wish: Probe, result: Result, spent: Books) -> None:
        del self._probes[wish.address]
        server = self.core.servers.get(wish.address)
        if server.probing:
            server.probe_ended(result.rcode == Rcode.NOERROR, self.now)
        if self.internal is not None:
            self.internal(Question(wish.zone, Type.SOA), wish.label.purpose, result, spent)
        for task in self._tasks:
            if isinstance(task.wish, AwaitProbe) and wish.address in task.wish.addresses:
                task.probed = Probed(wish.address)
                self._wake(task)
