"""Location databases as text, and lists of anycast prefixes.

Responsible for two plain formats. Ranges: first address, last address and country in each line,
as addresses or as whole numbers, quoted or not (the CSV forms of the free databases, and ``geoip``
and ``geoip6`` of Debian's ``tor-geoipdb``). Prefix lists: one prefix or address a line. In both
``#`` begins a comment.

Limitations: whole numbers in a file stand for one family: IPv6 when any is over 2^32 - 1.
"""

import csv

from policy.listing import (
    V4_END,
    V6_END,
    Listing,
    Said,
    numbered_lines,
    read_address,
    read_country,
    read_prefix,
    shown,
)

MAPPED = 0xFFFF << 32
"""``::ffff:0:0`` (RFC 4291 section 2.5.5.2): files of one family put IPv4 there."""


def read_ranges(text: str) -> Listing:
    """Read a file of ranges; bad lines are noted as faults."""
    listing = Listing()
    said: dict[str, Said] = {}
    numbers: list[tuple[int, int, int, Said]] = []
    for number, line in numbered_lines(text.removeprefix("\ufeff")):
        if not line or line[0] == "#" or not line.strip():
            continue
        try:
            first, last, code = _fields(line)
            known = said.get(code) or said.setdefault(code, _say(code))
            if first.isdigit() and last.isdigit():
                numbers.append((_whole(first), _whole(last), number, known))
            else:
                _add(listing, read_address(first), read_address(last), known, number)
        except (ValueError, csv.Error) as error:
            listing.fault(number, str(error))
    version = 6 if any(last >= V4_END for _, last, _, _ in numbers) else 4
    for low, high, number, known in numbers:
        try:
            _add(listing, (version, low), (version, high), known, number)
        except ValueError as error:
            listing.fault(number, str(error))
    return listing


def _fields(line: str) -> list[str]:
    fields = next(csv.reader([line], strict=True)) if '"' in line else line.split(",")
    if len(fields) < 3:
        raise ValueError("expected first address, last address and country")
    return [field.strip() for field in fields[:3]]


def _whole(text: str) -> int:
    number = int(text) if text.isascii() and len(text) <= 39 else V6_END
    if number >= V6_END:
        raise ValueError(f"{shown(text)} is over the last address")
    return number


def _say(code: str) -> Said:
    return Said(read_country(code), f"says {code.upper()}" if code else "no country")


def _add(
    listing: Listing, low: tuple[int, int], high: tuple[int, int], said: Said, number: int
) -> None:
    (version, first), (other, last) = low, high
    if version != other or last < first:
        raise ValueError("the last address is before the first, or of another family")
    if version == 6 and first >= MAPPED and last < MAPPED + V4_END:
        version, first, last = 4, first - MAPPED, last - MAPPED
    listing.add(version, first, last, said, number)


def read_prefixes(text: str) -> Listing:
    """Read a list of anycast prefixes; bad lines are noted as faults, repetitions are not."""
    listing = Listing()
    said = Said(None, "anycast")
    seen: set[tuple[int, int, int]] = set()
    for number, line in numbered_lines(text.removeprefix("\ufeff")):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            prefix = read_prefix(entry)
        except ValueError as error:
            listing.fault(number, str(error))
            continue
        if prefix not in seen:
            seen.add(prefix)
            listing.add(*prefix, said, number)
    return listing
