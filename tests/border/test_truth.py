"""Real servers, real packets: answers equal the truth, and nothing is needlessly asked abroad."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.model import Message, Rcode
from resolver.wire import parse_message
from testbed.model import Question
from testbed.netns import Netns
from testbed.truth import Truth
from tests.border.rig import Rig, netns_or_skip
from tests.virtual_world import Flat, flat, flat_expected

pytestmark = [pytest.mark.netns, pytest.mark.slow]

WORLDS = ["country:1", "country:2", "country:3"]


EACH = [(world, authority) for world in WORLDS for authority in ("dnslib", "knot")]
LOSSY = [("country:1", "knot"), ("country:2", "dnslib"), ("country:3", "knot")]
"""Every world once: these take a minute and a half each."""


def named(case: tuple[str, str]) -> str:
    return "-".join(case)


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Netns]:
    world, authority = request.param
    with netns_or_skip(world, authority) as net:
        yield net


Told = tuple[int, Flat]


def ask_all(rig: Rig, truth: Truth, clients: int) -> list[tuple[Question, Told, Told]]:
    """Ask every question of the world; what was not told as it is true."""
    questions = truth.questions()
    crowd = rig.ask([(q.name, q.rtype) for q, _ in questions], clients=clients)
    assert crowd.wait(240) == 0
    told = {index: reply for index, _, reply in rig.told()}
    assert len(told) == len(questions)
    wrong: list[tuple[Question, Told, Told]] = []
    for index, (question, expected) in enumerate(questions):
        reply = told[index]
        message = Message(Rcode.SERVFAIL) if reply is None else parse_message(reply)
        got = (message.rcode, flat(message.answer))
        right = (expected.rcode, flat_expected(expected.answer))
        if got != right:
            wrong.append((question, got, right))
    return wrong


@pytest.mark.parametrize("net", EACH, ids=named, indirect=True)
def test_cold_and_hot_without_loss(net: Netns, tmp_path: Path) -> None:
    truth = Truth(net.world)
    with Rig(net, tmp_path) as rig:
        for round_name in ("cold", "hot"):
            assert ask_all(rig, truth, clients=30) == [], round_name
            assert truth.avoidable_exchanges(net.roles()) == [], round_name
        assert rig.status()["needless_escapes"] == 0


@pytest.mark.parametrize("net", LOSSY, ids=named, indirect=True)
def test_ten_percent_loss(net: Netns, tmp_path: Path) -> None:
    truth = Truth(net.world)
    servable = sum(1 for _, e in truth.questions() if e.rcode != Rcode.SERVFAIL)
    with Rig(net, tmp_path) as rig:
        net.loss(0.1)
        wrong = ask_all(rig, truth, clients=10)
        assert rig.status()["needless_escapes"] == 0
    assert [entry for entry in wrong if entry[1][0] != Rcode.SERVFAIL] == []
    assert len(wrong) <= servable // 1000, f"{len(wrong)} of {servable} unanswered: {wrong}"
