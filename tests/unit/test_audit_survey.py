"""The survey in virtual time: it finds what the truth of a world knows, and keeps to the border."""

import pytest

from resolver.audit.closure import Closure, Path, Standing
from resolver.audit.fixes import cheapest
from resolver.audit.survey import Survey
from resolver.audit.verdict import judge, reaches
from resolver.model import Verdict, address_text
from resolver.names import from_text, to_text
from testbed.truth import Truth
from testbed.world import make_world
from tests.audit_world import (
    BARE,
    CCTLDS,
    MIRRORED,
    ROOTED,
    audited_names,
    closure_of,
    path_of,
    survives_truly,
)
from tests.virtual import Internet
from tests.virtual_world import world_internet

WORLDS = [*(("small", seed) for seed in range(1, 19)), ("country", 1), ("country", 2)]


def surveyed(net: Internet, names: list[str]) -> tuple[Closure, dict[str, Path], Survey]:
    """Run a survey to its end."""
    survey = Survey(net.scheduler.core)
    ended: list[str] = []
    for name in names:
        survey.add(from_text(name), lambda name=name: ended.append(name))  # type: ignore[misc]
    while True:
        net.door.submit(survey.advance())
        arrival = net.door.next_arrival()
        if arrival is None:
            break
        net.door.now = max(net.door.now, arrival)
        for ticket, outcome in net.door.take():
            survey.deliver(ticket, outcome)
    assert survey.over
    assert sorted(ended) == sorted(names)
    return survey.closure(), {to_text(n): p for n, p in survey.paths().items()}, survey


@pytest.mark.parametrize(("world", "seed"), WORLDS)
def test_verdicts_and_fixes_equal_those_of_the_truth(world: str, seed: int) -> None:
    truth = Truth(make_world(world, seed))
    names = audited_names(truth.world)
    closure, paths, _ = surveyed(world_internet(truth.world, seed), names)
    reach = reaches(closure, CCTLDS, frozenset())
    known = closure_of(truth)
    wrong = []
    for name in names:
        finding = judge(closure, paths[name], reach)
        told = (finding.bare, finding.root, finding.cctld)
        right = tuple(survives_truly(truth, name, s) for s in (BARE, ROOTED, MIRRORED))
        if told != right:
            wrong.append((name, told, right, finding.words, finding.because))
        if paths[name].stuck is None:
            fix = cheapest(closure, paths[name], CCTLDS)
            best = cheapest(known, path_of(truth, name), CCTLDS)
            assert (fix and fix.change) == (best and best.change), (name, fix, best)
    assert wrong == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_abroad_is_asked_for_a_zone_with_a_live_domestic_server(seed: int) -> None:
    truth = Truth(make_world("small", seed))
    net = world_internet(truth.world, seed)
    closure, _, survey = surveyed(net, audited_names(truth.world))
    sent = sum(survey.post.exchanges.values())
    assert sent == len(net.door.sent)
    abroad = 0
    for apex, zone in closure.zones.items():
        home = truth.domestic_servers(to_text(apex))
        for site in zone.sites():
            if home and site.verdict is not Verdict.DOMESTIC:
                assert site.standing is Standing.NOT_ASKED, (apex, address_text(site.address))
                abroad += 1
    assert abroad > 10


@pytest.mark.parametrize("seed", [1, 2])
def test_under_loss_it_finds_the_same(seed: int) -> None:
    truth = Truth(make_world("small", seed))
    names = audited_names(truth.world)
    closure, paths, _ = surveyed(world_internet(truth.world, seed, loss=0.05), names)
    reach = reaches(closure, CCTLDS, frozenset())
    for name in names:
        assert judge(closure, paths[name], reach).bare == survives_truly(truth, name, BARE)
