"""The keys of the watch over delegations.

Limitations: which zones are listed is known when policy and pack have been read
(``resolver/assemble.py``).
"""

from typing import Annotated

from resolver.config_base import Section, key
from resolver.config_units import Switch, Zone, duration, integer
from resolver.limits_watch import WATCH_ZONES_MAX


class WatchSection(Section):
    """Following delegations, to tell what moves abroad, shrinks or changes hands."""

    listed: Switch = key(
        True,
        "follow the zones of border.zones and of the pack and, where there are such, the top-level"
        " domains of home",
    )
    zones: tuple[Zone, ...] = key([], "further zones to follow")
    zones_max: Annotated[int, integer(1, WATCH_ZONES_MAX)] = key(
        256, "zones followed at most, those of zones first; bounds the metrics too"
    )
    gap: Annotated[float, duration("1s", "1h")] = key(
        "60s", "least time between two questions for the same set, for TTLs that are shorter"
    )
