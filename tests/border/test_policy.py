"""Rules at a real border: what must stay at home leaves no packet abroad, whatever fails."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.model import Message, Rcode
from resolver.wire import parse_message
from testbed.netns import Netns
from testbed.truth import Truth
from testbed.zones import is_subdomain
from tests.border.rig import Rig, netns_or_skip
from tests.virtual_world import flat, flat_expected

pytestmark = [pytest.mark.netns, pytest.mark.slow]

ACCOUNT = {
    "authority": {"kind": "law", "name": "Test"},
    "reference": "T-1",
    "from": "2020-01-01",
    "until": "2099-12-31",
}


@pytest.fixture
def net() -> Iterator[Netns]:
    with netns_or_skip("country:3", "knot") as net:
        yield net


def closed_zones(truth: Truth) -> list[str]:
    """Zones of home, half of all that the world asks for."""
    zones = {truth.world.zone_of(q.name, q.rtype).name for q, _ in truth.questions()}
    return sorted(zone for zone in zones if zone.endswith(".xa."))[::2]


def test_enforced_zones_send_no_packet_abroad_whatever_fails(net: Netns, tmp_path: Path) -> None:
    truth = Truth(net.world)
    zones = closed_zones(truth)
    inside = [
        (q.name, q.rtype)
        for q, _ in truth.questions()
        if any(is_subdomain(q.name, zone) for zone in zones)
    ]
    rules = [{"id": "stay", "match": {"suffix": zones}, "effect": "domestic-only", **ACCOUNT}]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"version": 1, "mode": "enforce", "enforce": zones, "rules": rules}))
    with Rig(net, tmp_path, policy={"files": [str(file)]}) as rig:
        for dead in (False, True):
            net.reset()
            if dead:
                net.down([a for a, s in net.world.servers.items() if s.domestic])
            assert rig.ask(inside, clients=30, repeat=2).wait(240) == 0
            rig.settle()
            seen = rig.border("border")
            assert (seen.udp_foreign, seen.udp_other) == (0, 0)
            assert seen.udp_domestic > 0
            assert net.counters()["border"]["syn_foreign"]["packets"] == 0
        assert rig.status()["needless_escapes"] == 0
        net.up([a for a, s in net.world.servers.items() if s.domestic])


def test_everything_else_is_answered_as_without_rules(net: Netns, tmp_path: Path) -> None:
    truth = Truth(net.world)
    zones = closed_zones(truth)
    outside = [
        (q, e)
        for q, e in truth.questions()
        if not any(is_subdomain(h, zone) for zone in zones for h in e.zones)
        and not any(is_subdomain(q.name, zone) for zone in zones)
    ]
    rules = [{"id": "stay", "match": {"suffix": zones}, "effect": "domestic-only", **ACCOUNT}]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"version": 1, "mode": "enforce", "enforce": zones, "rules": rules}))
    with Rig(net, tmp_path, policy={"files": [str(file)]}) as rig:
        assert rig.ask([(q.name, q.rtype) for q, _ in outside], clients=30).wait(240) == 0
        wrong = []
        told = {index: reply for index, _, reply in rig.told()}
        for index, (question, expected) in enumerate(outside):
            reply = told[index]
            message = Message(Rcode.SERVFAIL) if reply is None else parse_message(reply)
            got = message.rcode, flat(message.answer)
            if got != (expected.rcode, flat_expected(expected.answer)):
                wrong.append((question, got))
        assert wrong == []
