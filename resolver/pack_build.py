"""Build country packs from their sources: the same sources give the same octets.

Responsible for collecting what a pack holds (top-level domains, listed zones, cities with their
distance to the border, instances of root servers in home) and for writing it as YAML, one datum a
line, so that two editions can be compared.

Cities are those towns of home for which a published identifier names an airport whose city has the
town's name: the airport stands for the city, and the uncertainty says so.

Limitations: a city without a published instance is not in the pack; its coordinates can be stated.
An airport whose coordinates are wrong is seen only when they lie abroad.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from policy.airports import airports, edition
from policy.cctld import country_zones
from policy.identity import Airports
from policy.pack_files import read_json
from policy.polygons import World, decode_world, nearest_foreign
from policy.published import Published, Towns, exact_table, letters_of, read_rows, voted_towns
from resolver.config_units import zone_text
from resolver.errors import SourceError
from resolver.limits import CITY_UNCERTAINTY_KM, IDENTITIES_OCTETS_MAX, POLYGONS_OCTETS_MAX
from resolver.pack import FORMAT
from resolver.pack_facts import CHECKED, TOWNS, ZONES

POLYGONS = "countries-10m.json"
IDENTIFIERS = "root-identifiers-*.json"  # the last in the alphabet
IDN = "idn-cctld.json"

EDITIONS: dict[str, tuple[str, str]] = {
    "3bc6f1d367a9bcec479841bae0e76092f512838411d0cef124e92eec4db45f79": ("4.1.0", "2018-05-21"),
    "af37af6021188e8e43f03c9a6926e254cce60b1969ae24fec763ac0f3fd43176": ("2024-09", "2024-09-01"),
    "833ee4af120bef0f448257bc07b4970ac867dc36be93d1e49da1fb531ded445a": (
        "2026-08-22",
        "2026-08-22",
    ),
}
"""SHA-256 of a file → its edition and date. Of another file the pack tells the hash alone."""


Blocks = dict[str, tuple[list[str], Sequence[Any]]]
"""Name of a block → names of its sources, and its values."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, and how the header describes it."""

    world: World
    rows: tuple[Published, ...]
    idn: dict[str, str]  # A-label → country
    airports: Airports
    described: dict[str, dict[str, str]]


def read_sources(folder: Path, read_on: date) -> Sources:
    """Read the files that packs are built from. ``read_on`` is the date of those whose edition is
    not known. Raises ``SourceError``."""
    polygons, polygon_octets = read_json(folder / POLYGONS, POLYGONS_OCTETS_MAX)
    published = sorted(folder.glob(IDENTIFIERS))
    if not published:
        raise SourceError(f"{folder}: no {IDENTIFIERS}")
    rows, row_octets = read_json(published[-1], IDENTITIES_OCTETS_MAX)
    idn, idn_octets = read_json(folder / IDN, IDENTITIES_OCTETS_MAX)
    if not (isinstance(idn, dict) and all(isinstance(code, str) for code in idn.values())):
        raise SourceError(f"{folder / IDN}: expected A-labels with country codes")
    try:
        world, checked = decode_world(polygons), tuple(read_rows(rows))
    except SourceError as error:
        raise SourceError(f"{folder}: {error}") from None
    return Sources(
        world,
        checked,
        idn,
        airports(),
        _described(polygon_octets, row_octets, idn_octets, read_on),
    )


def _described(
    polygons: bytes, rows: bytes, idn: bytes, read_on: date
) -> dict[str, dict[str, str]]:
    version = edition().rpartition(" ")[2]
    made = date(int(version[:4]), int(version[4:6]), int(version[6:8])).isoformat()

    def one(title: str, which: str, when: str, terms: str) -> dict[str, str]:
        return {"title": title, "edition": which, "date": when, "terms": terms}

    def file(title: str, octets: bytes, terms: str) -> dict[str, str]:
        digest = hashlib.sha256(octets).hexdigest()
        which, when = EDITIONS.get(digest, ("not known", read_on.isoformat()))
        return one(title, which, when, terms) | {"sha256": digest}

    root = one("IANA root zone database and root zone", "2026-08-22", "2026-08-22", "public record")
    alabels = "internationalised ccTLDs from the Public Suffix List, checked against the root zone"
    instances = "identifiers of instances as published by the root operators"
    return {
        "iso-3166": one("ISO 3166-1 country codes", CHECKED, CHECKED, "facts"),
        "iana": root,
        "idn-cctld": file(alabels, idn, "facts; the list is under MPL 2.0"),
        "zones": one("Public Suffix List, names below ccTLDs", CHECKED, CHECKED, "facts"),
        "root-identifiers": file(instances, rows, "published by the operators"),
        "airports": one("airportsdata: coordinates of airports", version, made, "MIT"),
        "natural-earth": file("Natural Earth, countries 1:10m", polygons, "public domain"),
        "inland": one("defaults of the project", CHECKED, CHECKED, "Apache-2.0"),
    }


# --- What a pack holds ----------------------------------------------------------------------------


