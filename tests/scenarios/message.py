"""Wire form of scenario packets, and comparison of messages with entries."""

from __future__ import annotations

import io
import struct
from typing import Any

import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype

from tests.scenarios import wire as wires
from tests.scenarios.script import SECTIONS, Entry, Packet, Record
from tests.scenarios.wire import RR, Message

EDE_CODE = 15
COOKIE_CODE = 10
DO_BIT = 0x8000
CO_BIT = 0x4000
HEADER_MASK = 0x87F0  # everything in the flag word but opcode and rcode


class Mismatch(Exception):
    """A message differs from what an entry expects."""


def render(
    pkt: Packet, qid: int, question: list[Record] | None, edns: dict[str, Any] | None
) -> bytes:
    """Build the wire form; question replaces the packet's own when given."""
    out = io.BytesIO()
    ext_rcode = pkt.rcode >> 4
    flags = (pkt.flags & HEADER_MASK) | (pkt.opcode << 11) | (pkt.rcode & 15)
    if question is None:
        question = pkt.question
    rest = [pkt.sections[s] for s in SECTIONS[1:]]
    with_opt = edns is not None
    out.write(
        struct.pack(
            "!HHHHHH",
            qid,
            flags,
            len(question),
            len(rest[0]),
            len(rest[1]),
            len(rest[2]) + int(with_opt),
        )
    )
    names: dict[Any, int] = {}
    for q in question:
        q.owner.to_wire(out, names)
        out.write(struct.pack("!HH", q.rdtype, q.rdclass))
    for section in rest:
        for rec in section:
            rec.owner.to_wire(out, names)
            out.write(struct.pack("!HHI", rec.rdtype, rec.rdclass, rec.ttl & 0xFFFFFFFF))
            at = out.tell()
            out.write(b"\0\0")
            if rec.rdata is not None:
                rec.rdata.to_wire(out, names, dns.name.root)
            end = out.tell()
            out.seek(at)
            out.write(struct.pack("!H", end - at - 2))
            out.seek(end)
    if edns is not None:
        options = edns.get("options") or b""
        ttl = (ext_rcode << 24) | (edns.get("version", 0) << 16) | edns.get("flags", 0)
        out.write(
            b"\0"
            + struct.pack("!HHIH", dns.rdatatype.OPT, edns.get("payload", 4096), ttl, len(options))
            + options
        )
    return out.getvalue()


def query_edns(pkt: Packet, dialect: str) -> dict[str, Any] | None:
    """EDNS for a packet sent as a client query."""
    flags = (DO_BIT if pkt.want_do else 0) | (CO_BIT if pkt.want_co else 0)
    if flags or pkt.edns_options is not None or dialect == "deckard":
        return {"payload": 4096, "flags": flags, "options": pkt.edns_options}
    return None


def reply_edns(pkt: Packet, query: Message, dialect: str) -> dict[str, Any] | None:
    """EDNS for a scripted upstream reply: mirror the query, as real servers do.

    Servers that answer FORMERR or NOTIMP to an EDNS query do not echo OPT.
    """
    flags = (DO_BIT if pkt.want_do else 0) | (CO_BIT if pkt.want_co else 0)
    if pkt.edns_options is not None or flags or pkt.rcode > 15:
        return {"payload": 4096, "flags": flags, "options": pkt.edns_options}
    if not query.edns:
        return None
    if dialect == "testbound" and pkt.rcode in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
        return None
    return {"payload": 4096, "flags": query.edns_flags, "options": None}


# ---- comparison ---------------------------------------------------------------

TTL_SLACK = 2  # seconds that may have gone by in real time

Key = tuple[str, int, int, bytes]
Keys = list[tuple[Key, int]]  # with TTLs


def packet_keys(pkt: Packet, section: str) -> list[tuple[Key, int]]:
    out = []
    for rec in pkt.sections[section]:
        raw = b"" if rec.rdata is None else rec.rdata.to_wire(origin=dns.name.root) or b""
        data = wires.canonical_data(raw, 0, len(raw), rec.rdtype)
        out.append(((rec.owner.canonicalize().to_text(), rec.rdclass, rec.rdtype, data), rec.ttl))
    return sorted(out)


def message_keys(section: list[RR]) -> list[tuple[Key, int]]:
    return sorted(
        ((rr.name.canonicalize().to_text(), rr.rdclass, rr.rdtype, rr.data), rr.ttl)
        for rr in section
    )


