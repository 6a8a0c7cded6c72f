"""The native listener against real clients over TCP (RFC 7766)."""

import re
import shutil
import socket
import struct
import subprocess
import time

import dns.message
import dns.rcode
import pytest

from tests.unit.listener_rig import (
    ListenerRig,
    ListenerRigs,
    query,
    receive_exactly,
    receive_framed,
    send_framed,
)


def test_hits_and_misses_are_answered_with_their_length_before_them(
    listeners: ListenerRigs,
) -> None:
    rig = listeners()
    rig.store(destination=2)
    client = rig.tcp()
    send_framed(client, query())
    assert receive_framed(client).answer
    assert [row for row in rig.counters.hits() if row[2]] == [(1, 2, 1)]
    send_framed(client, query("other.example.in."))
    (miss,) = rig.misses(1)
    assert miss[7:9] == (1, b"\x7f\0\0\x01")
    rig.answer(miss)
    assert receive_framed(client).answer
    assert (rig.scalar("queries_tcp"), rig.scalar("tcp_clients")) == (2, 1)
    assert rig.scalar("replies_sent") == 2


def test_queries_on_one_connection_are_answered_as_they_become_ready(
    listeners: ListenerRigs,
) -> None:
    rig = listeners()
    client = rig.tcp()
    asked = [query(f"host{number}.example.in.") for number in range(3)]
    send_framed(client, *asked)
    misses = rig.misses(3)
    for number in (2, 0, 1):
        rig.answer(misses[number])
        assert asked[number].is_response(receive_framed(client))


