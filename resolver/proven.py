"""What is proven of a zone before it is asked: whether it must be validated, and its keys.

The chain of trust that finds this out is told here by one Protocol; a plan carries what it says
(:mod:`resolver.plan`), so that native can verify plain answers of signed zones by itself.

RFC 4033 section 5 (secure, insecure), RFC 4035 section 5.2 (how keys are proven).

Limitations: there is no chain of trust yet, and :class:`NoTrust` asks for nothing to be validated.
"""

from typing import NamedTuple, Protocol, final

from resolver.limits_verify import PLAN_KEYS_MAX
from resolver.names import Name


class ProvenKey(NamedTuple):
    """A key of a zone. ``public``: the field of its DNSKEY. ``until``: end of the proof, the least
    of TTLs and signature ends from the anchor down, in seconds of the one clock."""

    algorithm: int
    tag: int
    public: bytes
    until: float


Proven = tuple[ProvenKey, ...] | None
"""The proven keys of a zone that must be validated; ``None``: it need not be."""


class Trust(Protocol):
    """What knows the proven keys of zones."""

    def keys(self, zone: Name, now: float) -> Proven:
        """The keys of a zone whose proof has not ended; an empty tuple when it must be validated
        and none is known. When that changes, :meth:`resolver.plan.Planner.changed` is told."""


@final
class NoTrust:
    """Validation is off: no zone need be validated."""

    def keys(self, zone: Name, now: float) -> Proven:
        """``None``."""
        return None


def usable(keys: tuple[ProvenKey, ...]) -> bool:
    """Whether a plan may rest on these keys."""
    return 0 < len(keys) <= PLAN_KEYS_MAX


def first_end(keys: tuple[ProvenKey, ...]) -> float:
    """When the first of these proofs ends."""
    return min(key.until for key in keys)
