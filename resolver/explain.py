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
from resolver.counters import Counters
from resolver.model import Books, Question, Result
from resolver.resolve import Driver
from resolver.schedule import Scheduler
from resolver.shown import Explanation

_WORKERS = 1  # one question needs no more


def explain(loaded: Loaded, question: Question) -> Explanation:
    """Resolve ``question`` from nothing. Blocks until it has ended."""
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
        began = clock.now()
        result, books = trio.run(_resolve, driver, question)
        return Explanation(result, books, loaded.policy, clock.now() - began)


async def _resolve(driver: Driver, question: Question) -> tuple[Result, Books]:
    ended = trio.Event()
    found: list[tuple[Result, Books]] = []

    def done(result: Result, books: Books) -> None:
        found.append((result, books))
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        driver.lookup(question, done)
        await ended.wait()
        nursery.cancel_scope.cancel()
    return found[0]
