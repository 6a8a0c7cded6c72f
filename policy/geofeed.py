"""Geofeeds: what a network says itself of where its prefixes are used (RFC 8805).

Responsible for the format of RFC 8805 section 2.1: comma-separated prefix, country, region, city
and postal code in UTF-8; from ``#`` to the end of the line is comment; nested prefixes are
permitted and the longest speaks; the same prefix twice is an error. An empty country, or ``ZZ``,
means that the prefix shall not be placed (section 2.1.2).

Limitations: section 2.1.3 lets a consumer drop a bad entry and go on. Here each bad line is a fault
and a file with faults is not used: a feed half read would move the border unseen.
"""

import csv
import re

from policy.listing import Listing, Said, numbered_lines, read_country, read_prefix, shown

_REGION = re.compile(r"[A-Za-z]{2}-[A-Za-z0-9]{1,3}")  # ISO 3166-2
FIELDS = 5


def read_geofeed(text: str) -> Listing:
    """Read a feed; bad lines are noted as faults."""
    listing = Listing()
    for number, line in numbered_lines(text.removeprefix("\ufeff")):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            _take(entry, listing, number)
        except (ValueError, csv.Error) as error:
            listing.fault(number, str(error))
    return listing


def _take(entry: str, listing: Listing, number: int) -> None:
    fields = [field.strip() for field in _fields(entry)]
    # "A parser MUST ignore any fields beyond those it expects."
    prefix, code, region, city, _ = (*fields[:FIELDS], *[""] * (FIELDS - len(fields)))
    version, first, last = read_prefix(prefix)
    country = read_country(code)
    if region and not _REGION.fullmatch(region):
        raise ValueError(f"{shown(region)} is not a region code of ISO 3166-2")
    if region and country and region[:2].upper() != country:
        raise ValueError(f"region {region.upper()} is not in {country}")
    listing.add(version, first, last, _said(country, code, region, city), number)


def _fields(entry: str) -> list[str]:
    if '"' not in entry:
        return entry.split(",")
    return next(csv.reader([entry], strict=True))


def _said(country: str | None, code: str, region: str, city: str) -> Said:
    if not code:
        return Said(None, "not to be placed")
    place = ", ".join(part for part in (region.upper(), city) if part.isprintable() and part)
    return Said(country, f"says {code.upper()}" + (f" ({place[:80]})" if place else ""))
