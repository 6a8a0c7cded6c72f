"""Bounds of the watch over delegations, each with its reason. Times are seconds."""

from typing import Final

WATCH_TICK_SECONDS: Final = 1.0
"""How often zones whose time has come are looked for: TTLs are whole seconds."""

WATCH_START_SECONDS: Final = 10.0
"""Zones are first looked at between half of this and all of it after a start: clients first."""

WATCH_GAP_MAX: Final = 86_400.0
"""Longest life of what a look has shown: no TTL is kept for longer."""

WATCH_RETRY_SECONDS: Final = 30.0
"""When what could not be found out is asked again: longer than most failures are cached."""

WATCH_SILENT_LOOKS: Final = 2
"""Looks in a row without a usable reply from any server of a zone before that is told: one may be
lost to a route that flaps."""

WATCH_AT_ONCE: Final = 16
"""Zones looked at at once, each with one lookup under way at most: some of them wait for servers
that have gone, and shall not keep the others waiting."""

WATCH_EXCHANGES_PER_SECOND: Final = 20.0
"""Exchanges that the watch may cost on average: a thousandth of what one core carries."""

WATCH_EXCHANGES_BURST: Final = 200.0
"""Exchanges that it may cost at once, after some seconds of rest."""

WATCH_ZONES_MAX: Final = 4_096
"""Zones that a configuration may have followed, at most: bounds the metrics and the file."""

WATCH_NAMES_MAX: Final = 40
"""Name servers of one zone whose addresses are followed: twice what a cut keeps."""

WATCH_TOLD_MAX: Final = 8
"""Changes of one zone that are kept to be shown."""

WATCH_SHOWN_MAX: Final = 6
"""Names or addresses that the text of a change spells out."""

WATCH_FILE_OCTETS_MAX: Final = 64 << 20
"""What is kept on disk: 16 KiB a zone, four times what thirteen servers take."""
