"""The port through which signatures are verified: in batches, in native, off the interpreter.

RFC 4034 sections 3.1.8.1 and 6, RFC 6840 section 5.1 (what is signed; made by native, which also
needs it for itself). Which algorithms are known: ``docs/decisions/``, 0025.

Limitations: a batch is one thread's work; callers run it in a thread of theirs.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from resolver import _native, limits_verify
from resolver.model import RRset
from resolver.signatures import Key


class Outcome(IntEnum):
    """What became of a job."""

    VALID = 0
    BOGUS = 1
    UNSUPPORTED = 2  # this algorithm or size of key is not known here
    MALFORMED = 3  # key or signature are not of the form that the algorithm asks for


class Job(NamedTuple):
    """Did this key (the field of a DNSKEY) make this signature over this data?"""

    algorithm: int
    public: bytes
    data: bytes
    signature: bytes

    @property
    def octets(self) -> int:
        """What it counts against the bound of a batch."""
        return len(self.public) + len(self.data) + len(self.signature)


def verify(jobs: Sequence[Job], sha1: bool = False) -> list[Outcome]:
    """Verify a batch. ``sha1``: RSA with SHA-1 is taken, too (RFC 9905 section 2: operators must
    not). Raises ``ValueError`` when it is over ``VERIFY_JOBS_MAX`` or ``VERIFY_OCTETS_MAX``."""
    found = _native.verify_signatures(
        jobs, limits_verify.VERIFY_JOBS_MAX, limits_verify.VERIFY_OCTETS_MAX, sha1
    )
    return [_OUTCOMES[number] for number in found]


_OUTCOMES = tuple(Outcome)


def job_of(rrset: RRset, signature: bytes, key: Key) -> tuple[Job, bool] | None:
    """The job for an RRset, a signature (rdata of RRSIG) and a key, and whether the signature is
    that of a wildcard from which the name was made. ``None``: the signature does not fit."""
    made = _native.signed_data(rrset.name, rrset.rtype, rrset.rdatas, signature)
    if made is None:
        return None
    data, expanded = made
    at = 18
    while signature[at]:  # native has read it: it has a signer's name
        at += 1 + signature[at]
    return Job(key.algorithm, key.public, data, signature[at + 1 :]), expanded


canonical_rdata = _native.canonical_rdata
"""Rdata in canonical form. Raises ``ValueError`` when it does not fit its type."""


class Claim(NamedTuple):
    """An RRset; signatures with keys to be tried in turn (:func:`resolver.signatures.tries`)."""

    rrset: RRset
    tries: Sequence[tuple[bytes, Key]]


class Settled(NamedTuple):
    """What became of a claim: the first signature that is valid, else the last outcome (``None``:
    nothing was there to be tried)."""

    signature: bytes | None
    outcome: Outcome | None
    expanded: bool = False


def settle(claims: Sequence[Claim], sha1: bool = False) -> list[Settled]:
    """For each claim the first of its signatures that is valid. All first tries go in batches,
    then the second ones of those that failed: a good zone costs one job for each RRset."""
    out = [Settled(None, None)] * len(claims)
    open_claims = [at for at, claim in enumerate(claims) if claim.tries]
    turn = 0
    while open_claims:
        for at, found in _round(claims, open_claims, turn, sha1):
            out[at] = found
        turn += 1
        open_claims = [
            at for at in open_claims if out[at].signature is None and len(claims[at].tries) > turn
        ]
    return out


def _round(
    claims: Sequence[Claim], numbers: Sequence[int], turn: int, sha1: bool
) -> Iterator[tuple[int, Settled]]:
    """One try of each of these claims, in batches within the bounds."""
    batch: list[tuple[int, Job, bool]] = []
    octets = 0
    for at in numbers:
        rrset, tries = claims[at]
        made = job_of(rrset, *tries[turn])
        if made is None or made[0].octets > limits_verify.VERIFY_OCTETS_MAX:
            yield at, Settled(None, Outcome.MALFORMED)
            continue
        job, expanded = made
        full = octets + job.octets > limits_verify.VERIFY_OCTETS_MAX
        if full or len(batch) == limits_verify.VERIFY_JOBS_MAX:
            yield from _done(claims, batch, turn, sha1)
            batch, octets = [], 0
        batch.append((at, job, expanded))
        octets += job.octets
    if batch:
        yield from _done(claims, batch, turn, sha1)


def _done(
    claims: Sequence[Claim], batch: list[tuple[int, Job, bool]], turn: int, sha1: bool
) -> Iterator[tuple[int, Settled]]:
    outcomes = verify([job for _, job, _ in batch], sha1)
    for (at, _, expanded), outcome in zip(batch, outcomes, strict=True):
        valid = outcome is Outcome.VALID
        signature = claims[at].tries[turn][0] if valid else None
        yield at, Settled(signature, outcome, valid and expanded)
