"""Of the contract of ``resolver._native``: tables of names, response policy zones, zone files.

A stub alone: at run time these stand in ``resolver._native``.
"""

from typing import final

RecordTuple = tuple[int, int, list[bytes]]
"""(type, ttl, rdatas)."""

@final
class NameTable:
    """Names with a number each, made once and read by any thread without a lock.

    An owner whose first label is ``*`` stands for every name below the rest of it, at any depth,
    and not for the rest itself. The exact name beats every wildcard; of wildcards the longest
    speaks. So a name with all below it takes two entries: ``NAME`` and ``*.NAME``.

    What a policy is concerned with is such a table: native holds the question, and each owner and
    target of an alias in a plain reply, against it (``names::Names::find`` in Rust, some hundred
    nanoseconds, no lock), and leaves to Python what is found. Several tables are asked one after
    the other; none needs to be copied into another. A million names take some 30 octets each.
    """

    def __new__(cls, batch: bytes) -> NameTable:
        """``batch``: owners in lower case, each followed by its number (at most 2**32 - 2) in four
        octets in network order; of equal owners the last counts. Built off the interpreter.
        Raises ``ValueError`` naming the entry that is wrong."""

    def changed(self, batch: bytes) -> NameTable:
        """The table with other numbers, or without the owners whose number is 2**32 - 1. Shares
        what is the same with this one: ten changes to a million names take microseconds, until
        the changes are a sixteenth of all and are merged."""

    def find(self, name: bytes) -> tuple[int, int] | None:
        """(number, octets of the name in place of which the asterisk stands; 0: listed itself)."""

    def __len__(self) -> int: ...
    def sizes(self) -> tuple[int, int, int]:
        """Entries, entries that lie over the large table, octets held."""

@final
class PolicyZone:
    """The content of a response policy zone, from a copy of the zone in the form of
    ``resolver.mirrors.copy``. Owners that trigger on the name of the question are in ``names``;
    all others (their label next to the apex begins with ``rpz-``) are ``specials``."""

    def __new__(cls, apex: bytes, data: bytes) -> PolicyZone:
        """Off the interpreter. Raises ``ValueError`` when the octets are not such a copy."""

    def changed(self, before: bytes, data: bytes) -> PolicyZone:
        """The zone of other data; ``before``: what this one was made from. Off the interpreter,
        and making no more than what differs."""

    @property
    def names(self) -> NameTable:
        """Owners without the apex; their numbers are those of :meth:`action`."""

    def action(self, value: int) -> list[RecordTuple]:
        """The records of all names with this number; a CNAME stands alone. Raises ``ValueError``
        for a number that is none."""

    def actions(self) -> int:
        """How many different ones there are: numbers are below this."""

    def specials(self) -> list[tuple[bytes, list[RecordTuple]]]:
        """(owner without the apex, its records)."""

    def sizes(self) -> tuple[int, int]:
        """Names without records that an answer may be made of; octets held."""

def read_zone_file(
    apex: bytes, text: bytes, records_max: int
) -> tuple[int, bytes, bytes, list[tuple[bytes, int]]]:
    """(records, octets of a copy, where its nodes start in numbers of the machine, (owner, line) of
    ``rpz-`` owners). Off the interpreter. Raises ``ValueError`` whose argument is a list of (line,
    what is wrong)."""

@final
class TransferReader:
    """The messages of an AXFR (RFC 5936), read into a copy. Nothing is there before the end."""

    def __new__(cls, apex: bytes, records_max: int) -> TransferReader: ...
    def take(self, message: bytes) -> tuple[int, bool, tuple[int, bytes, int, int] | None]:
        """(RCODE, whether the zone's last record has come, where a signature stands: its record,
        its owner in lower case, begin and end of its rdata). Off the interpreter. Raises
        ``ValueError(kind, what is wrong)`` with kind ``torn``, ``size`` or ``unsound``."""

    def finish(self) -> tuple[int, bytes, bytes]:
        """(records, octets of a copy, where its nodes start in numbers of the machine). Off the
        interpreter. Raises like :meth:`take`."""
