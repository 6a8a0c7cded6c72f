"""Run a survey through the door, without a listener, as ``inland explain`` runs one question.

Every exchange is counted under its label; nothing is served and nothing is recorded. Mirrors that
are configured count for the verdict *stays home*; the survey itself asks name servers, not copies.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import trio

from policy.border import Policy
from resolver.assemble import Loaded, areas, make_clock, make_core, make_door, make_records
from resolver.audit.closure import Closure, Path
from resolver.audit.survey import Survey
from resolver.counters import Counters
from resolver.exchange import NativeDoor
from resolver.model import Verdict
from resolver.names import ROOT, Name, parent

_WORKERS = 1  # the survey's own bound is far below what one thread carries

Progress = Callable[[int, int], None]
"""Told after each turn: names done, exchanges sent."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a survey of some names has found, and what it cost."""

    closure: Closure
    paths: dict[Name, Path]
    exchanges: dict[tuple[Verdict, str], int]  # by verdict and country
    policy: Policy
    cctlds: frozenset[Name]
    mirrored: frozenset[Name]  # zones that the configuration mirrors
    seconds: float


def run(loaded: Loaded, names: Sequence[Name], progress: Progress) -> Found:
    """Survey the names. Blocks until nothing more can be found out."""
    with ExitStack() as closing:
        clock = make_clock()
        counters = Counters(None, areas(_WORKERS))
        door = make_door(loaded.config, clock, counters, _WORKERS)
        closing.callback(door.close)
        survey = Survey(make_core(loaded, make_records(loaded.config)))
        done = 0

        def ended() -> None:
            nonlocal done
            done += 1

        for name in dict.fromkeys(names):
            survey.add(name, ended)
        began = clock.now()
        trio.run(_drive, survey, door, lambda: progress(done, survey.post.exchanges.total()))
        policy = loaded.policy
        top = frozenset(z for z in policy.domestic_zones if z != ROOT and parent(z) == ROOT)
        return Found(
            survey.closure(),
            survey.paths(),
            dict(survey.post.exchanges),
            policy,
            top,
            frozenset(wanted.zone for wanted in loaded.mirrors),
            clock.now() - began,
        )


async def _drive(survey: Survey, door: NativeDoor, turned: Callable[[], None]) -> None:
    while True:
        batch = survey.advance()
        if batch:
            door.submit(batch)
        turned()
        if survey.over:
            return
        await trio.lowlevel.wait_readable(door.fileno())
        for ticket, outcome in door.take():
            survey.deliver(ticket, outcome)
