"""The native listener against real clients over UDP: hits, misses, refusals, odd queries."""

import socket
import struct
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from resolver import names
from resolver._native import Listener
from tests.unit.listener_rig import ListenerRig, ListenerRigs, make_answer, query

NAME = names.from_text("www.example.in.")


def _ede(reply: dns.message.Message) -> list[int]:
    return [int(option.code) for option in reply.options if isinstance(option, dns.edns.EDEOption)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_miss_goes_to_python_and_its_answer_to_the_client(
    listeners: ListenerRigs, host: str
) -> None:
    rig = listeners(host)
    client = rig.udp()
    asked = query("wWw.eXample.IN.", want_dnssec=True, payload=4096)
    asked.flags |= dns.flags.CD
    client.send(asked.to_wire())
    (miss,) = rig.misses(1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    assert miss[1:] == (NAME, 1, 1, True, True, True, 0, socket.inet_pton(family, host), 0, 0)
    rig.answer(miss)
    wire = client.recv(65535)
    reply = dns.message.from_wire(wire)
    assert asked.is_response(reply)
    assert wire[12:28] == asked.to_wire()[12:28]  # letter case of the client
    assert reply.answer[0][0].to_text() == "192.0.2.0"
    assert reply.flags & (dns.flags.RD | dns.flags.RA | dns.flags.CD | dns.flags.AD) == (
        dns.flags.RD | dns.flags.RA | dns.flags.CD
    )
    assert reply.edns == 0
    assert reply.ednsflags & dns.flags.DO
    assert [rig.scalar(name) for name in ("queries_udp", "replies_sent")] == [1, 1]
    rig.wait_for(lambda: rig.scalar("misses") == 1)  # counted when it waits, perhaps just now


def test_a_hit_is_answered_without_python_and_counted(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store(destination=1)
    reply = rig.ask(query())
    assert reply.answer[0][0].to_text() == "192.0.2.0"
    assert reply.edns < 0
    assert [row for row in rig.counters.hits() if row[2]] == [(0, 1, 1)]
    rig.wait_for(lambda: sum(rig.counters.hit_seconds()[0]) == 1)  # told after the send
    _, seconds = rig.counters.hit_seconds()
    assert 0 < seconds < 1
    assert rig.listener.take(10) == []


def test_answers_are_kept_apart_by_do_and_cd(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store(do=True)
    client = rig.udp()
    client.send(query().to_wire())
    assert rig.misses(1)[0][5] is False
    assert rig.ask(query(want_dnssec=True)).answer


def test_many_clients_at_once_each_get_their_own_answer(listeners: ListenerRigs) -> None:
    rig = listeners()
    clients = {f"host{number}.example.in.": rig.udp() for number in range(100)}
    for name, client in clients.items():
        client.send(query(name).to_wire())
    misses = rig.misses(100)
    rig.listener.reply(
        [(miss[0], make_answer(miss[1], now=rig.clock.now())) for miss in reversed(misses)]
    )
    for name, client in clients.items():
        reply = dns.message.from_wire(client.recv(65535))
        assert reply.question[0].name.to_text() == name
        assert reply.answer
    assert rig.scalar("replies_sent") == 100
    assert not rig.scalar("replies_failed")


@pytest.mark.parametrize(
    ("payload", "count", "truncated"),
    [(None, 29, False), (None, 31, True), (1232, 70, False), (1232, 80, True), (4096, 80, True)],
)
@pytest.mark.parametrize("hit", [True, False])
def test_replies_over_udp_are_cut_to_what_both_sides_can_take(
    listeners: ListenerRigs, payload: int | None, count: int, truncated: bool, hit: bool
) -> None:
    rig = listeners()
    asked = query() if payload is None else query(use_edns=0, payload=payload)
    client = rig.udp()
    if hit:
        rig.store(count=count)
    client.send(asked.to_wire())
    if not hit:
        rig.answer(rig.misses(1)[0], count)
    wire = client.recv(65535)
    assert len(wire) <= min(payload or 512, 1232)
    reply = dns.message.from_wire(wire)
    assert bool(reply.flags & dns.flags.TC) is truncated
    assert (not reply.answer) is truncated


@pytest.mark.parametrize("rd", [True, False])
def test_rd_0_is_answered_from_the_cache_and_causes_no_work(
    listeners: ListenerRigs, rd: bool
) -> None:
    rig = listeners()
    rig.store()
    asked = query(use_edns=0)
    other = query("other.example.in.", use_edns=0)
    for message in (asked, other):
        message.flags = dns.flags.Flag(dns.flags.RD if rd else 0)
    assert rig.ask(asked).answer
    if rd:
        rig.udp().send(other.to_wire())
        assert rig.misses(1)
    else:
        reply = rig.ask(other)
        assert (reply.rcode(), _ede(reply)) == (dns.rcode.REFUSED, [20])
        assert rig.scalar("misses") == 0


def test_addresses_outside_the_access_list_are_refused_until_it_changes(
    listeners: ListenerRigs,
) -> None:
    rig = listeners(allow=["192.0.2.0/24", "::1/128"])
    rig.store()
    reply = rig.ask(query(use_edns=0))
    assert (reply.rcode(), _ede(reply)) == (dns.rcode.REFUSED, [18])
    assert (rig.scalar("refused"), rig.scalar("queries_udp")) == (1, 0)
    rig.listener.set_access(["127.0.0.1"])
    assert rig.ask(query()).answer
    with pytest.raises(ValueError, match="not an address"):
        rig.listener.set_access(["localhost"])
    assert rig.ask(query()).answer


@pytest.mark.parametrize(
    ("rtype", "rcode"),
    [
        ("AXFR", dns.rcode.REFUSED),
        ("TYPE251", dns.rcode.REFUSED),
        ("OPT", dns.rcode.NOTIMP),
        ("TYPE128", dns.rcode.FORMERR),
        ("TSIG", dns.rcode.NOTIMP),
        ("MAILB", dns.rcode.NOTIMP),
        ("TYPE254", dns.rcode.NOTIMP),
    ],
)
def test_types_that_are_no_records_are_not_looked_up(
    listeners: ListenerRigs, rtype: str, rcode: dns.rcode.Rcode
) -> None:
    rig = listeners()
    wire = query("example.in.", "A", use_edns=0).to_wire()
    number = int(dns.rdatatype.from_text(rtype))
    wire = wire.replace(b"\x02in\0\0\x01", b"\x02in\0" + struct.pack("!H", number))
    sock = rig.udp()
    sock.send(wire)
    reply = sock.recv(65535)
    assert reply[3] & 0x0F == rcode
    assert rig.scalar("misses") == 0


@pytest.mark.parametrize("rtype", ["ANY", "RRSIG", "TYPE65280"])
def test_any_and_unknown_types_are_passed_on(listeners: ListenerRigs, rtype: str) -> None:
    rig = listeners()
    rig.udp().send(query(rtype=rtype).to_wire())
    assert rig.misses(1)[0][2] == int(dns.rdatatype.from_text(rtype))


def test_other_classes_opcodes_and_versions_get_their_errors(listeners: ListenerRigs) -> None:
    rig = listeners()
    chaos = query("version.bind.", "TXT", rdclass="CH", use_edns=0)
    assert rig.ask(chaos).rcode() == dns.rcode.REFUSED
    notify = query()
    notify.set_opcode(dns.opcode.STATUS)
    wire = notify.to_wire()
    sock = rig.udp()
    sock.send(wire)
    reply = sock.recv(65535)
    assert reply[3] & 0x0F == dns.rcode.NOTIMP
    assert reply[2] & 0x78 == wire[2] & 0x78
    newer = rig.ask(query(use_edns=1))
    assert (newer.rcode(), newer.edns) == (dns.rcode.BADVERS, 0)
    assert rig.scalar("misses") == 0


def test_malformed_queries_get_a_format_error_or_nothing(listeners: ListenerRigs) -> None:
    rig = listeners()
    good = query().to_wire()
    client = rig.udp()
    for dropped in (b"", b"\0" * 11, good[:2] + b"\x80" + good[3:]):
        client.send(dropped)
    for bad in (good[:-1], good[:4] + b"\0\x02" + good[6:], good[:12] + b"\xc0\x0c\0\x01\0\x01"):
        client.send(bad)
        reply = client.recv(65535)
        assert reply[:2] == good[:2]
        assert reply[3] & 0x0F == dns.rcode.FORMERR
    assert (rig.scalar("malformed_dropped"), rig.scalar("malformed_answered")) == (3, 3)
    assert rig.scalar("misses") == 0


def test_a_repeated_query_waits_once(listeners: ListenerRigs) -> None:
    rig = listeners()
    client, asked = rig.udp(), query()
    for _ in range(3):
        client.send(asked.to_wire())
    other = query()
    other.id = asked.id ^ 1
    client.send(other.to_wire())
    rig.wait_for(lambda: rig.scalar("queries_udp") == 4)
    misses = rig.misses(2)
    assert rig.listener.take(10) == []
    rig.answer(misses[0])
    client.recv(65535)
    client.send(asked.to_wire())
    assert len(rig.misses(1)) == 1


def test_when_too_many_wait_the_oldest_is_told_servfail(listeners: ListenerRigs) -> None:
    rig = listeners(misses_max=2)
    clients = [rig.udp() for _ in range(3)]
    tokens = []
    for client in clients:
        client.send(query(use_edns=0).to_wire())
        tokens += rig.misses(1)
    reply = dns.message.from_wire(clients[0].recv(65535))
    assert (reply.rcode(), _ede(reply)) == (dns.rcode.SERVFAIL, [0])
    assert rig.scalar("misses_shed") == 1
    for miss in tokens:
        rig.answer(miss)
    for client in clients[1:]:
        assert dns.message.from_wire(client.recv(65535)).answer
    clients[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        clients[0].recv(65535)


def test_unknown_tokens_are_ignored(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.listener.reply([(0, make_answer(NAME)), ((1 << 63) + 5, make_answer(NAME))])
    rig.store()
    assert rig.ask(query()).answer


@pytest.mark.parametrize("host", ["127.0.0.53", "127.1.2.3"])
@pytest.mark.parametrize("hit", [True, False])
def test_a_wildcard_socket_answers_from_the_address_asked(
    listeners: ListenerRigs, host: str, hit: bool
) -> None:
    rig = listeners("0.0.0.0")
    client = rig.udp(host)  # connected: a reply from elsewhere would not arrive
    if hit:
        rig.store()
    client.send(query().to_wire())
    if not hit:
        rig.answer(rig.misses(1)[0])
    assert dns.message.from_wire(client.recv(65535)).answer


def test_a_wildcard_socket_answers_over_ipv6_and_leaves_ipv4_alone(
    listeners: ListenerRigs,
) -> None:
    rig = listeners("::")
    rig.store()
    client = rig.udp("::1")
    client.send(query().to_wire())
    assert client.recv(65535)
    with pytest.raises(ConnectionRefusedError):
        rig.tcp("127.0.0.1")


def test_an_address_in_use_is_named(listeners: ListenerRigs) -> None:
    rig = listeners()
    host, port = rig.address
    with pytest.raises(OSError, match=f"{host}:{port}") as caught:
        listeners(addresses=[(host, port)])
    assert caught.value.errno == 98


def test_an_address_that_is_not_there_yet_can_be_bound(listeners: ListenerRigs) -> None:
    assert listeners("192.0.2.53").address[0] == "192.0.2.53"


def test_each_address_has_its_port_and_wrong_ones_are_refused(listeners: ListenerRigs) -> None:
    rig = listeners("127.0.0.1", "::1")
    assert [host for host, _ in rig.listener.addresses()] == ["127.0.0.1", "::1"]
    assert all(port for _, port in rig.listener.addresses())
    with pytest.raises(ValueError, match="localhost"):
        listeners("localhost")
    with pytest.raises(ValueError, match="prefix"):
        listeners(allow=["10.0.0.1/8"])
    with pytest.raises(ValueError, match="workers"):
        listeners(workers=0)


def test_closing_frees_the_port_and_is_idempotent(listeners: ListenerRigs) -> None:
    first = listeners()
    first.listener.close()
    first.listener.close()
    first.listener.reply([(1, make_answer(NAME))])
    second: ListenerRig = listeners(addresses=[first.address])
    assert isinstance(second.listener, Listener)
    second.store()
    assert second.ask(query()).answer


def test_dig_reads_a_hit(listeners: ListenerRigs) -> None:
    rig = listeners()
    rig.store()
    host, port = rig.address
    command = ["dig", f"@{host}", "-p", str(port), "www.example.in", "A", "+nocookie", "+tries=1"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "status: NOERROR" in text
    assert "192.0.2.0" in text
    assert ";; Warning" not in text
