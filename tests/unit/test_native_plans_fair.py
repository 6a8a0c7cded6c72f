"""Bounds of planned exchanges under way: by client, by zone, over all; and what is told of them."""

import socket
from collections.abc import Iterator

import dns.message
import dns.rcode
import pytest

from resolver import limits, limits_servers
from resolver.names import to_text
from tests.interpreted import interpreted
from tests.unit.plan_rig import PlanRig
from tests.unit.plan_zone import APEX, ask, sound
from tests.virtual_servers import name

ZONES = [f"z{number}.xa." for number in range(8)]
BOUND = 40
FLOOD = 400


def silent_for_the_flood(query: bytes) -> list[bytes]:
    """Names of the flood begin with an f."""
    return [] if query[13:14] in b"fF" else [sound(query).to_wire()]


@pytest.fixture(params=["client", "zone", "all"])
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlanRig]:
    key = {"client": "PLANNED_PER_CLIENT", "zone": "PLANNED_PER_ZONE"}.get(request.param)
    if key is not None:
        monkeypatch.setattr(limits, key, BOUND)
    flights = BOUND if request.param == "all" else 10_000
    # A wait longer than the test: what is under way stays so.
    monkeypatch.setattr(limits_servers, "WAIT_FIRST", 60.0)
    monkeypatch.setattr(limits_servers, "WAIT_MAX", 60.0)
    with PlanRig(silent_for_the_flood, flights=flights) as made:
        made.core.policy = made.policy
        for zone in ZONES:
            made.cut(name(zone))
            made.plan(name(zone))
        made.plan()
        made.kind = request.param
        yield made


@interpreted
def test_the_oldest_give_way_and_each_exchange_stays_in_the_books(rig: PlanRig) -> None:
    shed: list[dns.message.Message] = []
    zones = ZONES if rig.kind == "client" else ZONES[:1]
    for number in range(FLOOD):
        query = ask(f"f{number}.{zones[number % len(zones)]}")
        query.id = number
        rig.client.send(query.to_wire())
        if number % 20 == 19:
            # Another client's new name in another zone, and the same again from the cache.
            for _ in range(2):
                assert other(rig, f"n{number}.{APEX}").rcode() == dns.rcode.NXDOMAIN
            while len(shed) < number + 1 - BOUND:
                shed.append(rig.reply(turning=False))
    room = BOUND - 1 if rig.kind == "all" else BOUND  # the other client's have needed some, too
    assert len(shed) == FLOOD - BOUND
    assert {reply.rcode() for reply in shed} == {dns.rcode.SERVFAIL}
    assert all("too many" in str(reply.options[0]) for reply in shed)
    assert max(reply.id for reply in shed) < FLOOD - room
    assert rig.scalar("misses_shed") >= FLOOD - BOUND
    news = FLOOD // 20
    told = rig.told(FLOOD - BOUND + news)
    exchanges = [e for record in told for e in record.exchanges]
    assert len(exchanges) == len(told), "each once"
    assert sum(e.outcome == "unanswered" for e in exchanges) >= FLOOD - BOUND
    assert rig.sent() == rig.seen() == FLOOD + news, "those that wait are not told yet"
    asked = {to_text(e.question.name) for e in exchanges}
    assert len(asked) == len(exchanges)


def other(rig: PlanRig, text: str) -> dns.message.Message:
    """A question of a client at another address; native answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.2", 0))
        client.settimeout(10)
        client.connect(rig.listener.addresses()[0])
        client.send(ask(text).to_wire())
        return dns.message.from_wire(client.recv(4096))
