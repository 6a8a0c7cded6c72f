"""Delegation files of the address registries, plain and extended.

Responsible for the statistics exchange format that AFRINIC, APNIC, ARIN, LACNIC and RIPE NCC
agreed on (version 2, and 2.x of the extended form; also the NRO's file of all five): a version
line, a summary line for each type, then records
``registry|cc|type|start|value|date|status[|id…]``. IPv4 values are numbers of addresses, which
need not be a power of two; IPv6 values are prefix lengths. Only ``allocated`` and ``assigned``
place addresses; ``available`` and ``reserved`` belong to nobody. The numbers in the version and
summary lines are checked against what is there, so that a file cut short is found.

Limitations: records of autonomous systems are counted but say nothing of addresses.
"""

import re
from datetime import date

from policy.listing import (
    V4_END,
    V6_END,
    Listing,
    Said,
    ipv4_number,
    numbered_lines,
    read_address,
    read_country,
    shown,
)

REGISTRIES = frozenset({"afrinic", "apnic", "arin", "iana", "ietf", "lacnic", "nro", "ripencc"})
HELD = frozenset({"allocated", "assigned"})
FREE = frozenset({"available", "reserved", "ianapool", "ietf"})  # the last two in the NRO's
TYPES = frozenset({"asn", "ipv4", "ipv6"})
_VERSION = re.compile(r"2(\.[0-9]+)?")


def read_delegated(text: str) -> Listing:
    """Read a file; bad lines are noted as faults."""
    listing = Listing()
    reader = _Reader(listing)
    last = 0
    for number, line in numbered_lines(text):
        if line.startswith("#") or not line.strip():
            continue
        last = number
        try:
            reader.take(number, line.split("|"))
        except ValueError as error:
            listing.fault(number, str(error))
    if not listing.faults:
        reader.finish(last)
    return listing


class _Reader:
    """What has been read so far: the numbers that were promised and those that were found."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._promised: int | None = None
        self._summed: dict[str, tuple[int, int]] = {}  # type → (number, line)
        self._found = dict.fromkeys(TYPES, 0)
        self._said: dict[tuple[str, str, str], Said] = {}

    def take(self, number: int, fields: list[str]) -> None:
        """One line. Raises ``ValueError``."""
        if self._promised is None:
            self._version(fields)
        elif fields[-1] == "summary":
            self._summary(number, fields)
        else:
            self._record(number, fields)

    def _version(self, fields: list[str]) -> None:
        self._promised = -1  # whatever is wrong with it, the next line is another kind
        if len(fields) != 7 or not _VERSION.fullmatch(fields[0]) or fields[1] not in REGISTRIES:
            raise ValueError("expected a version line, such as 2|apnic|20260601|…")
        self._promised = _count(fields[3])
        self._listing.date = _date(fields[5]) or _date(fields[2])

    def _summary(self, number: int, fields: list[str]) -> None:
        if len(fields) != 6 or fields[2] not in TYPES or fields[2] in self._summed:
            raise ValueError("not a summary line, or one of a type that has been summed up")
        self._summed[fields[2]] = _count(fields[4]), number

    def _record(self, number: int, fields: list[str]) -> None:
        if len(fields) < 7:
            raise ValueError(f"{len(fields)} fields where a record has at least 7")
        registry, code, kind, start, value, _, status = fields[:7]
        said = self._said.get((registry, code, status)) or self._say(registry, code, status)
        if kind == "ipv4":
            first = ipv4_number(start)
            last = first + _count(value) - 1
            if last < first or last >= V4_END:
                raise ValueError(f"{shown(start)} and {shown(value)} addresses are no range")
            self._listing.add(4, first, last, said, number)
        elif kind == "ipv6":
            version, first = read_address(start)
            length = _count(value)
            last = first + (V6_END >> length) - 1
            if version != 6 or not 0 < length <= 128 or first & (V6_END >> length) - 1:
                raise ValueError(f"{shown(start + '/' + value)} is not a prefix of IPv6")
            self._listing.add(6, first, last, said, number)
        elif kind != "asn":
            raise ValueError(f"{shown(kind)} is none of {', '.join(sorted(TYPES))}")
        self._found[kind] += 1

    def _say(self, registry: str, code: str, status: str) -> Said:
        if registry not in REGISTRIES:
            raise ValueError(f"{shown(registry)} is no registry")
        if status in FREE:
            said = Said(None, f"{status} ({registry})")
        elif status not in HELD:
            raise ValueError(f"{shown(status)} is none of {', '.join(sorted(HELD | FREE))}")
        else:
            said = Said(read_country(code), f"{status} to {code or 'no country'} ({registry})")
        self._said[registry, code, status] = said
        return said

    def finish(self, line: int) -> None:
        """The end of the file: the numbers must be right."""
        if self._promised is None:
            self._listing.fault(max(line, 1), "no version line: not a delegation file")
            return
        total = sum(self._found.values())
        for kind, (count, at) in self._summed.items():
            if count != self._found[kind]:
                self._listing.fault(
                    at, f"{count} records of {kind} announced, {self._found[kind]} there"
                )
        # Some registries count their summary lines among the records.
        if not self._listing.faults and self._promised not in (total, total + len(self._summed)):
            self._listing.fault(line, f"{self._promised} records announced, {total} there")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise ValueError(f"{shown(text)} is not a number")
    return int(text)


def _date(text: str) -> str | None:
    """ISO form of a date such as 20260601; ``None`` for none."""
    try:
        if len(text) != 8 or not text.isascii() or not text.isdigit():
            return None
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
    except ValueError:
        return None
