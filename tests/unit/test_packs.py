"""Country packs: their form, and that what is shipped is what the build makes of its sources."""

import json
import os
import random
import shlex
from datetime import date
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policy.cctld import country_zones
from policy.iso3166 import COUNTRIES
from resolver.cli.pack_commands import app
from resolver.config_units import zone_text
from resolver.errors import ConfigError, SourceError
from resolver.pack import Pack, read_pack
from resolver.pack_build import Sources, build, identity_table, read_sources
from resolver.pack_store import shipped, shipped_names

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("INLAND_SHARED", PROJECT.parent / "shared"))

TODAY = date(2026, 11, 22)

MINIMAL = """\
format: 1
name: XA
title: Testland
version: 7
made: "2026-11-22"
home: [XA]
sources:
  here: {title: by hand, edition: "1", date: "2026-11-22", terms: none}
tlds:
  sources: [here]
  values: [{zone: xa, country: XA}]
zones: {sources: [here], values: [gov.xa]}
cities:
  sources: [here]
  values:
    - {name: Port, also: [Harbour], country: XA, airport: PRT, at: [1.5, 2],
       uncertainty: 5km, border: 120.5km, nearest: XB}
mirrors:
  sources: [here]
  values: [{root: K, country: XA, town: Port, identities: [ns1.xa-prt.k.ripe.net]}]
rules: {sources: [here], mode: prefer, patience: 2s}
"""


def pack_of(name: str) -> Pack:
    found = shipped(name)
    assert found is not None
    return found.pack


def test_a_minimal_pack_is_read() -> None:
    pack = read_pack(MINIMAL.encode(), "xa.yaml")
    assert (pack.name, pack.version, pack.home, pack.made) == (
        "XA",
        7,
        ("XA",),
        date(2026, 11, 22),
    )
    port = pack.city("harbour")
    assert port is not None
    assert (port.at, port.uncertainty, port.border) == ((1.5, 2.0), 5.0, 120.5)
    assert pack.city("PORT") == pack.city("prt") == port
    assert pack.city("Elsewhere") is None
    assert len(pack.sha256) == 64
    assert pack.rules.patience == 2.0


# (text, its replacement, path, line, words)
BROKEN = [
    ("format: 1", "format: 2", "format", 1, "this program reads format 1"),
    ("format: 1", "format: one", "format", 1, "expected a whole number"),
    ("name: XA\n", "name: X A\n", "name", 2, "expected letters, digits"),
    ("version: 7", "version: 0", "version", 4, "from 1 to"),
    ("version: 7", "version: 1.5", "version", 4, "got 1.5"),
    ("version: 7\n", "", "version", 1, "required"),
    ('"2026-11-22"\nhome', "2026-13-01\nhome", "made", 5, "expected a date"),
    ('"2026-11-22"\nhome', "20261122\nhome", "made", 5, "expected a date"),
    ("home: [XA]", "home: []", "home", 6, "at least 1 item"),
    ("home: [XA]", "home: [EU]", "home[0]", 6, "ISO 3166-1"),
    ("home: [XA]", "hom: [XA]", "hom", 6, "did you mean home?"),
    ("terms: none", "term: none", "sources.here.term", 8, "did you mean terms?"),
    ("terms: none", "terms: none, sha256: beef", "sources.here.sha256", 8, "match pattern"),
    ("sources: [here]\n  values: [{zone", "sources: []\n  values: [{zone", "tlds.sources", 10, ""),
    ("zones: {sources: [here]", "zones: {sources: [x]", "zones.sources[0]", 12, "no source 'x'"),
    ("zone: xa", "zone: x..a", "tlds.values[0].zone", 11, "empty label"),
    ("{zone: xa, country: XA}", "{zone: xa, country: XB}", "tlds.values[0].country", 11, "not in"),
    ("[gov.xa]", "[gov.xa, GOV.XA]", "zones.values[1]", 12, "stands in zones.values[0] too"),
    ("[gov.xa]", "[भारत]", "zones.values[0]", 12, "A-labels"),
    ("at: [1.5, 2]", "at: [91, 2]", "cities.values[0].at", 16, "a latitude and a longitude"),
    ("at: [1.5, 2]", "at: [1.5]", "cities.values[0].at", 16, "a latitude and a longitude"),
    ("at: [1.5, 2]", "at: [1.5, true]", "cities.values[0].at", 16, "got true"),
    ("5km", "5 km", "cities.values[0].uncertainty", 17, "a distance in kilometres"),
    ("5km", "-5km", "cities.values[0].uncertainty", 17, "a distance in kilometres"),
    ("120.5km", "99999km", "cities.values[0].border", 17, "out of range"),
    ("airport: PRT", "airport: prt", "cities.values[0].airport", 16, "match pattern"),
    ("name: Port,", "name: ' ',", "cities.values[0].name", 16, "a text on one line"),
    ("also: [Harbour]", "also: Harbour", "cities.values[0].also", 16, "expected a list"),
    ("root: K", "root: N", "mirrors.values[0].root", 20, "match pattern"),
    ("mode: prefer", "mode: enforce", "rules.mode", 21, "prefer, observe"),
    ("patience: 2s", "patience: 20s", "rules.patience", 21, "out of range"),
    ("patience: 2s}", "patience: 2s", "(file)", 22, "not YAML"),
    ("title: Testland", "title: Testland\ntitle: T", "title", 4, "stands twice"),
]


