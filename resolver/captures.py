"""Questions of clients in what was recorded: captures of packets, and files of dnstap.

Responsible for telling the kinds of file apart by their first octets, and for reading from them who
asked what: pcap and pcapng (over UDP and TCP, IPv4 and IPv6) with dpkt, dnstap in Frame Streams
(content type ``protobuf:dnstap.Dnstap``) by a reader of the few fields that are wanted, since no
kept library has a bound on what it takes. Files are read as a stream, message after message. What
is not a client's question is skipped and counted; a file torn at its end is read up to there.

RFC 1035 section 4.2.2 (length before a message on a stream).

Limitations: a question over TCP has to begin its segment and be whole in it, as stub resolvers
send it; fragments are skipped. Only unidirectional Frame Streams, without compression.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import dns.exception
import dns.message
import dns.opcode
import dns.rdataclass
import dpkt

from resolver.errors import SourceError
from resolver.limits_policy import CAPTURE_PACKET_MAX, DRILL_LINES_MAX
from resolver.model import Address, Question
from resolver.names import from_wire

_PCAP = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip
_ESCAPE = b"\0\0\0\0"  # of a control frame
_START, _STOP = 2, 3
_CONTENT = b"protobuf:dnstap.Dnstap"
_QUERIES = (5, 9, 11)  # CLIENT_QUERY, STUB_QUERY, TOOL_QUERY
_MESSAGE, _TYPE, _ADDRESS, _QUERY = 14, 1, 4, 10  # numbers of fields of dnstap
_META = frozenset({0, 41, *range(128, 255)})

TORN = "torn at the end of the file"


class Recorded(NamedTuple):
    """A question, and the address of who asked it (``None``: not recorded)."""

    question: Question
    client: Address | None


class Capture(NamedTuple):
    """What a file holds. ``skipped``: how many messages are no questions of clients, by why."""

    questions: list[Recorded]
    skipped: Counter[str]


class _Skip(Exception):
    """A message is none that is wanted; the text says why."""


def kind_of(start: bytes) -> "Callable[[Path, int], Capture] | None":
    """What reads a file with these first octets; ``None``: it is no recording."""
    if start[:4] in _PCAP:
        return read_pcap
    return read_dnstap if start[:4] == _ESCAPE else None


def read_dnstap(path: Path, port: int = 53) -> Capture:
    """Questions of clients in a file of dnstap. ``port`` does not matter.

    Raises:
        SourceError: it cannot be read, or is none.
    """
    del port
    return _gathered(path, _frames, _of_dnstap)


def read_pcap(path: Path, port: int = 53) -> Capture:
    """Questions in a capture of packets to ``port``.

    Raises:
        SourceError: it cannot be read, or is none.
    """
    return _gathered(path, lambda file, skipped: _packets(file, port, skipped), lambda pair: pair)


Unit = TypeVar("Unit")


def _gathered(
    path: Path,
    units: Callable[[IO[bytes], Counter[str]], Iterator[Unit]],
    read: Callable[[Unit], tuple[bytes, Address | None]],
) -> Capture:
    found: list[Recorded] = []
    skipped: Counter[str] = Counter()
    try:
        with path.open("rb") as file:
            for unit in units(file, skipped):
                try:
                    wire, client = read(unit)
                    found.append(Recorded(_question(wire), client))
                except _Skip as why:
                    skipped[str(why)] += 1
                if len(found) > DRILL_LINES_MAX:
                    raise SourceError(f"{path}: more than {DRILL_LINES_MAX} questions")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error
    if not found:
        left = ", ".join(f"{count} {text}" for text, count in skipped.items())
        raise SourceError(f"{path}: holds no questions{f' ({left})' if left else ''}")
    return Capture(found, skipped)


def _question(wire: bytes) -> Question:
    """The question of a client's message."""
    try:
        message = dns.message.from_wire(wire, question_only=True)
    except (dns.exception.DNSException, ValueError):
        raise _Skip("not DNS") from None
    if message.flags & 0x8000:
        raise _Skip("replies")
    if message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
        raise _Skip("not queries")
    (asked,) = message.question
    if asked.rdclass != dns.rdataclass.IN or int(asked.rdtype) in _META:
        raise _Skip("of other classes, or meta-types")
    return Question(from_wire(asked.name.to_wire() or b"\0"), int(asked.rdtype))


# --- dnstap --------------------------------------------------------------------------------------


def _frames(file: IO[bytes], skipped: Counter[str]) -> Iterator[bytes]:
    """Data frames of a Frame Stream, after its start."""
    _start(file)
    while head := file.read(4):
        length = int.from_bytes(head, "big") if len(head) == 4 else 0
        if len(head) == 4 and not length:
            length = int.from_bytes(file.read(4), "big")
            if int.from_bytes(file.read(length)[:4], "big") == _STOP:
                return
            raise ValueError("a control frame in the middle of a Frame Stream")
        if length > CAPTURE_PACKET_MAX:
            raise ValueError(f"a frame of {length} octets; at most {CAPTURE_PACKET_MAX}")
        frame = file.read(length)
        if not length or len(frame) < length:
            skipped[TORN] += 1
            return
        yield frame
    skipped[TORN] += 1  # without a stop


