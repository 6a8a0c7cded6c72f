"""Where something stands in a policy file.

Limitations: the line is that of the key or entry, not of each value in a row.
"""

from typing import NamedTuple


class Spot(NamedTuple):
    """File, path in it, and line."""

    source: str
    path: str
    line: int | None

    def __str__(self) -> str:
        line = f" line {self.line}" if self.line else ""
        return f"{self.source}{line}"


NOWHERE = Spot("", "", None)
