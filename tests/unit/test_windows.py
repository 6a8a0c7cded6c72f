"""Weekly time windows: open or not, and until when, across midnight and changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from policy.windows import Hours, Window

WORK = (Hours(9 * 60, 17 * 60),)
NIGHT = (Hours(22 * 60, 6 * 60),)
MON_FRI = frozenset(range(5))


def wall(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def window(days: frozenset[int], hours: tuple[Hours, ...], zone: str = "UTC") -> Window:
    return Window(days, hours, ZoneInfo(zone), zone)


@pytest.mark.parametrize(
    ("days", "hours", "at", "is_open", "until"),
    [
        (MON_FRI, WORK, "2026-11-23T08:59", False, "2026-11-23T09:00"),
        (MON_FRI, WORK, "2026-11-23T09:00", True, "2026-11-23T17:00"),
        (MON_FRI, WORK, "2026-11-27T17:00", False, "2026-11-30T09:00"),
        ({4}, NIGHT, "2026-11-27T23:00", True, "2026-11-28T06:00"),
        ({4}, NIGHT, "2026-11-28T05:59", True, "2026-11-28T06:00"),
        ({4}, NIGHT, "2026-11-28T22:30", False, "2026-12-04T22:00"),
        ({4}, NIGHT, "2026-11-27T05:00", False, "2026-11-27T22:00"),
        ({0}, (Hours(0, 1440),), "2026-11-23T12:00", True, "2026-11-24T00:00"),
        ({0, 1}, (Hours(0, 1440),), "2026-11-23T12:00", True, "2026-11-25T00:00"),
        (set(range(7)), (Hours(0, 720), Hours(720, 1440)), "2026-11-23T11:00", True, None),
    ],
)
def test_open_until(
    days: set[int], hours: tuple[Hours, ...], at: str, is_open: bool, until: str | None
) -> None:
    found = window(frozenset(days), hours).at(wall(at))
    assert found[0] is is_open
    if until is not None:
        assert found[1] == wall(until)
    else:  # it never closes: asked again within a week
        assert wall(at) < found[1] <= wall(at) + 8 * 86_400


@pytest.mark.parametrize(
    ("at", "is_open", "until"),
    [
        # Clocks go from 02:00 to 03:00 on 2026-03-29 (01:00 UTC): 02:30 is not shown that day.
        ("2026-03-29T00:30", False, "2026-03-29T01:00"),  # 03:00, within 02:30-03:30
        ("2026-03-29T01:00", True, "2026-03-29T01:30"),
        # and from 03:00 back to 02:00 on 2026-10-25 (01:00 UTC): 02:30 is shown twice.
        ("2026-10-25T00:29", False, "2026-10-25T00:30"),
        ("2026-10-25T00:30", True, "2026-10-25T01:00"),
        ("2026-10-25T01:00", False, "2026-10-25T01:30"),
        ("2026-10-25T01:30", True, "2026-10-25T02:30"),
    ],
)
def test_what_the_clock_on_the_wall_shows_counts(at: str, is_open: bool, until: str) -> None:
    hours = (Hours(150, 210),)
    found = window(frozenset(range(7)), hours, "Europe/Berlin").at(wall(at))
    assert found == (is_open, wall(until))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns"])
def test_the_end_of_a_stretch_is_its_first_minute_of_change(zone: str) -> None:
    """Held against asking minute by minute for three weeks around a change of clocks."""
    made = window(frozenset({0, 2, 5, 6}), (*WORK, *NIGHT), zone)
    start = datetime(2026, 10, 16, tzinfo=UTC)
    minutes = [(start + timedelta(minutes=m)).timestamp() for m in range(21 * 1440)]
    shown = [made.shows(minute) for minute in minutes]
    at = 0
    while at < len(minutes):
        is_open, until = made.at(minutes[at])
        assert is_open is shown[at]
        last = at
        while last < len(minutes) and minutes[last] < until:
            assert shown[last] is is_open, minutes[last]
            last += 1
        if last < len(minutes):
            assert shown[last] is not is_open or until - minutes[at] >= 7 * 86_400
        at = last
