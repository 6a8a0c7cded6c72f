"""Of the contract of ``resolver._native``: signatures of DNSSEC.

A stub alone: at run time these stand in ``resolver._native``.
"""

from collections.abc import Sequence

VerifyTuple = tuple[int, bytes, bytes, bytes]
"""(algorithm, public key field of the DNSKEY, data that was signed, signature)."""

def verify_signatures(
    jobs: Sequence[VerifyTuple], jobs_max: int, octets_max: int, sha1: bool
) -> bytes:
    """One octet for each job: 0 valid, 1 bogus, 2 not supported, 3 malformed. Off the interpreter.
    ``sha1``: algorithms 5 and 7 are supported. Raises ``ValueError`` when the batch is over its
    bounds; nothing is verified then."""

def signed_data(
    owner: bytes, rtype: int, rdatas: Sequence[bytes], rrsig: bytes
) -> tuple[bytes, bool] | None:
    """What the signature in this rdata of RRSIG is over (RFC 4034 section 3.1.8.1), and whether it
    is that of a wildcard above the owner. ``None``: it cannot be over this RRset (another type,
    too many labels), or something is torn. Raises ``ValueError`` for an owner that is no name."""

def canonical_rdata(rtype: int, rdata: bytes) -> bytes:
    """Rdata with names in lower case where canonical form wants it (RFC 4034 section 6.2, RFC 6840
    section 5.1). Raises ``ValueError`` when it does not fit its type."""
