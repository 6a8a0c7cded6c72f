"""Whether a version of a zone may be used: consistency, size, ZONEMD, signatures.

RFC 8976 (ZONEMD: scheme SIMPLE, SHA-384 and SHA-512), RFC 4035 section 2.2 (what must be signed),
RFC 4034 sections 3 and 6, RFC 4509 (DS), RFC 1982 (serials). Digest and signatures are checked
from the copy's octets, signatures in native and off the interpreter.

Limitations: blocks (callers run it in a thread). In a zone of more than
``MIRROR_SIGNATURES_MAX`` records whose signed digest covers everything only the apex is checked.
Of Ed448 keys nothing is believed.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.rdata
import dns.rdatatype

from resolver import limits, limits_verify
from resolver.mirrors.copy import Kind, Sets, ZoneCopy, rrset
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.wanted import Terms
from resolver.model import RRset, Type
from resolver.names import Name, is_subdomain, to_text
from resolver.signatures import Keys, key_tag, keys_of, tries
from resolver.verify import Claim, Outcome, canonical_rdata, settle

ZONEMD = 63
_SIMPLE = 1
_DNSKEY_FIXED = 4  # octets before the key (RFC 4034 section 2.1)
_ZONEMD_OCTETS_MIN = 18  # with the least digest (RFC 8976 section 2.2.4)
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
    if any(len(rdata) < _ZONEMD_OCTETS_MIN for rdata in found[1]):
        raise Refused(Why.ZONEMD, "a ZONEMD record is too short")
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
    return canonical_rdata(rtype, rdata)


_PLAIN = frozenset(
    {Type.A, Type.AAAA, Type.DS, Type.DNSKEY, Type.TXT, Type.NSEC, Type.NSEC3, Type.NSEC3PARAM}
)
"""Types without names, or whose names keep their case (RFC 6840 section 5.1)."""


# --- Signatures --------------------------------------------------------------------------------


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
    wanted = _Wanted(copy.apex, _trusted_keys(copy, apex, terms.anchors, wall), wall)
    if digested and copy.records > limits.MIRROR_SIGNATURES_MAX:
        wanted.add(copy.apex, apex, [kind for kind in apex if kind[0] != Type.RRSIG])
        wanted.finish()
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
        wanted.add(name, sets, kinds)
    wanted.finish()
    return "verified"


def _trusted_keys(copy: ZoneCopy, apex: Sets, anchors: Sequence[str], wall: float) -> Keys:
    """The zone's keys, signed by one that an anchor names (RFC 4035 section 5.2)."""
    kind = (int(Type.DNSKEY), 0)
    rdatas = [rdata for rdata in apex[kind][1] if len(rdata) > _DNSKEY_FIXED]
    named = {_ds(text) for text in anchors}
    trusted = [
        rdata
        for rdata in rdatas
        for tag, algorithm, digest_type, digest in named
        if (algorithm, tag) == (rdata[3], key_tag(rdata))
        and digest_type in _DS_DIGESTS
        and _DS_DIGESTS[digest_type](copy.apex + rdata).digest() == digest
    ]
    if not trusted:
        raise Refused(Why.SIGNATURES, "none of the zone's keys is one that is trusted")
    wanted = _Wanted(copy.apex, keys_of(trusted), wall)
    wanted.add(copy.apex, apex, [kind])
    wanted.finish()
    return keys_of(rdatas)


_DS_DIGESTS: dict[int, Callable[[bytes], "hashlib._Hash"]] = {
    1: hashlib.sha1,
    2: hashlib.sha256,
    4: hashlib.sha384,
}
"""Digests of DS records. What an operator has stated with SHA-1 counts (RFC 8624 section 3.3)."""


def _ds(text: str) -> tuple[int, int, int, bytes]:
    """Key tag, algorithm, digest type and digest of an anchor."""
    rdata = dns.rdata.from_text("IN", "DS", text).to_wire()
    assert rdata is not None
    return int.from_bytes(rdata[:2]), rdata[2], rdata[3], rdata[4:]


class _Wanted:
    """RRsets that must be signed, verified some hundreds at a time."""

    def __init__(self, apex: Name, keys: Keys, wall: float) -> None:
        self._apex = apex
        self._keys = keys
        self._wall = wall
        self._claims: list[Claim] = []

    def add(self, name: Name, sets: Sets, kinds: Sequence[Kind]) -> None:
        """These RRsets of a name. Raises ``Refused``, maybe for one that was added before."""
        for rtype, _ in kinds:
            found = rrset(name, sets, rtype)
            assert found is not None
            if not found.signatures:
                raise Refused(Why.SIGNATURES, f"{_what(found)} is not signed")
            self._claims.append(Claim(found, tries(found, self._apex, self._keys, self._wall)))
            if len(self._claims) == limits_verify.VERIFY_JOBS_MAX:
                self.finish()

    def finish(self) -> None:
        """Verify what has been added. Raises ``Refused``."""
        # The operator names the keys: RSA with SHA-1 counts where a key of it is named.
        for claim, found in zip(self._claims, settle(self._claims, sha1=True), strict=True):
            if found.signature is None:
                raise Refused(Why.SIGNATURES, f"{_what(claim.rrset)}: {_WRONG[found.outcome]}")
            if found.expanded:
                # RFC 4035 section 2.2: the labels of a zone's signatures are those of the owner.
                # A wildcard's signature would let its records stand in the place of a name's own.
                raise Refused(
                    Why.SIGNATURES, f"{_what(claim.rrset)}: the signature is that of a wildcard"
                )
        self._claims.clear()


_WRONG = {
    None: "no signature by a key of the zone is in force",
    Outcome.BOGUS: "no signature is right",
    Outcome.UNSUPPORTED: "signed with what is not supported only",
    Outcome.MALFORMED: "a signature or key is malformed",
}


def _what(found: RRset) -> str:
    return (
        f"{to_text(found.name)} {dns.rdatatype.to_text(dns.rdatatype.RdataType.make(found.rtype))}"
    )