def _start(file: IO[bytes]) -> None:
    """Read the start of a stream, which says what is in it."""
    head = file.read(8)
    length = int.from_bytes(head[4:], "big")
    body = file.read(length) if 4 <= length <= 512 else b""
    if head[:4] != _ESCAPE or len(body) != length or int.from_bytes(body[:4], "big") != _START:
        raise ValueError("not a Frame Stream: its start is not there")
    if body[12:] != _CONTENT or body[4:8] != b"\0\0\0\x01":
        raise ValueError("a Frame Stream of other content than protobuf:dnstap.Dnstap")


def _of_dnstap(frame: bytes) -> tuple[bytes, Address | None]:
    """The message in a frame, and who sent it."""
    message = _fields(frame, (_MESSAGE,)).get(_MESSAGE)
    if not isinstance(message, bytes):
        raise _Skip("not dnstap")
    fields = _fields(message, (_TYPE, _ADDRESS, _QUERY))
    if fields.get(_TYPE) not in _QUERIES:
        raise _Skip("not of clients, or replies")
    wire, client = fields.get(_QUERY), fields.get(_ADDRESS)
    if not isinstance(wire, bytes):
        raise _Skip("without a message")
    known = isinstance(client, bytes) and len(client) in (4, 16)
    return wire, Address(client) if known and isinstance(client, bytes) else None


def _fields(data: bytes, wanted: tuple[int, ...]) -> dict[int, int | bytes]:
    """Fields of a protobuf message by number; those that are not wanted are passed over."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                length, at = _varint(data, at)
            if length is None or at + length > len(data):
                raise _Skip("not dnstap")
            value, at = data[at : at + length], at + length
        if number in wanted:
            found[number] = value
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
    raise _Skip("not dnstap")


# --- packets -------------------------------------------------------------------------------------


def _packets(
    file: IO[bytes], port: int, skipped: Counter[str]
) -> Iterator[tuple[bytes, Address | None]]:
    """Messages to a port, with the addresses that they came from."""
    try:
        reader = dpkt.pcap.UniversalReader(file)
        link = _links().get(reader.datalink())
    except (dpkt.Error, ValueError, struct.error) as error:
        raise ValueError(f"not a capture of packets: {error}") from None
    if link is None:
        raise ValueError(f"a capture with link type {reader.datalink()}, which is not read")
    packets = iter(reader)
    while True:
        try:
            _, octets = next(packets)
        except StopIteration:
            return
        except (dpkt.Error, ValueError, struct.error):
            skipped[TORN] += 1
            return
        if len(octets) > CAPTURE_PACKET_MAX:
            raise ValueError(f"a packet of {len(octets)} octets; at most {CAPTURE_PACKET_MAX}")
        try:
            yield from _messages(link(octets), port, skipped)
        except (dpkt.Error, ValueError, struct.error, IndexError, AttributeError):
            skipped["not readable packets"] += 1


def _links() -> dict[int, Callable[[bytes], object]]:
    """What reads a packet, by the link type of its file."""

    def raw(octets: bytes) -> object:
        return dpkt.ip6.IP6(octets) if octets[:1] >= b"\x60" else dpkt.ip.IP(octets)

    ethernet, loopback = dpkt.ethernet.Ethernet, dpkt.loopback.Loopback
    return {
        1: lambda octets: ethernet(octets).data,
        0: lambda octets: loopback(octets).data,
        108: lambda octets: loopback(octets).data,
        12: raw,
        101: raw,
        113: lambda octets: dpkt.sll.SLL(octets).data,
        276: lambda octets: dpkt.sll2.SLL2(octets).data,
    }


def _messages(
    packet: object, port: int, skipped: Counter[str]
) -> Iterator[tuple[bytes, Address | None]]:
    """Messages in an IP packet."""
    if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
        skipped["not IP"] += 1
        return
    inner, client = packet.data, Address(bytes(packet.src))
    if not isinstance(inner, dpkt.udp.UDP | dpkt.tcp.TCP):
        skipped["not UDP or TCP, or fragments"] += 1
    elif inner.dport != port:
        skipped[f"not to port {port}"] += 1
    elif isinstance(inner, dpkt.udp.UDP):
        yield bytes(inner.data), client
    else:
        yield from ((wire, client) for wire in _on_stream(bytes(inner.data), skipped))


def _on_stream(data: bytes, skipped: Counter[str]) -> Iterator[bytes]:
    """Whole messages at the start of a segment."""
    while data:
        length = int.from_bytes(data[:2], "big")
        if length < 12 or len(data) < 2 + length:
            skipped["parts of messages on streams"] += 1
            return
        yield data[2 : 2 + length]
        data = data[2 + length :]
