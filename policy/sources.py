"""Evidence sources: what registries, feeds, databases and lists say, each as one voice.

Responsible for turning what the compiled table holds for a source into words. The registry that is
built in is the country that a regional registry noted for the block (``iptocc``, data inside the
package), asked at each decision; every other source is compiled into the table. Nothing here
opens a file: ``load.py`` does.

Limitations: of a database only the country of the address counts, not that of its registration.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import iptocc
from maxminddb import InvalidDatabaseError

from policy.listing import Said
from policy.verdict import Evidence, Origin, country_of
from resolver.limits import EVIDENCE_DAYS_MAX

DAMAGE = (
    InvalidDatabaseError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    struct.error,
)
"""What the reader raises on damaged data: it checks little before it decodes."""


class Source(Protocol):
    """One voice in the compiled table."""

    @property
    def origin(self) -> Origin:
        """Which source it is, of which date and hash."""

    @property
    def records(self) -> int:
        """How much it holds: ranges of a file, networks of a database."""

    def say(self, value: int) -> Evidence:
        """What it says where the table holds ``value``; 0 is silence."""


class Table(Protocol):
    """What all sources say of each address (``resolver._native.RangeTable`` is one)."""

    def find(self, address: bytes) -> int:
        """The number of the combination that holds at an address."""

    def values(self, combination: int) -> tuple[int, ...]:
        """The value of each source in a combination."""

    def sizes(self) -> tuple[int, int, int, int]:
        """Steps of IPv4 and of IPv6, combinations, octets."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The regional registries' view, as packed in ``iptocc``."""

    origin: Origin
    get: Callable[[str], str | None] = iptocc.country_code

    def say(self, code: str | None) -> Evidence:
        """The country of the registered block; none for a region such as EU."""
        said = f"registered in {code}" if code else "not registered to a country"
        return _evidence(self.origin, country_of(code), said)


@dataclass(frozen=True, slots=True)
class ListSource:
    """One text file: ranges, and what it says of them."""

    origin: Origin
    records: int
    said: Sequence[Said]

    def say(self, value: int) -> Evidence:
        """The country in the record of the address, if there is one."""
        if value == 0:
            return _evidence(self.origin, None, "no record")
        country, words = self.said[value - 1]
        return _evidence(self.origin, country, words)


@dataclass(frozen=True, slots=True)
class Database:
    """One MMDB. ``decode`` reads the record at an offset of its data section."""

    origin: Origin
    records: int
    decode: Callable[[int], object]

    def say(self, value: int) -> Evidence:
        """The country in the record of the address, if there is one."""
        if value == 0:
            return _evidence(self.origin, None, "no record")
        try:
            code = code_in(self.decode(value - 1))
        except DAMAGE:
            return _evidence(self.origin, None, "damaged record")
        said = f"says {code}" if code else "record without a country"
        return _evidence(self.origin, country_of(code), said)


def _evidence(origin: Origin, country: str | None, said: str) -> Evidence:
    return Evidence(origin.source, country, f"{said} ({origin.edition})", origin)


def code_in(record: object) -> str | None:
    """The code in a record of shape ``country.iso_code``, ``country_code`` or ``country``.

    Regions such as EU are given as they stand; a country's long name is not a code.
    """
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    nested = country.get("iso_code") if isinstance(country, dict) else None
    for value in (nested, record.get("country_code"), country):
        if isinstance(value, str) and len(value) == 2:
            return value.upper()
    return None


def age_days(origin: Origin, today: date) -> int | None:
    """Days since the date of a source; ``None`` when it has none."""
    return (today - date.fromisoformat(origin.date)).days if origin.date else None


def stale(origins: Iterable[Origin], today: date) -> list[str]:
    """A warning for each source that is older than evidence should be."""
    aged = ((origin, age_days(origin, today)) for origin in origins)
    return [
        f"{origin.source}: of {origin.date}, {days} days old; addresses move, get a newer one"
        for origin, days in aged
        if days is not None and days > EVIDENCE_DAYS_MAX
    ]
