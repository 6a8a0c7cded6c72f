"""What all resolutions share: settings, caches, server memory, policy, chance.

Built once by the composition root (or by a test, in virtual time) and handed to the scheduler.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from policy.decision import Selection
from policy.proof import Proofs
from resolver import limits, local
from resolver.board import NoPlans
from resolver.delegation import Delegations
from resolver.minimise import Withheld
from resolver.mirrors.shelf import Shelf
from resolver.model import (
    Address,
    Cached,
    CachedKind,
    Label,
    Message,
    Purpose,
    Question,
    Rank,
    RRset,
    Security,
    Standing,
)
from resolver.names import Name
from resolver.plan import Planner
from resolver.proven import NoTrust, Trust
from resolver.servers import Servers
from resolver.wishes import Tried


class Chance(Protocol):
    """A source of chance, seeded in tests (:class:`random.Random` is one)."""

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""


class RecordCache(Protocol):
    """RRsets and negative answers as facts: no verdicts (RFC 2181, RFC 2308).

    TTLs are clamped here. ``now`` is monotonic seconds of the one clock.
    """

    def get(self, name: Name, rtype: int, now: float) -> Cached | None:
        """The live entry for name and type; an NXDOMAIN entry answers for every type."""

    def find(self, name: Name, rtype: int, now: float, stale: bool = False) -> Cached | None:
        """What :meth:`get` gives, else a CNAME of the name, else the closest DNAME above it;
        ``stale``: also what is kept past its life, with TTL 0."""

    def addresses(self, names: tuple[Name, ...], now: float) -> Sequence[tuple[bytes, ...]]:
        """Of each name the addresses of its A records, then those of its AAAA records."""

    def put(
        self, rrset: RRset, rank: Rank, security: Security, origin: Address, now: float
    ) -> bool:
        """Store records unless a live entry of better rank stands. TTL 0 is not stored."""

    def put_negative(
        self,
        question: Question,
        kind: CachedKind,
        ttl: int,
        proofs: tuple[RRset, ...],
        security: Security,
        origin: Address,
        now: float,
    ) -> None:
        """Store NODATA for name and type, or NXDOMAIN for the whole name (RFC 2308 section 5)."""

    def flush(self, name: Name, subtree: bool) -> int:
        """Forget a name (or it and all below); number of entries dropped."""


class BorderPolicy(Protocol):
    """What the core asks of a policy (:class:`policy.border.Policy` is one)."""

    @property
    def patience(self) -> float:
        """Seconds that a lookup gives to domestic servers before it goes abroad."""

    def standing(self, address: Address) -> Standing:
        """Where the address is, in which tier it is asked, and whether at all."""

    def label(self, address: Address, purpose: Purpose, domestic_known: bool) -> Label:
        """What an exchange with this address is counted under."""

    def at_home(self, name: Name) -> bool:
        """Whether the name is under a zone that is listed as domestic."""


class Deciding(Protocol):
    """What the core asks of the rules in force (:class:`resolver.decide.Decider` is one)."""

    servers_matter: bool
    """Whether what is known of name servers may make rules match."""

    def concerns(self, name: Name) -> bool:
        """Whether rules may say something of a name, so that an alias to it is not followed
        before they were asked."""

    def beside(self, question: Question, selection: Selection) -> Selection:
        """The selection for work on another name that is done for a lookup: the lookup's own, or
        that of the name where its rule closes and the lookup's does not."""

    def planned(
        self, zone: Name, names: Sequence[Name], addresses: Sequence[Address]
    ) -> tuple[Selection, int] | None:
        """The selection and the tag that hold for whatever is asked below a cut with these name
        servers, names that rules concern apart; ``None``: there is no such, so no plan."""


Hints = tuple[tuple[Name, tuple[Address, ...]], ...]


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Settings of resolution that are not policy."""

    hints: Hints
    qname_minimisation: bool = True
    strict_abroad: bool = True  # border.privacy: servers abroad are shown a name label by label
    randomise_case: bool = True
    prime: bool = True
    ipv4: bool = True
    ipv6: bool = True
    local_zones: frozenset[Name] = field(default_factory=local.zones)  # answered here
    where_zone: Name | None = None  # one of them: what is known of a name (where_zone.py)
    serve_stale: bool = False
    shadow_lookups: int = 0  # a second
    ttl_max: int = limits.TTL_MAX
    ttl_negative_max: int = limits.NEGATIVE_SECONDS_MAX

    @property
    def address_lengths(self) -> tuple[int, ...]:
        """Octets of an address of a family in use."""
        return ((4, 16) if self.ipv6 else (4,)) if self.ipv4 else ((16,) if self.ipv6 else ())


def reraise(fault: Exception) -> None:
    """What tests want of a fault."""
    raise fault


def _unproved() -> Proofs:
    """Proofs of a resolver that has no place: none is ever made, and no clock is read."""
    return Proofs(lambda: 0.0)


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
    proofs: Proofs = field(default_factory=_unproved)
    trust: Trust = field(default_factory=NoTrust)
    decider: Deciding | None = None
    """The rules in force; ``None`` when there are none."""

    root_tried: float = float("-inf")
    """When priming was last begun."""

    withheld: Withheld = field(default_factory=Withheld)
    on_fault: Callable[[Exception], None] = reraise
    """Told of an exception inside a resolution: a fault of ours, which costs that lookup only."""

    def heard(self, tried: Tried, message: Message, rtt: float, now: float) -> None:
        """A matched reply over a datagram: how fast the server is, and perhaps where. (A reply that
        repeats no question may be one to anything.)"""
        ask = tried.ask
        if self.servers.get(ask.address).srtt is None:
            self.planner.asked_otherwise(ask.address)
        self.alive(ask.address)
        self.servers.get(ask.address).replied(rtt, now)
        if ask.first and message.question is not None:
            identity = message.identity if ask.nsid else None
            self.judge(ask.address, identity, (rtt,), tried.zone, now)

    def alive(self, address: Address) -> None:
        """Something came back, by whatever transport."""
        server = self.servers.get(address)
        if server.passed_over_until:
            self.planner.asked_otherwise(address)
        server.alive()

    def judge(
        self,
        address: Address,
        identity: bytes | None,
        rtts: Iterable[float],
        zone: Name,
        now: float,
    ) -> None:
        """Replies of one identity to first tries (see :meth:`policy.proof.Proofs.heard`)."""
        if self.proofs.place is None:
            return
        changed = False
        for rtt in rtts:
            changed |= self.proofs.heard(address, rtt, identity, now, zone)
        if changed:
            self.planner.asked_otherwise(address)

    def usable(self, addresses: Iterable[Address]) -> tuple[Address, ...]:
        """Addresses of a family in use that may be asked."""
        standing = self.policy.standing
        lengths = self.settings.address_lengths
        return tuple([a for a in addresses if len(a) in lengths and not standing(a).never])
