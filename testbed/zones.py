"""Zones as plain data, and the one lookup that server and ground truth share (RFC 1034 4.3.2).

A name is lower-case text with the final dot. :func:`lookup` walks one zone as an authoritative
server does: cuts, DNAME (RFC 6672), wildcards (RFC 4592), empty non-terminals, and aliases as far
as they stay inside the zone.

Limitations: class IN, no signatures; no escaped characters in names; ``ANY`` is not a type here.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

IN_ZONE_CHAIN_MAX: Final = 12  # aliases followed inside a zone; ours have at most four
NAME_OCTETS_MAX: Final = 255  # RFC 1035 section 2.3.4

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
YXDOMAIN: Final = 6


def parent(name: str) -> str:
    """The name one label up; the root is its own parent."""
    return name.partition(".")[2] or "."


def is_subdomain(name: str, zone: str) -> bool:
    """Whether ``name`` is ``zone`` or below it."""
    return zone in (".", name) or name.endswith("." + zone)


def ancestors(name: str) -> list[str]:
    """The name itself, then each name above it, down to the root."""
    out = [name]
    while name != ".":
        name = parent(name)
        out.append(name)
    return out


@dataclass(frozen=True, slots=True)
class RRset:
    """Records of one owner and type; ``rdatas`` in presentation form, names absolute."""

    name: str
    rtype: str
    ttl: int
    rdatas: tuple[str, ...]

    def owned_by(self, name: str) -> "RRset":
        """The same records under another owner (wildcard expansion)."""
        return RRset(name, self.rtype, self.ttl, self.rdatas)


@dataclass(slots=True)
class Zone:
    """One zone: its records, and every name that exists in it (RFC 4592 section 2.2.2)."""

    name: str
    kind: str
    records: dict[str, dict[str, RRset]] = field(default_factory=dict)
    existing: set[str] = field(default_factory=set)

    def add(self, name: str, rtype: str, ttl: int, *rdatas: str) -> None:
        """Add records; records of an owner and type that stand already are joined."""
        assert is_subdomain(name, self.name), (name, self.name)
        here = self.records.setdefault(name, {})
        old = here.get(rtype)
        joined = tuple(dict.fromkeys((*(old.rdatas if old else ()), *rdatas)))
        here[rtype] = RRset(name, rtype, old.ttl if old else ttl, joined)
        for above in ancestors(name):
            self.existing.add(above)
            if above == self.name:
                break

    def get(self, name: str, rtype: str) -> RRset | None:
        """The RRset at a name, or ``None``."""
        return self.records.get(name, {}).get(rtype)

    def soa(self) -> RRset:
        """The SOA; every zone of a finished world has one."""
        return self.records[self.name]["SOA"]

    def rrsets(self) -> list[RRset]:
        """All RRsets, SOA first, then by owner and type."""
        rest = [
            self.records[name][rtype]
            for name in sorted(self.records)
            for rtype in sorted(self.records[name])
            if (name, rtype) != (self.name, "SOA")
        ]
        return [self.soa(), *rest]


class End(Enum):
    """How a lookup in one zone ends."""

    ANSWER = "answer"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    REFERRAL = "referral"
    ALIAS = "alias"  # the chain leaves the zone; ``target`` says where to
    TOO_LONG = "too_long"  # DNAME substitution over 255 octets


@dataclass(slots=True)
class Lookup:
    """What one zone says to one question: the chain so far, and the end."""

    end: End
    answer: list[RRset]
    cut: RRset | None = None  # NS RRset of the delegation, for REFERRAL
    target: str | None = None  # the name at which the chain stands

    @property
    def rcode(self) -> int:
        """The RCODE that an authoritative server gives to this end."""
        if self.end is End.TOO_LONG:
            return YXDOMAIN
        return NXDOMAIN if self.end is End.NXDOMAIN else NOERROR


def lookup(zone: Zone, qname: str, rtype: str) -> Lookup:
    """Answer from one zone (RFC 1034 section 4.3.2, steps 3 and 4).

    Aliases whose target lies in another zone end the lookup: a modern server does not mix zones.
    """
    answer: list[RRset] = []
    name = qname
    for _ in range(IN_ZONE_CHAIN_MAX):
        if not is_subdomain(name, zone.name):
            return Lookup(End.ALIAS, answer, target=name)
        crossing = _crossing(zone, name, rtype)
        if crossing is not None and crossing.rtype == "NS":
            return Lookup(End.REFERRAL, answer, cut=crossing, target=name)
        if crossing is not None:
            target = name[: -len(crossing.name)] + crossing.rdatas[0]
            answer.append(crossing)
            if len(target) + 1 > NAME_OCTETS_MAX:
                return Lookup(End.TOO_LONG, answer, target=name)
            answer.append(RRset(name, "CNAME", crossing.ttl, (target,)))
            name = target
            continue
        here = _node(zone, name)
        if here is None:
            return Lookup(End.NXDOMAIN, answer, target=name)
        found = here.get(rtype)
        if found is not None:
            answer.append(found.owned_by(name))
            return Lookup(End.ANSWER, answer, target=name)
        alias = here.get("CNAME")
        if alias is None:
            return Lookup(End.NODATA, answer, target=name)
        answer.append(alias.owned_by(name))
        name = alias.rdatas[0]
    return Lookup(End.ALIAS, answer, target=name)


def _crossing(zone: Zone, name: str, rtype: str) -> RRset | None:
    """The uppermost cut (NS) at or above ``name``, or DNAME above it; ``None`` if there is none."""
    path = ancestors(name)
    inside = path[: path.index(zone.name) + 1]
    for at in reversed(inside):
        here = zone.records.get(at)
        if here is None:
            continue
        # DS stands on the parent's side of the cut (RFC 4035 section 3.1.4.1).
        if at != zone.name and "NS" in here and not (at == name and rtype == "DS"):
            return here["NS"]
        if at != name and "DNAME" in here:
            return here["DNAME"]
    return None


def _node(zone: Zone, name: str) -> dict[str, RRset] | None:
    """The records at a name, expanded from a wildcard if need be; ``None``: no such name."""
    if name in zone.existing:
        return zone.records.get(name, {})
    encloser = name
    while encloser not in zone.existing:
        encloser = parent(encloser)
    wildcard = "*." + ("" if encloser == "." else encloser)
    return zone.records.get(wildcard)
