"""What native makes of a reply, written again for tests, and its tuples from Python's values.

The rules are those of ``resolver/native/src/plan/plain.rs``.
"""

from typing import Any

from resolver.listen import Miss
from resolver.model import Message, Question, Rcode, Result, RRset, Transport, Type
from resolver.names import Name, is_subdomain


def plain(
    message: Message,
    zone: Name,
    own_set: tuple[Name, ...],
    question: Question,
    ttl_max: int,
    ttl_negative_max: int,
) -> Result | None:
    """The plain meaning of a reply (``plan/plain.rs``)."""
    if not message.authoritative or message.truncated or message.question is None:
        return None
    if any(r.rtype in (Type.CNAME, Type.DNAME) for r in message.answer):
        return None
    for rrset in (*message.answer, *message.authority):
        if rrset.rtype == Type.NS and rrset.name == zone:
            shown = {bytes(rdata).lower() for rdata in rrset.rdatas}
            if shown != set(own_set) or len(rrset.rdatas) != len(own_set):
                return None
    asked = [r for r in message.answer if (r.name, r.rtype) == (question.name, question.rtype)]
    if message.rcode == Rcode.NOERROR and asked:
        if not asked[0].rdatas or (question.rtype == Type.SOA and len(asked[0].rdatas) > 1):
            return None
        return Result(Rcode.NOERROR, (_capped(asked[0], ttl_max),))
    if message.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN) or message.answer:
        return None
    soas = [r for r in message.authority if r.rtype == Type.SOA]
    if len(soas) != 1 or len(soas[0].rdatas) != 1:
        return None
    soa = soas[0]
    if not is_subdomain(soa.name, zone) or not is_subdomain(question.name, soa.name):
        return None
    minimum = int.from_bytes(soa.rdatas[0][-4:], "big")
    soa = _capped(soa, min(ttl_max, minimum, ttl_negative_max))
    proofs = tuple(
        _capped(r, ttl_max)
        for r in message.authority
        if r.rtype in (Type.NSEC, Type.NSEC3) and is_subdomain(r.name, zone)
    )
    return Result(message.rcode, (), (soa, *proofs))


def _capped(rrset: RRset, ttl: int) -> RRset:
    return rrset._replace(ttl=min(rrset.ttl, ttl))


def miss_to_tuple(miss: Miss) -> tuple[Any, ...]:
    """A miss as native tells it."""
    key = miss.key
    question, transport = key.question, (Transport.UDP, Transport.TCP).index(miss.client.transport)
    return (
        miss.token, question.name, question.rtype, miss.rclass, miss.recursion, key.do, key.cd,
        transport, miss.client.address, key.view, miss.generation,
    )  # fmt: skip