@pytest.mark.parametrize(("old", "new", "path", "line", "words"), BROKEN, ids=lambda value: None)
def test_a_broken_pack_names_path_and_line(
    old: str, new: str, path: str, line: int, words: str
) -> None:
    assert old in MINIMAL
    with pytest.raises(ConfigError) as raised:
        read_pack(MINIMAL.replace(old, new, 1).encode(), "xa.yaml")
    (found,) = [it for it in raised.value.findings if (it.path, it.line) == (path, line)]
    assert words in found.message


def test_all_errors_come_at_once() -> None:
    text = (
        MINIMAL.replace("version: 7", "version: x").replace(" 5km", " 5").replace("root: K, ", "")
    )
    with pytest.raises(ConfigError) as raised:
        read_pack(text.encode(), "xa.yaml")
    assert [found.line for found in raised.value.findings] == [4, 17, 20]


@pytest.mark.parametrize("data", [b"", b"[]", b"IN", b"\xff\xff", b"- 1\n- 2", b"#" * (5 << 20)])
def test_what_is_no_pack_gives_one_error(data: bytes) -> None:
    with pytest.raises(ConfigError) as raised:
        read_pack(data, "x.yaml")
    assert len(raised.value.findings) == 1


def test_a_hundred_damaged_packs_raise_nothing_but_config_errors() -> None:
    found = shipped("IN")
    assert found is not None
    chance = random.Random(7)
    refused = 0
    for _ in range(100):
        data = bytearray(found.octets)
        if chance.random() < 0.5:
            del data[chance.randrange(len(data)) :]
        else:
            at = chance.randrange(len(data))
            data[at] ^= 1 << chance.randrange(8)
        try:
            read_pack(bytes(data), "IN.yaml")
        except ConfigError as error:
            refused += 1
            assert error.findings
    assert refused > 50  # a flipped bit in a name still makes a name; signatures see that


# --- What is shipped ------------------------------------------------------------------------------


def test_shipped_packs_are_whole() -> None:
    assert shipped_names() == ["BENELUX", "BR", "IN", "IS", "LK", "SG", "US"]
    assert shipped("XX") is None
    for name in shipped_names():
        pack = pack_of(name)
        assert pack.name == name
        assert set(pack.home) <= COUNTRIES
        assert pack.cities.values
        assert pack.mirrors.values
        for city in pack.cities.values:
            assert city.border > 0
    assert pack_of("BENELUX").home == ("BE", "NL", "LU")


def test_the_pack_of_india_is_complete() -> None:
    pack = pack_of("IN")
    zones = [zone_text(entry.zone) for entry in pack.tlds.values]
    assert zones[0] == "in"
    assert sum(zone.startswith("xn--") for zone in zones) == 15
    border = {city.name: city.border for city in pack.cities.values}
    assert border["Mumbai"] == pytest.approx(612, abs=1)
    assert len(border) >= 15
    assert sum(len(mirror.identities) for mirror in pack.mirrors.values) == 50


