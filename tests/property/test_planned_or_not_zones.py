"""Planned or not, a lookup is the same under response policy zones with triggers on results: on
addresses in answers, which native looks up itself, and on name servers, which decide whether there
is a plan. What *the same* means is told in ``test_planned_or_not``.
"""

from random import Random

import pytest

from policy.border import Policy
from policy.govern import with_zones
from policy.rpz_client import client_classes
from policy.rpz_set import ZoneSet
from policy.rpz_zone import PolicyZone
from resolver.metrics_policy import marks
from testbed.world import World, make_world
from tests.interpreted import interpreted as pytestmark  # noqa: F401
from tests.property.test_planned_or_not import (
    Run,
    _exact_times,  # noqa: F401 - a fixture
    assert_same_books,
    policy_for,
    scenario,
)
from tests.unit.rpz_rig import zone
from tests.virtual_rules import NO_HITS

EFFECTS = ("CNAME .", "CNAME *.", "CNAME rpz-passthru.", "A 198.51.100.7")
KINDS = {"ip": ("ip",), "servers": ("nsdname", "nsip"), "all": ("ip", "nsdname", "nsip", "qname")}


def triggers(world: World, kinds: tuple[str, ...], seed: int) -> str:
    """Lines of a zone that hits some of what a world has."""
    chance = Random(seed)
    servers = [server for one in world.delegations.values() for server in one.parent_set]
    found = {
        "ip": [
            f"{chance.choice((32, 32, 28, 24))} {rdata}"
            for held in world.zones.values()
            for rrset in held.rrsets()
            if rrset.rtype == "A"
            for rdata in rrset.rdatas
        ],
        "nsip": [f"32 {at}" for _, at in servers],
        "nsdname": [ns for ns, _ in servers],
        "qname": [question.name for question in world.questions],
    }
    lines: dict[str, str] = {}
    for kind in kinds:
        some = sorted(set(found[kind]))
        for text in chance.sample(some, max(1, len(some) // 8)):
            lines[owner(kind, text)] = chance.choice(EFFECTS)
    return "".join(f"{trigger} {effect}\n" for trigger, effect in lines.items())


def owner(kind: str, text: str) -> str:
    """A trigger as it stands below the name of its zone."""
    if kind == "qname":
        return text.rstrip(".")
    if kind == "nsdname":
        return f"{text.rstrip('.')}.rpz-nsdname"
    bits, address = text.split()
    number = sum(
        int(part) << shift for part, shift in zip(address.split("."), (24, 16, 8, 0), strict=True)
    )
    number &= -1 << (32 - int(bits))
    parts = [str(number >> shift & 255) for shift in (0, 8, 16, 24)]
    return f"{bits}.{'.'.join(parts)}.rpz-{kind}"


class ZonedRun(Run):
    """Under zones; a reload brings other ones."""

    kinds: tuple[str, ...] = ()

    @classmethod
    def policy(cls, world: World, variant: int = 0) -> Policy:
        """Of three versions the second has a zone more, and the third one less."""
        made: list[PolicyZone] = []
        for at, called in enumerate(("one", "two")[: (1, 2, 0)[variant]]):
            made.append(zone(triggers(world, cls.kinds, at + 7 * variant), called))
        classes = client_classes([one.content.clients for one in made])
        zones = ZoneSet(tuple(made), classes, f"version {variant}")
        return with_zones(policy_for(world, variant), zones, validating=False)


def run_of(kind: str) -> type[ZonedRun]:
    """A run under zones with triggers of these kinds."""
    return type("ZonedRun", (ZonedRun,), {"kinds": KINDS[kind]})


@pytest.mark.parametrize(("odd", "loss"), [(0, 0.0), (0, 0.05), (4, 0.0)])
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_books_under_zones(seed: int, kind: str, odd: int, loss: float) -> None:
    world = make_world("small", seed)
    steps = scenario(world, seed, 400)
    run = run_of(kind)
    planned, unplanned = (run(world, seed, on, odd=odd, loss=loss) for on in (True, False))
    for either in (planned, unplanned):
        either.one_by_one(steps)
    assert_same_books(planned, unplanned)
    found = [
        dict(marks(one.served.in_force.tags, one.served.tally, NO_HITS))
        for one in (planned, unplanned)
    ]
    assert found[0] == found[1]
    hits = {mark.live.rule for mark in found[0] if mark.live.rule}
    assert any(rule.endswith(("ip", "nsdname")) for rule in hits), "zones have hit"
    carrier = planned.served.carrier
    assert carrier is not None
    assert carrier.carried > 20, "plans are of use"
