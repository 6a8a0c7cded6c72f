"""The native door against real sockets: what is sent, and what counts as its reply."""

import struct
from collections.abc import Callable

import pytest

from tests.unit.door_rig import CASE, MALFORMED, NAME, NONE, Rigs
from tests.unit.upstreams import Upstream, reply_to


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("tcp", [False, True])
def test_an_answer_comes_back_and_the_books_balance(rigs: Rigs, host: str, tcp: bool) -> None:
    with Upstream(host=host) as server:
        rig = rigs(server.port)
        failure, message, rtt, octets = rig.one(server.address, tcp=tcp)
        assert failure == NONE
        rcode, authoritative, truncated, _, question, records, *_ = message
        assert (rcode, authoritative, truncated) == (0, True, False)
        assert question == (NAME, 1)
        assert records == ((NAME, 1, 300, (b"\xc0\x00\x02\x01",), ()),)
        assert 0 < rtt < 5
        query = server.messages[0] if tcp else server.datagrams[0][0]
        framing = 2 if tcp else 0
        assert octets == len(reply_to(query))
        assert rig.books() == {
            "intended": 1,
            "sent": 1,
            "replies": 1,
            "octets_sent": len(query) + framing,
            "octets_received": octets + framing,
            "connections": int(tcp),
            "labels": 3,
            "beyond": 1,
        }
        assert rig.door.in_flight() == 0


def test_queries_have_rd_0_and_edns_with_do_unless_told_otherwise(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port)
        rig.one(server.address)
        rig.one(server.address, edns=False)
        with_edns, without = (query for query, _ in server.datagrams)
        opt = b"\0" + struct.pack("!HHBBHH", 41, 1232, 0, 0, 0x8000, 0)
        assert with_edns.endswith(opt)
        assert struct.unpack("!5H", with_edns[2:12]) == (0, 1, 0, 0, 1)
        assert struct.unpack("!5H", without[2:12]) == (0, 1, 0, 0, 0)
        assert without.endswith(struct.pack("!HH", 1, 1))


def test_ports_ids_and_letter_case_differ_from_query_to_query(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port)
        rig.ask(server.address, 200)
        assert {end[0] for end in rig.outcomes(200).values()} == {NONE}
        queries = [query for query, _ in server.datagrams]
        assert len({port for _, port in server.datagrams}) > 190
        assert len({query[:2] for query in queries}) > 190
        assert len({query[12:28] for query in queries}) > 150
        assert {query[12:28].lower() for query in queries} == {NAME}
        assert min(port for _, port in server.datagrams) >= 1024


def test_case_is_left_alone_when_not_asked_for(rigs: Rigs) -> None:
    def shout(query: bytes) -> list[bytes]:
        reply = bytearray(reply_to(query))
        reply[12:28] = reply[12:28].upper()
        return [bytes(reply)]

    with Upstream(udp=shout) as server:
        rig = rigs(server.port)
        assert rig.one(server.address, case=False)[0] == NONE
        assert server.datagrams[0][0][12:28] == NAME


@pytest.mark.parametrize("tcp", [False, True])
def test_a_reply_in_other_letter_case_fails_as_case(rigs: Rigs, tcp: bool) -> None:
    def swap(query: bytes) -> list[bytes]:
        reply = bytearray(reply_to(query))
        reply[12:28] = reply[12:28].swapcase()
        return [bytes(reply)]

    with Upstream(udp=swap, tcp=swap) as server:
        assert rigs(server.port).one(server.address, tcp=tcp)[0] == CASE


def _wrong_id(query: bytes) -> bytes:
    return bytes([query[0] ^ 1]) + reply_to(query)[1:]


def _wrong_name(query: bytes) -> bytes:
    return reply_to(query).replace(query[13:16], b"xyz", 1)


def _wrong_type(query: bytes) -> bytes:
    reply = reply_to(query)
    return reply[:28] + b"\0\x1c" + reply[30:]


def _wrong_class(query: bytes) -> bytes:
    reply = reply_to(query)
    return reply[:30] + b"\0\x03" + reply[32:]


def _a_query(query: bytes) -> bytes:
    return query


def _one_octet(query: bytes) -> bytes:
    return query[:1]


WRONG = [_wrong_id, _wrong_name, _wrong_type, _wrong_class, _a_query, _one_octet]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("tcp", [False, True])
def test_what_is_no_reply_is_counted_and_waiting_goes_on(
    rigs: Rigs, wrong: Callable[[bytes], bytes], tcp: bool
) -> None:
    def script(query: bytes) -> list[bytes]:
        return [wrong(query), wrong(query), reply_to(query)]

    with Upstream(udp=script, tcp=script) as server:
        rig = rigs(server.port)
        assert rig.one(server.address, tcp=tcp)[0] == NONE
        assert rig.counters.scalars()["upstream_mismatched"] == 2
        assert rig.books()["replies"] == 1


@pytest.mark.parametrize(
    "garble",
    [
        lambda query: reply_to(query)[:-1],
        lambda query: query[:2] + b"\x84\0",
        lambda query: reply_to(query)[:20],
        lambda query: reply_to(query)[:4] + b"\0\x02" + reply_to(query)[6:],
    ],
)
@pytest.mark.parametrize("tcp", [False, True])
def test_an_unreadable_reply_fails_as_malformed(
    rigs: Rigs, garble: Callable[[bytes], bytes], tcp: bool
) -> None:
    def script(query: bytes) -> list[bytes]:
        return [garble(query)]

    with Upstream(udp=script, tcp=script) as server:
        rig = rigs(server.port)
        assert rig.one(server.address, tcp=tcp)[0] == MALFORMED
        assert rig.counters.scalars()["upstream_malformed"] == 1


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
def test_an_error_without_a_question_is_a_reply(rigs: Rigs, rcode: int) -> None:
    def bare(query: bytes) -> list[bytes]:
        return [query[:2] + struct.pack("!HHHHH", 0x8000 | rcode, 0, 0, 0, 0)]

    with Upstream(udp=bare) as server:
        failure, message, *_ = rigs(server.port).one(server.address)
        assert failure == NONE
        assert (message[0], message[4]) == (rcode, None)


def test_a_reply_without_a_question_and_without_an_error_is_none(rigs: Rigs) -> None:
    def bare(query: bytes) -> list[bytes]:
        return [query[:2] + struct.pack("!HHHHH", 0x8000, 0, 0, 0, 0), reply_to(query)]

    with Upstream(udp=bare) as server:
        rig = rigs(server.port)
        failure, message, *_ = rig.one(server.address)
        assert (failure, message[4]) == (NONE, (NAME, 1))
        assert rig.counters.scalars()["upstream_mismatched"] == 1


@pytest.mark.parametrize("cut", [0, 7])
def test_truncation_is_told_even_when_a_record_is_torn(rigs: Rigs, cut: int) -> None:
    def script(query: bytes) -> list[bytes]:
        whole = bytearray(reply_to(query))
        whole[2] |= 0x02
        return [bytes(whole[: len(whole) - cut])]

    with Upstream(udp=script) as server:
        failure, message, *_ = rigs(server.port).one(server.address)
        assert (failure, message[2]) == (NONE, True)
