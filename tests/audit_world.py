"""A testbed world as the audit sees it, taken from its truth; and a world with one change made."""

import copy

from resolver.audit.closure import Closure, Path, Server, Site, Standing, Zone
from resolver.audit.fixes import Change, Fix
from resolver.model import Verdict, address_from_text
from resolver.names import Name, from_text, to_text
from testbed.model import HOME, Delegation, Fault, World
from testbed.model import Server as WorldServer
from testbed.truth import State, Truth
from testbed.zones import SERVFAIL, is_subdomain

CCTLDS = frozenset({from_text("xa.")})
BARE = State(cut=True)
ROOTED = State(cut=True, mirrored=frozenset({"."}))
MIRRORED = State(cut=True, mirrored=frozenset({".", "xa."}))


def audited_names(world: World) -> list[str]:
    """Every name that the world has a question about."""
    return sorted({question.name for question in world.questions})


def closure_of(truth: Truth) -> Closure:
    """All of a world, as a survey without any loss would find it."""
    zones, hosts = {}, {}
    for apex, delegation in truth.world.delegations.items():
        servers = []
        for ns, address in delegation.all():
            by_parent = (ns, address) in delegation.parent_set
            glued = by_parent and truth._has_address(apex, ns, ())
            server = truth.world.servers[address]
            verdict = Verdict.DOMESTIC if server.domestic else Verdict.FOREIGN
            standing = Standing.SERVES if truth.serves(apex, address) else Standing.LAME
            site = Site(address_from_text(address), verdict, server.country, standing)
            by_child = (ns, address) in delegation.child_set
            servers.append(Server(from_text(ns), (site,), glued, by_parent, by_child))
            if not glued:
                holder = from_text(truth.world.zone_of(ns, "A").name)
                hosts[from_text(ns)] = Path(from_text(ns), (holder,))
        name = from_text(apex)
        zones[name] = Zone(name, from_text(delegation.parent), tuple(servers))
    return Closure(zones, hosts)


def path_of(truth: Truth, name: str) -> Path:
    """How the truth resolves a name (type A)."""
    expected = truth.expected(name, "A")
    zones = tuple(map(from_text, expected.zones))
    if expected.rcode == SERVFAIL:  # what lies behind the last zone cannot be known
        return Path(from_text(name), zones, outcome="unreachable", stuck=zones[-1])
    return Path(from_text(name), zones)


def survives_truly(truth: Truth, name: str, state: State) -> bool:
    """What the truth says of a name during a cut."""
    return truth.expected(name, "A", state).rcode != SERVFAIL


def changed(world: World, fix: Fix) -> tuple[World, State]:
    """The world after one change, and the state in which to ask about the cut."""
    zone = to_text(fix.zone)
    if fix.change in (Change.ROOT_MIRROR, Change.CCTLD_MIRROR):
        return world, State(cut=True, mirrored=frozenset({zone}))
    world = copy.deepcopy(world)
    delegation = world.delegations[zone]
    match fix.change:
        case Change.GLUE:
            address = _address(delegation.parent_set, fix.server)
            kept = tuple(ns for ns in delegation.parent_set if from_text(ns[0]) != fix.server)
            _delegate(world, zone, (*kept, (f"glued.{zone.lstrip('.')}", address)))
        case Change.NAME_AT_PARENT:
            assert fix.server is not None
            address = _address(delegation.child_set, fix.server)
            _delegate(world, zone, (*delegation.parent_set, (to_text(fix.server), address)))
        case _:
            address = world.plan.address(HOME, 199, 1)
            server = WorldServer(address, HOME, Fault.NONE, 0.001, {zone}, {zone})
            world.servers[address] = server
            _delegate(world, zone, (*delegation.parent_set, (f"new.{zone.lstrip('.')}", address)))
    return world, BARE


def _address(servers: tuple[tuple[str, str], ...], name: Name | None) -> str:
    return next(address for ns, address in servers if from_text(ns) == name)


def _delegate(world: World, zone: str, servers: tuple[tuple[str, str], ...]) -> None:
    old = world.delegations[zone]
    world.delegations[zone] = Delegation(zone, old.parent, servers, old.child_set)
    for holder in {zone, old.parent}:
        world.zones[holder].records[zone].pop("NS", None)
        world.zones[holder].add(zone, "NS", 3600, *(ns for ns, _ in servers))
        for ns, address in servers:
            if is_subdomain(ns, zone) and world.zones[holder].get(ns, "A") is None:
                world.zones[holder].add(ns, "A", 3600, address)
