"""Asking a server who it is: what odd servers answer, and what identities claim (RFC 4892)."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.edns
import dns.message
import dns.rrset
import pytest
import trio

from resolver import limits_servers
from resolver.counters import Clock, Counters
from resolver.exchange import TransferDoor
from resolver.identify import TRIES, Said, identify, shown
from resolver.mirrors.wire import Wire
from resolver.model import Books, Label, Purpose, Reason, Verdict, address_from_text

ABROAD = Label(Verdict.FOREIGN, "XB", Purpose.VERIFICATION, Reason.NO_DOMESTIC_SERVER)
LOOPBACK = address_from_text("127.0.0.1")
Bend = Callable[[dns.message.Message], bytes | None]


@contextmanager
def server(bend: Bend) -> Iterator[int]:
    """A server on loopback that answers as ``bend`` says, until the end of the block; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                octets, client = bound.recvfrom(4096)
                if not octets:
                    return
                if (reply := bend(dns.message.from_wire(octets))) is not None:
                    bound.sendto(reply, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", bound.getsockname())
            thread.join()


def ask(port: int) -> tuple[list[Said], Books]:
    """What came of all questions, through the real door."""
    door = TransferDoor(Clock(None), Counters(None, 2), port=port, in_flight_max=8, linger=0.1)

    async def run() -> tuple[list[Said], Books]:
        wire = Wire(door)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.run)
            found = await identify(wire, LOOPBACK, ABROAD, 2)
            nursery.cancel_scope.cancel()
        return found

    try:
        return trio.run(run)
    finally:
        door.close()


def named(query: dns.message.Message) -> bytes:
    reply = dns.message.make_response(query)
    reply.use_edns(0, options=[dns.edns.NSIDOption(b"\x01\xff")])
    question = query.question[0]
    if question.rdtype == 16:
        text = '"two" "parts"'
        reply.answer.append(dns.rrset.from_text(question.name, 0, "CH", "TXT", text))
    return reply.to_wire()


def test_texts_are_joined_and_each_exchange_is_in_the_books() -> None:
    with server(named) as port:
        said, books = ask(port)
    assert [(one.text, one.nsid) for one in said] == [
        (b"twoparts", b"\x01\xff"), (b"twoparts", b"\x01\xff"), (None, b"\x01\xff"),
    ]  # fmt: skip
    assert (books.exchanges, books.abroad, books.reason) == (3, 3, Reason.NO_DOMESTIC_SERVER)
    (row, *_) = trio.run(shown, LOOPBACK, said)
    assert (row["text"], row["nsid"], row["claims"]) == ("twoparts", "01ff", None)


def torn(query: dns.message.Message) -> bytes:
    """An answer is announced and is not there."""
    wire = bytearray(dns.message.make_response(query).to_wire())
    wire[6:8] = b"\0\1"
    return bytes(wire[:-11])


def test_a_torn_reply_is_told_as_malformed() -> None:
    with server(torn) as port:
        said, _ = ask(port)
    assert {one.outcome for one in said} == {"malformed"}


def test_silence_is_asked_again_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_servers, "EXCHANGE_SECONDS", 0.1)
    with server(lambda query: None) as port:
        said, books = ask(port)
    assert {one.outcome for one in said} == {"timeout"}
    assert books.exchanges == 3 * TRIES


def test_what_can_be_read_is_shown_as_a_claim() -> None:
    root_k = address_from_text("193.0.14.129")
    said = [Said("id.server. TXT CH", "answer", b"ns1.in-bom.k.ripe.net", None, 0.002)]
    (row,) = trio.run(shown, root_k, said)
    assert row["claims"] == "Mumbai, IN (convention)"
    (row,) = trio.run(shown, LOOPBACK, said)
    assert row["claims"] is None
