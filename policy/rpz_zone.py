"""One response policy zone in force: what it holds, and what the operator wants of it.

A match within a zone follows draft-vixie-dnsop-dns-rpz section 5: the kinds of triggers in their
order (5.4); of names of servers the exact before wildcards, then the longest, then the first in
canonical order (5.3, 5.5); of prefixes the longest, IPv4 counted at /96, then the smallest address
(5.6, 5.7).

Limitations: what it holds is never changed; a new version is a new :class:`Content`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

from policy.decision import NEVER, Action, Hit, Names, Ranges, ServerFact
from policy.prefixes import PrefixTable
from policy.rpz_action import Effect, Override, Records, overridden, read_effect
from policy.rpz_trigger import Prefix, Trigger, owner_of
from resolver.model import Address
from resolver.names import Name, is_subdomain, label_count, labels, lower

SERVER_ZONE_LABELS_MIN = 2
"""Servers of the root and of top-level domains trigger nothing (``min-ns-dots`` of BIND): a slip of
one record would be the end of a country's names."""

Prefixed = tuple[Prefix, Effect]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a version of a zone holds. ``action``: the records behind a number of ``names``, which
    are the triggers on names of questions; those of ``servers`` stand in ``server_effects``.
    ``faults``: owners that are not applied and why, the first of ``fault_count``."""

    serial: int
    names: Names
    action: Callable[[int], Records]
    servers: Names
    server_effects: Sequence[Effect] = ()
    clients: Sequence[Prefixed] = ()
    addresses: PrefixTable[Prefixed] = field(default_factory=lambda: PrefixTable(()))
    ranges: Ranges | None = None  # of ``addresses``; None: there are none
    server_addresses: PrefixTable[Prefixed] = field(default_factory=lambda: PrefixTable(()))
    entries: Mapping[Trigger, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    fault_count: int = 0
    size: int = 0  # octets in native

    def has(self, *kinds: Trigger) -> bool:
        """Whether there is a trigger of one of these kinds."""
        return any(self.entries.get(kind) for kind in kinds)


class Terms(NamedTuple):
    """What the operator says of a zone. ``name``: how rules, metrics and messages call it;
    ``ede``: what clients are told (RFC 8914); ``begins`` and ``ends``: wall times between which it
    is in force."""

    name: str
    zone: Name
    override: Override = Override.GIVEN
    target: Name | None = None  # of Override.CNAME
    ttl_max: int = 300
    ede: tuple[int, str] | None = None
    begins: float = -NEVER
    ends: float = NEVER
    log: bool = True


class Match(NamedTuple):
    """A trigger that matched, and what is to be done about it."""

    trigger: Trigger
    owner: Name
    effect: Effect


@final
class PolicyZone:
    """A zone with its terms."""

    __slots__ = (
        "by_address", "by_name", "by_result", "by_server", "content", "enabled", "terms",
    )  # fmt: skip

    def __init__(self, terms: Terms, content: Content) -> None:
        self.terms = terms
        self.content = content
        self.enabled = terms.override is not Override.DISABLED
        self.by_name = content.has(Trigger.QNAME)
        self.by_server = content.has(Trigger.NSDNAME, Trigger.NSIP)
        self.by_address = content.has(Trigger.IP)
        self.by_result = self.by_server or self.by_address

    def in_force(self, wall: float) -> bool:
        """Whether its authority covers this moment."""
        return self.terms.begins <= wall < self.terms.ends

    def rule(self, trigger: Trigger) -> str:
        """How a match is called where rules are."""
        return f"rpz:{self.terms.name}:{trigger.value}"

    def hit(self, match: Match) -> Hit:
        """The match as it is counted and logged."""
        return Hit(self.terms.name, match.trigger.value, match.effect.action, match.owner)

    # --- triggers, each kind in its order -------------------------------------------------------

    def of_client(self, effect: Effect | None) -> Match | None:
        """The client's match; ``effect``: what its class has here."""
        if effect is None:
            return None
        return self._match(Trigger.CLIENT_IP, _CLIENT_OWNER, effect)

    def of_name(self, name: Name) -> Match | None:
        """The match of a name that is asked for, or to which an alias leads."""
        found = self.content.names.find(name)
        if found is None:
            return None
        effect = read_effect(self.content.action(found[0]))
        if effect is None:
            return None
        owner = listed(name, found[1])
        if effect.action is Action.REWRITE and lower(effect.records[0][2][0]) == owner:
            effect = Effect(Action.PASS)  # how PASSTHRU was written once (section 3.3 of the draft)
        return self._match(Trigger.QNAME, owner, effect)

    def of_addresses(self, addresses: Sequence[Address]) -> Match | None:
        """The match of addresses in the answer."""
        return self._of_prefixes(Trigger.IP, self.content.addresses, addresses)

    def of_servers(self, name: Name, servers: Sequence[ServerFact]) -> Match | None:
        """The match of the name servers of zones at and above a name."""
        if not self.by_server:
            return None
        near = [
            server
            for server in servers
            if is_subdomain(name, server.zone)
            and label_count(server.zone) >= SERVER_ZONE_LABELS_MIN
        ]
        found = self._of_server_names([server.name for server in near])
        if found is not None:
            return found
        addresses = [server.address for server in near if server.address is not None]
        return self._of_prefixes(Trigger.NSIP, self.content.server_addresses, addresses)

    def concerns_servers(self, names: Sequence[Name], addresses: Sequence[Address]) -> bool:
        """Whether one of these name servers matches."""
        if not self.by_server:
            return False
        table = self.content.server_addresses
        return self._of_server_names(names) is not None or (
            self._of_prefixes(Trigger.NSIP, table, addresses) is not None
        )

    def _of_server_names(self, names: Sequence[Name]) -> Match | None:
        best: tuple[tuple[bool, int, tuple[bytes, ...]], int, Name] | None = None
        for name in names:
            found = self.content.servers.find(name)
            if found is None:
                continue
            owner = listed(name, found[1])
            rank = (found[1] > 0, -label_count(owner), labels(owner)[::-1])
            if best is None or rank < best[0]:
                best = (rank, found[0], owner)
        if best is None:
            return None
        return self._match(Trigger.NSDNAME, best[2], self.content.server_effects[best[1]])

    def _of_prefixes(
        self, kind: Trigger, table: PrefixTable[Prefixed], addresses: Sequence[Address]
    ) -> Match | None:
        best: tuple[tuple[int, int], Prefixed] | None = None
        for address in addresses:
            found = table.match(address)
            if found is None:
                continue
            rank = (-found[0].specific, int.from_bytes(address))
            if best is None or rank < best[0]:
                best = (rank, found)
        if best is None:
            return None
        prefix, effect = best[1]
        return self._match(kind, owner_of(kind, prefix), effect)

    def _match(self, trigger: Trigger, owner: Name, effect: Effect) -> Match:
        return Match(trigger, owner, overridden(effect, self.terms.override, self.terms.target))


_CLIENT_OWNER = Name(b"\x0drpz-client-ip\0")


def listed(name: Name, below: int) -> Name:
    """The owner that matched: the name itself, or the wildcard in place of its first octets."""
    return name if below == 0 else Name(b"\x01*" + name[below:])
