"""Bounds of what is told over DNS (``where_zone.py``), each with its reason."""

from typing import Final

NOTES_MAX: Final = 4_096
"""Lookups whose books are remembered for the views that are told: what people ask about has
just happened. Two exchanges are 1 KiB, so 4 MiB; at worst, with all that a lookup may cost, 50."""

LINKS_MAX: Final = 8
"""Names on a chain of aliases that are told of; each is one step through rules and caches."""

SERVERS_MAX: Final = 13
"""Addresses of name servers that are told of a zone: the root has 13 names."""

EXCHANGES_MAX: Final = 16
"""Exchanges of the last lookup that are told; a cold lookup of a usual name has four."""

OCTETS_MAX: Final = 8_192
"""Rdata of one answer; the rest is counted in a last record. Over UDP more than a datagram holds is
truncated as any answer is."""

WORD_MAX: Final = 255
"""Octets of a character-string (RFC 1035 section 3.3)."""

ZONE_OCTETS_MAX: Final = 64
"""Octets of the zone's own name on the wire: names of 190 can still be asked about."""
