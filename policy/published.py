"""Identifiers that the root operators publish: rows of letter, identifier, country and town.

Responsible for checking such rows, for finding the airport of a town, and for the exact table of
identities that :mod:`policy.identity` needs beside the conventions.

The airport of a town is the one that other identifiers of the same town name by convention; for
coordinates of a claim, where a slip costs little, also the one whose city has the town's name.

Limitations: towns are compared by their letters alone; a town without an airport has none.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policy.identity import Airports, Entry, Knowledge, decode_letter, table_key
from policy.iso3166 import COUNTRIES
from resolver.errors import SourceError

LETTERS = frozenset("abcdefghijklm")
NAMES_REPEAT = frozenset({"US"})
"""Countries whose towns share names, so that a name alone says little."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published instance."""

    letter: str
    identity: str
    country: str
    town: str


Towns = Mapping[tuple[str, str], str]
"""(country, letters of the town) → IATA code."""


def read_rows(value: object) -> list[Published]:
    """The rows of a parsed JSON file. Raises ``SourceError`` with the first row that is wrong."""
    if not isinstance(value, list) or not value:
        raise SourceError("expected a list of [letter, identifier, country, town]")
    rows = []
    for index, raw in enumerate(value):
        if not (isinstance(raw, list) and len(raw) == 4 and all(isinstance(it, str) for it in raw)):
            raise SourceError(
                f"row {index}: expected four texts: letter, identifier, country, town"
            )
        row = Published(*raw)
        if row.letter not in LETTERS:
            raise SourceError(f"row {index}: {row.letter!r} is no root letter (a to m)")
        if row.country not in COUNTRIES:
            raise SourceError(f"row {index}: {row.country!r} is no ISO 3166-1 code")
        if not (row.identity and row.town and (row.identity + row.town).isprintable()):
            raise SourceError(f"row {index}: empty or unprintable text")
        rows.append(row)
    return rows


def letters_of(town: str) -> str:
    """A town's name as it is compared: small letters without marks, and without "city"."""
    plain = unicodedata.normalize("NFKD", town).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z]", "", re.sub(r"\bcity\b", "", plain))


def voted_towns(rows: Iterable[Published], airports: Airports) -> Towns:
    """The airport that identifiers of a town name by convention, most often first."""
    votes: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        site = decode_letter(row.letter, row.identity, Knowledge(airports=airports))
        if site is not None and site.airport is not None and site.country == row.country:
            key = row.country, letters_of(row.town)
            votes.setdefault(key, Counter())[site.airport] += 1
    return {
        key: min(counted.items(), key=lambda vote: (-vote[1], vote[0]))[0]
        for key, counted in votes.items()
    }


def named_towns(airports: Airports) -> Towns:
    """The airport of each city by the city's name; the first in the alphabet where it has some."""
    named: dict[tuple[str, str], str] = {}
    for code in sorted(airports, reverse=True):
        key = airports[code].country, letters_of(airports[code].city)
        if key[1] and key[0] not in NAMES_REPEAT:
            named[key] = code
    return named


def exact_table(rows: Iterable[Published], airports: Airports) -> dict[tuple[str, str], Entry]:
    """(letter, key) → row, for the opaque letters and for what else no convention tells rightly.

    An identity that names its country itself is believed where it differs from what is published.
    Raises ``SourceError`` when one key is published for two countries.
    """
    rows = list(rows)
    towns = {**named_towns(airports), **voted_towns(rows, airports)}
    knowledge = Knowledge(airports=airports)
    table: dict[tuple[str, str], Entry] = {}
    for row in sorted(rows, key=lambda row: (row.letter, row.identity, row.town)):
        site = decode_letter(row.letter, row.identity, knowledge)
        if site is not None and (site.country == row.country or site.airport is None):
            continue
        if site is not None and f"{site.country.lower()}-" in row.identity.lower():
            continue
        part = table_key(row.letter, row.identity)
        if part is None:
            raise SourceError(f"{row.letter}: {row.identity}: not the form that this letter uses")
        entry = Entry(row.country, row.town, towns.get((row.country, letters_of(row.town))))
        known = table.setdefault((row.letter, part), entry)
        if known.country != entry.country:
            raise SourceError(f"{row.letter}: {part}: both {known.country} and {entry.country}")
    return table
