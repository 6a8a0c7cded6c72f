"""Verdicts and fixes of the audit: against the truth of worlds, and against brute force."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.audit.closure import Closure, Path, Server, Site, Standing, Zone
from resolver.audit.fixes import Change, Fix, apply, cheapest
from resolver.audit.verdict import Kind, judge, reachable, reaches, survives
from resolver.model import Verdict, address_from_text
from resolver.names import ROOT, Name, from_text, to_text
from resolver.operators import operator_of
from testbed.truth import Truth
from testbed.world import make_world
from tests.audit_world import (
    BARE,
    CCTLDS,
    MIRRORED,
    ROOTED,
    audited_names,
    changed,
    closure_of,
    path_of,
    survives_truly,
)

WORLDS = [*(("small", seed) for seed in range(1, 16)), *(("country", s) for s in range(1, 6))]
NONE: frozenset[Name] = frozenset()


@pytest.mark.parametrize(("world", "seed"), WORLDS)
def test_verdicts_equal_the_truth_for_every_name(world: str, seed: int) -> None:
    truth = Truth(make_world(world, seed))
    closure = closure_of(truth)
    reach = reaches(closure, CCTLDS, NONE)
    kinds = set()
    for name in audited_names(truth.world):
        finding = judge(closure, path_of(truth, name), reach)
        kinds.add(finding.kind)
        told = (finding.bare, finding.root, finding.cctld)
        assert told == tuple(survives_truly(truth, name, s) for s in (BARE, ROOTED, MIRRORED)), name
        assert (finding.kind is Kind.STAYS_HOME) == finding.bare
        assert (finding.kind is Kind.BREAKS) == (not finding.cctld)
        assert bool(finding.because) != finding.bare
    assert {Kind.STAYS_HOME, Kind.BREAKS} <= kinds


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 21))]
)
def test_a_fix_made_in_the_world_saves_the_name_and_none_cheaper_does(seed: int) -> None:
    world = make_world("small", seed)
    truth = Truth(world)
    closure = closure_of(truth)
    after = {fix: _survivors(world, fix) for fix in _all_fixes(closure)}
    proposed = set()
    for name in audited_names(world):
        path = path_of(truth, name)
        fix = cheapest(closure, path, CCTLDS)
        if survives_truly(truth, name, BARE) or path.stuck is not None:
            assert fix is None
            continue
        saving = {f.change for f, names in after.items() if name in names}
        if fix is None:
            assert not saving, (name, saving)
            continue
        proposed.add(fix.change)
        assert name in after[fix], (name, fix.words)
        assert fix.change == min(saving), (name, fix.words)
    assert Change.DOMESTIC_SERVER in proposed


def _all_fixes(closure: Closure) -> Iterator[Fix]:
    """Every change of the whole world, also those that cannot help."""
    yield Fix(Change.ROOT_MIRROR, ROOT)
    yield from (Fix(Change.CCTLD_MIRROR, cctld) for cctld in CCTLDS)
    for apex, zone in closure.zones.items():
        yield Fix(Change.DOMESTIC_SERVER, apex)
        for server in zone.servers:
            if any(site.helps for site in server.sites):
                if not server.by_parent:
                    yield Fix(Change.NAME_AT_PARENT, apex, server.name)
                elif not server.glued:
                    yield Fix(Change.GLUE, apex, server.name)


def _survivors(world: object, fix: Fix) -> frozenset[str]:
    after, state = changed(world, fix)  # type: ignore[arg-type]
    truth = Truth(after)
    return frozenset(n for n in audited_names(after) if survives_truly(truth, n, state))


# --- brute force --------------------------------------------------------------------------------

NAMES = [from_text(t) for t in (".", "a.", "b.", "x.a.", "y.a.", "z.x.a.", "w.b.")]
HOSTS = [from_text(f"ns.{to_text(apex).lstrip('.')}") for apex in NAMES]
SITES = [
    Site(address_from_text("11.0.0.1"), verdict, "none", standing)
    for verdict in Verdict
    for standing in (Standing.SERVES, Standing.LAME)
]
SERVERS = st.builds(
    Server,
    st.sampled_from(HOSTS),
    st.lists(st.sampled_from(SITES), max_size=2).map(tuple),
    st.booleans(),
    st.sampled_from([True, True, False]),
    st.booleans(),
)


@st.composite
def closures(draw: st.DrawFn) -> Closure:
    zones = {}
    for apex in NAMES:
        above = [z for z in NAMES if z != apex and apex.endswith(z)]
        zones[apex] = Zone(
            apex,
            max(above, key=len, default=ROOT),
            tuple(draw(st.lists(SERVERS, min_size=1, max_size=3))),
        )
    holders = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map(tuple)
    return Closure(zones, {host: Path(host, draw(holders)) for host in HOSTS})


def search(
    closure: Closure, apex: Name, mirrored: frozenset[Name], open_: tuple[Name, ...]
) -> bool:
    """Resolve with the cut applied, by plain recursion; what is under way already is no help."""
    if apex in mirrored:
        return True
    if apex in open_:
        return False
    open_ = (*open_, apex)
    zone = closure.zones[apex]
    if apex != ROOT and not search(closure, zone.parent, mirrored, open_):
        return False
    for server in zone.servers:
        for site in server.sites:
            if not server.by_parent or site.verdict is not Verdict.DOMESTIC:
                continue
            if site.standing is not Standing.SERVES:
                continue
            if server.glued or apex == ROOT:
                return True
            if all(search(closure, z, mirrored, open_) for z in closure.hosts[server.name].zones):
                return True
    return False


@given(closures(), st.frozensets(st.sampled_from(NAMES[:2])))
def test_the_fixed_point_is_what_recursive_search_finds(
    closure: Closure, mirrored: frozenset[Name]
) -> None:
    expected = {apex for apex in NAMES if search(closure, apex, mirrored, ())}
    assert reachable(closure, mirrored) == expected


@given(closures(), st.sampled_from(NAMES))
def test_the_fix_saves_and_none_cheaper_does(closure: Closure, apex: Name) -> None:
    path = Path(apex, (apex,))
    cctlds = frozenset({from_text("a.")})
    fix = cheapest(closure, path, cctlds)
    saving = []
    for other in (*_all_fixes_of(closure, cctlds), *([fix] if fix else [])):
        after, mirrored = apply(closure, other)
        if search(after, apex, mirrored, ()):
            saving.append(other)
    if survives(path, reachable(closure, NONE)):
        assert fix is None
    elif fix is None:
        assert saving == []
    else:
        assert fix in saving
        assert fix.change == min(other.change for other in saving)


def _all_fixes_of(closure: Closure, cctlds: frozenset[Name]) -> Iterator[Fix]:
    yield Fix(Change.ROOT_MIRROR, ROOT)
    yield from (Fix(Change.CCTLD_MIRROR, zone) for zone in cctlds)
    for apex, zone in closure.zones.items():
        yield Fix(Change.DOMESTIC_SERVER, apex)
        for server in zone.servers:
            if any(site.helps for site in server.sites):
                change = Change.GLUE if server.by_parent else Change.NAME_AT_PARENT
                yield Fix(change, apex, server.name)


@pytest.mark.parametrize(
    ("server", "operator"),
    [
        ("ns1.brightdns.xa", "brightdns.xa."),
        ("a.b.example.co.in", "example.co.in."),
        ("a.root-servers.net", "root-servers.net."),
        ("ns1.gov.in", "ns1.gov.in."),
        ("ns", "ns."),
    ],
)
def test_operator_is_the_registrable_domain(server: str, operator: str) -> None:
    assert to_text(operator_of(from_text(server))) == operator
