"""Numbers as people read them. Rounding never makes something of nothing, nor all of nearly all."""

from datetime import UTC, datetime
from math import isfinite

NOTHING = "–"
"""Stands for a figure that cannot be told, such as a share of no lookups."""

_KIB = 1024
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def whole(value: float) -> str:
    """``1,234,567``."""
    return f"{round(value):,}" if isfinite(value) else NOTHING


def decimal(value: float) -> str:
    """``0.123``; what is not 0 is never shown as 0."""
    if not isfinite(value):
        return NOTHING
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:,.3f}"


def share(value: float) -> str:
    """A part of one as percent: ``12.3 %``. 0 % and 100 % are said of none and of all only."""
    if not isfinite(value):
        return NOTHING
    percent = value * 100
    if percent in (0, 100):
        return f"{percent:.0f} %"
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f} %"


def octets(value: float) -> str:
    """``1.5 MiB``."""
    if not isfinite(value):
        return NOTHING
    at = 0
    while value >= _KIB and at < len(_UNITS) - 1:
        value /= _KIB
        at += 1
    return f"{value:,.0f} B" if at == 0 else f"{value:,.1f} {_UNITS[at]}"


def span(seconds: float) -> str:
    """``3 d 4 h``: the two greatest units."""
    if not isfinite(seconds):
        return NOTHING
    left = max(0, round(seconds))
    at = next((at for at, (size, _) in enumerate(_SPANS) if left >= size), len(_SPANS) - 1)
    parts: list[str] = []
    for size, unit in _SPANS[at : at + 2]:
        if left >= size or not parts:
            parts.append(f"{left // size} {unit}")
        left %= size
    return " ".join(parts)


def moment(wall: float) -> str:
    """``2026-11-22 14:05:07 UTC``."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def stamp(wall: float) -> str:
    """The same for machines: ``2026-11-22T14:05:07Z``."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(wall: float, to_the_second: bool = False) -> str:
    """``14:05`` or ``14:05:07``, in UTC."""
    form = "%H:%M:%S" if to_the_second else "%H:%M"
    return datetime.fromtimestamp(wall, UTC).strftime(form)
