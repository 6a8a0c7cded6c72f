"""Whether a version of a zone may be used: consistency, size, ZONEMD, signatures.

RFC 8976 (ZONEMD: scheme SIMPLE, SHA-384 and SHA-512), RFC 4035 section 2.2 (what must be signed),
RFC 4034 sections 3 and 6, RFC 1982 (serials). The digest is made from the copy's octets; signatures
are checked by dnspython.

Limitations: blocks (callers run it in a thread). In a zone of more than
``MIRROR_SIGNATURES_MAX`` records whose signed digest covers everything only the apex is checked.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
from dns.node import Node
from dns.rdtypes.ANY.DS import DS

from resolver import limits
from resolver.mirrors.copy import Kind, Sets, ZoneCopy
from resolver.mirrors.intake import rdataset_of
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.wanted import Terms
from resolver.model import Type
from resolver.names import Name, is_subdomain, lower, to_text

ZONEMD = 63
_SIMPLE = 1
_HASHES: dict[int, Callable[[], "hashlib._Hash"]] = {1: hashlib.sha384, 2: hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found: the words of ``inland control status``."""

    zonemd: str = "unchecked"  # verified, absent, unsupported, unchecked
    signatures: str = "unchecked"  # verified, apex, unsigned, no anchor, unchecked


def newer(ours: int, theirs: int) -> bool:
    """Whether ``theirs`` is the later serial (RFC 1982 section 3.2)."""
    return 0 < (theirs - ours) % (1 << 32) < 1 << 31


def check(
    copy: ZoneCopy, before: ZoneCopy | None, terms: Terms, wall: float, forced: bool = False
) -> Checks:
    """Check a version against the one in use. ``forced``: the operator takes a smaller one.

    Raises:
        Refused: it must not be used.
    """
    if terms.public and (Type.NS, 0) not in copy.sets(copy.apex):
        raise Refused(Why.CONSISTENCY, "no NS at the apex")
    if before is not None:
        if terms.public and newer(copy.serial, before.serial):
            raise Refused(Why.SERIAL, f"serial {copy.serial} is older than our {before.serial}")
        least = before.records * (100 - terms.shrink_max) / 100
        if copy.records < least and not forced:
            raise Refused(
                Why.SHRINK,
                f"shrinks from {before.records:,} records to {copy.records:,}, by more than "
                f"{terms.shrink_max} %",
            )
    zonemd = _zonemd(copy, terms.zonemd)
    return Checks(zonemd, _signatures(copy, terms, zonemd == "verified", wall))


# --- ZONEMD ----------------------------------------------------------------------------------


def _zonemd(copy: ZoneCopy, mode: str) -> str:
    if mode == "off":
        return "unchecked"
    found = copy.sets(copy.apex).get((ZONEMD, 0))
    if found is None:
        if mode == "require":
            raise Refused(Why.ZONEMD, "no ZONEMD record")
        return "absent"
    usable: dict[tuple[int, int], list[bytes]] = {}
    for rdata in found[1]:
        serial, scheme, algorithm = struct.unpack_from("!IBB", rdata)
        if serial == copy.serial and scheme == _SIMPLE and algorithm in _HASHES:
            usable.setdefault((scheme, algorithm), []).append(rdata[6:])
    for (_, algorithm), digests in usable.items():
        # RFC 8976 section 2.2.4: of one scheme and algorithm there is but one.
        if len(digests) == 1 and digest(copy, _HASHES[algorithm]()) == digests[0]:
            return "verified"
    if usable:
        raise Refused(Why.ZONEMD, "the zone's digest is not what ZONEMD says")
    if any(int.from_bytes(rdata[:4]) != copy.serial for rdata in found[1]):
        raise Refused(Why.ZONEMD, "ZONEMD is of another serial")
    if mode == "require":
        raise Refused(Why.ZONEMD, "ZONEMD is of a kind that is not supported")
    return "unsupported"


def digest(copy: ZoneCopy, hasher: "hashlib._Hash") -> bytes:
    """The SIMPLE digest (RFC 8976 section 3.3.1)."""
    for name, sets in copy.walk():
        for (rtype, covers), (ttl, rdatas) in sorted(sets.items()):
            if name == copy.apex and ZONEMD in (rtype, covers):
                continue
            fixed = name + struct.pack("!HHI", rtype, 1, ttl)
            for rdata in sorted({canonical(rtype, one) for one in rdatas}):
                hasher.update(fixed + len(rdata).to_bytes(2) + rdata)
    return hasher.digest()


