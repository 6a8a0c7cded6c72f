"""Which signature and which key may speak for an RRset: what is decided before any mathematics.

RFC 4034 sections 2.1 (keys), 3.1 (signatures), 3.1.5 (dates, RFC 1982) and appendix B (key tags);
RFC 4035 section 5.3.1 (what a signature must fulfil); RFC 5011 section 2.1 (revoked keys).

Limitations: key tags of algorithm 1 (RSA/MD5, RFC 4034 appendix B.1) are not computed, since it
must not be used (RFC 8624 section 3.1).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from resolver.limits_verify import SIGNATURE_TRIES_MAX
from resolver.model import RRset
from resolver.names import Name, is_subdomain, lower

_HEAD = 18
_ZONE_KEY = 0x0100
_REVOKED = 0x0080
_DNSSEC = 3


class Key(NamedTuple):
    """A key of a zone that may sign its data. ``public``: the field of the DNSKEY."""

    algorithm: int
    tag: int
    public: bytes


Keys = Mapping[tuple[int, int], tuple[Key, ...]]
"""Keys of one zone by algorithm and tag; several may share a tag."""


def read_key(rdata: bytes) -> Key | None:
    """The key in the rdata of a DNSKEY; ``None`` when it is not one that may sign a zone's data
    (no zone key, revoked, another protocol)."""
    if len(rdata) < 5 or rdata[2] != _DNSSEC:
        return None
    flags = int.from_bytes(rdata[:2])
    if not flags & _ZONE_KEY or flags & _REVOKED:
        return None
    return Key(rdata[3], key_tag(rdata), rdata[4:])


def key_tag(rdata: bytes) -> int:
    """The tag of a DNSKEY (RFC 4034 appendix B): a sum of its rdata in words of 16 bits."""
    padded = rdata + b"\0" * (len(rdata) % 2)
    total = sum(memoryview(padded)[::2]) * 256 + sum(memoryview(padded)[1::2])
    return (total + (total >> 16)) & 0xFFFF


def keys_of(rdatas: Iterable[bytes]) -> Keys:
    """The keys of a DNSKEY RRset that may sign a zone's data."""
    out: dict[tuple[int, int], tuple[Key, ...]] = {}
    for rdata in rdatas:
        key = read_key(rdata)
        if key is not None:
            out[key.algorithm, key.tag] = (*out.get((key.algorithm, key.tag), ()), key)
    return out


def holds_at(signature: bytes, wall: float) -> bool:
    """Whether a signature (rdata of RRSIG) is in force. RFC 4034 section 3.1.5: the dates are
    serial numbers."""
    now = int(wall)
    expiration, inception = int.from_bytes(signature[8:12]), int.from_bytes(signature[12:16])
    return (now - inception) % (1 << 32) < 1 << 31 and (expiration - now) % (1 << 32) < 1 << 31


def tries(rrset: RRset, zone: Name, keys: Keys, wall: float) -> list[tuple[bytes, Key]]:
    """Signatures of an RRset with the keys that may have made them, in the order in which they
    came; ``SIGNATURE_TRIES_MAX`` at most. Each fulfils RFC 4035 section 5.3.1 but for its octets.
    """
    out: list[tuple[bytes, Key]] = []
    if not is_subdomain(rrset.name, zone):
        return out
    for signature in rrset.signatures:
        signer = lower(signature[_HEAD : _HEAD + len(zone)])
        if (
            signer != zone
            or int.from_bytes(signature[:2]) != rrset.rtype
            or not holds_at(signature, wall)
        ):
            continue
        for key in keys.get((signature[2], int.from_bytes(signature[16:18])), ()):
            if len(out) == SIGNATURE_TRIES_MAX:
                return out
            out.append((signature, key))
    return out
