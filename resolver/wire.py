"""Messages and RRsets as they come from native: plain tuples there, named ones here.

The codec itself is native (RFC 1035, 6891); this file only gives its tuples their types. What
goes the other way needs nothing: a named tuple is a tuple. Limits: opcodes other than QUERY never
reach Python.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from resolver import _native
from resolver.model import Edns, Message, Question, RRset
from resolver.names import Name
from resolver.quick import new_message, new_question

if TYPE_CHECKING:
    from resolver._native import EdnsTuple, MessageTuple, RRsetTuple

rrset_from_tuple: Final[Callable[["RRsetTuple"], RRset]] = partial(tuple.__new__, RRset)
"""The RRset that native describes."""

_edns: Final[Callable[["EdnsTuple"], Edns]] = partial(tuple.__new__, Edns)


def rrsets_from_tuples(section: Iterable["RRsetTuple"]) -> tuple[RRset, ...]:
    """A section of a message, in its order."""
    return tuple(map(rrset_from_tuple, section)) if section else ()


def message_from_tuple(fields: "MessageTuple") -> Message:
    """The message that native read."""
    rcode, authoritative, truncated, recursive, question, answer, authority, additional, edns = (
        fields
    )
    return new_message(
        (
            rcode,
            authoritative,
            truncated,
            recursive,
            new_question((Name(question[0]), question[1])) if question else None,
            rrsets_from_tuples(answer),
            rrsets_from_tuples(authority),
            rrsets_from_tuples(additional),
            _edns(edns) if edns else None,
        )
    )


def transfer_reader(zone: Name, records_max: int) -> "_native.TransferReader":
    """Reads the messages of a whole zone (RFC 5936) into the octets of a copy."""
    return _native.TransferReader(zone, records_max)


def parse_message(data: bytes) -> Message:
    """Read a DNS message (RFC 1035 section 4). Raises :class:`resolver.errors.BadMessage`."""
    return message_from_tuple(_native.parse_message(data))


def build_query(
    question: Question, message_id: int, *, edns: bool = True, randomise_case: bool = False
) -> bytes:
    """The query that the door would send for ``question``."""
    return _native.build_query(question.name, question.rtype, message_id, edns, randomise_case)
