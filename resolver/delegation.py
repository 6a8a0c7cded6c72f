"""Zone cuts: who serves a zone, as its parent says and as the zone itself says.

The parent's set bounds the life of a cut (so a withdrawn delegation cannot keep itself alive),
the child's own set adds servers. Glue belongs to the cut and answers no client. RFC 1034 section
4.2, RFC 2181 section 5.4.1, RFC 9471.
"""

from collections import OrderedDict
from collections.abc import Iterable

from resolver import limits, limits_servers
from resolver.model import Address, Message, RRset, Type
from resolver.names import ROOT, Name, from_wire, is_subdomain


class Delegation:
    """One zone cut. ``addresses`` holds glue and what was looked up for this cut."""

    __slots__ = ("addresses", "child", "expires", "parent", "resolved", "sought_until", "zone")

    def __init__(
        self,
        zone: Name,
        parent: Iterable[Name],
        addresses: dict[Name, tuple[Address, ...]],
        expires: float,
    ) -> None:
        self.zone = zone
        self.parent = tuple(parent)[: limits_servers.SERVER_NAMES_MAX]
        self.child: tuple[Name, ...] = ()
        self.addresses = addresses
        self.resolved: dict[Name, float] = {}
        self.sought_until = 0.0  # until then, no search for nearer servers
        self.expires = expires

    def names(self) -> tuple[Name, ...]:
        """Name servers: the parent's, then those that only the child names."""
        if not self.child:
            return self.parent
        return self.parent + tuple(name for name in self.child if name not in self.parent)

    def set_child(self, names: Iterable[Name], glue: dict[Name, tuple[Address, ...]]) -> None:
        """The zone's own NS set was seen, with addresses from the zone itself."""
        self.child = tuple(names)[: limits_servers.SERVER_NAMES_MAX]
        for name in self.child:
            found = glue.get(name)
            if found and not self.addresses.get(name):
                self.addresses[name] = found

    def looked_up(self, name: Name, found: tuple[Address, ...], until: float) -> None:
        """Remember a name server's addresses (perhaps none) for this cut."""
        self.resolved[name] = until
        known = self.addresses.get(name, ())
        self.addresses[name] = known + tuple(a for a in found if a not in known)

    def is_resolved(self, name: Name, now: float) -> bool:
        """Whether the name's addresses were looked up lately, with whatever result."""
        until = self.resolved.get(name)
        return until is not None and now < until


class Delegations:
    """All cuts, by zone; the one used least recently is forgotten first."""

    def __init__(self) -> None:
        self._cuts: OrderedDict[Name, Delegation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._cuts)

    def put(self, cut: Delegation) -> Name | None:
        """Store a cut; a cut whose parent set is unchanged keeps what it has learnt. Returns the
        zone whose cut was pushed out for it, if any."""
        old = self._cuts.pop(cut.zone, None)
        if old is not None and set(old.parent) == set(cut.parent):
            cut.child = old.child
            cut.resolved = old.resolved
            cut.sought_until = old.sought_until
            for name, found in old.addresses.items():
                if name in old.resolved or name not in cut.addresses:
                    cut.addresses.setdefault(name, found)
        self._cuts[cut.zone] = cut
        if len(self._cuts) > limits.DELEGATIONS_MAX:
            return self._cuts.popitem(last=False)[0]
        return None

    def get(self, zone: Name, now: float) -> Delegation | None:
        """The live cut of exactly this zone."""
        cut = self._cuts.get(zone)
        if cut is None or cut.expires <= now:
            return None
        self._cuts.move_to_end(zone)
        return cut

    def closest(self, name: Name, now: float) -> Delegation | None:
        """The live cut nearest above ``name`` (or at it); not the root."""
        zone = name
        while zone != ROOT:
            if (cut := self.get(zone, now)) is not None:
                return cut
            zone = Name(zone[1 + zone[0] :])
        return None

    def flush(self, name: Name, subtree: bool) -> int:
        """Forget the cut of a zone, or it and all below; number of cuts dropped."""
        if not subtree:
            return 1 if self._cuts.pop(name, None) is not None else 0
        gone = [zone for zone in self._cuts if is_subdomain(zone, name)]
        for zone in gone:
            del self._cuts[zone]
        return len(gone)


def targets(ns: RRset) -> tuple[Name, ...]:
    """Names of an NS RRset, lower case, without repeats."""
    return tuple(dict.fromkeys(from_wire(rdata) for rdata in ns.rdatas))


def glue_for(
    names: Iterable[Name], message: Message, bailiwick: Name
) -> dict[Name, tuple[Address, ...]]:
    """Addresses in the additional section of those names that lie in ``bailiwick``."""
    found: dict[Name, tuple[Address, ...]] = {}
    if not message.additional:
        return found
    wanted = {name for name in names if is_subdomain(name, bailiwick)}
    for rrset in message.additional:
        if rrset.rtype in (Type.A, Type.AAAA) and rrset.name in wanted:
            found[rrset.name] = found.get(rrset.name, ()) + tuple(map(Address, rrset.rdatas))
    return found


def from_referral(ns: RRset, message: Message, asked: Name, now: float) -> Delegation:
    """The cut that a referral from a server of zone ``asked`` describes."""
    names = targets(ns)
    life = min(max(ns.ttl, limits.DELEGATION_SECONDS_MIN), limits.DELEGATION_SECONDS_MAX)
    return Delegation(ns.name, names, glue_for(names, message, asked), now + life)