def compare_section(
    name: str, want: list[tuple[Key, int]], got: list[tuple[Key, int]], with_ttl: bool, once: bool
) -> None:
    a, b = [k for k, _ in want], [k for k, _ in got]
    if once:
        a, b = sorted(set(a)), sorted(set(b))
    if a != b:
        missing, extra = [k for k in a if k not in b], [k for k in b if k not in a]
        raise Mismatch(f"{name}: missing {show_keys(missing)} unexpected {show_keys(extra)}")
    if with_ttl:
        for (key, exp), (_, ttl) in zip(want, got, strict=False):
            if not exp - TTL_SLACK <= ttl <= exp:
                raise Mismatch(f"{name}: TTL of {show_keys([key])} expected {exp} got {ttl}")


def show_keys(keys: list[Key]) -> str:
    return "[" + "; ".join(f"{k[0]} {dns.rdatatype.to_text(k[2])}" for k in keys) + "]"


def flag_text(flags: int) -> str:
    return dns.flags.to_text(flags & HEADER_MASK) or "-"


def check_question_part(entry: Entry, msg: Message, parts: set[str]) -> None:
    want, got = entry.packet.question, msg.question
    if not want:
        if got and "question" in parts:
            raise Mismatch("question: expected none")
        return
    if not got:
        if parts & {"qname", "qtype", "question"}:
            raise Mismatch("question: empty")
        return
    w, g = want[0], got[0]
    if parts & {"qname", "question"} and w.owner != g.name:
        raise Mismatch(f"qname: expected {w.owner} got {g.name}")
    if parts & {"qtype", "question"} and w.rdtype != g.rdtype:
        raise Mismatch(
            f"qtype: expected {dns.rdatatype.to_text(w.rdtype)} "
            f"got {dns.rdatatype.to_text(g.rdtype)}"
        )
    if "question" in parts and w.rdclass != g.rdclass:
        raise Mismatch("qclass differs")
    if "qcase" in parts and w.owner.labels != g.name.labels:
        raise Mismatch(f"qname case: expected {w.owner} got {g.name}")
    if "subdomain" in parts and not g.name.is_subdomain(w.owner):
        raise Mismatch(f"{g.name} is not below {w.owner}")


def without_ns(keys: list[tuple[Key, int]]) -> list[tuple[Key, int]]:
    """Leave out NS sets and their signatures: a resolver may answer without them."""
    ns = struct.pack("!H", dns.rdatatype.NS)
    return [
        (k, t)
        for k, t in keys
        if k[2] != dns.rdatatype.NS and not (k[2] == dns.rdatatype.RRSIG and k[3][:2] == ns)
    ]


def check(
    entry: Entry, msg: Message, dialect: str, transport: str = "udp", relaxed: bool = False
) -> None:
    """Raise Mismatch unless msg satisfies every MATCH word of the entry."""
    want = set(entry.match)
    pkt = entry.packet
    ttl = "ttl" in want
    everything = False
    if "all" in want or "all_noedns" in want:
        everything = True
        want |= {"opcode", "flags", "rcode", "answer", "authority", "additional"}
        want |= {"question"} if dialect == "testbound" else {"qname", "qtype"}
    if dialect == "deckard" and "question" in want:
        want |= {"qname", "qtype"}
        want.discard("question")
    if dialect == "testbound" and "question" in want and not pkt.question and not everything:
        want.discard("question")

    if "opcode" in want and msg.opcode != pkt.opcode:
        raise Mismatch(f"opcode: expected {pkt.opcode} got {msg.opcode}")
    check_question_part(entry, msg, want & {"qname", "qtype", "question", "qcase", "subdomain"})
    if "flags" in want and (msg.flags ^ pkt.flags) & HEADER_MASK:
        raise Mismatch(f"flags: expected {flag_text(pkt.flags)} got {flag_text(msg.flags)}")
    # testbound looks at the four bits in the header only
    got_rcode = msg.rcode & 15 if dialect == "testbound" and pkt.rcode < 16 else msg.rcode
    if "rcode" in want and got_rcode != pkt.rcode:
        raise Mismatch(
            f"rcode: expected {dns.rcode.to_text(pkt.rcode)} got {dns.rcode.to_text(msg.rcode)}"
        )
    for section in SECTIONS[1:]:
        if section.lower() in want:
            a, b = packet_keys(pkt, section), message_keys(getattr(msg, section.lower()))
            if relaxed and section == "ADDITIONAL":
                continue
            if relaxed and section == "AUTHORITY":
                a, b = without_ns(a), without_ns(b)
            compare_section(section.lower(), a, b, ttl, dialect == "deckard")
    if "answertypes" in want or "answerrrsigs" in want:
        skip = set() if "answerrrsigs" in want else {int(dns.rdatatype.RRSIG)}
        if {r.rdtype for r in pkt.sections["ANSWER"]} - skip != {
            rr.rdtype for rr in msg.answer
        } - skip:
            raise Mismatch("answer types differ")
    check_edns(entry, msg, dialect, everything and "all_noedns" not in entry.match)
    if ("UDP" in want and transport != "udp") or ("TCP" in want and transport != "tcp"):
        raise Mismatch(f"transport is {transport}")
    if "serial" in entry.match_args:
        serials = [
            struct.unpack_from("!I", rr.data, len(rr.data) - 20)[0]
            for rr in msg.authority
            if rr.rdtype == dns.rdatatype.SOA
        ]
        if int(entry.match_args["serial"]) not in serials:
            raise Mismatch("serial differs")


