"""Views, tags and manners in the real listener: who is served what, and what is counted."""

import socket
from collections.abc import Iterator

import dns.flags
import dns.message
import pytest

from resolver import names
from tests.unit.listener_rig import ListenerRig, make_answer, query

TEXT = "www.example.in."
NAME = names.from_text(TEXT)
GENERATION = 7
OTHER = "127.0.0.2"


@pytest.fixture
def rig() -> Iterator[ListenerRig]:
    rig = ListenerRig()
    rig.answers.set_generation(GENERATION)
    rig.listener.set_views([(f"{OTHER}/32", 1)], GENERATION)
    yield rig
    rig.close()


def keep(rig: ListenerRig, view: int, count: int, *, manner: int = 0, tag: int = 0) -> None:
    """An answer with so many records, for a view."""
    now = rig.clock.now()
    answer = make_answer(NAME, now=now, count=count)
    rig.answers.put(
        view, NAME, 1, False, False, GENERATION, answer, 100.0, 0, now, False, manner, tag
    )


def ask(rig: ListenerRig, source: str = "127.0.0.1") -> dns.message.Message:
    """A client's reply over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((source, 0))
        client.connect(rig.address)
        client.settimeout(10)
        client.send(query(TEXT).to_wire())
        return dns.message.from_wire(client.recv(65535))


def test_each_view_has_its_own_answer_and_hits_are_counted_by_tag(rig: ListenerRig) -> None:
    keep(rig, 0, 1, tag=5)
    keep(rig, 1, 2, tag=4095)
    for _ in range(3):
        assert len(ask(rig).answer[0]) == 1
    assert len(ask(rig, OTHER).answer[0]) == 2
    assert sorted(rig.counters.tags()) == [(5, 3), (4095, 1)]


def test_a_miss_says_in_which_view_and_of_which_generation(rig: ListenerRig) -> None:
    client = rig.udp()
    client.send(query(TEXT).to_wire())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((OTHER, 0))
        other.connect(rig.address)
        other.send(query(TEXT).to_wire())
        found = rig.misses(2)
    assert {miss[9:] for miss in found} == {(0, GENERATION), (1, GENERATION)}
    assert rig.listener.view(socket.inet_aton(OTHER)) == 1


@pytest.mark.parametrize("first", ["answers", "views"])
def test_while_the_generations_differ_nothing_is_served(rig: ListenerRig, first: str) -> None:
    """Whichever of the two has gone ahead: a question is a miss until the other follows."""
    keep(rig, 0, 1)
    if first == "answers":
        rig.answers.set_generation(GENERATION + 1)
    else:
        rig.listener.set_views([], GENERATION + 1)
    rig.udp().send(query(TEXT).to_wire())
    assert len(rig.misses(1)) == 1
    if first == "answers":
        rig.answers.set_generation(GENERATION)
    else:
        rig.listener.set_views([], GENERATION)
    assert len(ask(rig).answer[0]) == 1


def test_what_policy_silences_gets_no_reply_and_is_counted(rig: ListenerRig) -> None:
    keep(rig, 0, 1, manner=1, tag=3)
    client = rig.udp()
    client.settimeout(0.3)
    client.send(query(TEXT).to_wire())
    with pytest.raises(TimeoutError):
        client.recv(65535)
    assert rig.counters.tags() == [(3, 1)]


def test_over_streams_only_means_truncation_over_udp(rig: ListenerRig) -> None:
    keep(rig, 0, 1, manner=2)
    reply = ask(rig)
    assert reply.flags & dns.flags.TC
    assert not reply.answer
    stream = rig.tcp()
    wire = query(TEXT).to_wire()
    stream.send(len(wire).to_bytes(2, "big") + wire)
    octets = int.from_bytes(stream.recv(2), "big")
    assert len(dns.message.from_wire(stream.recv(octets)).answer[0]) == 1


def test_a_stream_goes_on_after_a_question_without_a_reply(rig: ListenerRig) -> None:
    stream = rig.tcp()
    for text in (TEXT, "later.example.in."):
        wire = query(text).to_wire()
        stream.send(len(wire).to_bytes(2, "big") + wire)
    first, second = rig.misses(2)
    rig.listener.silence([first[0]])
    rig.answer(second)
    octets = int.from_bytes(stream.recv(2), "big")
    assert dns.message.from_wire(stream.recv(octets)).question[0].name.to_text().startswith("later")


def test_views_that_cannot_be_are_refused(rig: ListenerRig) -> None:
    for rows in ([("10.0.0.1/8", 1)], [("10.0.0.0/8", 1), ("10.0.0.0/8", 2)]):
        with pytest.raises(ValueError, match=r"10\.0\.0\.1/8|twice"):
            rig.listener.set_views(rows, 1)
