"""Bounds of what policy does with lookups, each with its reason. Times are seconds unless the name
says otherwise. Those of policies as such are in ``limits_policy.py``."""

from typing import Final

TAGS_MAX: Final = 4_096
"""Combinations of what live and shadow policy did with an answer that are counted apart, over the
life of the process; native has a counter for each (``counters/layout.rs``). A national policy has
some hundred rules, each with one effect."""

RULE_LABEL_MAX: Final = 128
"""Characters of a rule's identifier in labels of metrics and in what clients are told."""

POLICY_TTL: Final = 60
"""TTL of denials that policy makes, and life of a ready reply without records: short, since what
is blocked by mistake must come back soon for clients that remember it."""

POLICY_TTL_MAX: Final = 3_600
"""Greatest TTL of records that policy puts into answers, for the same reason."""

STAGES_MAX: Final = 16
"""Names on one chain of aliases that policy is asked about; longer ones end as SERVFAIL, as they do
without rules (``ALIASES_MAX``)."""

SERVER_FACTS_MAX: Final = 256
"""Name servers on the way to an answer that rules are told of: four zones in full."""

FACT_ADDRESSES_MAX: Final = 256
"""Addresses of an answer that rules are told of; more do not fit in a datagram of 4 KiB."""

SWAP_SETTLE_SECONDS: Final = 0.05
"""How long a reload waits after the swap before it is acknowledged: the threads of native finish
the batch that they are in, and what was handed to the door has left. Both take a millisecond."""

SHADOW_LOOKUPS_MAX: Final = 1_000
"""Lookups a second that may be made for the shadow alone: a twentieth of what a core does."""