def check_edns(entry: Entry, msg: Message, dialect: str, strict: bool) -> None:
    want, pkt = entry.match, entry.packet
    options = list(msg.options)
    if "ede" in want:
        codes = [int(data[:2].hex() or "0", 16) for code, data in options if code == EDE_CODE]
        arg = entry.match_args.get("ede", "any")
        if not codes:
            raise Mismatch(f"EDE: expected {arg} got none")
        if arg != "any" and int(arg) not in codes:
            raise Mismatch(f"EDE: expected {arg} got {codes}")
        options = [o for o in options if o[0] != EDE_CODE]
    for word, size in (("client_cookie", 8), ("server_cookie", 24)):
        if word in want:
            sizes = [len(data) for code, data in options if code == COOKIE_CODE]
            if size not in sizes:
                raise Mismatch(f"cookie: expected {size} octets got {sizes}")
            options = [o for o in options if o[0] != COOKIE_CODE]
    if "DO" in want and not msg.edns_flags & DO_BIT:
        raise Mismatch("DO bit absent")
    if "CO" in want and not msg.edns_flags & CO_BIT:
        raise Mismatch("CO bit absent")
    if "noedns" in want and msg.edns:
        raise Mismatch("OPT present")
    if "edns" in want and (not msg.edns or msg.edns_version or msg.payload != 4096):
        raise Mismatch(f"EDNS: present {msg.edns} payload {msg.payload}")
    if "ednsdata" in want:
        wire = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
        if wire != (pkt.edns_options or b""):
            raise Mismatch(
                f"EDNS options: expected {(pkt.edns_options or b'').hex()} got {wire.hex()}"
            )
    if strict and dialect == "testbound" and "ede" not in want:
        has = msg.edns
        should = pkt.want_do or pkt.want_co or pkt.edns_options is not None
        if has != should:
            raise Mismatch(f"OPT record: expected {should} got {has}")
        if has and "ednsdata" not in want and pkt.want_do != bool(msg.edns_flags & DO_BIT):
            raise Mismatch("DO bit differs")


def matches(entry: Entry, msg: Message, dialect: str, transport: str) -> bool:
    try:
        check(entry, msg, dialect, transport)
    except Mismatch:
        return False
    return True


def build_reply(entry: Entry, pkt: Packet, query: Message, dialect: str) -> bytes:
    """Scripted reply for an upstream query, adjusted as the entry says."""
    # testbound does not look at message IDs, so its files often leave copy_id out
    copy = dialect == "testbound" or bool(entry.adjust & {"copy_id", "copy_query"})
    qid = query.id if copy else 0
    if pkt.raw is not None:
        raw = bytearray(pkt.raw)
        if len(raw) >= 2 and ("raw_id" in entry.adjust or dialect == "testbound"):
            raw[:2] = struct.pack("!H", query.id)
        return bytes(raw)
    question = [Record(q.owner, q.rdclass, q.rdtype) for q in pkt.question]
    if query.question:
        asked = query.question[0]
        if "copy_query" in entry.adjust:
            question = [Record(asked.name, asked.rdclass, asked.rdtype)]
        elif question and (dialect == "deckard" or question[0].owner == asked.name):
            # keep the letter case the resolver used
            question[0].owner = asked.name
    edns = reply_edns(pkt, query, dialect)
    if edns and "copy_ednsdata_assume_clientsubnet" in entry.adjust:
        edns["options"] = subnet_reply(query, "increment_ecs_scope" in entry.adjust)
    return render(pkt, qid, question, edns)


def subnet_reply(query: Message, bump: bool) -> bytes | None:
    """ECS option of the query with the scope set to the source prefix length."""
    for code, blob in query.options:
        if code == 8:
            data = bytearray(blob)
            if len(data) >= 4:
                data[3] = min(255, data[2] + int(bump))
            return struct.pack("!HH", 8, len(data)) + bytes(data)
    return None
