"""Seeded worlds behind a cut border, in virtual time: what can be resolved is, and how soon.

A resolver starts cold with a copy of the root on disk; nothing abroad answers and no root server
does. Time is that of the exchanges alone: no machine is slow here, so what is late is late because
of a server or of a choice.
"""

import pytest

from resolver import limits_servers
from resolver.mirrors.intake import read_zone
from resolver.model import Question as Asked
from resolver.model import Rcode, Result, Type, address_text
from resolver.names import ROOT
from testbed.knot import zone_text
from testbed.model import Question, World
from testbed.truth import Expected, State, Truth
from testbed.world import make_world
from testbed.zones import SERVFAIL
from tests.virtual import Internet
from tests.virtual_servers import name
from tests.virtual_world import flat, flat_expected, world_internet

PROMISE_SECONDS = 0.5
NEAR_SECONDS = 0.06
"""All that healthy servers at home may take for one name: cuts, and addresses of name servers."""


def cut_off(world: World) -> tuple[Internet, State]:
    """The world without anything abroad and without root servers, and a copy of the root."""
    net = world_internet(world, 1)
    root = read_zone(ROOT, zone_text(world.zones["."]).encode())
    net.scheduler.core.mirrors.put(root)
    down = {at for _, at in world.delegations["."].parent_set}
    for at, host in net.hosts.items():
        server = world.servers[address_text(at)]
        host.up = server.domestic and server.address not in down
    return net, State(True, frozenset(down), frozenset({"."}))


def ask(net: Internet, question: Question) -> tuple[Result, float]:
    """The result, and the seconds until it was there."""
    ended: list[tuple[Result, float]] = []
    asked = Asked(name(question.name), Type[question.rtype])
    began = net.now
    net.scheduler.lookup(asked, began, lambda result, _: ended.append((result, net.now - began)))
    while not ended:
        net.turn()
    return ended[0]


def least(world: World, truth: Truth, state: State, asked: Question, told: Expected) -> float:
    """Seconds that the name takes at least: for each zone on its way one exchange with the fastest
    server that serves it; more where steps to the name or a second try over TCP are needed."""
    total = 0.0
    for number, zone in enumerate(dict.fromkeys(told.zones)):
        live = [
            world.servers[at].latency
            for _, at in world.delegations[zone].all()
            if zone != "." and truth.serves(zone, at, state)
        ]
        steps = max(1, asked.name.count(".") - zone.count(".")) if number == 0 else 1
        total += min(live, default=0.0) * (steps + 2 * (asked.tag == "tcp"))
    return total


@pytest.mark.parametrize("world_name", ["small", "small:2", "small:3", "small:4", "country"])
def test_what_can_be_resolved_is_and_as_soon_as_servers_allow(
    world_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    which, _, seed = world_name.partition(":")
    world = make_world(which, int(seed or 1))
    truth = Truth(world)
    net, state = cut_off(world)
    inside = [
        (question, told)
        for question in world.questions
        if (told := truth.expected(question.name, question.rtype, state)).rcode != SERVFAIL
    ]
    assert len(inside) > 100
    wrong, late, could = [], [], 0
    for question, told in inside:
        result, seconds = ask(net, question)
        if (result.rcode, flat(result.answer)) != (Rcode(told.rcode), flat_expected(told.answer)):
            wrong.append((question, result))
        floor = least(world, truth, state, question, told)
        if floor + limits_servers.WAIT_HOME + NEAR_SECONDS < PROMISE_SECONDS:
            could += 1
            if seconds >= PROMISE_SECONDS:
                late.append((question, seconds))
    with capsys.disabled():
        print(
            f"\n{world_name}: {len(inside)} of {len(inside)} resolved with the border cut; servers "
            f"allow {could} within {PROMISE_SECONDS} s, {len(late)} of them are late"
        )
    assert not wrong
    # Late is the first name for which a slow server alone is known; the other's address, sought
    # beside it, is there for the next.
    assert len(late) <= (0 if which == "small" else 2), late