def canonical(rtype: int, rdata: bytes) -> bytes:
    """Rdata with names in lower case where RFC 4034 section 6.2 wants it."""
    if rtype in _PLAIN:
        return rdata
    if rtype in (Type.NS, Type.CNAME, Type.DNAME, Type.PTR):
        return lower(rdata)
    if rtype == Type.RRSIG:
        end = 18
        while rdata[end]:
            end += 1 + rdata[end]
        return rdata[:18] + lower(rdata[18:end]) + rdata[end:]
    kind = dns.rdatatype.RdataType.make(rtype)
    parsed = dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata))
    out = parsed.to_digestable()
    assert isinstance(out, bytes)
    return out


_PLAIN = frozenset(
    {Type.A, Type.AAAA, Type.DS, Type.DNSKEY, Type.TXT, Type.NSEC, Type.NSEC3, Type.NSEC3PARAM}
)
"""Types without names, or whose names keep their case (RFC 6840 section 5.1)."""


# --- Signatures --------------------------------------------------------------------------------

_Keys = dict[dns.name.Name, Node | dns.rdataset.Rdataset]


def _signatures(copy: ZoneCopy, terms: Terms, digested: bool, wall: float) -> str:
    if terms.signatures == "off":
        return "unchecked"
    apex = copy.sets(copy.apex)
    if (Type.DNSKEY, 0) not in apex:
        if terms.signatures == "require" or terms.anchors:
            raise Refused(Why.SIGNATURES, "the zone is not signed")
        return "unsigned"
    if not terms.anchors:
        if terms.signatures == "require":
            raise Refused(Why.SIGNATURES, "nothing says which key of the zone is to be trusted")
        return "no anchor"
    keys = _trusted_keys(copy, apex, terms.anchors, wall)
    if digested and copy.records > limits.MIRROR_SIGNATURES_MAX:
        _validate(copy.apex, apex, [kind for kind in apex if kind[0] != Type.RRSIG], keys, wall)
        return "apex"
    cut: Name | None = None
    for name, sets in copy.walk():
        if cut is not None and name != cut and is_subdomain(name, cut):
            continue  # glue, or below a DNAME: not ours to sign
        cut = None
        kinds = [kind for kind in sets if kind[0] != Type.RRSIG]
        if name != copy.apex and (Type.NS, 0) in sets:
            cut = name
            kinds = [kind for kind in kinds if kind[0] in (Type.DS, Type.NSEC)]
        elif (Type.DNAME, 0) in sets:
            cut = name
        _validate(name, sets, kinds, keys, wall)
    return "verified"


def _trusted_keys(copy: ZoneCopy, apex: Sets, anchors: Sequence[str], wall: float) -> _Keys:
    """The zone's keys, signed by one that an anchor names (RFC 4035 section 5.2)."""
    owner = dns.name.from_wire(bytes(copy.apex), 0)[0]
    kind = (int(Type.DNSKEY), 0)
    keys = rdataset_of(kind, *apex[kind])
    trusted = dns.rdataset.Rdataset(keys.rdclass, keys.rdtype)
    for text in anchors:
        anchor = dns.rdata.from_text("IN", "DS", text)
        assert isinstance(anchor, DS)
        for key in keys:
            try:
                made = dns.dnssec.make_ds(owner, key, anchor.digest_type, validating=True)
            except (dns.exception.DNSException, ValueError):
                continue
            if made == anchor:
                trusted.add(key)
    if not len(trusted):
        raise Refused(Why.SIGNATURES, "none of the zone's keys is one that is trusted")
    _validate(copy.apex, apex, [kind], {owner: trusted}, wall)
    return {owner: keys}


def _validate(name: Name, sets: Sets, kinds: Sequence[Kind], keys: _Keys, wall: float) -> None:
    owner = dns.name.from_wire(bytes(name), 0)[0]
    for kind in kinds:
        signed = sets.get((int(Type.RRSIG), kind[0]))
        what = f"{to_text(name)} {dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind[0]))}"
        if signed is None:
            raise Refused(Why.SIGNATURES, f"{what} is not signed")
        signatures = rdataset_of((int(Type.RRSIG), kind[0]), *signed)
        try:
            dns.dnssec.validate(
                (owner, rdataset_of(kind, *sets[kind])), (owner, signatures), keys, None, wall
            )
        except dns.exception.DNSException as error:
            raise Refused(Why.SIGNATURES, f"{what}: {error}") from error
