"""Resolve one question in a core of its own, without a listener, and keep every exchange.

The same driver, scheduler, policy and door as ``serve``; caches start empty, so that all steps
show. Nothing is served and nothing is recorded.
"""

from contextlib import ExitStack

import trio

from resolver.assemble import (
    Loaded,
    areas,
    make_clock,
    make_core,
    make_door,
    make_keeper,
    make_records,
    make_transfer_door,
)
from resolver.counters import Clock, Counters
from resolver.decide import Decider, decider_of
from resolver.model import Question
from resolver.once import Once, look_up_once
from resolver.resolve import Driver
from resolver.schedule import Scheduler
from resolver.shown import Explanation
from resolver.tags import Tags

_WORKERS = 1  # one question needs no more


def explain(loaded: Loaded, question: Question, view: int = 0) -> Explanation:
    """Resolve a question from nothing, for a client of class ``view``. Blocks until it ends."""
    with ExitStack() as closing:
        clock = make_clock()
        counters = Counters(None, areas(_WORKERS))
        door = make_door(loaded.config, clock, counters, _WORKERS)
        closing.callback(door.close)
        core = make_core(loaded, make_records(loaded.config))
        transfers = make_transfer_door(loaded.config, clock, counters)
        closing.callback(transfers.close)
        make_keeper(loaded, core, clock, transfers)  # what is on disk, as it is
        driver = Driver(Scheduler(core), door, clock)
        closing.callback(driver.close)
        decider = core.decider = decider_of(core, loaded.policy, Tags())
        began = clock.now()
        once = trio.run(_resolve, driver, decider, question, clock, view)
        seconds = clock.now() - began
        return Explanation(once.result, once.books, loaded.policy, seconds, once.effect, once.case)


async def _resolve(
    driver: Driver, decider: Decider | None, question: Question, clock: Clock, view: int
) -> Once:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        found = await look_up_once(driver, decider, question, clock, view=view)
        nursery.cancel_scope.cancel()
    return found
