"""A message as dnspython reads it, in the tuples of the native contract: the second opinion.

Rdata is compared in lower case and as sets: dnspython takes two records that differ in the letter
case of a name for one, and the native reader does not.
"""

from typing import TYPE_CHECKING, NamedTuple

import dns.exception
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from resolver._native import MessageTuple, RRsetTuple

OPAQUE_THERE = {3, 4, 7, 8, 9, 14, 24, 26, 30, 38}
"""Types whose names the native reader uncompresses and dnspython may not know."""

DO = 0x8000


class View(NamedTuple):
    """What both readers must agree on."""

    rcode: int
    authoritative: bool
    truncated: bool
    recursive: bool
    question: tuple[bytes, int] | None
    sections: tuple[dict[tuple[bytes, int], tuple[int, frozenset[bytes], frozenset[bytes]]], ...]
    edns: tuple[int, int, bool, tuple[int, ...]] | None


def of_native(message: "MessageTuple") -> View:
    """The view of what ``parse_message`` gave."""
    rcode, authoritative, truncated, recursive, question = message[:5]
    sections, edns = message[5:8], message[8]
    assert all(len({s[:2] for s in section}) == len(section) for section in sections)
    return View(
        rcode,
        authoritative,
        truncated,
        recursive,
        question,
        tuple({(s[0], s[1]): _facts(s) for s in section} for section in sections),
        edns and (*edns[:3], tuple(code for code, _ in edns[3])),
    )


def _facts(rrset: "RRsetTuple") -> tuple[int, frozenset[bytes], frozenset[bytes]]:
    _, _, ttl, rdatas, signatures = rrset
    return ttl, _lower(rdatas), _lower(signatures)


def _lower(rdatas: tuple[bytes, ...] | list[bytes]) -> frozenset[bytes]:
    return frozenset(rdata.lower() for rdata in rdatas)


def of_wire(wire: bytes) -> View | None:
    """The view of dnspython; ``None`` when it cannot read it or the two are not comparable."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
        return of_dnspython(message)
    except (dns.exception.DNSException, ValueError):
        return None


def of_dnspython(message: dns.message.Message) -> View | None:
    """The view of a message that dnspython has read."""
    sections = message.sections[1:4]
    if len(message.question) > 1 or any(not _comparable(s) for s in message.sections[:4]):
        return None
    question = None
    if message.question:
        first = message.question[0]
        question = ((first.name.to_wire() or b"").lower(), int(first.rdtype))
    edns = None
    if message.edns >= 0:
        codes = tuple(int(option.otype) for option in message.options)
        edns = (message.payload, message.edns, bool(message.ednsflags & DO), codes)
    return View(
        int(message.rcode()),
        bool(message.flags & 0x0400),
        bool(message.flags & 0x0200),
        bool(message.flags & 0x0080),
        question,
        tuple(_section(section) for section in sections),
        edns,
    )


def _comparable(section: list[dns.rrset.RRset]) -> bool:
    return all(
        rrset.rdclass == dns.rdataclass.IN and int(rrset.rdtype) not in OPAQUE_THERE
        for rrset in section
    )


def _section(
    rrsets: list[dns.rrset.RRset],
) -> dict[tuple[bytes, int], tuple[int, frozenset[bytes], frozenset[bytes]]]:
    out: dict[tuple[bytes, int], tuple[int, frozenset[bytes], frozenset[bytes]]] = {}
    signatures = [rrset for rrset in rrsets if rrset.rdtype == dns.rdatatype.RRSIG]
    for rrset in rrsets:
        if rrset.rdtype != dns.rdatatype.RRSIG:
            out[_key(rrset, rrset.rdtype)] = (int(rrset.ttl), _rdatas(rrset), frozenset())
    for rrset in signatures:
        covered = out.get(_key(rrset, rrset.covers))
        if covered and rrset.covers != dns.rdatatype.RRSIG:
            ttl, rdatas, _ = covered
            key = _key(rrset, rrset.covers)
            out[key] = (min(ttl, int(rrset.ttl)), rdatas, _rdatas(rrset))
        else:
            key = _key(rrset, dns.rdatatype.RRSIG)
            ttl, rdatas, _ = out.get(key, (int(rrset.ttl), frozenset(), frozenset()))
            out[key] = (min(ttl, int(rrset.ttl)), rdatas | _rdatas(rrset), frozenset())
    return out


def _key(rrset: dns.rrset.RRset, rdtype: int) -> tuple[bytes, int]:
    return (rrset.name.to_wire() or b"").lower(), int(rdtype)


def _rdatas(rrset: dns.rrset.RRset) -> frozenset[bytes]:
    return _lower([rdata.to_wire() or b"" for rdata in rrset])
