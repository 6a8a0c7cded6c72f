"""Messages and RRsets as they cross to and from native: tuples there, dataclasses here.

The codec itself is native (RFC 1035, 6891); this file only gives its tuples their types. Limits:
opcodes other than QUERY never reach Python.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from resolver import _native
from resolver.model import Edns, Message, Question, RRset
from resolver.names import Name

if TYPE_CHECKING:
    from resolver._native import MessageTuple, RRsetTuple


def rrset_from_tuple(fields: "RRsetTuple") -> RRset:
    """The RRset that native describes."""
    name, rtype, ttl, rdatas, signatures = fields
    return RRset(Name(name), rtype, ttl, rdatas, signatures)


def rrset_to_tuple(rrset: RRset) -> "RRsetTuple":
    """The RRset as native takes it."""
    return (rrset.name, rrset.rtype, rrset.ttl, rrset.rdatas, rrset.signatures)


def rrsets_from_tuples(section: Iterable["RRsetTuple"]) -> tuple[RRset, ...]:
    """A section of a message, in its order."""
    return tuple(rrset_from_tuple(fields) for fields in section)


def rrsets_to_tuples(section: Iterable[RRset]) -> list["RRsetTuple"]:
    """A section as native takes it."""
    return [rrset_to_tuple(rrset) for rrset in section]


def message_from_tuple(fields: "MessageTuple") -> Message:
    """The message that native read."""
    rcode, authoritative, truncated, recursive, question, answer, authority, additional, edns = (
        fields
    )
    return Message(
        rcode=rcode,
        authoritative=authoritative,
        truncated=truncated,
        recursive=recursive,
        question=Question(Name(question[0]), question[1]) if question else None,
        answer=rrsets_from_tuples(answer),
        authority=rrsets_from_tuples(authority),
        additional=rrsets_from_tuples(additional),
        edns=Edns(*edns) if edns else None,
    )


def parse_message(data: bytes) -> Message:
    """Read a DNS message (RFC 1035 section 4). Raises :class:`resolver.errors.BadMessage`."""
    return message_from_tuple(_native.parse_message(data))


def build_query(
    question: Question, message_id: int, *, edns: bool = True, randomise_case: bool = False
) -> bytes:
    """The query that the door would send for ``question``."""
    return _native.build_query(question.name, question.rtype, message_id, edns, randomise_case)
