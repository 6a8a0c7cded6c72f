"""What a page is made from: one moment of one resolver."""

from dataclasses import dataclass
from typing import final

from resolver.page.history import Interval
from resolver.page.samples import Samples, Select
from resolver.worst import Ranking


@final
@dataclass(frozen=True, slots=True)
class View:
    """Everything that the page shows. Times are seconds since the epoch."""

    taken: float
    samples: Samples
    """What ``/metrics`` would have shown at that time."""

    home: tuple[str, ...]
    intervals: tuple[Interval, ...]
    worst: Ranking
    refresh: bool = False
    """Whether the page loads itself again, as its reader has asked."""


LOOKUPS = Select("inland_lookups_total")
ESCAPES = Select("inland_escaped_lookups_total")
EXCHANGES = Select("inland_exchanges_total")
ABROAD = EXCHANGES.unless(verdict="domestic")
OCTETS = Select("inland_exchange_bytes_total")
NEEDLESS = Select("inland_needless_escapes_total")
"""The selections that most figures are parts of."""