def build(
    home: Sequence[str], name: str, title: str, made: date, version: int, sources: Sources
) -> str:
    """The text of a pack. ``home`` is in the order of the header."""
    inside = frozenset(home)
    rows = [row for row in sources.rows if row.country in inside]
    cities = _cities(rows, voted_towns(sources.rows, sources.airports), inside, sources)
    blocks: Blocks = {
        "tlds": (["iso-3166", "iana", "idn-cctld"], _tlds(home, sources.idn)),
        "zones": (["iana", "zones"], [zone for code in home for zone in _zones(code)]),
        "cities": (["root-identifiers", "airports", "natural-earth"], cities),
        "mirrors": (["root-identifiers"], _mirrors(rows)),
    }
    head = {"format": FORMAT, "name": name, "title": title, "version": version}
    head |= {"made": made.isoformat(), "home": list(home)}
    return "\n".join(_text(head, blocks, sources.described)) + "\n"


def _tlds(home: Sequence[str], idn: dict[str, str]) -> list[dict[str, str]]:
    found = []
    for code in home:
        plain = (zone_text(zone) for zone in country_zones(frozenset({code})))
        labels = {zone for zone in plain if not zone.startswith("xn--")}
        labels |= {label for label, country in idn.items() if country == code}
        # The ISO code's own first, the internationalised last.
        order = sorted(labels, key=lambda label: (label.startswith("xn--"), len(label), label))
        found += [{"zone": label, "country": code} for label in order]
    return found


def _zones(code: str) -> list[str]:
    return ZONES.get(code, "").split()


def _cities(
    rows: Iterable[Published], towns: Towns, home: frozenset[str], sources: Sources
) -> list[dict[str, Any]]:
    names: dict[str, Counter[str]] = {}
    for row in rows:
        code = TOWNS.get((row.country, row.town))
        code = code or towns.get((row.country, letters_of(row.town)))
        if code is not None and (
            _is_of(row.town, code, sources) or (row.country, row.town) in TOWNS
        ):
            names.setdefault(code, Counter())[row.town] += 1
    for (country, town), code in TOWNS.items():
        if code in names and country in home:
            names[code].setdefault(town, 0)
    out = []
    for code, counted in names.items():
        at = sources.airports[code]
        ordered = [name for name, _ in sorted(counted.items(), key=lambda it: (-it[1], it[0]))]
        border = nearest_foreign(sources.world, at.lat, at.lon, home)
        if border.km == 0:
            continue  # the list has it on foreign land, so its coordinates are wrong
        out.append(
            {
                "name": ordered[0],
                **({"also": ordered[1:]} if ordered[1:] else {}),
                "country": at.country,
                "airport": code,
                "at": [at.lat, at.lon],
                "uncertainty": f"{CITY_UNCERTAINTY_KM:g}km",
                # Cut off, not rounded: the border is never put farther away.
                "border": f"{int(border.km * 10) / 10:.1f}km",
                "nearest": border.country or border.name,
            }
        )
    return sorted(out, key=lambda city: (city["country"], city["name"]))


def _is_of(town: str, code: str, sources: Sources) -> bool:
    """Whether the airport's city and the town share a name: a code alone may stand for an airport
    far away."""
    city, letters = letters_of(sources.airports[code].city), letters_of(town)
    return bool(city and letters) and (city in letters or letters in city)


def _mirrors(rows: Iterable[Published]) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        grouped.setdefault((row.letter.upper(), row.country, row.town), []).append(row.identity)
    return [
        {"root": root, "country": country, "town": town, "identities": sorted(set(identities))}
        for (root, country, town), identities in sorted(grouped.items())
    ]


# --- Writing --------------------------------------------------------------------------------------


def _text(
    head: dict[str, Any], blocks: Blocks, described: dict[str, dict[str, str]]
) -> Iterator[str]:
    codes = " ".join(head["home"])
    yield f"# Inland: what is known of {head['title']} ({codes}). See docs/packs.md."
    yield f"# Built by: inland pack build {codes} --name {head['name']}"
    yield f"#   --title {json.dumps(head['title'])} --version {head['version']}"
    yield f"#   --made {head['made']} --sources FOLDER. Do not edit: build it again."
    yield ""
    yield from (f"{key}: {_plain(value)}" for key, value in head.items())
    yield ""
    yield "sources:"
    used = {"inland", *(name for names, _ in blocks.values() for name in names)}
    for name, source in described.items():
        if name in used:
            yield f"  {name}:"
            yield from (f"    {key}: {_plain(value)}" for key, value in source.items())
    for block, (names, values) in blocks.items():
        yield ""
        yield f"{block}:"
        yield f"  sources: {_plain(names)}"
        yield f"  values:{'' if values else ' []'}"
        yield from (f"    - {_plain(value)}" for value in values)
    yield ""
    yield "rules:"
    yield f"  sources: {_plain(['inland'])}"
    yield "  mode: prefer"
    yield '  patience: "2s"'


def _plain(value: object) -> str:
    """One line of YAML: JSON, with bare keys for the eye."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def identity_table(sources: Sources) -> str:
    """The text of the exact table of identities (``resolver/data/identities.json``)."""
    table = exact_table(sources.rows, sources.airports)
    rows = [
        json.dumps([letter, key, entry.country, entry.town, entry.airport], ensure_ascii=False)
        for (letter, key), entry in sorted(table.items())
    ]
    origin = {
        name: sources.described[name] for name in ("root-identifiers", "airports")
    }  # of the rows, and of the codes of airports
    head = json.dumps(origin, ensure_ascii=False)
    return f'{{"format": {FORMAT},\n"sources": {head},\n"rows": [\n' + ",\n".join(rows) + "\n]}\n"
