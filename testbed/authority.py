"""An authoritative name server's mind: one question in, one reply out, on dnslib's codec.

RFC 1034 section 4.3.2 through :func:`testbed.zones.lookup`, referrals with glue, SOA in negative
answers (RFC 2308 section 3), EDNS (RFC 6891), truncation (RFC 2181 section 9), and the faults of
:class:`testbed.model.Fault`. Silence is ``None``. Packed replies are kept, since a load test asks
the same thing often: ID, RD bit and the letters of the question are put in per question.

Limitations: class IN, opcode QUERY; ``ANY`` and transfers are refused.
"""

import struct
from dataclasses import dataclass
from typing import Final

import dnslib
from dnslib import EDNS0, QTYPE, RR, DNSHeader, DNSLabel, DNSQuestion, DNSRecord

from testbed.model import Fault, Server, World
from testbed.zones import (
    FORMERR,
    NOERROR,
    NOTIMP,
    REFUSED,
    SERVFAIL,
    End,
    RRset,
    Zone,
    ancestors,
    is_subdomain,
    lookup,
    parent,
)

UDP_PAYLOAD: Final = 1232  # what we say and obey; the common default since DNS flag day 2020
PLAIN_UDP_MAX: Final = 512  # RFC 1035 section 4.2.1
REPLIES_KEPT: Final = 50_000  # about 20 MB; a full store is emptied
HEADER: Final = 12
DNAME: Final = 39
ANY: Final = 255
TRANSFERS: Final = (251, 252)
BADVERS: Final = 16


@dataclass(frozen=True, slots=True)
class Query:
    """The parts of a question that change the reply."""

    name: str  # lower case, final dot
    qtype: int
    qclass: int
    edns: bool
    version: int
    do: bool
    limit: int  # octets that the reply may have

    @property
    def rtype(self) -> str:
        """Mnemonic of the type."""
        return type_text(self.qtype)


@dataclass(frozen=True, slots=True)
class Reply:
    """Wire form of a reply, and the question it was read as."""

    wire: bytes
    query: Query


def type_text(qtype: int) -> str:
    """Mnemonic of a type, ``TYPE65280`` if it has none."""
    if qtype == DNAME:
        return "DNAME"
    return str(QTYPE.forward.get(qtype, f"TYPE{qtype}"))


def question_text(wire: bytes) -> tuple[str, str]:
    """Name and type that a message asks for, for logs; two empty texts when unreadable."""
    at, labels = HEADER, []
    try:
        while length := wire[at]:
            labels.append(wire[at + 1 : at + 1 + length].decode("ascii"))
            at += 1 + length
        (qtype,) = struct.unpack_from("!H", wire, at + 1)
    except (IndexError, UnicodeDecodeError, struct.error):
        return "", ""
    return ".".join(labels).lower() + ".", type_text(qtype)


class Authority:
    """All servers of a world in one mind; each call says which of them is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._replies: dict[tuple[str, Query], bytes] = {}

    def forget(self) -> None:
        """The zones have been changed: replies are made anew."""
        self._replies.clear()

    def answer(self, server: Server, wire: bytes, stream: bool) -> Reply | None:
        """The reply of one server to one message; ``None``: it stays silent.

        Messages that are no question at all are not answered, as a response could start a loop.
        """
        if len(wire) < HEADER or wire[2] & 0x80:
            return None
        try:
            query, name_end = _read(wire, stream)
        except (ValueError, struct.error, IndexError, UnicodeDecodeError):
            return Reply(_header_only(wire, FORMERR), _NOTHING)
        if server.fault is Fault.DEAD:
            return None
        if wire[2] & 0x78:
            return Reply(_header_only(wire, NOTIMP), query)
        key = (server.address, query)
        packed = self._replies.get(key)
        if packed is None:
            packed = self._compose(server, query)
            if len(self._replies) >= REPLIES_KEPT:
                self._replies.clear()
            self._replies[key] = packed
        flags = packed[2] | (wire[2] & 1)
        asked = packed if server.fault is Fault.CASE else wire
        return Reply(
            wire[:2]
            + bytes((flags,))
            + packed[3:HEADER]
            + asked[HEADER:name_end]
            + packed[name_end:],
            query,
        )

    def _compose(self, server: Server, query: Query) -> bytes:
        record = DNSRecord(
            DNSHeader(id=0, bitmap=0, qr=1),
            q=DNSQuestion(DNSLabel(query.name), query.qtype, query.qclass),
        )
        if query.edns and server.fault is Fault.NO_EDNS:
            record.header.rcode = FORMERR
            return bytes(record.pack())
        if query.edns and query.version > 0:
            _add_edns(record, query, BADVERS >> 4)
            return bytes(record.pack())
        self._fill(record, server, query)
        if query.edns:
            _add_edns(record, query, 0)
        packed = bytes(record.pack())
        if len(packed) > query.limit:
            record.rr, record.auth, record.ar = [], [], []
            record.header.tc = 1
            if query.edns:
                _add_edns(record, query, 0)
            packed = bytes(record.pack())
        return packed

    def _fill(self, record: DNSRecord, server: Server, query: Query) -> None:
        if server.fault is Fault.SERVFAIL:
            record.header.rcode = SERVFAIL
            return
        if server.fault is Fault.UPWARD:
            root = self.world.zones["."]
            record.add_auth(*_records(root.records["."]["NS"]))
            return
        zone = self._zone(server, query.name, query.rtype)
        unfit = query.qclass != 1 or query.qtype == ANY or query.qtype in TRANSFERS
        if server.fault is Fault.REFUSED or zone is None or unfit:
            record.header.rcode = REFUSED
            return
        found = lookup(zone, query.name, query.rtype)
        record.header.rcode = found.rcode
        record.header.aa = int(found.end is not End.REFERRAL or bool(found.answer))
        if server.fault is Fault.NON_AUTHORITATIVE:
            record.header.aa, record.header.ra = 0, 1
        for rrset in found.answer:
            record.add_answer(*_records(rrset))
        if found.end is End.REFERRAL and found.cut is not None:
            record.add_auth(*_records(found.cut))
            for rrset in _glue(zone, found.cut):
                record.add_ar(*_records(rrset))
        elif found.end is End.ANSWER and found.answer[-1].rtype == "NS":
            # A priming response carries the root servers' addresses (RFC 9609 section 4.2).
            for rrset in _glue(zone, found.answer[-1]):
                record.add_ar(*_records(rrset))
        elif found.end in (End.NODATA, End.NXDOMAIN):
            record.add_auth(*_records(_negative(zone)))

    def _zone(self, server: Server, name: str, rtype: str) -> Zone | None:
        """The deepest zone on the server above the name; for DS the parent's, if it is here."""
        above = ancestors(name)
        if rtype == "DS" and name in server.zones and name != ".":
            higher = next((z for z in ancestors(parent(name)) if z in server.zones), None)
            above = [higher] if higher else above
        return next((self.world.zones[at] for at in above if at in server.zones), None)


