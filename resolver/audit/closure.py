"""What names depend on, as plain data: zones, name servers, addresses, where they stand.

A closure is what a survey has found (:mod:`resolver.audit.survey`). It holds facts only; verdicts
are drawn from it in :mod:`resolver.audit.verdict`. Words: RFC 9499; parent's and child's NS sets:
RFC 1034 section 4.2; glue and in-bailiwick names: RFC 9471.

Limitations: what an address serves is what it said once, when it was asked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from resolver.model import Address, Verdict, Word
from resolver.names import ROOT, Name, is_subdomain


class Standing(Word):
    """What one address said of one zone."""

    SERVES = "serves"
    LAME = "lame"  # it replied, but not as a server of this zone
    SILENT = "silent"
    NOT_ASKED = "not asked"  # abroad and not needed, or of a family that is not in use


@dataclass(frozen=True, slots=True)
class Site:
    """One address of a name server, for one zone."""

    address: Address
    verdict: Verdict
    country: str  # ISO 3166-1 alpha-2, or "none"
    standing: Standing

    @property
    def helps(self) -> bool:
        """Whether it still answers for the zone when the border is shut."""
        return self.verdict is Verdict.DOMESTIC and self.standing is Standing.SERVES


@dataclass(frozen=True, slots=True)
class Server:
    """A name server of one zone. ``glued``: the parent gives its addresses with the delegation."""

    name: Name
    sites: tuple[Site, ...]
    glued: bool
    by_parent: bool
    by_child: bool


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone with its name servers, the parent's set first. The root's parent is the root."""

    apex: Name
    parent: Name
    servers: tuple[Server, ...]

    def sites(self) -> Iterable[Site]:
        """All addresses of all its name servers."""
        return (site for server in self.servers for site in server.sites)


@dataclass(frozen=True, slots=True)
class Path:
    """How one name is resolved: the zones that hold its parts, along aliases, and the end.

    ``stuck``: the zone beyond which nothing could be found out; the rest is not known.
    """

    name: Name
    zones: tuple[Name, ...]
    aliases: tuple[Name, ...] = ()
    outcome: str = "answer"  # "answer", "nodata", "nxdomain", "unreachable", "loop", …
    stuck: Name | None = None


@dataclass(frozen=True, slots=True)
class Closure:
    """Zones by apex; paths of audited names and of name servers that have no glue, by name."""

    zones: Mapping[Name, Zone]
    hosts: Mapping[Name, Path] = field(default_factory=dict)

    def line(self, zone: Name) -> tuple[Name, ...]:
        """The zones from the root down to this one."""
        out = [zone]
        while out[-1] != ROOT:
            out.append(self.zones[out[-1]].parent)
        return tuple(reversed(out))

    def way(self, path: Path) -> tuple[Name, ...]:
        """All zones that stand above or hold a part of the name, in the order of need."""
        return tuple(dict.fromkeys(z for holder in path.zones for z in self.line(holder)))

    def needs(self, path: Path) -> tuple[Name, ...]:
        """The transitive closure: the way, and the ways of name servers without glue."""
        seen: dict[Name, None] = dict.fromkeys(self.way(path))
        waiting = list(seen)
        while waiting:
            for server in self.zones[waiting.pop(0)].servers:
                host = None if server.glued else self.hosts.get(server.name)
                fresh = [z for z in self.way(host) if z not in seen] if host else []
                seen.update(dict.fromkeys(fresh))
                waiting += fresh
        return tuple(seen)

    def part(self, path: Path) -> "Closure":
        """Only what this name needs: small, however many names share the closure."""
        return replace(self, zones={zone: self.zones[zone] for zone in self.needs(path)})

    def with_zone(self, zone: Zone) -> "Closure":
        """The same with one zone put in place of what it was."""
        return replace(self, zones={**self.zones, zone.apex: zone})


def below(name: Name, zone: Name) -> bool:
    """Whether a name server's name is in bailiwick: at or below its zone."""
    return is_subdomain(name, zone)
