"""Bounds of verifying signatures, each with its reason."""

from typing import Final

VERIFY_JOBS_MAX: Final = 256
"""Jobs of one batch: some 20 ms of a core, off the interpreter, and what is built for it stays
small."""

VERIFY_OCTETS_MAX: Final = 16 << 20
"""Octets of one batch: the largest RRset that a message can carry is 2 MB once every record has
its owner written out."""

SIGNATURE_TRIES_MAX: Final = 16
"""Signatures times keys that are tried for one RRset. Two keys under roll-over in two algorithms
give 4; keys that share a tag by chance are some in a million. Without a bound a reply of 64 kB
costs minutes (CVE-2023-50387)."""

PLAN_KEYS_MAX: Final = 16
"""Proven keys that a plan carries; with more the zone is Python's. A roll-over of two keys in two
algorithms has 8."""

PLAN_TRIES_MAX: Final = 2
"""Signatures times keys that native tries for one reply under a plan, in a listener's thread: a
sound reply needs one, or two where tags meet. The rest is Python's to try."""
