"""What all resolutions share: settings, caches, server memory, policy, chance.

Built once by the composition root (or by a test, in virtual time) and handed to the scheduler.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from resolver import limits
from resolver.delegation import Delegations
from resolver.mirrors.shelf import Shelf
from resolver.model import (
    Address,
    Label,
    Purpose,
    RecordCache,
    Verdict,
)
from resolver.names import Name
from resolver.plan import NoPlans, Planner
from resolver.servers import Servers


class Chance(Protocol):
    """A source of chance, seeded in tests (:class:`random.Random` is one)."""

    def uniform(self, a: float, b: float) -> float:
        """A number between ``a`` and ``b``."""

    def randrange(self, stop: int, /) -> int:
        """A whole number from 0 up to, not including, ``stop``."""


class BorderPolicy(Protocol):
    """What the core asks of a policy (:class:`policy.border.Policy` is one)."""

    @property
    def patience(self) -> float:
        """Seconds that a lookup gives to domestic servers before it goes abroad."""

    def tier(self, address: Address) -> int:
        """Order in which servers are asked: 0 domestic, 1 unknown, 2 foreign."""

    def label(self, address: Address, purpose: Purpose, domestic_known: bool) -> Label:
        """What an exchange with this address is counted under."""

    def verdict(self, address: Address) -> Verdict:
        """Where the address is."""

    def never_ask(self, address: Address) -> bool:
        """Whether this address must not be asked at all."""


Hints = tuple[tuple[Name, tuple[Address, ...]], ...]


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Settings of resolution that are not policy."""

    hints: Hints
    qname_minimisation: bool = True
    randomise_case: bool = True
    prime: bool = True
    ipv4: bool = True
    ipv6: bool = True
    special_use: bool = True
    serve_stale: bool = False
    ttl_max: int = limits.TTL_MAX
    ttl_negative_max: int = limits.NEGATIVE_SECONDS_MAX


def reraise(fault: Exception) -> None:
    """What tests want of a fault."""
    raise fault


@dataclass(slots=True)
class Core:
    """The shared state. ``policy`` and ``settings`` are swapped whole on reload."""

    settings: CoreSettings
    records: RecordCache
    policy: BorderPolicy
    chance: Chance
    servers: Servers = field(default_factory=Servers)
    cuts: Delegations = field(default_factory=Delegations)
    mirrors: Shelf = field(default_factory=Shelf)
    planner: Planner = field(default_factory=lambda: Planner(NoPlans()))
    root_tried: float = float("-inf")
    """When priming was last begun."""

    on_fault: Callable[[Exception], None] = reraise
    """Told of an exception inside a resolution: a fault of ours, which costs that lookup only."""

    def usable(self, addresses: Iterable[Address]) -> tuple[Address, ...]:
        """Addresses of a family in use that may be asked."""
        families = (4 if self.settings.ipv4 else 0, 16 if self.settings.ipv6 else 0)
        return tuple(
            address
            for address in addresses
            if len(address) in families and not self.policy.never_ask(address)
        )
