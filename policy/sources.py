"""Evidence readers: what the address registries and location databases say of an address.

Responsible for turning the answer of each source into one voice. The registry is the country that a
regional registry noted for the block (``iptocc``, data inside the package); a database is an
open MaxMind DB in one of the usual shapes. Nothing here opens a file: ``load.py`` does.

Limitations: of a database only the country of the address counts, not that of its registration.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import iptocc
from maxminddb import InvalidDatabaseError

from policy.verdict import Evidence, country_of

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
    """One voice of the kind "registry" or "database"."""

    @property
    def identity(self) -> str:
        """Name and version or hash: what the policy generation depends on."""

    def hear(self, text: str) -> Evidence:
        """What it says of an address in text form; never raises."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The regional registries' view, as packed in ``iptocc``. ``edition`` names the snapshot."""

    edition: str
    get: Callable[[str], str | None] = iptocc.country_code

    @property
    def identity(self) -> str:
        return f"registry {self.edition}"

    def hear(self, text: str) -> Evidence:
        """The country of the registered block; ``None`` for none or for a region such as EU."""
        code = self.get(text)
        said = f"registered in {code}" if code else "not registered to a country"
        return Evidence("registry", country_of(code), f"{said} ({self.edition})")


@dataclass(frozen=True, slots=True)
class Database:
    """One MMDB: its name, the SHA-256 of the file in hex, its edition, and its look-up."""

    name: str
    digest: str
    edition: str
    get: Callable[[str], object]
    ipv4_only: bool = False

    @property
    def identity(self) -> str:
        return f"database {self.name} {self.digest}"

    def hear(self, text: str) -> Evidence:
        """The country in the record of the address, if there is one."""
        source = f"database {self.name}"
        try:
            record = None if self.ipv4_only and ":" in text else self.get(text)
        except DAMAGE:
            return Evidence(source, None, f"damaged record ({self.edition})")
        if record is None:
            return Evidence(source, None, f"no record ({self.edition})")
        code = code_in(record)
        said = f"says {code}" if code else "record without a country"
        return Evidence(source, country_of(code), f"{said} ({self.edition})")


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
