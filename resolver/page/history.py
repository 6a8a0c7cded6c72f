"""How many lookups took which route, remembered for a day: a bounded ring of points.

Counts only grow while the process lives, so an interval is the difference of two points; the first
point is the start of the process, with nothing counted. All intervals of a process younger than a
day add up to what is counted now. Limitations: a restart forgets; Prometheus is for longer times.
"""

from collections import deque
from itertools import pairwise
from typing import NamedTuple, final

from resolver.limits_page import CHART_COLUMNS_MAX, HISTORY_SECONDS, HISTORY_STEP_SECONDS

_STEPS = (60.0, 300.0, 900.0, 1_800.0, 3_600.0)


class Point(NamedTuple):
    """Lookups so far, by route, at a time in seconds."""

    at: float
    local: int = 0
    domestic: int = 0
    escaped: int = 0


class Interval(NamedTuple):
    """Lookups between two times, by route."""

    begin: float
    end: float
    local: int
    domestic: int
    escaped: int

    @property
    def lookups(self) -> int:
        """All of them."""
        return self.local + self.domestic + self.escaped


@final
class History:
    """Points of the last day, oldest first."""

    def __init__(self, begin: float) -> None:
        self._points: deque[Point] = deque([Point(begin)])

    def __len__(self) -> int:
        return len(self._points)

    def add(self, point: Point) -> None:
        """Remember a point; what is older than a day is forgotten. Points that come closer than
        they should are not kept, so that there is an end to their number."""
        points = self._points
        if point.at < points[-1].at + HISTORY_STEP_SECONDS / 2:
            return
        points.append(point)
        while len(points) > 1 and points[1].at <= point.at - HISTORY_SECONDS:
            points.popleft()

    def intervals(self, now: Point, offset: float = 0.0) -> list[Interval]:
        """Until ``now``, as many as a chart has columns at most. ``offset`` is added to times; then
        they start at whole steps: minutes, quarters of an hour."""
        points = [p._replace(at=p.at + offset) for p in (*self._points, now)]
        span = points[-1].at - points[0].at
        step = next((s for s in _STEPS if span / s <= CHART_COLUMNS_MAX - 2), _STEPS[-1])
        found: dict[int, Interval] = {}
        for before, after in pairwise(points):
            column = int(before.at // step)
            first = found.get(column)
            found[column] = Interval(
                first.begin if first else before.at,
                after.at,
                after.local - before.local + (first.local if first else 0),
                after.domestic - before.domestic + (first.domestic if first else 0),
                after.escaped - before.escaped + (first.escaped if first else 0),
            )
        return list(found.values())[-CHART_COLUMNS_MAX:]
