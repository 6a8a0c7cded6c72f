"""Small pictures as inline SVG. Colours come from the page's classes; each picture has its figures
beside it as text, and tells its parts apart by pattern as well as by colour.

Letters stand outside the picture, in HTML, so that they keep their size on a phone.
"""

from collections.abc import Sequence
from html import escape
from math import isfinite

from resolver.page import numbers
from resolver.page.history import Interval

WIDTH = 720.0
HEIGHT = 200.0
_GAP = 2.0
_BRIEF_SECONDS = 600.0

PARTS = (
    ("escaped", "escaped: at least one exchange abroad"),
    ("domestic", "domestic: exchanges at home only"),
    ("local", "local: no exchange"),
)
"""Routes from the bottom of a column upward, so that what escapes stands on the base line."""

PATTERNS = (
    '<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="p-escaped" width="8" height="8" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect class="escaped" width="8" height="8"/>'
    '<rect class="stripe" width="3" height="8"/></pattern>'
    '<pattern id="p-domestic" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="domestic" width="6" height="6"/><circle class="stripe" cx="3" cy="3" r="1"/>'
    "</pattern></defs></svg>"
)
"""Stripes for what escaped, dots for what stayed; what needed no exchange is plain."""


def mark(part: str) -> str:
    """The sign of a route in a legend."""
    return (
        '<svg class="mark" viewBox="0 0 24 16" width="24" height="16" aria-hidden="true"'
        f' focusable="false">{_block(part, 0, 0, 24, 16)}</svg>'
    )


def shares(intervals: Sequence[Interval]) -> str:
    """A column for each interval, as high as the routes' parts of its lookups."""
    asked = [interval for interval in intervals if interval.lookups]
    label = (
        f"Parts of the lookups that were local, domestic and escaped in {len(intervals)} intervals "
        f"from {numbers.moment(intervals[0].begin)} to {numbers.moment(intervals[-1].end)}. "
        f"{_summary(asked)}The table below has the figures."
    )
    slot = WIDTH / len(intervals)
    columns = "".join(
        _column(one, at * slot, slot, is_brief(intervals)) for at, one in enumerate(intervals)
    )
    lines = "".join(
        f'<line class="grid" x1="0" x2="{WIDTH:.0f}" y1="{y:.0f}" y2="{y:.0f}"/>'
        for y in (0, HEIGHT / 4, HEIGHT / 2, HEIGHT * 3 / 4, HEIGHT)
    )
    middle = intervals[len(intervals) // 2].begin
    times = [intervals[0].begin, *([middle] if len(intervals) > 2 else []), intervals[-1].end]
    brief = is_brief(intervals)
    below = "".join(f"<span>{numbers.clock(at, brief)}</span>" for at in times)
    return (
        '<div class="chart"><div class="axis" aria-hidden="true">'
        "<span>100 %</span><span>75 %</span><span>50 %</span><span>25 %</span><span>0 %</span>"
        f'</div><svg role="img" aria-label="{escape(label)}"'
        f' viewBox="0 -1 {WIDTH:.0f} {HEIGHT + 2:.0f}">{lines}{columns}</svg>'
        f'<div class="times" aria-hidden="true">{below}</div></div>'
    )


def _summary(asked: Sequence[Interval]) -> str:
    if not asked:
        return "There were no lookups. "
    escaped = [interval.escaped / interval.lookups for interval in asked]
    low, high = numbers.share(min(escaped)), numbers.share(max(escaped))
    return f"Escaped were between {low} and {high}. "


def _column(interval: Interval, x: float, slot: float, brief: bool) -> str:
    width = max(1.0, slot - _GAP)
    title = _in_words(interval, brief)
    if not interval.lookups:
        return f"<g><title>{escape(title)}</title></g>"
    blocks = []
    y = HEIGHT
    for part, _ in PARTS:
        height = HEIGHT * getattr(interval, part) / interval.lookups
        if height:
            y -= height
            blocks.append(_block(part, x, y, width, height))
    return f"<g><title>{escape(title)}</title>{''.join(blocks)}</g>"


def when(interval: Interval, brief: bool) -> str:
    """From when to when."""
    return f"{numbers.clock(interval.begin, brief)}–{numbers.clock(interval.end, brief)}"


def is_brief(intervals: Sequence[Interval]) -> bool:
    """Whether so little time is shown that seconds matter."""
    return intervals[-1].end - intervals[0].begin < _BRIEF_SECONDS


def _in_words(interval: Interval, brief: bool) -> str:
    if not interval.lookups:
        return f"{when(interval, brief)}: no lookups"
    routes = ", ".join(
        f"{part} {numbers.share(getattr(interval, part) / interval.lookups)}" for part, _ in PARTS
    )
    return f"{when(interval, brief)}: {numbers.whole(interval.lookups)} lookups, {routes}"


def _block(part: str, x: float, y: float, width: float, height: float) -> str:
    where = f'x="{x:.1f}" y="{y:.2f}" width="{width:.1f}" height="{height:.2f}"'
    if part == "local":
        return f'<rect class="local" {where}/>'
    return f'<rect fill="url(#p-{part})" {where}/>'


def bar(part: float, style: str = "plain") -> str:
    """A bar for a part of one, beside a figure that says the same."""
    width = 100 * min(1.0, max(0.0, part)) if isfinite(part) else 0.0
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"'
        ' focusable="false"><rect class="track" width="100" height="10"/>'
        f'<rect class="{style}" width="{width:.2f}" height="10"/></svg>'
    )
