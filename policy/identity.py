"""What a server says of itself: an identity decoded to a site, by table or by convention.

Responsible for reading an instance's identity (NSID of RFC 5001; ``id.server`` and
``hostname.bind`` of RFC 4892) as operator, country and town. The exact table comes first; it holds
the operators whose names follow no public code (root letters D, G and I) and the exceptions of the
others. Then the operator's own convention. Nothing is read out of an identity whose operator is not
known to use the convention: three letters are an airport only where the operator means one.

Sources: the identifiers that the root operators publish (2024-09), from which the table is made;
conventions of A, B, F, H, J, K, L and M as they show in them, for L also RFC 7108 section 4;
addresses of the root servers from the root zone.

Limitations: a decoded identity is a claim, never a proof. C and E publish no identifiers and are
not decoded. Servers of other zones are not known to use any convention.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from policy.iso3166 import COUNTRIES
from policy.special import ROOT_LETTERS
from resolver.limits import IDENTITY_OCTETS_MAX
from resolver.model import Address


@dataclass(frozen=True, slots=True)
class Airport:
    """An airport or a city of several: country, coordinates in degrees, name of the city."""

    country: str
    lat: float
    lon: float
    city: str


Airports = Mapping[str, Airport]
"""IATA code → airport."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the exact table."""

    country: str
    town: str
    airport: str | None = None  # IATA code; None: not known


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What identities are decoded with: (letter, key) → row, and the airports."""

    table: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    airports: Airports = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """Where an instance claims to be. ``at``: latitude and longitude, ``None`` when not known."""

    operator: str  # "root K"
    identity: str
    country: str  # ISO 3166-1 alpha-2
    town: str | None
    airport: str | None
    at: tuple[float, float] | None
    how: str  # "table" or "convention"


_VERISIGN = r"[an]\d+(?:-?[a-z])?\.(?P<country>[a-z]{2})--?(?P<code>[a-z]{3})\.root"
_FORMS = {
    "a": _VERISIGN,
    "b": r"b\d+-(?P<code>[a-z]{3})",
    "f": r"(?P<code>[a-z]{3})(?:\d+[a-z]|\.cf)\.f\.root-servers\.org",
    "h": r"\d{3}\.(?P<code>[a-z]{3})\.h\.root-servers\.org",
    "j": _VERISIGN,
    "k": r"ns\d+\.(?P<country>[a-z]{2})-(?P<code>[a-z]{3})\.k\.ripe\.net",
    "l": r"(?P<country>[a-z]{2})-(?P<code>[a-z]{3})-[a-z]{2}",
    "m": r"m-(?P<code>[a-z]{3})(?:-[a-z]+)?(?:-\d+)?",
}
_CONVENTIONS = {letter: re.compile(form, re.ASCII) for letter, form in _FORMS.items()}
"""Of identities in lower case. With a country, the code is a town's and may be no airport."""

_KEYS = {
    "d": re.compile(r"([a-z]{4})\d+\.droot\.maxgigapop\.net", re.ASCII),
    "g": re.compile(r"(groot-[a-z]+\d+)-\d+", re.ASCII),
    # The server's own number may stand before the code of the site.
    "i": re.compile(r"(?:s\d+\.)?([a-z]{3})", re.ASCII),
}
"""Part of the identity that names the site; of other letters the whole identity is the key."""


def letter_of(address: Address) -> str | None:
    """The root letter that an address belongs to, in lower case; ``None``: no known operator."""
    return ROOT_LETTERS.match(address)


def table_key(letter: str, identity: str) -> str | None:
    """The part of an identity under which the exact table has its site; ``None``: not its form."""
    form = _KEYS.get(letter)
    if form is None:
        return identity.lower()
    found = form.fullmatch(identity.lower())
    return found[1] if found else None


def decode(address: Address, identity: bytes | str, knowledge: Knowledge) -> Site | None:
    """Where the instance behind ``address`` says that it is; ``None``: nothing can be told.

    ``identity`` is the text of a reply, or the octets of an NSID; the latter need not be text.
    """
    letter = letter_of(address)
    return None if letter is None else decode_letter(letter, identity, knowledge)


def decode_letter(letter: str, identity: bytes | str, knowledge: Knowledge) -> Site | None:
    """As :func:`decode`, for an instance of a known root letter (lower case)."""
    text = _text(identity)
    if text is None:
        return None
    entry = knowledge.table.get((letter, table_key(letter, text) or ""))
    if entry is not None:
        airport = knowledge.airports.get(entry.airport or "")
        at = (airport.lat, airport.lon) if airport else None
        return Site(
            f"root {letter.upper()}", text, entry.country, entry.town, entry.airport, at, "table"
        )
    form = _CONVENTIONS.get(letter)
    found = form.fullmatch(text.lower()) if form else None
    return _by_convention(letter, text, found.groupdict(), knowledge.airports) if found else None


def _by_convention(
    letter: str, identity: str, parts: dict[str, str], airports: Airports
) -> Site | None:
    code = parts["code"].upper()
    airport = airports.get(code)
    country = parts["country"].upper() if "country" in parts else airport and airport.country
    if country not in COUNTRIES:
        return None
    if airport is not None and airport.country != country:
        airport = None  # a town's code that happens to be an airport elsewhere
    return Site(
        operator=f"root {letter.upper()}",
        identity=identity,
        country=country,
        town=airport.city if airport else None,
        airport=code if airport else None,
        at=(airport.lat, airport.lon) if airport else None,
        how="convention",
    )


def _text(identity: bytes | str) -> str | None:
    """Printable ASCII of a bounded length, without white space around it."""
    if len(identity) > IDENTITY_OCTETS_MAX:
        return None
    text = identity.decode("latin-1") if isinstance(identity, bytes) else identity
    text = text.strip()
    return text if text and text.isascii() and text.isprintable() else None
