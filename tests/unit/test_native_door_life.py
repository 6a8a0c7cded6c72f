"""The native door against real sockets: time-outs, late datagrams, channels, bounds, its books."""

import select
import socket
import struct
import subprocess
import sys

import pytest

from tests.unit.door_rig import (
    CLOSED,
    NAME,
    NONE,
    NOT_SENT,
    TIMEOUT,
    UNREACHABLE,
    Rigs,
    open_files,
)
from tests.unit.upstreams import Upstream, answer, reply_to, silence


@pytest.mark.parametrize("tcp", [False, True])
def test_silence_is_a_timeout_after_the_time_asked_for(rigs: Rigs, tcp: bool) -> None:
    with Upstream(udp=silence, tcp=silence) as server:
        rig = rigs(server.port)
        failure, message, rtt, octets = rig.one(server.address, timeout=0.05, tcp=tcp)
        assert (failure, message, octets) == (TIMEOUT, None, 0)
        assert 0.05 <= rtt < 2
        assert rig.books()["sent"] == 1
        assert rig.books()["replies"] == 0


def test_timeouts_come_in_order_of_their_deadlines(rigs: Rigs) -> None:
    with Upstream(udp=silence) as server:
        rig = rigs(server.port, workers=1)
        late = rig.ask(server.address, timeout=0.2)
        soon = rig.ask(server.address, timeout=0.02)
        assert list(rig.outcomes(2)) == soon + late


def test_a_late_datagram_meets_a_socket_and_is_counted(rigs: Rigs) -> None:
    with Upstream(udp=silence) as server:
        rig = rigs(server.port)
        assert rig.one(server.address, timeout=0.02)[0] == TIMEOUT
        query, port = server.datagrams[0]
        late = reply_to(query)
        server.send_datagram(late, port)
        rig.wait_for(lambda: rig.counters.scalars()["upstream_late"] == 1)
        assert rig.books()["octets_received"] == len(late)
        assert rig.books()["replies"] == 0
        assert rig.door.take(10) == []


def test_a_socket_is_closed_when_its_linger_time_is_over(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port, linger=0.02)
        before = open_files()
        rig.ask(server.address, 50)
        rig.outcomes(50)
        rig.wait_for(lambda: open_files() == before)


def test_a_closed_port_is_unreachable(rigs: Rigs) -> None:
    with Upstream(tcp_open=False) as server:
        port = server.port
        rig = rigs(port)
        assert rig.one(server.address, tcp=True)[0] == UNREACHABLE
        assert rig.books()["sent"] == 0
    assert rig.one(b"\x7f\0\0\x01")[0] == UNREACHABLE
    assert rig.books()["sent"] == 1
    assert rig.counters.scalars()["icmp_errors"] == 1


def test_what_the_kernel_does_not_take_is_intended_but_not_sent(rigs: Rigs) -> None:
    # A mapped address: the socket is IPv6 only, so there is no way to it.
    rig = rigs(5353)
    mapped = socket.inet_pton(socket.AF_INET6, "::ffff:127.0.0.1")
    assert rig.one(mapped)[0] == NOT_SENT
    assert rig.books()["intended"] == 1
    assert rig.books()["sent"] == rig.books()["octets_sent"] == 0
    # Broadcast is refused without SO_BROADCAST.
    assert rig.one(b"\xff\xff\xff\xff")[0] == NOT_SENT
    assert rig.books()["sent"] == 0
    assert rig.counters.scalars()["send_failures"] == 2


def test_past_the_bound_an_ask_ends_at_once_as_not_sent(rigs: Rigs) -> None:
    with Upstream(udp=silence) as server:
        rig = rigs(server.port, in_flight_max=3)
        tickets = rig.ask(server.address, 5, timeout=30)
        refused = rig.outcomes(2)
        assert set(refused) == set(tickets[3:])
        assert {end[0] for end in refused.values()} == {NOT_SENT}
        assert rig.door.in_flight() == 3
        rig.wait_for(lambda: rig.books()["sent"] == 3)


