"""Seeded worlds resolved in virtual time: answers equal the truth, and nothing strays abroad."""

from itertools import islice
from random import Random

import dns.rdatatype
import pytest

from resolver.model import Books, Rcode, Result, address_text
from resolver.names import to_text
from testbed.truth import Truth
from testbed.world import make_world
from tests.virtual import Internet
from tests.virtual_world import flat, flat_expected, world_internet


def roles(net: Internet, truth: Truth) -> list[tuple[str, str, int]]:
    """Exchanges as the testbed reports them: address, zone whose server was asked, count."""
    out = []
    for ask in net.door.sent:
        server = truth.world.servers[address_text(ask.address)]
        zone = server.role(
            to_text(ask.question.name),
            dns.rdatatype.to_text(dns.rdatatype.RdataType(ask.question.rtype)),
        )
        out.append((server.address, zone, 1))
    return out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_answers_equal_truth_and_none_is_avoidably_abroad(seed: int) -> None:
    world = make_world("country", seed)
    truth = Truth(world)
    net = world_internet(world, seed)
    wrong = []
    for question, expected in truth.questions():
        result, _ = net.ask(question.name, question.rtype)
        told = (result.rcode, flat(result.answer))
        right = (expected.rcode, flat_expected(expected.answer))
        if told != right:
            wrong.append((question, told, right))
    assert wrong == []
    assert truth.avoidable_exchanges(roles(net, truth)) == []
    assert net.scheduler.needless == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_under_loss_no_answer_is_wrong(seed: int) -> None:
    world = make_world("country", seed)
    truth = Truth(world)
    net = world_internet(world, seed, loss=0.1)
    unanswered = 0
    served = 0
    for question, expected in truth.questions():
        if expected.rcode == Rcode.SERVFAIL:
            continue
        served += 1
        for _ in range(3):
            result, _ = net.ask(question.name, question.rtype)
            if result.rcode != Rcode.SERVFAIL:
                break
        if result.rcode == Rcode.SERVFAIL:
            unanswered += 1
            continue
        assert (result.rcode, flat(result.answer)) == (
            expected.rcode,
            flat_expected(expected.answer),
        ), question
    assert unanswered <= served // 1000, f"{unanswered} of {served}"
    assert net.scheduler.needless == 0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_forty_clients_at_once_get_the_truth(seed: int) -> None:
    """Addresses that another lookup has found meanwhile are seen."""
    world = make_world("country", seed)
    truth = Truth(world)
    net = world_internet(world, seed)
    questions = truth.questions()
    Random(seed).shuffle(questions)
    waiting = iter(questions)
    asked = []
    active: list[list[tuple[Result, Books]]] = []
    while True:
        active = [ended for ended in active if not ended]
        for question, expected in islice(waiting, 40 - len(active)):
            ended = net.begin(question.name, question.rtype)
            active.append(ended)
            asked.append((question, expected, ended))
        if not active:
            break
        net.turn()
    wrong = [
        question
        for question, expected, [(result, _)] in asked
        if (result.rcode, flat(result.answer)) != (expected.rcode, flat_expected(expected.answer))
    ]
    assert wrong == []
    assert truth.avoidable_exchanges(roles(net, truth)) == []
    assert net.scheduler.needless == 0
