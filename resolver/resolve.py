"""The driver: one trio task that steps every resolution, in turns.

A turn takes a batch of misses and a batch of outcomes, steps what has news, submits all new
exchanges in one call and sends all replies in one call. Between turns it sleeps until one of the
two native queues is readable or the scheduler has a deadline. There is no task, scope or timer
for a packet or a lookup.

Each policy has an epoch: its own scheduler, under which its lookups begin and end. A reload opens
a new epoch; the old one is dropped when its last lookup and exchange have ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

import trio

from resolver.limits import EPOCHS_MAX, TURN_WAIT_MAX
from resolver.model import Ask, Books, Outcome, Purpose, Question, Result
from resolver.readiness import Readiness

Done = Callable[[Result, Books], None]


class Scheduling(Protocol):
    """What the driver needs of the pure core's scheduler."""

    needless: int
    """Needless escapes so far."""

    def lookup(
        self, question: Question, now: float, done: Done, purpose: Purpose = Purpose.ANSWER
    ) -> None:
        """Start a lookup, or join one; ``done`` may be called before this returns."""

    def deliver(self, ticket: int, outcome: Outcome, now: float) -> None:
        """The exchange of ``ticket`` has ended."""

    def advance(self, now: float) -> list[tuple[int, Ask]]:
        """Step what has news and return what is to be sent."""

    def next_deadline(self) -> float | None:
        """When :meth:`advance` is due even without news."""

    def flush_failures(self) -> None:
        """Forget which questions have failed."""


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

    def take(self) -> list[tuple[int, Outcome]]:
        """A bounded number of outcomes."""


class Clients(Protocol):
    """Where lookups come from and replies go to (:mod:`resolver.serve`)."""

    def fileno(self) -> int:
        """Readable when misses wait."""

    def accept(self, now: float) -> None:
        """Take a bounded number of misses and start their lookups."""

    def flush(self) -> None:
        """Send what was answered in this turn."""


@final
@dataclass(slots=True, eq=False)
class Epoch:
    """A scheduler with the count of what is under way in it. ``slot`` marks its tickets."""

    slot: int
    scheduler: Scheduling
    lookups: int = 0
    exchanges: int = 0


@final
class Driver:
    """Owner of the epochs and of the turn. Not safe to use from another thread."""

    def __init__(self, door: Out, clock: Ticking) -> None:
        self._door = door
        self._clock = clock
        self._clients: Clients | None = None
        self._epochs: dict[int, Epoch] = {}
        self._current: Epoch | None = None
        self._ready = Readiness()
        self._ready.watch(door.fileno())
        self._needless = 0  # of epochs that are gone
        self._nudge: trio.CancelScope | None = None

    def attach(self, clients: Clients) -> None:
        """Take misses from here, once for the driver's life."""
        self._clients = clients
        self._ready.watch(clients.fileno())

    def open_epoch(self, scheduler: Scheduling) -> Epoch:
        """Begin a new epoch; lookups under way keep theirs.

        Raises:
            RuntimeError: ``EPOCHS_MAX`` epochs still have lookups under way.
        """
        slot = next((slot for slot in range(EPOCHS_MAX) if slot not in self._epochs), None)
        if slot is None:
            raise RuntimeError("too many reloads with lookups under way: try again in a moment")
        epoch = self._current = self._epochs[slot] = Epoch(slot, scheduler)
        return epoch

    @property
    def lookups(self) -> int:
        """Lookups under way, over all epochs."""
        return sum(epoch.lookups for epoch in list(self._epochs.values()))

    @property
    def epochs(self) -> int:
        """Epochs with work under way, and the current one."""
        return len(self._epochs)

    @property
    def needless(self) -> int:
        """Needless escapes since the start, over all epochs."""
        return self._needless + sum(
            epoch.scheduler.needless for epoch in list(self._epochs.values())
        )

    def flush_failures(self) -> None:
        """Forget which questions have failed (operator's flush)."""
        for epoch in self._epochs.values():
            epoch.scheduler.flush_failures()

    def lookup(self, question: Question, done: Done, purpose: Purpose = Purpose.ANSWER) -> None:
        """Start a lookup in the current epoch. ``done`` may be called before this returns."""
        epoch = self._current
        assert epoch is not None, "no epoch is open"

        def ended(result: Result, books: Books) -> None:
            epoch.lookups -= 1
            done(result, books)

        epoch.lookups += 1
        epoch.scheduler.lookup(question, self._clock.now(), ended, purpose)
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
        """One bounded batch of everything."""
        now = self._clock.now()
        for ticket, outcome in self._door.take():
            epoch = self._epochs[ticket % EPOCHS_MAX]
            epoch.exchanges -= 1
            epoch.scheduler.deliver(ticket // EPOCHS_MAX, outcome, now)
        if self._clients is not None:
            self._clients.accept(now)
        batch: list[tuple[int, Ask]] = []
        for epoch in list(self._epochs.values()):
            asks = epoch.scheduler.advance(now)
            epoch.exchanges += len(asks)
            batch += [(ticket * EPOCHS_MAX + epoch.slot, ask) for ticket, ask in asks]
            if epoch is not self._current and not epoch.lookups and not epoch.exchanges:
                del self._epochs[epoch.slot]
                self._needless += epoch.scheduler.needless
        if batch:
            self._door.submit(batch)
        if self._clients is not None:
            self._clients.flush()

    async def _sleep(self) -> None:
        """Until a native queue is readable, or a deadline, or a lookup from another task."""
        wait = TURN_WAIT_MAX
        now = self._clock.now()
        for epoch in self._epochs.values():
            if (deadline := epoch.scheduler.next_deadline()) is not None:
                wait = min(wait, deadline - now)
        if wait <= 0:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(wait) as self._nudge:
            await trio.lowlevel.wait_readable(self._ready.fileno())
        self._nudge = None
