"""Tolerant reader for DNS messages.

Scenarios send and expect data no strict library accepts (wrong lengths,
out-of-order parameters, class CH addresses), so records are kept as bytes
and only names inside well-known types are decompressed and lower-cased.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import dns.name
import dns.rdatatype

OPT = 41
# type -> number of names that follow a fixed number of octets, then a fixed tail
NAME_LAYOUT: dict[int, tuple[int, int]] = {
    2: (0, 1),
    3: (0, 1),
    4: (0, 1),
    5: (0, 1),
    6: (0, 2),
    7: (0, 1),
    8: (0, 1),
    9: (0, 1),
    12: (0, 1),
    14: (0, 2),
    15: (2, 1),
    17: (0, 2),
    18: (2, 1),
    21: (2, 1),
    24: (18, 1),
    26: (2, 2),
    33: (6, 1),
    36: (2, 1),
    39: (0, 1),
    47: (0, 1),
}


class BadMessage(ValueError):
    pass


@dataclass
class Question:
    name: dns.name.Name
    rdtype: int
    rdclass: int


@dataclass
class RR:
    name: dns.name.Name
    rdtype: int
    rdclass: int
    ttl: int
    data: bytes  # canonical form

    def text(self) -> str:
        return (
            f"{self.name} {self.ttl} {dns.rdatatype.to_text(self.rdtype)} "
            f"{self.data[:24].hex()}{'..' if len(self.data) > 24 else ''}"
        )


@dataclass
class Message:
    id: int
    flags: int
    question: list[Question] = field(default_factory=list)
    answer: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    additional: list[RR] = field(default_factory=list)
    edns: bool = False
    payload: int = 512
    edns_flags: int = 0
    edns_version: int = 0
    ext_rcode: int = 0
    options: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def opcode(self) -> int:
        return (self.flags >> 11) & 15

    @property
    def rcode(self) -> int:
        return (self.ext_rcode << 4) | (self.flags & 15)

    def text(self) -> str:
        out = [
            f"flags {self.flags:#06x} rcode {self.rcode} edns {self.edns} "
            f"options {[(c, d.hex()) for c, d in self.options]}"
        ]
        out += [f"? {q.name} {dns.rdatatype.to_text(q.rdtype)}" for q in self.question]
        for title in ("answer", "authority", "additional"):
            out += [f"{title}: {rr.text()}" for rr in getattr(self, title)]
        return "\n".join(out)


def read_name(wire: bytes, at: int) -> tuple[dns.name.Name, int]:
    labels: list[bytes] = []
    end, hops = None, 0
    while True:
        if at >= len(wire):
            raise BadMessage("name runs past the end")
        size = wire[at]
        if size == 0:
            at += 1
            break
        if size & 0xC0 == 0xC0:
            if at + 2 > len(wire):
                raise BadMessage("cut pointer")
            if end is None:
                end = at + 2
            at = ((size & 0x3F) << 8) | wire[at + 1]
            hops += 1
            if hops > 64:
                raise BadMessage("pointer loop")
            continue
        if size & 0xC0:
            raise BadMessage("bad label type")
        labels.append(wire[at + 1 : at + 1 + size])
        at += 1 + size
    try:
        name = dns.name.Name([*labels, b""])
    except Exception as exc:
        raise BadMessage(f"bad name: {exc}") from exc
    return name, end if end is not None else at


def canonical_data(wire: bytes, at: int, size: int, rdtype: int) -> bytes:
    raw = wire[at : at + size]
    layout = NAME_LAYOUT.get(rdtype)
    if layout is None:
        return raw
    fixed, names = layout
    try:
        out, pos = wire[at : at + fixed], at + fixed
        if pos > at + size:
            return raw
        if rdtype == 35:
            return raw
        for _ in range(names):
            name, pos = read_name(wire, pos)
            out += name.canonicalize().to_wire() or b""
        if pos > at + size:
            return raw
        return out + wire[pos : at + size]
    except BadMessage:
        return raw


def parse(wire: bytes) -> Message:
    if len(wire) < 12:
        raise BadMessage("short message")
    mid, flags, *counts = struct.unpack_from("!HHHHHH", wire)
    msg = Message(mid, flags)
    at = 12
    for _ in range(counts[0]):
        name, at = read_name(wire, at)
        if at + 4 > len(wire):
            raise BadMessage("cut question")
        rdtype, rdclass = struct.unpack_from("!HH", wire, at)
        at += 4
        msg.question.append(Question(name, rdtype, rdclass))
    for section, count in zip((msg.answer, msg.authority, msg.additional), counts[1:], strict=True):
        for _ in range(count):
            name, at = read_name(wire, at)
            if at + 10 > len(wire):
                raise BadMessage("cut record")
            rdtype, rdclass, ttl, size = struct.unpack_from("!HHIH", wire, at)
            at += 10
            if at + size > len(wire):
                raise BadMessage("record data runs past the end")
            if rdtype == OPT:
                msg.edns, msg.payload = True, rdclass
                msg.ext_rcode, msg.edns_version = ttl >> 24, (ttl >> 16) & 255
                msg.edns_flags = ttl & 0xFFFF
                msg.options = read_options(wire[at : at + size])
            else:
                section.append(
                    RR(name, rdtype, rdclass, ttl, canonical_data(wire, at, size, rdtype))
                )
            at += size
    return msg


def read_options(blob: bytes) -> list[tuple[int, bytes]]:
    out, at = [], 0
    while at + 4 <= len(blob):
        code, size = struct.unpack_from("!HH", blob, at)
        out.append((code, blob[at + 4 : at + 4 + size]))
        at += 4 + size
    return out


def response_header(query: bytes, msg: Message, flags: int) -> bytes:
    """A reply with the question of the query, no records, and OPT if it had one."""
    at = 12
    for _ in msg.question:
        _, at = read_name(query, at)
        at += 4
    out = (
        struct.pack(
            "!HHHHHH",
            msg.id,
            0x8000 | (msg.flags & 0x7910) | flags,
            len(msg.question),
            0,
            0,
            int(msg.edns),
        )
        + query[12:at]
    )
    if msg.edns:
        out += b"\0" + struct.pack("!HHIH", OPT, 4096, msg.edns_flags & 0x8000, 0)
    return out
