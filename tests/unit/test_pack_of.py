"""A pack in the configuration: home, zones, defaults, and how far the border is from the place."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policy.border import Policy
from policy.inputs import Mode
from policy.place import Place
from resolver.cli.check import examine
from resolver.config import Config, load, parse
from resolver.errors import ConfigError, Finding
from resolver.model import Destination
from resolver.names import from_text
from resolver.pack_of import mirror_letters, pack_warnings, settle_pack
from resolver.pack_store import shipped
from resolver.policy_of import policy_of
from tests.unit.test_pack_store import KEY, OTHER, version, write
from tests.unit.test_packs import MINIMAL


def made(text: str, base: Path | None = None) -> Policy:
    return policy_of(parse(text.encode(), "x.yaml", base))[0]


def findings(text: str, base: Path | None = None) -> list[Finding]:
    with pytest.raises(ConfigError) as raised:
        made(text, base)
    return raised.value.findings


def test_a_pack_sets_home_and_its_zones() -> None:
    policy = made("pack: IN\nborder: {zones: [example.com]}")
    assert policy.home == {"IN"}
    assert policy.destination((), from_text("www.example.xn--h2brj9c")) is Destination.DOMESTIC
    assert policy.destination((), from_text("www.example.com")) is Destination.DOMESTIC
    assert policy.destination((), from_text("www.example.org")) is Destination.NONE
    assert from_text("gov.in") in policy.zones
    assert from_text("example.com") in policy.zones
    assert made("pack: BENELUX").home == {"BE", "NL", "LU"}


def test_the_root_servers_of_a_pack_are_those_with_instances_in_home() -> None:
    def letters(text: str) -> frozenset[str]:
        return mirror_letters(parse(text.encode(), "x.yaml"))

    assert letters("pack: IN") >= {"d", "f", "i", "j", "k", "l"}
    assert "c" not in letters("pack: IN"), "nobody publishes identifiers of it"
    assert letters("home: [IN]") == frozenset()


def test_a_pack_and_the_same_home_written_out_decide_alike_for_destinations() -> None:
    one, other = made("pack: SG"), made("home: [SG]")
    for name in ("a.sg", "a.xn--yfro4i67o", "gov.sg", "a.my"):
        assert one.destination((), from_text(name)) is other.destination((), from_text(name))


def test_the_packs_defaults_hold_where_nothing_is_written(tmp_path: Path) -> None:
    text = MINIMAL.replace("mode: prefer, patience: 2s", "mode: observe, patience: 750ms")
    write(tmp_path, text)
    base = f"pack: XA\npacks: {{path: '{tmp_path}', keys: ['{KEY.public}']}}\n"
    policy = made(base)
    assert (policy.mode, policy.patience) == (Mode.OBSERVE, 0.75)
    policy = made(base + "border: {mode: prefer, patience: 2s}")
    assert (policy.mode, policy.patience) == (Mode.PREFER, 2.0)


# --- The place ------------------------------------------------------------------------------------


def place(text: str) -> Place:
    found = made(text).place
    assert found is not None
    return found


def test_without_a_place_there_is_none() -> None:
    assert made("pack: IN").place is None


@pytest.mark.parametrize("name", ["Mumbai", "mumbai", "BOM"])
def test_a_city_of_the_pack(name: str) -> None:
    found = place(f"pack: IN\nborder: {{place: {{city: {name}}}}}")
    assert (round(found.border_km), found.uncertainty_km) == (612, 50)
    assert "Mumbai by its airport BOM" in found.detail
    assert found.greatest_rtt_ms("strict") == pytest.approx(2 * (611.8 - 60) / 299.792458)
    assert found.greatest_rtt_ms("fibre") == pytest.approx(2 * (611.8 - 60) / 204.4)


def test_coordinates_with_a_stated_distance_need_no_pack() -> None:
    found = place(
        "home: [IN]\nborder: {place: {at: [19.076, 72.878], uncertainty: 5km, border: 613km}}"
    )
    assert found == Place(19.076, 72.878, 5.0, 613.0, "as stated")


def test_coordinates_alone_are_as_far_as_the_cities_of_the_pack_make_certain() -> None:
    found = place("pack: IN\nborder: {place: {at: [19.076, 72.878], uncertainty: 1km}}")
    assert 605 < found.border_km < 613.6  # the true distance, and less
    assert "at least, by the distance of" in found.detail
    abroad = place("pack: IN\nborder: {place: {at: [48.85, 2.35], uncertainty: 1km}}")
    assert abroad.border_km == 0
    assert abroad.greatest_rtt_ms("fibre") == 0


def test_geography_forbids_proof_in_singapore() -> None:
    found = place("pack: SG\nborder: {place: {city: Singapore}}")
    assert (found.greatest_rtt_ms("strict"), found.greatest_rtt_ms("fibre")) == (0, 0)


def test_a_claim_faster_than_light() -> None:
    mumbai = Place(19.076, 72.878, 1, 613, "test")
    assert mumbai.least_rtt_ms((19.09, 72.87)) == 0
    delhi = mumbai.least_rtt_ms((28.57, 77.1))
    assert delhi == pytest.approx(2 * (1138 - 61) / 299.792458, rel=0.02)


def test_the_place_is_part_of_the_policy() -> None:
    one = made("pack: IN\nborder: {place: {city: Mumbai}}")
    other = made("pack: IN\nborder: {place: {city: Chennai}}")
    assert one.generation != other.generation != made("pack: IN").generation


# --- What is wrong --------------------------------------------------------------------------------

IN = "pack: IN\n"
BROKEN = [
    ("pack: IN\nhome: [IN]", "pack", 1, "take one of the two out"),
    ("pack: XX", "pack", 1, "no pack XX is shipped; there are BENELUX"),
    ("pack: [IN]", "pack", 1, "expected a short name"),
    (IN + "border: {place: {city: Paris}}", "border.place.city", 2, "no city 'Paris'; it has"),
    (IN + "border: {place: {}}", "border.place", 2, "expected either city or at"),
    (IN + "border: {place: {city: Mumbai, at: [1, 2]}}", "border.place", 2, "either city or at"),
    (IN + "border: {place: {city: BOM, border: 9km}}", "border.place", 2, "are those of the pack"),
    (IN + "border: {place: {at: [19, 72]}}", "border.place", 2, "at needs uncertainty"),
    (IN + "border: {place: {at: [91, 72]}}", "border.place.at", 2, "a latitude and a longitude"),
    (IN + "border: {place: Mumbai}", "border.place", 2, "expected keys and values"),
    (IN + "border: {place: {town: Mumbai}}", "border.place.town", 2, "unknown key"),
    ("home: [IN]\nborder: {place: {city: Mumbai}}", "border.place.city", 2, "name one with pack"),
    (
        "home: [IN]\nborder: {place: {at: [1, 2], uncertainty: 1km}}",
        "border.place",
        2,
        "without a pack, border is needed",
    ),
    (IN + "packs: {path: x}", "packs.path", 2, "need packs.keys"),
    (IN + "packs: {keys: [abc]}", "packs.keys[0]", 2, "as \"inland pack key\" prints it"),
    (IN + "packs: {keys: [3]}", "packs.keys[0]", 2, "expected a public key"),
    (
        IN + "border: {domestic: [{prefix: 11.0.0.0/8, country: US}]}",
        "border.domestic[0].country",
        2,
        "US is not in home, but the prefix is domestic",
    ),
    (
        IN + "border: {foreign: [{prefix: 11.0.0.0/8, country: IN}]}",
        "border.foreign[0].country",
        2,
        "IN is in home, but the prefix is foreign",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "line", "words"), BROKEN, ids=lambda value: None)
def test_a_broken_key_is_found(text: str, path: str, line: int, words: str) -> None:
    found = [it for it in findings(text) if it.path == path]
    assert [(it.line, words in it.message) for it in found] == [(line, True)]


def test_a_bad_pack_is_told_with_what_else_is_wrong() -> None:
    text = "pack: XX\nborder:\n  databases: [none.mmdb]\nresolution: {root_hints: none}"
    assert {found.path for found in findings(text)} == {
        "pack",
        "border.databases[0]",
        "resolution.root_hints",
    }


def test_neither_home_nor_pack() -> None:
    (found,) = findings("log: {}")
    assert (found.path, found.line) == ("home", 1)
    assert "pack: IN" in found.message


# --- A pack of one's own, from start to refusal ---------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write(tmp_path / "packs")
    path = tmp_path / "inland.yaml"
    config = {
        "pack": "XA",
        "packs": {"path": "packs", "keys": [str(KEY.public)]},
        "state": {"directory": "state"},
    }
    path.write_text(json.dumps(config))
    return path


def loaded(path: Path) -> Config:
    config = load(path)
    assert policy_of(config)[0].home == {"XA"}
    return config


def test_the_pack_in_force_is_kept_and_stands_in_for_a_bad_one(own: Path) -> None:
    folder = own.parent / "packs"
    assert settle_pack(loaded(own)) == []
    assert (own.parent / "state/packs/XA.pack").exists()
    write(folder, version(8), OTHER)
    config = loaded(own)
    (warning,) = pack_warnings(config)
    assert "not by a key that is trusted here; in use is version 7 (kept, signed by" in warning
    assert settle_pack(config) == [warning]
    warned = examine(own)["warnings"]
    assert isinstance(warned, list)
    assert warning in warned
    write(folder, version(8))
    assert settle_pack(loaded(own)) == []
    write(folder, version(7))
    (warning,) = pack_warnings(loaded(own))
    assert "version 7 is older than 8, seen before; in use is version 8" in warning


def test_nothing_is_kept_by_looking(own: Path) -> None:
    config = loaded(own)
    assert pack_warnings(config) == []
    examine(own)
    assert not (own.parent / "state").exists()


def test_a_bad_pack_without_a_good_one_is_an_error_of_the_configuration(own: Path) -> None:
    write(own.parent / "packs", version(7), OTHER)
    with pytest.raises(ConfigError) as raised:
        policy_of(load(own))
    (found,) = raised.value.findings
    assert (found.path, found.line) == ("pack", 1)
    assert "there is no good one to use instead" in found.message


def test_a_state_directory_that_cannot_be_written_is_a_warning(own: Path) -> None:
    (own.parent / "state").write_text("a file")
    (warning,) = settle_pack(loaded(own))
    assert "not kept as the last good one" in warning


def test_the_pack_inside_the_program_is_the_one_in_use() -> None:
    found = shipped("IN")
    assert found is not None
    assert settle_pack(parse(b"pack: IN")) == []


def test_check_takes_a_pack(tmp_path: Path) -> None:
    from resolver.cli import build

    path = tmp_path / "inland.yaml"
    path.write_text("pack: IN\nborder: {place: {city: Mumbai}}\n")
    result = CliRunner().invoke(build(["check"]), ["check", str(path)])
    assert result.exit_code == 0, result.output
