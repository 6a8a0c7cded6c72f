"""One lookup from its begin to its end, under the rules in force, for somebody who waits for it.

As :mod:`resolver.serve` does it for a client in no view: the rules are asked before any work, for
each name on the chain of aliases that they concern, and when the result is there. Nothing is kept.
"""

from typing import NamedTuple

import trio

from policy.decision import PLAIN, Selection
from resolver.counters import Clock
from resolver.decide import Case, Decider
from resolver.failures import servfail
from resolver.forge import merged
from resolver.model import Books, Ede, Purpose, Question, Result
from resolver.resolve import Driver
from resolver.tags import NO_EFFECT, Effect


class Once(NamedTuple):
    """What came of it; ``case``: what rules said of each name on the way, ``None`` without any."""

    result: Result
    books: Books
    effect: Effect = NO_EFFECT
    case: Case | None = None


async def look_up_once(
    driver: Driver,
    decider: Decider | None,
    question: Question,
    clock: Clock,
    purpose: Purpose = Purpose.ANSWER,
    view: int = 0,
) -> Once:
    """Resolve a question for a client of a class; the driver runs meanwhile."""
    if decider is None:
        return Once(*await _look_up(driver, question, PLAIN, purpose))
    case, spent = decider.open(view, question, clock.wall()), Books()
    while True:
        made, books = decider.at_once(case), Books()
        if made is None:
            made, books = await _look_up(driver, case.link, case.selection, purpose)
        spent = merged(spent, books)
        if made.onward is None:
            made = decider.judge(case, made, clock.now())
        if made.onward is None or not decider.go_on(case, made, books):
            if made.onward is not None:  # a loop, or a chain that is too long
                loop = servfail(Ede.OTHER, "chain of aliases is too long or a loop")
                made = decider.judge(case, loop, clock.now())
            ruling = decider.ruling(case, made)
            return Once(ruling.result, spent, ruling.live, case)


async def _look_up(
    driver: Driver, question: Question, selection: Selection, purpose: Purpose
) -> tuple[Result, Books]:
    ended = trio.Event()
    found: list[tuple[Result, Books]] = []

    def done(result: Result, books: Books) -> None:
        found.append((result, books))
        ended.set()

    driver.lookup(question, done, purpose, selection=selection)
    await ended.wait()
    return found[0]
