"""From the end of a resolution to the sections of a reply, and how long that reply may live.

Pure. RFC 4035 section 3.2.1 (what a client without DO does not get), RFC 2308 section 5 and
RFC 9520 section 3.2 (how long a denial or a failure is kept). Responses are minimal: the answer,
and for a denial its proof. AD is never set, since nothing is validated yet.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from resolver.limits import ANSWER_EMPTY_SECONDS, ANSWER_FAILURE_SECONDS
from resolver.model import Address, Question, Rcode, Result, RRset, Type

_DNSSEC_TYPES: Final = frozenset(
    {
        Type.DS,
        Type.RRSIG,
        Type.NSEC,
        Type.DNSKEY,
        Type.NSEC3,
        Type.NSEC3PARAM,
    }
)
_SOUND: Final = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN})


class Sections(NamedTuple):
    """A reply without what is the client's own, and its lifetime in seconds (0: not kept)."""

    rcode: int
    answer: tuple[RRset, ...]
    authority: tuple[RRset, ...]
    ede: tuple[tuple[int, str], ...]
    lifetime: float


_Section = tuple[RRset, ...]
_new_sections: Final[
    Callable[[tuple[int, _Section, _Section, tuple[tuple[int, str], ...], float]], Sections]
] = partial(tuple.__new__, Sections)


def compose(result: Result, question: Question, do: bool) -> Sections:
    """The sections that a client with or without DO gets for ``question``."""
    answer, authority = result.answer, result.authority
    if not do:
        answer = _without_dnssec(answer, question.rtype)
        authority = _without_dnssec(authority, question.rtype)
    return _new_sections(
        (result.rcode, answer, authority, result.ede, _lifetime(result, answer, authority))
    )


def _without_dnssec(section: tuple[RRset, ...], rtype: int) -> tuple[RRset, ...]:
    """RFC 4035 section 3.2.1: strip "any authenticating DNSSEC RRs", but not types "that the
    initiating query explicitly requested"."""
    return tuple(
        rrset._replace(signatures=()) if rrset.signatures else rrset
        for rrset in section
        if rrset.rtype == rtype or rrset.rtype not in _DNSSEC_TYPES
    )


def _lifetime(result: Result, answer: tuple[RRset, ...], authority: tuple[RRset, ...]) -> float:
    """Least TTL of what the reply carries; the core has put the negative TTL into the SOA."""
    if result.stale is not None:
        return result.stale
    if not result.cacheable:
        return 0.0
    if result.rcode not in _SOUND:
        return ANSWER_FAILURE_SECONDS
    if not answer and not authority:
        return ANSWER_EMPTY_SECONDS
    least = (answer or authority)[0].ttl
    for section in (answer, authority):
        for rrset in section:
            least = min(least, rrset.ttl)
    return float(least)


def addresses_in(section: Iterable[RRset]) -> list[Address]:
    """The addresses that a section gives, in its order."""
    return [
        Address(rdata)
        for rrset in section
        if rrset.rtype in (Type.A, Type.AAAA)
        for rdata in rrset.rdatas
    ]