def test_streams_are_shared_and_replies_may_come_in_any_order(rigs: Rigs) -> None:
    held: list[bytes] = []

    def backwards(query: bytes) -> list[bytes]:
        held.append(query)
        return [reply_to(held.pop()) for _ in range(20)] if len(held) == 20 else []

    with Upstream(tcp=backwards) as server:
        rig = rigs(server.port)
        tickets = rig.ask(server.address, 20, tcp=True)
        outcomes = rig.outcomes(20)
        assert set(outcomes) == set(tickets)
        assert {end[0] for end in outcomes.values()} == {NONE}
        assert len({message[:2] for message in server.messages}) == 20
        books = rig.books()
        assert (server.connections, books["connections"]) == (1, 1)
        assert books["sent"] == len(server.messages)
        assert books["octets_sent"] == server.stream_octets


def test_many_questions_open_few_channels(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port)
        rig.ask(server.address, 500, tcp=True)
        assert {end[0] for end in rig.outcomes(500).values()} == {NONE}
        assert server.connections == rig.books()["connections"] <= 4
        assert rig.books()["sent"] == len(server.messages) == 500


def test_a_channel_is_used_again_and_closed_when_idle(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port, tcp_idle=0.1)
        rig.one(server.address, tcp=True)
        rig.one(server.address, tcp=True)
        assert server.connections == 1
        assert server.closed_by_peer.wait(10)
        rig.one(server.address, tcp=True)
        assert server.connections == 2


def test_a_stream_closed_under_its_questions_fails_as_closed(rigs: Rigs) -> None:
    with Upstream(close_after=3, tcp=silence) as server:
        rig = rigs(server.port)
        rig.ask(server.address, 3, tcp=True)
        assert {end[0] for end in rig.outcomes(3).values()} == {CLOSED}


def test_a_stream_closed_while_idle_is_replaced(rigs: Rigs) -> None:
    with Upstream() as server:
        port = server.port
        rig = rigs(port)
        assert rig.one(server.address, tcp=True)[0] == NONE
    with Upstream(port=port) as server:
        # The door may still see the end of the first stream with the question on it.
        assert rig.one(server.address, tcp=True)[0] in (NONE, CLOSED)
        assert rig.one(server.address, tcp=True)[0] == NONE


def test_a_timed_out_stream_takes_no_more_questions(rigs: Rigs) -> None:
    first: list[bytes] = []

    def never_the_first(query: bytes) -> list[bytes]:
        if not first:
            first.append(query)
            return []
        return answer(query)

    with Upstream(tcp=never_the_first) as server:
        rig = rigs(server.port)
        assert rig.one(server.address, tcp=True, timeout=0.05)[0] == TIMEOUT
        assert rig.one(server.address, tcp=True)[0] == NONE
        assert server.connections == 2


def test_a_reply_of_64_kilobytes_arrives_in_pieces(rigs: Rigs) -> None:
    def large(query: bytes) -> list[bytes]:
        record = b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 300, 1000) + b"\xf9" * 1000
        head = reply_to(query, flags=0x8600)
        return [head[:2] + b"\x84\0\0\x01\0\x3f\0\0\0\0" + head[12:] + record * 63]

    with Upstream(tcp=large) as server:
        failure, message, _, octets = rigs(server.port).one(server.address, tcp=True)
        assert failure == NONE
        assert octets > 63_000
        assert len(message[5][0][3]) == 1  # equal records are one


def test_a_handshake_that_hangs_is_a_timeout_and_no_question_was_sent(rigs: Rigs) -> None:
    # A backlog of none takes one connection; the kernel drops the handshakes of others.
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())
        second.setblocking(False)
        second.connect_ex(server.getsockname())
        rig = rigs(server.getsockname()[1])
        assert rig.one(b"\x7f\0\0\x01", tcp=True, timeout=0.1)[0] == TIMEOUT
        books = rig.books()
        assert (books["intended"], books["sent"], books["connections"]) == (0, 0, 1)


FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
from tests.unit.door_rig import *
from tests.unit.upstreams import *
with Upstream() as server:
    rig = Rig(server.port, workers=1, linger=60.0)
    for _ in range(20):
        rig.ask(server.address, 10)
        assert {end[0] for end in rig.outcomes(10).values()} == {NONE}
        assert open_files() < 80
    assert rig.one(server.address, tcp=True)[0] == NONE
    rig.door.close()
with Upstream(udp=silence) as server:
    rig = Rig(server.port, workers=1)
    rig.ask(server.address, 100, timeout=0.2)
    ends = [end[0] for end in rig.outcomes(100).values()]
    assert set(ends) == {TIMEOUT, NOT_SENT}, ends
    assert ends.count(TIMEOUT) == rig.books()["sent"] == 30
    rig.door.close()
"""


def test_open_files_bound_the_lingering_sockets_first_and_then_the_asks() -> None:
    subprocess.run([sys.executable, "-c", FEW_FILES], check=True, timeout=60)


def test_closing_ends_what_is_in_flight_and_is_idempotent(rigs: Rigs) -> None:
    with Upstream(udp=silence, tcp=silence) as server:
        before = open_files()
        rig = rigs(server.port)
        opened = open_files()
        rig.ask(server.address, 5, timeout=60)
        rig.ask(server.address, 5, timeout=60, tcp=True)
        rig.wait_for(lambda: rig.books()["sent"] == 10)
        rig.door.close()
        rig.door.close()
        assert {end[0] for end in rig.outcomes(10).values()} == {CLOSED}
        rig.ask(server.address)
        assert rig.outcomes(1).popitem()[1][0] == NOT_SENT
        assert rig.door.in_flight() == 0
        assert before < opened
        assert open_files() <= opened + 1  # the accepted stream of the server


def test_wrong_arguments_are_refused_before_anything_is_sent(rigs: Rigs) -> None:
    rig = rigs(53)
    good = (0, b"\x7f\0\0\x01", NAME, 1, rig.slot, 1.0, False, True, True, 2)
    for at, value in ((1, b"\x7f"), (2, b"\x03www"), (5, -1.0), (5, float("nan"))):
        bad = (*good[:at], value, *good[at + 1 :])
        with pytest.raises(ValueError, match=r"octets|name|timeout"):
            rig.door.submit([good, bad])  # type: ignore[list-item]
    assert rig.door.in_flight() == 0
    assert rig.books()["intended"] == 0


def test_the_descriptor_is_silent_when_all_is_taken(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port)
        rig.ask(server.address, 10)
        for _ in range(10):
            assert select.select([rig.door.fileno()], [], [], 10)[0]
            assert len(rig.door.take(1)) == 1
        assert not select.select([rig.door.fileno()], [], [], 0)[0]


def test_counters_equal_what_the_server_saw_under_load(rigs: Rigs) -> None:
    turn = iter(range(1 << 30))

    def moody(query: bytes) -> list[bytes]:
        match next(turn) % 4:
            case 0:
                return []
            case 1:
                return [reply_to(query)] * 2
            case _:
                return [reply_to(query)]

    with Upstream(udp=moody) as server:
        rig = rigs(server.port)
        ends = []
        for _ in range(5):
            rig.ask(server.address, 100, timeout=0.3)
            ends += [end[0] for end in rig.outcomes(100).values()]
        books = rig.books()
        assert books["intended"] == books["sent"] == 500
        rig.wait_for(lambda: len(server.datagrams) == 500)
        assert books["octets_sent"] == sum(len(query) for query, _ in server.datagrams)
        assert ends.count(NONE) == books["replies"] > 0
        assert ends.count(NONE) + ends.count(TIMEOUT) == 500
        # Whatever the server sent was received, in time or late.
        rig.wait_for(lambda: rig.books()["octets_received"] == server.octets_replied)