def test_a_query_may_come_in_pieces(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store()
    client = rig.tcp()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire = query().to_wire()
    for octet in len(wire).to_bytes(2, "big") + wire:
        client.send(bytes([octet]))
    assert receive_framed(client).answer


def test_a_stream_carries_what_udp_must_cut(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store(count=4000)
    client = rig.tcp()
    send_framed(client, query())
    reply = receive_framed(client)
    assert len(reply.answer[0]) == 4000
    assert not reply.flags & 0x0200


def test_many_queries_at_once_are_all_answered(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store(count=100)  # 1.6 KiB each: together far more than may wait unsent
    client = rig.tcp()
    asked = [query() for _ in range(300)]
    for number, message in enumerate(asked):
        message.id = number
    send_framed(client, *asked)
    for number in range(300):
        length, message_id = struct.unpack("!HH", receive_exactly(client, 4))
        assert message_id == number
        assert len(receive_exactly(client, length - 2)) > 1600


def test_misses_of_one_connection_are_bounded_and_the_rest_follows(
    listeners: ListenerRigs,
) -> None:
    rig = listeners()
    client = rig.tcp()
    send_framed(client, *[query(f"host{number}.example.in.") for number in range(200)])
    first = rig.misses(128)
    assert rig.listener.take(1000) == []
    for miss in first:
        rig.answer(miss)
    for miss in rig.misses(72):
        rig.answer(miss)
    assert all(receive_framed(client).answer for _ in range(200))


def test_a_half_closed_client_still_gets_its_answers(listeners: ListenerRigs) -> None:
    rig = listeners()
    client = rig.tcp()
    send_framed(client, query("a.example.in."), query("b.example.in."))
    client.shutdown(socket.SHUT_WR)
    misses = rig.misses(2)
    for miss in misses:
        rig.answer(miss)
    assert all(receive_framed(client).answer for _ in misses)
    assert client.recv(1) == b""


def test_an_idle_connection_is_closed_but_not_one_that_waits(listeners: ListenerRigs) -> None:
    rig = listeners(tcp_idle=0.1)
    idle, waits = rig.tcp(), rig.tcp()
    send_framed(waits, query())
    (miss,) = rig.misses(1)
    assert idle.recv(1) == b""
    rig.answer(miss)
    assert receive_framed(waits).answer
    assert waits.recv(1) == b""


def test_past_the_bound_the_oldest_idle_connection_makes_room(listeners: ListenerRigs) -> None:
    rig = listeners(tcp_connections_max=2, workers=1)
    rig.store()
    first, second = rig.tcp(), rig.tcp()
    for client in (first, second):
        send_framed(client, query())
        receive_framed(client)
    third = rig.tcp()
    send_framed(third, query())
    assert receive_framed(third).answer
    assert first.recv(1) == b""
    send_framed(second, query())
    assert receive_framed(second).answer


def test_the_bound_is_of_all_threads_and_an_idle_connection_of_any_gives_way(
    listeners: ListenerRigs,
) -> None:
    rig = listeners(tcp_connections_max=2, workers=4)
    rig.store()
    for _ in range(60):
        client = rig.tcp()
        send_framed(client, query())
        assert receive_framed(client).answer
    assert (rig.scalar("tcp_clients"), rig.scalar("tcp_clients_refused")) == (60, 0)


def test_connections_of_one_client_are_bounded_and_others_are_not(listeners: ListenerRigs) -> None:
    rig = listeners("0.0.0.0", workers=4, tcp_per_client_max=5)
    rig.store()
    kept = [rig.tcp("127.0.0.1") for _ in range(5)]
    for client in kept:
        send_framed(client, query())
        assert receive_framed(client).answer
    refused = rig.tcp("127.0.0.1")
    with pytest.raises((EOFError, ConnectionResetError)):
        receive_framed(refused)
    other = rig.tcp("127.0.0.1", source="127.0.0.2")
    send_framed(other, query())
    assert receive_framed(other).answer
    assert rig.scalar("tcp_clients_refused") == 1
    kept.pop().close()
    rig.wait_for(lambda: _answered(rig))


def _answered(rig: ListenerRig) -> bool:
    client = rig.tcp("127.0.0.1")
    try:
        send_framed(client, query())
        return bool(receive_framed(client).answer)
    except (EOFError, OSError):
        return False


def test_past_the_bound_and_none_idle_a_client_is_refused(listeners: ListenerRigs) -> None:
    rig = listeners(tcp_connections_max=1)
    busy = rig.tcp()
    send_framed(busy, query())
    (miss,) = rig.misses(1)
    refused = rig.tcp()
    with pytest.raises((EOFError, ConnectionResetError)):
        receive_framed(refused)
    assert rig.scalar("tcp_clients_refused") == 1
    rig.answer(miss)
    assert receive_framed(busy).answer


def test_a_client_that_does_not_read_is_dropped(listeners: ListenerRigs) -> None:
    rig = listeners(tcp_idle=0.2)
    rig.store(count=4000)
    client = rig.tcp()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    wire = query().to_wire()
    framed = (len(wire).to_bytes(2, "big") + wire) * 400
    with pytest.raises((BlockingIOError, ConnectionResetError, BrokenPipeError)):
        while True:
            client.send(framed)
    fresh = rig.tcp()
    send_framed(fresh, query())
    assert receive_framed(fresh).answer
    client.settimeout(10)
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            receive_exactly(client, 65536)
    assert rig.scalar("tcp_clients_slow") == 1


def test_a_client_that_reads_an_octet_now_and_then_is_dropped_too(
    listeners: ListenerRigs,
) -> None:
    rig = listeners(tcp_idle=0.2)
    rig.store(count=4000)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(rig.address)
    with client:
        send_framed(client, *[query()] * 100)
        rig.wait_for(lambda: bool(client.recv(1)) and rig.scalar("tcp_clients_slow") == 1)


def test_half_a_query_keeps_no_connection_open(listeners: ListenerRigs) -> None:
    rig = listeners(tcp_idle=0.2)
    client = rig.tcp()
    client.send(b"\0")
    ends = time.monotonic() + 10
    with pytest.raises(OSError, match=r"reset|pipe"):
        while time.monotonic() < ends:
            time.sleep(0.02)
            client.send(b"\xff")
    assert rig.scalar("tcp_clients_slow") == 0


def test_a_reset_in_the_middle_of_much_leaves_the_others_served(listeners: ListenerRigs) -> None:
    rig = listeners(workers=1)
    rig.store(count=1000)
    other = rig.tcp()
    for _ in range(5):
        client = rig.tcp()
        misses = [query(f"host{number}.example.in.") for number in range(10)]
        send_framed(client, *misses, *[query()] * 50, query().to_wire()[:-1])
        taken = rig.misses(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        for miss in taken:
            rig.answer(miss)
        send_framed(other, query())
        assert receive_framed(other).answer


def test_garbage_ends_the_connection_and_errors_do_not(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store()
    client = rig.tcp()
    good = query().to_wire()
    send_framed(client, good[:-1], good)
    assert receive_framed(client).rcode() == dns.rcode.FORMERR
    assert receive_framed(client).answer
    send_framed(client, b"\0" * 5, good)
    with pytest.raises((EOFError, ConnectionResetError)):
        receive_framed(client)


@pytest.mark.skipif(not shutil.which("dig"), reason="no dig: install bind9-dnsutils")
def test_a_client_is_told_how_long_it_may_be_idle_if_it_asks(listeners: ListenerRigs) -> None:
    rig = listeners(tcp_idle=7.25)
    rig.store()
    host, port = rig.address
    dig = ["dig", f"@{host}", "-p", str(port), "+noall", "+comments", "www.example.in."]
    asked = subprocess.check_output([*dig, "+tcp", "+keepalive"], text=True, timeout=20)
    assert re.search(r"TCP.KEEPALIVE: 7\.2 secs", asked)
    for how in (["+tcp", "+nokeepalive"], ["+notcp", "+keepalive"]):
        told = subprocess.check_output([*dig, *how], text=True, timeout=20)
        assert "NOERROR" in told
        assert "KEEPALIVE" not in told


@pytest.mark.skipif(not shutil.which("kdig"), reason="no kdig: install knot-dnsutils")
def test_kdig_asks_one_question_after_another_on_a_connection(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store("a.example.in.")
    rig.store("b.example.in.")
    host, port = rig.address
    kdig = ["kdig", f"@{host}", "-p", str(port), "+tcp", "+keepopen", "+short"]
    told = subprocess.check_output([*kdig, "a.example.in.", "b.example.in."], text=True, timeout=20)
    assert told.split() == ["192.0.2.0", "192.0.2.0"]
    assert (rig.scalar("tcp_clients"), rig.scalar("queries_tcp")) == (1, 2)


def test_who_may_not_ask_is_told_and_cut_off(listeners: ListenerRigs) -> None:
    rig = listeners(allow=["192.0.2.0/24"])
    client = rig.tcp()
    send_framed(client, query())
    assert receive_framed(client).rcode() == dns.rcode.REFUSED
    with pytest.raises((EOFError, ConnectionResetError)):
        receive_framed(client)


def test_an_answer_for_a_client_that_has_gone_is_dropped(listeners: ListenerRigs) -> None:
    rig = listeners()
    client = rig.tcp()
    send_framed(client, query())
    (miss,) = rig.misses(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    rig.answer(miss)
    other = rig.tcp()
    send_framed(other, query())
    rig.answer(rig.misses(1)[0])
    assert receive_framed(other).answer


def test_shed_clients_on_a_stream_are_told(listeners: ListenerRigs) -> None:
    rig = listeners(misses_max=2)
    client = rig.tcp()
    asked = [query(f"host{number}.example.in.") for number in range(5)]
    send_framed(client, *asked)
    shed = [receive_framed(client) for _ in range(3)]
    assert {reply.rcode() for reply in shed} == {dns.rcode.SERVFAIL}
    assert {reply.id for reply in shed} == {message.id for message in asked[:3]}
    for miss in rig.misses(2):
        rig.answer(miss)
    assert {receive_framed(client).id for _ in range(2)} == {m.id for m in asked[3:]}
