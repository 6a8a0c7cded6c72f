"""The cheapest single change that lets a name survive a cut.

Changes in the order of their cost, cheapest first:

1. a mirror of the root: one switch at the resolver;
2. a mirror of a ccTLD of home: one entry, where transfer is permitted;
3. an in-bailiwick name with glue for a server that stands at home already but cannot be found: a
   change of the delegation;
4. a server at home that the zone itself names, named by the parent too: a change of the delegation
   that needs the registry's check of one more server;
5. one more domestic server for a zone, named in bailiwick with glue: a machine.

Among equals the zone nearest to the name comes first: its owner asked. A change is proposed only
when it suffices alone; else nothing is, and the zones that lack something are listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from resolver.audit.closure import Closure, Path, Server, Site, Standing, below
from resolver.audit.verdict import Reach, can_be_found, reachable, survives
from resolver.model import Address, Verdict
from resolver.names import ROOT, Name, from_text, label_count, to_text


class Change(IntEnum):
    """Kinds of changes; the number is the rank of their cost."""

    ROOT_MIRROR = 1
    CCTLD_MIRROR = 2
    GLUE = 3
    NAME_AT_PARENT = 4
    DOMESTIC_SERVER = 5


@dataclass(frozen=True, slots=True)
class Fix:
    """One change to one zone; ``server`` for those that concern a server that is there."""

    change: Change
    zone: Name
    server: Name | None = None

    @property
    def words(self) -> str:
        """The change as it is told."""
        zone, server = to_text(self.zone), to_text(self.server) if self.server else ""
        match self.change:
            case Change.ROOT_MIRROR:
                return "root mirror"
            case Change.CCTLD_MIRROR:
                return f"ccTLD mirror of {zone}"
            case Change.GLUE:
                return f"an in-bailiwick name with glue in {zone} for {server}"
            case Change.NAME_AT_PARENT:
                return f"{server} named for {zone} by its parent too"
            case Change.DOMESTIC_SERVER:
                return f"one more domestic server for {zone}"


def cheapest(
    closure: Closure, path: Path, cctlds: frozenset[Name], here: frozenset[Name] = frozenset()
) -> Fix | None:
    """The cheapest single change after which the name survives; ``None``: none does, or the name
    needs none, or what it needs is not known."""
    if path.stuck is not None or path.outcome == "loop":
        return None
    closure = closure.part(path)
    reach = reachable(closure, here)
    if survives(path, reach):
        return None
    for fix in candidates(closure, path, cctlds, reach):
        after, mirrored = apply(closure, fix, here)
        if survives(path, reachable(after, mirrored)):
            return fix
    return None


def candidates(
    closure: Closure, path: Path, cctlds: frozenset[Name], reach: Reach
) -> Iterator[Fix]:
    """Every single change that could help, cheapest first. Reachable zones need none."""
    # The owner's own zones first; what is needed for name servers' names comes after the way.
    way = closure.way(path)
    rest = [zone for zone in closure.needs(path) if zone not in way]
    lacking = [z for z in (*reversed(way), *rest) if z not in reach]
    if ROOT in lacking:
        yield Fix(Change.ROOT_MIRROR, ROOT)
    for zone in lacking:
        if zone in cctlds:
            yield Fix(Change.CCTLD_MIRROR, zone)
    servers = [(zone, server) for zone in lacking for server in closure.zones[zone].servers]
    useful = [(zone, s) for zone, s in servers if any(site.helps for site in s.sites)]
    for zone, server in useful:
        if server.by_parent and not can_be_found(closure, closure.zones[zone], server, reach):
            yield Fix(Change.GLUE, zone, server.name)
    for zone, server in useful:
        if not server.by_parent:
            yield Fix(Change.NAME_AT_PARENT, zone, server.name)
    for zone in lacking:
        yield Fix(Change.DOMESTIC_SERVER, zone)


def apply(
    closure: Closure, fix: Fix, mirrored: frozenset[Name] = frozenset()
) -> tuple[Closure, frozenset[Name]]:
    """The closure and the mirrored zones as they are after a change."""
    zone = closure.zones[fix.zone]
    match fix.change:
        case Change.ROOT_MIRROR | Change.CCTLD_MIRROR:
            return closure, mirrored | {fix.zone}
        case Change.GLUE:
            servers = tuple(
                replace(s, glued=True) if s.name == fix.server else s for s in zone.servers
            )
        case Change.NAME_AT_PARENT:
            servers = tuple(
                replace(s, by_parent=True, glued=s.glued or below(s.name, zone.apex))
                if s.name == fix.server
                else s
                for s in zone.servers
            )
        case Change.DOMESTIC_SERVER:
            site = Site(Address(bytes(4)), Verdict.DOMESTIC, "none", Standing.SERVES)
            servers = (*zone.servers, Server(_NEW, (site,), True, True, True))
    return closure.with_zone(replace(zone, servers=servers)), mirrored


_NEW = from_text("new.invalid")  # stands for a name inside the zone; it is only ever in memory


def lacking(closure: Closure, path: Path, reach: Reach) -> tuple[Name, ...]:
    """Zones on the way that have no server of their own left, for names that no single change
    saves: those whose parent is reachable or lacks as well, deepest last."""
    out = []
    for apex in closure.way(path):
        zone = closure.zones[apex]
        usable = any(
            s.by_parent and any(site.helps for site in s.sites)
            for s in zone.servers
            if can_be_found(closure, zone, s, reach)
        )
        if apex not in reach and not usable:
            out.append(apex)
    return tuple(sorted(out, key=label_count))
