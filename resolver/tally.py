"""Counts of lookups that Python answered; those that native answered are in its own counters.

Written by the driver's task, read by the exporter's thread: each value is replaced in one step,
and a scrape may see a lookup in one count that another does not show yet. Every key is from a
closed set, so the number of series is bounded.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import Enum
from typing import Final, final

from resolver.counters import HIT_SECONDS_BOUNDS
from resolver.limits_page import WORST_KEPT
from resolver.model import Destination, Exchange, Reason, Route, Transport, Verdict
from resolver.names import Name
from resolver.worst import SpaceSaving

_MISS_SECONDS_BOUNDS = (1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

SECONDS_BOUNDS: Final = tuple(sorted({*HIT_SECONDS_BOUNDS, *_MISS_SECONDS_BOUNDS}))
"""Upper bounds, in seconds, of the buckets of ``inland_lookup_seconds``: those of native's hits
and those of misses."""


class Turned(Enum):
    """Why a question was turned away without a lookup."""

    CLASS = "class"
    TYPE = "type"
    RECURSION = "recursion_not_desired"
    OVERLOAD = "overload"
    STOPPING = "stopping"


@final
class Histogram:
    """Counts in each bucket of :data:`SECONDS_BOUNDS` and above, and their sum in seconds."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(SECONDS_BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one lookup."""
        self.buckets[bisect_left(SECONDS_BOUNDS, seconds)] += 1
        self.total += seconds

    def add(self, buckets: Sequence[int], seconds: float) -> None:
        """Count lookups that were counted in buckets already."""
        for at, count in enumerate(buckets):
            if count:
                self.buckets[at] += count
        self.total += seconds


@final
class Tally:
    """All of them."""

    def __init__(self) -> None:
        self.lookups: dict[tuple[Transport, Route, Destination], int] = {}
        self.escaped: dict[tuple[Reason, Destination], int] = {}
        self.seconds: dict[Route, Histogram] = {route: Histogram() for route in Route}
        self.turned: dict[Turned, int] = dict.fromkeys(Turned, 0)
        self.failed: dict[Route, int] = dict.fromkeys(Route, 0)
        """Lookups whose clients got SERVFAIL."""
        self.faults = 0
        self.trials = {"decided": 0, "refused": 0, "ended": 0}
        """Lookups for the shadow alone (``shadow_trials.py``)."""
        self.where: dict[bool, int] = {True: 0, False: 0}
        """Questions of what is known of a name, by whether anything was (``where_zone.py``)."""
        self.tags: dict[int, int] = {}
        """Lookups that policy had to do with, by :mod:`resolver.tags`; hits are in native."""
        self.stale = 0
        """Clients that got stale data from here; ready replies are counted in native."""
        self.worst = SpaceSaving(WORST_KEPT)
        """Escaped lookups by zone: what no series may be made of."""

    def lookup(
        self,
        transport: Transport,
        route: Route,
        destination: Destination,
        reason: Reason,
        count: int = 1,
        zone: Name | None = None,
    ) -> None:
        """A client (or so many, or one piece of internal work) got its answer. ``zone``: whose
        server abroad was asked first, when the lookup escaped."""
        key = (transport, route, destination)
        self.lookups[key] = self.lookups.get(key, 0) + count
        if route is Route.ESCAPED:
            why = (reason, destination)
            self.escaped[why] = self.escaped.get(why, 0) + count
            if zone is not None:
                self.worst.add(zone, count)

    def tagged(self, tag: int, count: int) -> None:
        """So many lookups with a tag."""
        self.tags[tag] = self.tags.get(tag, 0) + count


def first_abroad(trail: Sequence[Exchange]) -> Name | None:
    """The zone of the first exchange that was not domestic; ``None``: all were."""
    for exchange in trail:
        if exchange.label.verdict is not Verdict.DOMESTIC:
            return exchange.zone
    return None
