"""Reader for the records of scenario files, also for those that no strict parser accepts."""

from __future__ import annotations

import base64
import re
import struct

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from tests.scenarios.script import ParseError, Record, strip_comment

ALGORITHM_NAMES = {
    "RSAMD5": 1,
    "DH": 2,
    "DSA": 3,
    "ECC": 4,
    "RSASHA1": 5,
    "DSA-NSEC3-SHA1": 6,
    "DSANSEC3SHA1": 6,
    "NSEC3DSA": 6,
    "RSASHA1-NSEC3-SHA1": 7,
    "RSASHA1NSEC3SHA1": 7,
    "NSEC3RSASHA1": 7,
    "RSASHA256": 8,
    "RSASHA512": 10,
    "ECCGOST": 12,
    "ECDSAP256SHA256": 13,
    "ECDSAP384SHA384": 14,
    "ED25519": 15,
    "ED448": 16,
}


class RecordReader:
    """Records in presentation form, with the origin and the TTL that hold at their line."""

    def __init__(self) -> None:
        self.pos = 0
        self.origin = dns.name.root
        self.ttl = 3600

    def fail(self, what: str) -> ParseError:
        return ParseError(f"line {self.pos}: {what}")

    def record(self, line: str, question: bool) -> Record:
        parts = line.split(None, 1)
        owner = dns.name.from_text(parts[0], self.origin)
        rest = parts[1] if len(parts) > 1 else ""
        ttl, rdclass, rdtype = self.ttl, dns.rdataclass.IN, None
        seen_ttl = seen_class = False
        while rest:
            word, _, tail = rest.strip().replace("\t", " ").partition(" ")
            if not seen_ttl and re.fullmatch(r"\d+", word):
                ttl, seen_ttl, rest = int(word), True, tail
                continue
            if not seen_class:
                try:
                    rdclass = dns.rdataclass.from_text(word)
                    # ANY is a type as well; a class only when a type follows
                    if word.upper() != "ANY" or tail.strip():
                        seen_class, rest = True, tail
                        continue
                    rdclass = dns.rdataclass.IN
                except dns.exception.DNSException:
                    pass
            try:
                rdtype = dns.rdatatype.from_text(word)
            except dns.exception.DNSException as exc:
                raise self.fail(f"unknown type {word!r}") from exc
            rest = tail
            break
        if rdtype is None:
            raise self.fail("record without type")
        rec = Record(owner, int(rdclass), int(rdtype), ttl)
        if question:
            return rec
        text = strip_comment(rest.strip())
        if rdtype in (dns.rdatatype.DS, dns.rdatatype.DLV, dns.rdatatype.CDS):
            words = text.split()
            if len(words) > 1 and not words[1].isdigit():
                words[1] = str(ALGORITHM_NAMES.get(words[1].upper(), words[1]))
                text = " ".join(words)
        elif rdtype in (dns.rdatatype.RRSIG, dns.rdatatype.DNSKEY):
            words = text.split()
            at = 1 if rdtype == dns.rdatatype.RRSIG else 2
            if len(words) > at and not words[at].isdigit():
                words[at] = str(ALGORITHM_NAMES.get(words[at].upper(), words[at]))
                text = " ".join(words)
        rec.rdata = self.rdata(rdclass, rdtype, text)
        return rec

    def rdata(self, rdclass: int, rdtype: int, text: str) -> dns.rdata.Rdata:
        """Parse record data; data no strict parser accepts is kept as raw bytes."""
        if text.startswith("\\#"):
            words = text.split()
            return dns.rdata.GenericRdata(rdclass, rdtype, bytes.fromhex("".join(words[2:])))
        if not text:
            return dns.rdata.GenericRdata(rdclass, rdtype, b"")
        try:
            return dns.rdata.from_text(rdclass, rdtype, text, origin=self.origin, relativize=False)
        except (dns.exception.DNSException, ValueError, IndexError) as exc:
            why = exc
        try:
            wire = self.lenient_wire(rdtype, text)
        except (dns.exception.DNSException, ValueError, IndexError):
            wire = None
        if wire is None:
            raise self.fail(f"bad {dns.rdatatype.to_text(rdtype)} data: {why}") from why
        return dns.rdata.GenericRdata(rdclass, rdtype, wire)

    def lenient_wire(self, rdtype: int, text: str) -> bytes | None:
        words = text.split()
        if rdtype in (dns.rdatatype.DS, dns.rdatatype.DLV, dns.rdatatype.CDS):
            return struct.pack("!HBB", int(words[0]), int(words[1]), int(words[2])) + bytes.fromhex(
                "".join(words[3:])
            )
        if rdtype == dns.rdatatype.RRSIG and len(words) >= 8:
            # signature absent or not valid base64
            sig = "".join(words[8:]).rstrip("=")
            sig = sig[: len(sig) - len(sig) % 4]
            head = " ".join(words[:8]) + " AAAA"
            full = dns.rdata.from_text("IN", rdtype, head, origin=self.origin, relativize=False)
            head_wire = full.to_wire(origin=dns.name.root) or b""
            return head_wire[:-3] + base64.b64decode(sig)
        # same data in class IN (e.g. class CH addresses), or with trailing words cut
        for cut in range(len(words), 0, -1):
            try:
                rd = dns.rdata.from_text(
                    "IN", rdtype, " ".join(words[:cut]), origin=self.origin, relativize=False
                )
                return rd.to_wire(origin=dns.name.root)
            except (dns.exception.DNSException, ValueError, IndexError):
                continue
        return None
