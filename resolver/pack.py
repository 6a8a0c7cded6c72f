"""A country pack: what is known of one country or region, in one versioned file.

Responsible for the form of a pack: frozen typed classes, and a reader that reports all that is
wrong at once with path and line. Each block of data names its sources, and each source is described
once, with edition, date and terms (``docs/packs.md``).

Limitations: whether a pack may be trusted is decided by ``resolver/pack_store.py``.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from resolver.config_checks import describe
from resolver.config_lines import Path, path_text, read_tree
from resolver.config_units import (
    Coordinates,
    Country,
    Date,
    Line,
    Word,
    Zone,
    choice,
    distance,
    duration,
    integer,
)
from resolver.errors import WHOLE_FILE, ConfigError, Finding
from resolver.limits import PACK_OCTETS_MAX

FORMAT = 1
"""The form that this program writes and reads."""

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Kilometres = distance(0, 20_100)


class Part(BaseModel):
    """Common to all parts: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Part):
    """Where data are from."""

    title: Line
    edition: Line
    date: Date
    terms: Line
    sha256: Hash | None = None  # of the file that was read, where it was a file


class TopLevel(Part):
    """A top-level domain of a country."""

    zone: Zone
    country: Country


class TopLevels(Part):
    sources: tuple[Word, ...]
    values: tuple[TopLevel, ...]


class Zones(Part):
    """Domestic zones beside or below the top-level domains."""

    sources: tuple[Word, ...]
    values: tuple[Zone, ...]


class City(Part):
    """A place where a resolver or a server may stand. ``border`` is the distance from ``at`` to the
    nearest land outside home; the city's data centres are within ``uncertainty`` of ``at``."""

    name: Line
    also: tuple[Line, ...] = ()
    country: Country
    airport: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    at: Coordinates
    uncertainty: Annotated[float, Kilometres]
    border: Annotated[float, Kilometres]
    nearest: Line


class Cities(Part):
    sources: tuple[Word, ...]
    values: tuple[City, ...]


class Mirror(Part):
    """Instances of one root server letter in one town of home, by what they say of themselves."""

    root: Annotated[str, Field(pattern="^[A-M]$")]
    country: Country
    town: Line
    identities: tuple[Line, ...]


class Mirrors(Part):
    sources: tuple[Word, ...]
    values: tuple[Mirror, ...]


class Rules(Part):
    """Defaults for the border where the operator writes none."""

    sources: tuple[Word, ...]
    mode: Annotated[str, choice("prefer", "observe")]
    patience: Annotated[float, duration("50ms", "9900ms")]


class Pack(Part):
    """A whole pack. ``version`` grows with each edition of the same name."""

    format: Annotated[int, integer(1, 1_000_000)]
    name: Word
    title: Line
    version: Annotated[int, integer(1, 10**15)]
    made: Date
    home: Annotated[tuple[Country, ...], Field(min_length=1)]
    sources: dict[Word, Source]
    tlds: TopLevels
    zones: Zones
    cities: Cities
    mirrors: Mirrors
    rules: Rules

    _sha256: str = PrivateAttr("")

    @property
    def sha256(self) -> str:
        """Of the file that it was read from, in hex."""
        return self._sha256

    def city(self, name: str) -> City | None:
        """The city of this name (letter case aside), also under another name or its airport."""
        wanted = name.casefold()
        for city in self.cities.values:
            if wanted in (known.casefold() for known in (city.name, *city.also, city.airport)):
                return city
        return None


BLOCKS = ("tlds", "zones", "cities", "mirrors", "rules")


def read_pack(data: bytes, source: str) -> Pack:
    """Read a pack from the octets of its file; ``source`` names it in errors.

    Raises:
        ConfigError: all that is wrong with it, in the order of lines.
    """
    if len(data) > PACK_OCTETS_MAX:
        message = f"{len(data)} octets, more than the {PACK_OCTETS_MAX} of a pack"
        raise ConfigError(source, [Finding(WHOLE_FILE, message)])
    tree = read_tree(data, source)
    findings = list(tree.findings)
    value = tree.value
    if not isinstance(value, dict):
        raise ConfigError(source, [*findings, Finding(WHOLE_FILE, "not a country pack", 1)])
    if isinstance(value.get("format"), int) and value["format"] != FORMAT:
        message = f"format {value['format']}; this program reads format {FORMAT}"
        raise ConfigError(source, [Finding("format", message, tree.line(("format",)))])
    pack = None
    try:
        pack = Pack.model_validate(value)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            path, message = describe(error, Pack)
            findings.append(Finding(path_text(path), message, tree.line(path)))
    findings += (
        Finding(path_text(path), message, tree.line(path))
        for path, message in _contradictions(value)
    )
    if findings or pack is None:
        raise ConfigError(source, sorted(findings, key=lambda found: (found.line or 0, found.path)))
    pack._sha256 = hashlib.sha256(data).hexdigest()
    return pack


def _contradictions(value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What contradicts what, read from raw values so that it is told with errors elsewhere."""
    home = value.get("home")
    inside = {code for code in home if isinstance(code, str)} if isinstance(home, list) else set()
    sources = value.get("sources")
    known = sources.keys() if isinstance(sources, dict) else set()
    for block in BLOCKS:
        part = value.get(block)
        if not isinstance(part, dict):
            continue
        named = part.get("sources")
        if named == []:
            yield (block, "sources"), "data need a source"
        for index, name in enumerate(named if isinstance(named, list) else ()):
            if isinstance(name, str) and name not in known:
                yield (block, "sources", index), f"no source {name!r} is described under sources"
        yield from _entries(block, part.get("values"), inside)


def _entries(block: str, values: object, inside: set[str]) -> Iterator[tuple[Path, str]]:
    first: dict[str, int] = {}
    for index, entry in enumerate(values if isinstance(values, list) else ()):
        names: list[object] = [entry] if isinstance(entry, str) else []
        if isinstance(entry, dict):
            country = entry.get("country")
            if isinstance(country, str) and inside and country not in inside:
                yield (block, "values", index, "country"), f"{country} is not in home"
            also = entry.get("also")
            names = [
                entry.get("zone"),
                entry.get("name"),
                *(also if isinstance(also, list) else ()),
            ]
        for name in names:
            if isinstance(name, str):
                at = first.setdefault(name.casefold(), index)
                if at != index:
                    yield (block, "values", index), f"{name!r} stands in {block}.values[{at}] too"
