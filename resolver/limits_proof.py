"""Bounds of the proof of an instance, each with its reason. Times are seconds unless the name says
otherwise."""

from typing import Final

PROOF_SAMPLES: Final = 3
"""Valid replies that a proof rests on at least, so that it is not one slip of a clock."""

PROOF_SAMPLES_KEPT: Final = 32
"""Replies of one identity that are kept: the longest run that doubt may ask for, and some."""

PROOF_RUN_MAX: Final = 12
"""Replies below the bound in a row that end a doubt, at most: an address with half of its flows
abroad passes that once in 4,096 runs, one with 5 % of its replies late in every other."""

PROOF_SECONDS: Final = 900.0
"""Life of a proof without renewal: routes of anycast change some times a day."""

PROOF_TICK_SECONDS: Final = 2.0
"""How often proofs that end are looked for: a plan that rests on one is made anew before it ends,
and a look at all of them takes some milliseconds."""

PROVED_MAX: Final = 4_096
"""Addresses whose replies are judged at once: few name servers stand so near."""

CHECKS_PER_TICK: Final = 16
"""Questions of our own that check proofs, at most, in each tick: eight a second."""

CLOCK_ERROR_MS: Final = 0.01
"""Added to a measured round trip: reading the clock twice, ten times over."""

CLOCK_RATE_ERROR: Final = 0.001
"""And this share of it: NTP slews a clock by 500 ppm at most, and crystals are 100 ppm off."""

HARDLY_PROVABLE_MS: Final = 0.2
"""Below this bound hardly anything outside the own data centre can be proven: two switches and a
name server take that long."""

IDENTITIES_PER_ADDRESS: Final = 8
"""Identities of one address that are told apart: a site has some servers, a route some sites."""

IDENTITY_UNSEEN: Final = 8
"""Replies of other identities after which one that was not seen again may be forgotten,"""

IDENTITY_SECONDS: Final = 60.0
"""and the time that must have passed as well: routes that alternate do so faster."""

CHECK_FIRST: Final = 1.0
"""Gap after the first check of a proof by a question of our own,"""

CHECK_MAX: Final = 60.0
"""and the greatest one: each check doubles it until the address is proven."""

PACK_CHECKS_PER_TICK: Final = 4
"""Root servers of the country pack that are asked in each tick, beside the checks of proofs: all 26
addresses have been asked once within a quarter of a minute."""

PACK_TRIES: Final = 5
"""Questions to one of them in a round: the samples of a proof, and two that may be lost or late."""

PACK_ROUND_SECONDS: Final = 900.0
"""A round for those that are not proven begins so long after the last: routes of anycast change
some times a day."""