_NOTHING: Final = Query("", 0, 0, False, 0, False, PLAIN_UDP_MAX)


def _read(wire: bytes, stream: bool) -> tuple[Query, int]:
    """Read header, question and OPT by hand: dnslib takes 100 µs for it.

    Raises ``ValueError`` and kin when the message is not one plain question.
    """
    questions, answers, authorities, additionals = struct.unpack_from("!HHHH", wire, 4)
    if questions != 1 or answers or authorities:
        raise ValueError("not one question")
    at, labels = HEADER, []
    while length := wire[at]:
        if length > 63:
            raise ValueError("compressed question")
        label = wire[at + 1 : at + 1 + length].decode("ascii")
        labels.append(label.replace(".", "\\."))
        at += 1 + length
    name_end = at + 1
    qtype, qclass = struct.unpack_from("!HH", wire, name_end)
    at = name_end + 4
    edns, version, do, payload = False, 0, False, PLAIN_UDP_MAX
    for _ in range(additionals):
        if wire[at]:
            raise ValueError("additional record that is not OPT")
        rtype, size, ttl, length = struct.unpack_from("!HHIH", wire, at + 1)
        at += 11 + length
        if rtype != QTYPE.OPT or edns or at > len(wire):
            raise ValueError("additional record that is not one OPT")
        edns, version, do = True, ttl >> 16 & 0xFF, bool(ttl & 0x8000)
        payload = max(PLAIN_UDP_MAX, min(size, UDP_PAYLOAD))
    limit = 65535 if stream else payload
    name = ".".join(labels).lower() + "."
    return Query(name, qtype, qclass, edns, version, do, limit), name_end


def _header_only(wire: bytes, rcode: int) -> bytes:
    return wire[:2] + bytes((0x80 | wire[2] & 0x79, rcode)) + bytes(8)


def _add_edns(record: DNSRecord, query: Query, extended: int) -> None:
    flags = "do" if query.do else ""
    record.add_ar(EDNS0(flags=flags, udp_len=UDP_PAYLOAD, ext_rcode=extended))


def _negative(zone: Zone) -> RRset:
    """The SOA with the TTL of the negative answer: the least of its TTL and minimum (RFC 2308)."""
    soa = zone.soa()
    ttl = min(soa.ttl, int(soa.rdatas[0].rsplit(" ", 1)[1]))
    return RRset(soa.name, "SOA", ttl, soa.rdatas)


def _glue(zone: Zone, cut: RRset) -> list[RRset]:
    """Addresses that the zone has for a delegation's name servers, glue or its own data."""
    out = []
    for ns in cut.rdatas:
        if is_subdomain(ns, zone.name):
            out += [r for rtype in ("A", "AAAA") if (r := zone.get(ns, rtype)) is not None]
    return out


def _records(rrset: RRset) -> list[RR]:
    rtype = DNAME if rrset.rtype == "DNAME" else QTYPE.reverse[rrset.rtype]
    name = DNSLabel(rrset.name)
    return [RR(name, rtype, 1, rrset.ttl, _rdata(rrset.rtype, text)) for text in rrset.rdatas]


def _rdata(rtype: str, text: str) -> dnslib.RD:
    """dnslib's rdata from presentation form, for the types that worlds have."""
    parts = text.split(" ")
    match rtype:
        case "A":
            return dnslib.A(text)
        case "AAAA":
            return dnslib.AAAA(text)
        case "NS":
            return dnslib.NS(text)
        case "CNAME":
            return dnslib.CNAME(text)
        case "DNAME":
            # dnslib knows no DNAME; its target is not compressed (RFC 6672 section 2.5).
            return dnslib.RD(_wire_name(text))
        case "MX":
            return dnslib.MX(parts[1], int(parts[0]))
        case "SRV":
            return dnslib.SRV(int(parts[0]), int(parts[1]), int(parts[2]), parts[3])
        case "TXT":
            return dnslib.TXT(text.strip('"').encode())
        case "SOA":
            return dnslib.SOA(parts[0], parts[1], tuple(int(part) for part in parts[2:]))
        case _:
            raise ValueError(f"no rdata writer for {rtype}")


def _wire_name(name: str) -> bytes:
    return b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")[:-1]) + b"\0"


__all__ = ["NOERROR", "Authority", "Query", "Reply", "question_text", "type_text"]
