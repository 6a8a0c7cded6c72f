"""Bounds of policies, each with its reason. Times are seconds unless the name says otherwise."""

from typing import Final

RULES_MAX: Final = 10_000
"""Rules of one policy: each is a label value of metrics and something that a lawyer has read. Long
lists of names are one rule with a list."""

RULE_FILES_MAX: Final = 32
"""Policy files of one policy: one for each authority, and some."""

RULES_AT_ONCE_MAX: Final = 64
"""Rules that one lookup may have to be held against: those for its name, for names above it, and
for all names. It bounds the work of a miss."""

CLASSES_MAX: Final = 255
"""Views, and classes of clients that follow from those of a policy and of its shadow: each has
answers of its own in the cache."""

FORWARDERS_MAX: Final = 16
"""Addresses of one named forwarder."""

RECORDS_MAX: Final = 32
"""Addresses or records that one rule puts into an answer: they fit into a reply over UDP."""

RULE_TTL: Final = 60
"""TTL of records that a rule puts into an answer, when it says nothing else: long enough against
repetition, short enough that a rule that is taken back is soon forgotten by clients."""

EXTRA_TEXT_OCTETS_MAX: Final = 160
"""Octets of the text beside an extended error: a reference and an authority, in a reply that has to
stay small."""

WINDOW_DAYS: Final = 9
"""How far ahead the next change of a weekly time window is looked for: a week, and the days that
are cut at both ends."""

WINDOW_RANGES_MAX: Final = 24
"""Ranges of hours in one time window."""

SOON_DAYS: Final = 30
"""A rule that ends within this is warned of: an order takes weeks to be renewed."""

SAID_MAX: Final = 200
"""Remarks of one kind that are told of a policy: more than anybody reads."""

DRILL_OCTETS_MAX: Final = 64 << 20
"""Size of a file of questions for a drill,"""

DRILL_LINES_MAX: Final = 1_000_000
"""and its lines: an hour of a small provider. Equal questions are replayed once."""

CAPTURE_PACKET_MAX: Final = 1 << 18
"""Octets of a packet or frame in a recording: tcpdump's own bound, and four times the largest DNS
message."""
