"""Weekly time windows: days and hours on the clock of a time zone.

Responsible for saying whether a window is open at a moment, and when that changes next. A range of
hours that ends before it begins goes on over midnight and belongs to the day on which it began.
Where clocks go forward or back, what the clock on the wall shows counts.

Limitations: whole minutes; a change that is more than a week away is looked for again by then.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple, final

from resolver.limits_policy import WINDOW_DAYS

DAY_MINUTES = 24 * 60
_DAY = 86_400.0


class Hours(NamedTuple):
    """A range of a day: minutes since midnight, the end not included; the end may be before the
    start (then it is one of the next day), and is 1440 for midnight."""

    start: int
    end: int


ALL_DAY = Hours(0, DAY_MINUTES)


@final
class Window:
    """Days and hours. ``days``: 0 is Monday. Remembers the last stretch that it was asked for."""

    __slots__ = ("_from", "_open", "_until", "days", "hours", "zone", "zone_name")

    def __init__(
        self, days: frozenset[int], hours: tuple[Hours, ...], zone: tzinfo, zone_name: str
    ) -> None:
        self.days = days
        self.hours = hours
        self.zone = zone
        self.zone_name = zone_name
        self._from = 0.0
        self._until = 0.0  # nothing is remembered
        self._open = False

    def at(self, wall: float) -> tuple[bool, float]:
        """Whether it is open at a moment (seconds since the epoch), and the moment at which that
        changes; or an earlier one, from which on it is to be asked again."""
        if not self._from <= wall < self._until:
            self._open = self.shows(wall)
            self._from, self._until = wall, self._change(wall, self._open)
        return self._open, self._until

    def shows(self, wall: float) -> bool:
        """Whether the clock on the wall shows a time in the window."""
        local = datetime.fromtimestamp(wall, UTC).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        today = local.weekday()
        for hours in self.hours:
            is_late = minute >= hours.start and today in self.days
            if hours.start < hours.end:
                if is_late and minute < hours.end:
                    return True
            elif is_late or (minute < hours.end and (today - 1) % 7 in self.days):
                return True
        return False

    def _change(self, wall: float, is_open: bool) -> float:
        for moment in sorted(self._moments(wall)):
            if moment > wall and self.shows(moment) != is_open:
                return moment
        return wall + (WINDOW_DAYS - 2) * _DAY

    def _moments(self, wall: float) -> Iterator[float]:
        """Moments at which something may change, of the day before and of a week ahead: the ends
        of the ranges, midnights, and where clocks are put forward or back."""
        minutes = {0}
        for hours in self.hours:
            minutes |= {hours.start, hours.end % DAY_MINUTES}
        local = datetime.fromtimestamp(wall, UTC).astimezone(self.zone)
        first = datetime(local.year, local.month, local.day) - timedelta(days=1)
        for ahead in range(WINDOW_DAYS):
            midnight = first + timedelta(days=ahead)
            for minute in minutes:
                naive = midnight + timedelta(minutes=minute)
                for fold in (0, 1):
                    yield naive.replace(tzinfo=self.zone, fold=fold).timestamp()
        start = wall - _DAY
        for ahead in range(WINDOW_DAYS):
            low = start + ahead * _DAY
            if self._offset(low) != self._offset(low + _DAY):
                yield self._turn(low, low + _DAY)

    def _offset(self, wall: float) -> timedelta | None:
        return datetime.fromtimestamp(wall, UTC).astimezone(self.zone).utcoffset()

    def _turn(self, low: float, high: float) -> float:
        """The second at which the offset changes between two moments."""
        before, early, late = self._offset(low), int(low), int(high) + 1
        while late - early > 1:
            middle = (early + late) // 2
            if self._offset(middle) == before:
                early = middle
            else:
                late = middle
        return float(late)
