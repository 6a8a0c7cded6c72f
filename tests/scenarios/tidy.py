"""Repairs replies only the resolver they were written for would accept.

Many testbound files leave out AA on authoritative replies, or put a signature
into another section than the set it covers. Neither is what they test.
"""

from __future__ import annotations

import dns.rdata
import dns.rdatatype

from tests.scenarios.script import Packet, Record, Scenario

# scenarios that are about exactly these oddities
LEAVE_ALONE = ("lame", "noaa", "fwd", "auth_", "nottl", "scrub")
PLACES = ("ANSWER", "AUTHORITY", "ADDITIONAL")


def tidy(scn: Scenario) -> None:
    if scn.dialect != "testbound" or any(w in scn.name for w in LEAVE_ALONE):
        return
    for rng in scn.ranges:
        for entry in rng.entries:
            for pkt in entry.packets:
                if pkt.raw is None:
                    move_signatures(pkt)
                    set_aa(pkt)


def set_aa(pkt: Packet) -> None:
    """An answer, or a denial with SOA, comes from a zone's own server (unless RA is set)."""
    content = pkt.sections["ANSWER"] or any(
        r.rdtype == dns.rdatatype.SOA for r in pkt.sections["AUTHORITY"]
    )
    if content and not pkt.flags & 0x0080:
        pkt.flags |= 0x0400


def covered(rec: Record) -> int | None:
    if rec.rdtype != dns.rdatatype.RRSIG or rec.rdata is None:
        return None
    if isinstance(rec.rdata, dns.rdata.GenericRdata):
        return int.from_bytes(rec.rdata.data[:2], "big")
    return int(rec.rdata.type_covered)


def move_signatures(pkt: Packet) -> None:
    for place in PLACES:
        for rec in list(pkt.sections[place]):
            kind = covered(rec)
            if kind is None:
                continue
            homes = [
                p
                for p in PLACES
                if any(r.rdtype == kind and r.owner == rec.owner for r in pkt.sections[p])
            ]
            if homes and place not in homes:
                pkt.sections[place].remove(rec)
                pkt.sections[homes[0]].append(rec)
