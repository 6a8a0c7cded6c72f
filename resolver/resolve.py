"""The driver: one trio task that steps every resolution, in turns.

A turn takes a batch of misses and a batch of outcomes, steps what has news, submits all new
exchanges in one call and sends all replies in one call. Between turns it sleeps until one of the
two native queues is readable or the scheduler has a deadline. There is no task, scope or timer
for a packet or a lookup.

A reload swaps policy and settings of the core between two turns; see :mod:`resolver.contest` for
what that means to resolutions under way.
"""

from typing import Protocol, final

import trio

from policy.decision import PLAIN, Selection
from resolver.limits import TURN_WAIT_MAX
from resolver.lookups import Done, Early, Lookup
from resolver.model import Ask, Books, Outcome, Purpose, Question, Result
from resolver.plan import Punt
from resolver.readiness import Readiness
from resolver.wishes import Probe


class Scheduling(Protocol):
    """What the driver needs of the pure core's scheduler."""

    needless: int
    """Needless escapes so far."""

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
        """Start a lookup, or join one; ``done`` may be called before this returns, ``early``
        before ``done``, when the lookup takes longer than clients wait."""

    def leave(self, lookup: Lookup, question: Question, selection: Selection) -> None:
        """Nobody wants a lookup any more."""

    def stale(self, question: Question, now: float, selection: Selection = PLAIN) -> Result | None:
        """What there is for a client that shall not wait, stale data included."""

    def unclaimed(self, question: Question) -> Books | None:
        """The books of an exchange that came back and that no lookup began with."""

    def punted(self, punt: Punt, now: float) -> None:
        """An exchange under a plan comes back; lookups of its question follow at once."""

    def deliver(self, ticket: int, outcome: Outcome, now: float) -> None:
        """The exchange of ``ticket`` has ended."""

    def advance(self, now: float, heard: float | None = None) -> list[tuple[int, Ask]]:
        """Step what has news and return what is to be sent. ``heard``: up to when every outcome
        has been delivered; left out: up to now."""

    def submitted(self, batch: list[tuple[int, Ask]], now: float) -> None:
        """The door has these only since now: waits for their replies begin here."""

    def next_deadline(self) -> float | None:
        """When :meth:`advance` is due even without news."""

    def flush_failures(self) -> None:
        """Forget which questions have failed."""

    def verify(self, wish: Probe) -> None:
        """Ask a server what probes ask, unless it is being asked."""


class Ticking(Protocol):
    """A clock: monotonic seconds."""

    def now(self) -> float:
        """Seconds since some start."""


class Out(Protocol):
    """A door that can be waited for."""

    def fileno(self) -> int:
        """Readable when outcomes wait."""

    def submit(self, asks: list[tuple[int, Ask]]) -> None:
        """Send a batch."""

    @property
    def outcomes_max(self) -> int:
        """As many does one :meth:`take` give at most."""

    def take(self) -> list[tuple[int, Outcome]]:
        """A bounded number of outcomes; fewer than that: all that there were."""


class Clients(Protocol):
    """Where lookups come from and replies go to (:mod:`resolver.serve`)."""

    def fileno(self) -> int:
        """Readable when misses wait."""

    def accept(self, now: float) -> None:
        """Take a bounded number of misses and start their lookups."""

    def flush(self) -> None:
        """Send what was answered in this turn."""


@final
class Driver:
    """Owner of the turn. Not safe to use from another thread."""

    def __init__(self, scheduler: Scheduling, door: Out, clock: Ticking) -> None:
        self._scheduler = scheduler
        self._door = door
        self._clock = clock
        self._clients: Clients | None = None
        self._ready = Readiness()
        self._ready.watch(door.fileno())
        self._nudge: trio.CancelScope | None = None
        self._heard = clock.now()  # until when every outcome has been delivered
        self.lookups = 0
        """Lookups under way."""

    def watch(self, fileno: int) -> None:
        """Wake when this is readable, too."""
        self._ready.watch(fileno)

    def punted(self, punt: Punt) -> None:
        """An exchange under a plan has come back; its lookups follow."""
        self._scheduler.punted(punt, self._clock.now())

    def attach(self, clients: Clients) -> None:
        """Take misses from here, once for the driver's life."""
        self._clients = clients
        self._ready.watch(clients.fileno())

    @property
    def needless(self) -> int:
        """Needless escapes since the start."""
        return self._scheduler.needless

    def flush_failures(self) -> None:
        """Forget which questions have failed (operator's flush)."""
        self._scheduler.flush_failures()

    def stale(self, question: Question, selection: Selection = PLAIN) -> Result | None:
        """What there is for a client that shall not wait, stale data included."""
        return self._scheduler.stale(question, self._clock.now(), selection)

    def unclaimed(self, question: Question) -> Books | None:
        """The books of an exchange that came back and that no lookup began with."""
        return self._scheduler.unclaimed(question)

    def leave(self, lookup: Lookup, question: Question, selection: Selection) -> None:
        """Nobody wants a lookup any more (see :meth:`resolver.schedule.Scheduler.leave`)."""
        self._scheduler.leave(lookup, question, selection)

    def lookup(
        self,
        question: Question,
        done: Done,
        purpose: Purpose = Purpose.ANSWER,
        early: Early | None = None,
        arrived: float | None = None,
        selection: Selection = PLAIN,
    ) -> Lookup | None:
        """Start a lookup. ``done`` may be called before this returns; of ``early`` see
        :meth:`resolver.schedule.Scheduler.lookup`."""

        def ended(result: Result, books: Books) -> None:
            self.lookups -= 1
            done(result, books)

        self.lookups += 1
        now = self._clock.now()
        lookup = self._scheduler.lookup(question, now, ended, purpose, early, arrived, selection)
        self._wake()
        return lookup

    def verify(self, wish: Probe) -> None:
        """Ask a server what probes ask, for the proof of where it is."""
        self._scheduler.verify(wish)
        self._wake()

    def _wake(self) -> None:
        if self._nudge is not None:  # called by another task, while the driver sleeps
            self._nudge.cancel()

    def close(self) -> None:
        """Give the descriptor back."""
        self._ready.close()

    async def run(self) -> None:
        """Turn for ever; ends by cancellation."""
        while True:
            self.turn()
            await self._sleep()

    def turn(self) -> None:
        """One bounded batch of everything.

        A turn may take long. Its own lateness must not be taken for a server's silence: a wait
        begins when the door has the question, and is over only when all that had come by then
        has been heard.
        """
        now = self._clock.now()
        outcomes = self._door.take()
        for ticket, outcome in outcomes:
            self._scheduler.deliver(ticket, outcome, now)
        if len(outcomes) < self._door.outcomes_max:
            self._heard = now
        if self._clients is not None:
            self._clients.accept(now)
        if batch := self._scheduler.advance(now, self._heard):
            self._door.submit(batch)
            self._scheduler.submitted(batch, self._clock.now())
        if self._clients is not None:
            self._clients.flush()

    async def _sleep(self) -> None:
        """Until a native queue is readable, or a deadline, or a lookup from another task."""
        deadline = self._scheduler.next_deadline()
        ahead = TURN_WAIT_MAX if deadline is None else deadline - self._clock.now()
        wait = min(ahead, TURN_WAIT_MAX)
        if wait <= 0:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(wait) as self._nudge:
            await trio.lowlevel.wait_readable(self._ready.fileno())
        self._nudge = None
