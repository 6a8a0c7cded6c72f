"""Which autonomous system an address is in: files of ranges or of prefixes, and asking them.

Responsible for two plain formats, with commas or tabs: first address, last address, AS number (as
the free tables made from routing data have it; what follows is not looked at), and prefix, AS
number. ``#`` begins a comment. AS 0 means that nobody announces the range (RFC 7607).

Limitations: of a range that two systems announce a file names one.
"""

from collections.abc import Sequence
from typing import final

from policy.listing import Listing, Said, numbered_lines, read_address, read_prefix, shown
from policy.sources import Table
from resolver.model import Address

AS_END = 1 << 32


def read_as_numbers(text: str) -> Listing:
    """Read a file; bad lines are noted as faults. What it says of a range is its number."""
    listing = Listing()
    said: dict[str, Said] = {}
    for number, line in numbered_lines(text.removeprefix("\ufeff")):
        if not line.strip() or line[0] == "#":
            continue
        try:
            (version, first, last), asn = _fields(line)
            if asn:
                known = said.get(asn) or said.setdefault(asn, Said(None, asn))
                listing.add(version, first, last, known, number)
        except ValueError as error:
            listing.fault(number, str(error))
    return listing


def _fields(line: str) -> tuple[tuple[int, int, int], str]:
    """A range, and its AS number as text; empty when nobody announces it."""
    fields = [field.strip() for field in line.split("\t" if "\t" in line else ",")]
    if "/" in fields[0]:
        if len(fields) < 2:
            raise ValueError("expected prefix and AS number")
        return read_prefix(fields[0]), _number(fields[1])
    if len(fields) < 3:
        raise ValueError("expected first address, last address and AS number")
    (version, first), (other, last) = read_address(fields[0]), read_address(fields[1])
    if version != other or last < first:
        raise ValueError("the last address is before the first, or of another family")
    return (version, first, last), _number(fields[2])


def _number(text: str) -> str:
    digits = text.removeprefix("AS")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10 or int(digits) >= AS_END:
        raise ValueError(f"{shown(text)} is not an AS number")
    return str(int(digits)) if int(digits) else ""


@final
class AsNumbers:
    """All files, compiled. The first that knows an address counts."""

    def __init__(self, table: Table, said: Sequence[Sequence[Said]], identity: str) -> None:
        self._table = table
        self._numbers = [[int(words) for _, words in file] for file in said]
        self.identity = identity  # of the files, for the policy generation

    def of(self, address: Address) -> int:
        """The AS number of an address; 0: not known."""
        values = self._table.values(self._table.find(address))
        for numbers, value in zip(self._numbers, values, strict=True):
            if value:
                return numbers[value - 1]
        return 0
