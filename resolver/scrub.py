"""What a reply may teach: only what its server has the right to say.

Records outside the zone that was asked are left out before anything looks at them (RFC 2181
section 5.4.1, RFC 5452 section 6). Glue keeps to the same bailiwick in ``delegation.glue_for``.
"""

from typing import Final

from resolver import limits
from resolver.model import Message, RRset, Type
from resolver.names import Name, is_subdomain

SINGLE: Final = frozenset({Type.CNAME, Type.DNAME, Type.SOA})
"""Types of which a name has one record at most (RFC 1034 3.6.2, RFC 6672 2.4, RFC 1035 3.3.13)."""

NOT_DATA: Final = frozenset({Type.OPT, Type.AXFR, Type.IXFR, Type.ANY})


def scrub(message: Message, zone: Name, ttl_max: int = limits.TTL_MAX) -> Message:
    """``message`` with answer and authority cut down to what lies in ``zone``, TTLs clamped."""
    answer = _kept(message.answer, zone, ttl_max)
    authority = _kept(message.authority, zone, ttl_max)
    if answer == message.answer and authority == message.authority:
        return message  # as nearly always
    return message._replace(answer=answer, authority=authority)


def _kept(section: tuple[RRset, ...], zone: Name, ttl_max: int) -> tuple[RRset, ...]:
    return tuple(
        [
            _one(rrset, ttl_max)
            for rrset in section
            if is_subdomain(rrset.name, zone) and rrset.rtype not in NOT_DATA and rrset.rdatas
        ]
    )


def _one(rrset: RRset, ttl_max: int) -> RRset:
    if rrset.ttl > ttl_max:
        rrset = rrset._replace(ttl=ttl_max)
    if rrset.rtype in SINGLE and len(rrset.rdatas) > 1:
        return rrset._replace(rdatas=rrset.rdatas[:1])
    return rrset
