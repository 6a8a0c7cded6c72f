"""Does a name resolve with the border shut, from a cold cache? And if not, why?

With the cut only domestic servers are left; foreign and unknown ones are gone. A zone is reachable
when its parent is, and a server of the parent's set serves it from home and can be found: its
address is glue, or every zone that its name needs is reachable (RFC 1034 section 5.3.3). A local
copy makes a zone reachable by itself. The least set is taken, so circles of names without glue do
not carry themselves. Servers that only the child names do not count: to learn of them one has to
reach the zone first.

From a cold cache *stays home* and *survives a cut* are decided alike: a lookup that needs no
exchange abroad is one that succeeds without any. They differ in the mirrors that are assumed:
*stays home* counts those that are configured, *survives* says which would have to be.

Limitations: a domestic server that answers today is taken to answer during the cut.
"""

from dataclasses import dataclass
from enum import Enum

from resolver.audit.closure import Closure, Path, Server, Standing, Zone
from resolver.model import Verdict, address_text
from resolver.names import ROOT, Name, to_text


class Kind(Enum):
    """The verdict in a word."""

    STAYS_HOME = "stays home"
    SURVIVES = "survives a cut"
    BREAKS = "breaks"


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on a name. ``root`` and ``cctld`` say whether it survives a cut with a mirror of
    the root, and with mirrors of the root and of home's ccTLDs; ``bare`` without any.

    ``breaks_at`` and ``because`` belong to the first zone that fails with all of these mirrors or,
    of a name that survives with them only, to the first that fails without.
    """

    path: Path
    kind: Kind
    bare: bool
    root: bool
    cctld: bool
    breaks_at: Name | None
    because: str

    @property
    def words(self) -> str:
        """The verdict as it is told."""
        if self.kind is Kind.STAYS_HOME:
            return "stays home"
        if self.kind is Kind.BREAKS:
            where = to_text(self.breaks_at) if self.breaks_at is not None else "its end"
            return f"breaks at {where}"
        if self.bare:
            return "survives a cut"
        return f"survives a cut with {'root mirror' if self.root else 'root and ccTLD mirrors'}"


Reach = frozenset[Name]
"""Zones that can be reached."""


def reachable(closure: Closure, mirrored: frozenset[Name]) -> Reach:
    """Zones that answer with the border shut, from a cold cache (least fixed point)."""
    found: set[Name] = {zone for zone in mirrored if zone in closure.zones}
    grew = True
    while grew:
        grew = False
        for apex, zone in closure.zones.items():
            if apex not in found and _reaches(closure, zone, found):
                found.add(apex)
                grew = True
    return frozenset(found)


def _reaches(closure: Closure, zone: Zone, found: set[Name]) -> bool:
    if zone.apex != ROOT and zone.parent not in found:
        return False
    return any(
        server.by_parent and any(site.helps for site in server.sites)
        for server in zone.servers
        if can_be_found(closure, zone, server, found)
    )


def can_be_found(
    closure: Closure, zone: Zone, server: Server, found: set[Name] | frozenset[Name]
) -> bool:
    """Whether a name server's address is at hand. The root's servers come from the hints."""
    if server.glued or zone.apex == ROOT:
        return True
    host = closure.hosts.get(server.name)
    return host is not None and host.stuck is None and all(z in found for z in host.zones)


def survives(path: Path, reach: Reach) -> bool:
    """Whether every zone that a name needs is reachable."""
    return path.stuck is None and path.outcome != "loop" and all(z in reach for z in path.zones)


@dataclass(frozen=True, slots=True)
class Reaches:
    """The reachable zones in each variant; computed once for all names of a closure."""

    here: Reach  # with the mirrors that are configured
    bare: Reach
    root: Reach
    cctld: Reach


def reaches(closure: Closure, cctlds: frozenset[Name], here: frozenset[Name]) -> Reaches:
    """All variants. ``cctlds``: home's top-level zones; ``here``: zones mirrored already."""
    return Reaches(
        reachable(closure, here),
        reachable(closure, frozenset()),
        reachable(closure, frozenset({ROOT})),
        reachable(closure, frozenset({ROOT}) | cctlds),
    )


def judge(closure: Closure, path: Path, reach: Reaches) -> Finding:
    """The verdict on one name."""
    bare, root, cctld = (survives(path, r) for r in (reach.bare, reach.root, reach.cctld))
    if survives(path, reach.here):
        return Finding(path, Kind.STAYS_HOME, bare, root, cctld, None, "")
    best = reach.cctld if not cctld else reach.here
    at, because = _first_broken(closure, path, best)
    kind = Kind.SURVIVES if cctld else Kind.BREAKS
    return Finding(path, kind, bare, root, cctld, at, because)


def _first_broken(closure: Closure, path: Path, reach: Reach) -> tuple[Name | None, str]:
    for apex in closure.way(path):
        holders_need = apex not in reach and any(
            h not in reach and apex in closure.line(h) for h in path.zones
        )
        if holders_need:
            return apex, why(closure, closure.zones[apex], reach)
    if path.outcome == "loop":
        return None, "its aliases form a loop or too long a chain"
    return path.stuck, "its servers gave no usable reply, so what lies below is not known"


def why(closure: Closure, zone: Zone, reach: Reach) -> str:
    """Why a zone whose parent is reachable is not."""
    if zone.apex != ROOT and zone.parent not in reach:
        return f"{to_text(zone.parent)} above it is not reachable"
    sites = [(s, site) for s in zone.servers if s.by_parent for site in s.sites]
    if not any(site.standing in (Standing.SERVES, Standing.NOT_ASKED) for _, site in sites):
        return "no server of it answers for it, at home or abroad"
    lost = [s for s, site in sites if site.helps]
    if lost:
        return _not_found(closure, lost[0], reach)
    ill = [site for _, site in sites if site.verdict is Verdict.DOMESTIC]
    if ill:
        told = ", ".join(f"{address_text(s.address)} {s.standing.value}" for s in ill[:3])
        return f"its servers at home do not serve it: {told}"
    abroad = sum(site.verdict is Verdict.FOREIGN for _, site in sites)
    unknown = len(sites) - abroad
    told = f"{abroad} abroad" + (f", {unknown} of unknown place" if unknown else "")
    own = [s for s in zone.servers if not s.by_parent and any(site.helps for site in s.sites)]
    more = f"; it has {to_text(own[0].name)} at home, which its parent does not name" if own else ""
    return f"no server of its delegation stands at home ({told}){more}"


def _not_found(closure: Closure, server: Server, reach: Reach) -> str:
    host = closure.hosts.get(server.name)
    lacking = [z for z in closure.way(host) if z not in reach] if host is not None else []
    start = f"its server at home, {to_text(server.name)}, cannot be found: it has no glue"
    if not lacking:
        return f"{start} and its name does not resolve"
    return f"{start} and its name needs {to_text(lacking[0])}, which is not reachable"