@pytest.mark.parametrize("name", shipped_names())
def test_packs_and_the_table_of_country_zones_agree(name: str) -> None:
    pack = pack_of(name)
    assert {entry.zone for entry in pack.tlds.values} == country_zones(frozenset(pack.home))


@pytest.fixture(scope="module")
def sources() -> Sources:
    folder = SHARED / "data"
    if not (folder / "countries-10m.json").exists():
        pytest.skip(f"{folder} is not there (set INLAND_SHARED)")
    return read_sources(folder, TODAY)


def same_airports(edition: str) -> None:
    installed = metadata.version("airportsdata")
    if installed != edition:
        pytest.skip(f"built with airportsdata {edition}, installed is {installed}")


@pytest.mark.parametrize("name", shipped_names())
def test_building_again_gives_the_same_octets(name: str, sources: Sources) -> None:
    found = shipped(name)
    assert found is not None
    pack = found.pack
    same_airports(pack.sources["airports"].edition)
    made = build(pack.home, pack.name, pack.title, pack.made, pack.version, sources)
    assert made.encode() == found.octets


def test_the_table_of_identities_is_what_the_build_makes(sources: Sources) -> None:
    same_airports(sources.described["airports"]["edition"])
    path = PROJECT / "resolver/data/identities.json"
    assert identity_table(sources).encode() == path.read_bytes()


def test_top_level_domains_of_packs_are_in_the_root_zone() -> None:
    path = SHARED / "data/root.zone"
    if not path.exists():
        pytest.skip(f"{path} is not there (set INLAND_SHARED)")
    with path.open(encoding="ascii") as file:
        there = {line.split(None, 1)[0].rstrip(".").lower() for line in file if line.strip()}
    for name in shipped_names():
        pack = pack_of(name)
        zones = [entry.zone for entry in pack.tlds.values] + list(pack.zones.values)
        assert {zone_text(zone).rpartition(".")[2] for zone in zones} <= there


def test_sources_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"countries-10m\.json: No such file"):
        read_sources(tmp_path, TODAY)
    (tmp_path / "countries-10m.json").write_text("[]")
    with pytest.raises(SourceError, match=r"no root-identifiers-\*\.json"):
        read_sources(tmp_path, TODAY)
    for name in ("countries-10m.json", "root-identifiers-2024-09.json", "idn-cctld.json"):
        (tmp_path / name).write_text("[]")
    with pytest.raises(SourceError, match=r"idn-cctld\.json: expected A-labels"):
        read_sources(tmp_path, TODAY)
    (tmp_path / "idn-cctld.json").write_text("{}")
    with pytest.raises(SourceError, match="no object of type Topology"):
        read_sources(tmp_path, TODAY)


def test_a_file_of_an_unknown_edition_is_told_by_its_hash(tmp_path: Path) -> None:
    box = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    shapes = [{"type": "Polygon", "id": "356", "arcs": [[0]]}]
    world = {"type": "Topology", "arcs": [box], "objects": {"countries": {"geometries": shapes}}}
    (tmp_path / "countries-10m.json").write_text(json.dumps(world))
    (tmp_path / "root-identifiers-2030-01.json").write_text('[["k", "x", "IN", "Delhi"]]')
    (tmp_path / "idn-cctld.json").write_text("{}")
    text = build(["IN"], "IN", "India", TODAY, 1, read_sources(tmp_path, TODAY))
    pack = read_pack(text.encode(), "IN")
    source = pack.sources["root-identifiers"]
    assert (source.edition, source.date) == ("not known", TODAY)
    assert source.sha256 is not None
    assert pack.cities.values == ()


def test_the_command_in_a_packs_header_builds_it(tmp_path: Path, sources: Sources) -> None:
    found = shipped("BENELUX")
    assert found is not None
    same_airports(found.pack.sources["airports"].edition)
    head = [line[1:].strip() for line in found.octets.decode().splitlines() if line[:1] == "#"]
    command = " ".join(head).partition("Built by: inland pack ")[2].partition("FOLDER")[0]
    out = tmp_path / "BENELUX.yaml"
    words = [*shlex.split(command), str(SHARED / "data"), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == found.octets
    assert found.pack.sha256 in result.output


def test_a_region_needs_a_name(tmp_path: Path) -> None:
    words = ["build", "BE", "NL", "--sources", str(tmp_path), "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "a region needs --name" in result.output
