"""Clients over TCP whose misses native carries out by a plan, against a real server over UDP."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dns.message
import dns.rcode
import pytest

from tests.unit.listener_rig import (
    ListenerRig,
    ListenerRigs,
    query,
    receive_framed,
    send_framed,
)
from tests.unit.upstreams import Script, Upstream, answer, reply_to, silence


class Held:
    """A script that keeps its replies back until they are released."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.open = threading.Event()

    def __call__(self, asked: bytes) -> Sequence[bytes]:
        self.asked.append(asked)
        assert self.open.wait(10)
        return [reply_to(asked)]


Planned = Callable[..., tuple[ListenerRig, Upstream]]


@pytest.fixture
def planned(listeners: ListenerRigs) -> Iterator[Planned]:
    """Makes listeners with a plan for example.in. and the server of that zone."""
    servers: list[Upstream] = []

    def make(
        script: Script = answer, wait: float = 5.0, **settings: object
    ) -> tuple[ListenerRig, Upstream]:
        servers.append(Upstream(udp=script).__enter__())
        bounds = settings.pop("bounds", {})
        assert isinstance(bounds, dict)
        rig = listeners(planned={"port": servers[-1].port} | bounds, **settings)
        rig.plan(wait=wait)
        return rig, servers[-1]

    yield make
    for server in servers:
        server.__exit__()


def sums(rig: ListenerRig, count: int) -> dict[int, int]:
    """Planned lookups by transport, when so many have been told."""
    found: dict[int, int] = {}
    ends = time.monotonic() + 10
    assert rig.plans is not None
    while sum(found.values()) < count:
        assert time.monotonic() < ends, found
        for (_, _, transport, _), clients, _, _ in rig.plans.take()[0]:
            found[transport] = found.get(transport, 0) + clients
        time.sleep(0.005)
    return found


def test_a_miss_over_tcp_is_carried_out_and_told_as_tcp(planned: Planned) -> None:
    rig, server = planned()
    client = rig.tcp()
    asked = query()
    send_framed(client, asked)
    reply = receive_framed(client)
    assert asked.is_response(reply)
    assert reply.answer
    send_framed(client, asked)
    assert receive_framed(client).answer
    assert len(server.datagrams) == 1
    assert sums(rig, 1) == {1: 1}
    assert [row for row in rig.counters.hits() if row[2]] == [(1, 0, 1)]
    assert (rig.scalar("planned"), rig.scalar("misses")) == (1, 0)


def test_many_misses_in_one_segment_are_all_carried_out(planned: Planned) -> None:
    rig, server = planned()
    client = rig.tcp()
    asked = {number: query(f"host{number}.example.in.") for number in range(500)}
    for number, message in asked.items():
        message.id = number
    send_framed(client, *asked.values())
    for _ in range(500):
        reply = receive_framed(client)
        assert asked.pop(reply.id).is_response(reply)
        assert reply.answer
    assert len(server.datagrams) == 500
    assert sums(rig, 500) == {1: 500}


def test_a_reply_that_is_ready_does_not_wait_for_an_earlier_question(planned: Planned) -> None:
    rig, _ = planned(lambda asked: [] if b"slow" in asked.lower() else answer(asked))
    client = rig.tcp()
    slow, fast = query("slow.example.in."), query("fast.example.in.")
    send_framed(client, slow, fast)
    assert fast.is_response(receive_framed(client))


def test_equal_questions_of_both_transports_share_one_exchange(planned: Planned) -> None:
    held = Held()
    rig, server = planned(held, workers=1)
    stream, datagram = rig.tcp(), rig.udp()
    send_framed(stream, query())
    rig.wait_for(lambda: len(held.asked) == 1)
    datagram.send(query().to_wire())
    rig.wait_for(lambda: rig.scalar("planned") == 2)
    held.open.set()
    assert receive_framed(stream).answer
    assert dns.message.from_wire(datagram.recv(4096)).answer
    assert len(server.datagrams) == 1
    assert sums(rig, 2) == {0: 1, 1: 1}


def test_a_query_that_is_repeated_on_its_connection_is_answered_once(planned: Planned) -> None:
    held = Held()
    rig, _ = planned(held, tcp_idle=0.2)
    client = rig.tcp()
    again, other = query(), query()
    send_framed(client, again, again, again, other)
    rig.wait_for(lambda: rig.scalar("planned") == 2)
    held.open.set()
    assert {receive_framed(client).id for _ in range(2)} == {again.id, other.id}
    # Nothing of it waits any more: the connection is idle, and closed as such.
    assert client.recv(1) == b""


def test_outstanding_questions_of_one_connection_are_bounded(planned: Planned) -> None:
    held = Held()
    rig, _ = planned(held)
    client = rig.tcp()
    send_framed(client, *[query(f"host{number}.example.in.") for number in range(300)])
    rig.wait_for(lambda: rig.scalar("planned") == 128)
    other = rig.tcp()
    rig.store("cached.example.in.")
    for _ in range(20):
        send_framed(other, query("cached.example.in."))
        assert receive_framed(other).answer
    assert rig.scalar("planned") == 128
    held.open.set()
    assert all(receive_framed(client).answer for _ in range(300))


def test_a_client_that_has_gone_ends_no_exchange(planned: Planned) -> None:
    held = Held()
    rig, server = planned(held)
    client = rig.tcp()
    send_framed(client, query())
    rig.wait_for(lambda: len(held.asked) == 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    held.open.set()
    assert sums(rig, 1) == {1: 1}
    assert rig.ask(query()).answer  # the answer is kept
    assert len(server.datagrams) == 1


def test_a_half_closed_client_gets_its_planned_answers(planned: Planned) -> None:
    held = Held()
    rig, _ = planned(held)
    client = rig.tcp()
    send_framed(client, query("a.example.in."), query("b.example.in."))
    client.shutdown(socket.SHUT_WR)
    rig.wait_for(lambda: rig.scalar("planned") == 2)
    held.open.set()
    assert all(receive_framed(client).answer for _ in range(2))
    assert client.recv(1) == b""


def test_what_is_not_plain_goes_to_python_with_its_exchange_and_its_client(
    planned: Planned,
) -> None:
    rig, server = planned(silence, wait=0.05)
    client = rig.tcp()
    asked = query()
    send_framed(client, asked)
    assert rig.plans is not None
    punts: list[Any] = []
    ends = time.monotonic() + 10
    while not punts:
        assert time.monotonic() < ends
        punts += rig.plans.take()[5]
        time.sleep(0.005)
    (miss,) = punts[0][-1]
    assert miss[7:9] == (1, b"\x7f\0\0\x01")
    rig.answer(miss)
    assert asked.is_response(receive_framed(client))
    assert len(server.datagrams) == 1


def test_one_client_is_bounded_over_both_transports(planned: Planned) -> None:
    rig, _ = planned(silence, workers=1, bounds={"per_client": 10})
    datagram, stream = rig.udp(), rig.tcp()
    for number in range(8):
        datagram.send(query(f"udp{number}.example.in.").to_wire())
    rig.wait_for(lambda: rig.scalar("planned") == 8)
    send_framed(stream, *[query(f"tcp{number}.example.in.") for number in range(8)])
    rig.wait_for(lambda: rig.scalar("misses_shed") == 6)
    shed = [dns.message.from_wire(datagram.recv(4096)) for _ in range(6)]
    assert {reply.rcode() for reply in shed} == {dns.rcode.SERVFAIL}
