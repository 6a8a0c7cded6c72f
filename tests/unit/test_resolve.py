"""The driver: turns, deadlines, and what wakes it."""

import os
from collections.abc import Callable

import trio
import trio.testing

from policy.decision import PLAIN, Selection
from resolver import limits
from resolver.lookups import Done, Early, Lookup
from resolver.model import (
    Address,
    Ask,
    Books,
    Label,
    Outcome,
    Purpose,
    Question,
    Reason,
    Result,
    Verdict,
)
from resolver.names import ROOT
from resolver.plan import Punt
from resolver.resolve import Driver
from resolver.wishes import Probe

QUESTION = Question(ROOT, 2)
ASK = Ask(
    Address(bytes(4)),
    QUESTION,
    Label(Verdict.DOMESTIC, "XA", Purpose.ANSWER, Reason.NONE),
    timeout=1.0,
)


class Clock:
    def now(self) -> float:
        return trio.current_time()


class Door:
    """A door in memory, with a descriptor that is readable as native's is."""

    outcomes_max = 6

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        self.submitted: list[list[tuple[int, Ask]]] = []
        self._outcomes: list[tuple[int, Outcome]] = []

    def fileno(self) -> int:
        return self._event

    def submit(self, asks: list[tuple[int, Ask]]) -> None:
        self.submitted.append(asks)

    def take(self) -> list[tuple[int, Outcome]]:
        if self._outcomes:
            os.eventfd_read(self._event)
        taken, self._outcomes = self._outcomes[:6], self._outcomes[6:]
        if self._outcomes:
            os.eventfd_write(self._event, 1)
        return taken

    def answer(self, ticket: int) -> None:
        self._outcomes.append((ticket, Outcome(None, None, 0.0)))
        os.eventfd_write(self._event, 1)

    @property
    def tickets(self) -> list[int]:
        return [ticket for batch in self.submitted for ticket, _ in batch]


class Scheduler:
    """One exchange a lookup; optionally a deadline at which all lookups end."""

    def __init__(self, rcode: int, lasts: float | None = None) -> None:
        self.rcode = rcode
        self.lasts = lasts
        self.needless = 0
        self.tickets = 0
        self.deadline: float | None = None
        self.batch: list[tuple[int, Ask]] = []
        self.waiting: dict[int, Done] = {}
        self.delivered: list[int] = []
        self.heard: list[float | None] = []
        self.submissions: list[float] = []

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
        self.tickets += 1
        self.waiting[self.tickets] = done
        self.batch.append((self.tickets, ASK))
        self.deadline = now + self.lasts if self.lasts is not None else None
        return None

    def stale(self, question: Question, now: float, selection: Selection = PLAIN) -> Result | None:
        return None

    def leave(self, lookup: Lookup, question: Question, selection: Selection) -> None:
        raise AssertionError("nobody leaves here")

    def unclaimed(self, question: Question) -> Books | None:
        raise AssertionError("nothing is carried here")

    def deliver(self, ticket: int, outcome: Outcome, now: float) -> None:
        self.delivered.append(ticket)
        if (done := self.waiting.pop(ticket, None)) is not None:
            done(Result(self.rcode), Books())

    def punted(self, punt: Punt, now: float) -> None:
        raise AssertionError("nothing is carried here")

    def advance(self, now: float, heard: float | None = None) -> list[tuple[int, Ask]]:
        self.heard.append(heard)
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
            for ticket in list(self.waiting):
                self.waiting.pop(ticket)(Result(self.rcode), Books())
        batch, self.batch = self.batch, []
        return batch

    def submitted(self, batch: list[tuple[int, Ask]], now: float) -> None:
        self.submissions.append(now)

    def next_deadline(self) -> float | None:
        return self.deadline

    def flush_failures(self) -> None:
        self.batch = []

    def verify(self, wish: Probe) -> None:
        raise AssertionError("nothing is verified here")


START = 100.0


class Hand:
    """A clock that is moved by hand, or by each look at it."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.step = 0.0

    def now(self) -> float:
        self.value += self.step
        return self.value


def drive(
    scheduler: Scheduler, work: Callable[[Driver, Door], None], clock: Hand | None = None
) -> None:
    """Call ``work`` inside a loop, for a driver whose turns it takes itself."""

    async def run() -> None:
        door = Door()
        driver = Driver(scheduler, door, clock or Clock())
        work(driver, door)
        driver.close()
        os.close(door.fileno())

    trio.run(run)


def test_all_asks_of_a_turn_are_one_batch() -> None:
    def work(driver: Driver, door: Door) -> None:
        for _ in range(5):
            driver.lookup(QUESTION, lambda result, books: None)
        driver.turn()
        assert len(door.submitted) == 1
        assert len(set(door.tickets)) == 5
        assert driver.lookups == 5
        for ticket in door.tickets:
            door.answer(ticket)
        driver.turn()
        assert driver.lookups == 0

    drive(Scheduler(0), work)


def test_silence_counts_only_as_far_as_the_door_has_been_heard() -> None:
    """Outcomes that wait behind a full batch came before now: they may be what is waited for."""

    def work(driver: Driver, door: Door) -> None:
        for _ in range(8):
            driver.lookup(QUESTION, lambda result, books: None)
        driver.turn()
        for ticket in door.tickets:
            door.answer(ticket)
        clock.value += 1
        driver.turn()
        driver.turn()
        assert scheduler.heard == [START, START, START + 1]
        assert len(scheduler.delivered) == 8

    scheduler, clock = Scheduler(0), Hand(START)
    drive(scheduler, work, clock)


def test_the_scheduler_is_told_when_the_door_got_the_questions() -> None:
    def work(driver: Driver, door: Door) -> None:
        driver.lookup(QUESTION, lambda result, books: None)
        clock.step = 1.0  # each look at the clock takes a second
        driver.turn()
        (told,) = scheduler.submissions
        assert scheduler.heard[-1] is not None
        assert told > scheduler.heard[-1]

    scheduler, clock = Scheduler(0), Hand(START)
    drive(scheduler, work, clock)


def test_the_driver_wakes_for_outcomes_deadlines_and_lookups_of_other_tasks() -> None:
    async def run() -> None:
        door = Door()
        scheduler = Scheduler(0, lasts=0.05)
        driver = Driver(scheduler, door, Clock())
        with trio.fail_after(0.9 * limits.TURN_WAIT_MAX):  # else it only woke by itself
            async with trio.open_nursery() as nursery:
                nursery.start_soon(driver.run)
                await trio.testing.wait_all_tasks_blocked()
                by_deadline, by_outcome = trio.Event(), trio.Event()
                driver.lookup(QUESTION, lambda result, books: by_deadline.set())
                await by_deadline.wait()
                scheduler.lasts = None
                driver.lookup(QUESTION, lambda result, books: by_outcome.set())
                while len(door.tickets) < 2:
                    await trio.sleep(0.001)
                door.answer(door.tickets[1])
                await by_outcome.wait()
                nursery.cancel_scope.cancel()
        driver.close()
        os.close(door.fileno())

    trio.run(run)
