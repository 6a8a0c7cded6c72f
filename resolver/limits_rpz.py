"""Bounds of response policy zones, each with its reason. Times are seconds."""

from typing import Final

RPZ_ZONES_MAX: Final = 64
"""Zones of one configuration: BIND takes 64, and each is looked at for each lookup."""

RPZ_RECORDS_MAX: Final = 20_000_000
"""Records of one zone: ten times the largest feeds, some 2 GB of copy and table."""

RPZ_OCTETS_MAX: Final = 2 << 30
"""Octets of one zone file: what so many records take in text."""

RPZ_SPECIALS_MAX: Final = 1_000_000
"""Triggers on addresses and name servers of one zone: they are Python's, some 400 octets each."""

RPZ_ACTIONS_READ: Final = 65_536
"""Kinds of records that are looked through for faults when a zone comes; of the rest a fault is
found when a name matches."""

RPZ_FAULTS_TOLD: Final = 20
"""Faults of one version that are logged with their owner; all are counted."""

RPZ_LOG_SECONDS: Final = 1.0
"""Within this time,"""

RPZ_LOG_LINES: Final = 10
"""so many hits are logged; how many were not is told with the next line."""

RPZ_COPIES_KEPT: Final = 64
"""Zone files whose last reading is kept, so that a reload reads anew only what has changed."""
