"""Evidence readers and the loading of databases."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxminddb import InvalidDatabaseError

from policy.inputs import DatabaseFile, PolicyInputs
from policy.load import load_policy, open_database, open_registry
from policy.sources import Database, Registry, code_in
from policy.verdict import Evidence
from resolver.errors import ConfigError, SourceError
from resolver.model import Verdict, address_from_text
from tests.unit.mmdb import Value, write_mmdb

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("INLAND_SHARED", PROJECT.parent / "shared"))


def stored(path: Path, networks: dict[str, Value], ip_version: int = 6) -> DatabaseFile:
    path.write_bytes(write_mmdb(networks, ip_version))
    return DatabaseFile(path, path.stem)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"country": {"iso_code": "IN"}}, "IN"),
        ({"country_code": "in"}, "IN"),
        ({"country": "IN"}, "IN"),
        ({"country": "India", "country_code": "IN"}, "IN"),
        ({"country": {"iso_code": "EU"}}, "EU"),
        ({"country": {"names": {"en": "India"}}}, None),
        ({"country": "India"}, None),
        ({"registered_country": {"iso_code": "IN"}}, None),
        ({"country_code": 91}, None),
        ({}, None),
        ("IN", None),
        (None, None),
    ],
)
def test_the_usual_shapes_of_records_are_read(record: object, code: str | None) -> None:
    assert code_in(record) == code


def test_the_registry_names_its_snapshot() -> None:
    registry = open_registry()
    assert registry.edition.startswith("iptocc ")
    assert registry.identity == f"registry {registry.edition}"
    voice = registry.hear("8.8.8.8")
    assert voice == Evidence("registry", "US", f"registered in US ({registry.edition})")


def test_the_registry_knows_nothing_of_unregistered_addresses() -> None:
    voice = Registry("e").hear("192.0.2.1")
    assert (voice.country, voice.detail) == (None, "not registered to a country (e)")


def test_a_region_in_the_registry_is_not_a_country() -> None:
    voice = Registry("e", lambda text: "EU").hear("192.0.2.1")
    assert voice == Evidence("registry", None, "registered in EU (e)")


def test_a_database_speaks_for_both_families(tmp_path: Path) -> None:
    networks: dict[str, Value] = {
        "11.0.0.0/8": {"country": {"iso_code": "IN"}},
        "2a00::/16": {"country_code": "de"},
        "12.0.0.0/8": {"country": "EU"},
        "13.0.0.0/8": {"city": "Nowhere"},
    }
    database = open_database(stored(tmp_path / "geo.mmdb", networks))
    assert database.edition == "of 2026-05-28"
    assert database.hear("11.1.2.3") == Evidence("database geo", "IN", "says IN (of 2026-05-28)")
    assert database.hear("2a00::1").country == "DE"
    assert database.hear("12.0.0.1") == Evidence("database geo", None, "says EU (of 2026-05-28)")
    assert database.hear("13.0.0.1").detail == "record without a country (of 2026-05-28)"
    assert database.hear("14.0.0.1").detail == "no record (of 2026-05-28)"


def test_an_ipv4_database_is_silent_about_ipv6(tmp_path: Path) -> None:
    file = stored(tmp_path / "four.mmdb", {"11.0.0.0/8": {"country": "IN"}}, ip_version=4)
    database = open_database(file)
    assert database.hear("11.0.0.1").country == "IN"
    assert database.hear("2a00::1").detail.startswith("no record")


def test_a_damaged_record_is_a_voice_that_knows_nothing() -> None:
    def get(text: str) -> object:
        raise InvalidDatabaseError("bad pointer")

    voice = Database("d", "00", "e", get).hear("11.0.0.1")
    assert (voice.country, voice.detail) == (None, "damaged record (e)")


BASE = write_mmdb(
    {
        "11.0.0.0/8": {"country": {"iso_code": "IN"}},
        "2a00::/16": {"country_code": "de"},
        "12.0.0.0/8": {"country": "EU", "more": {"deep": {"deeper": 3}}},
    }
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(BASE)),
)
def test_damage_is_an_error_or_silence_but_nothing_else(
    tmp_path: Path, changes: list[tuple[int, int]], end: int
) -> None:
    data = bytearray(BASE)
    for at, octet in changes:
        data[at] = octet
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(data[: end or len(data)])
    try:
        database = open_database(DatabaseFile(path, "damaged"))
    except SourceError as error:
        assert str(path) in str(error)
        return
    for text in ("11.0.0.1", "12.0.0.1", "13.0.0.1", "2a00::1", "::1"):
        country = database.hear(text).country
        assert country is None or len(country) == 2


def test_a_replaced_file_changes_nothing_until_it_is_loaded_again(tmp_path: Path) -> None:
    file = stored(tmp_path / "geo.mmdb", {"11.0.0.0/8": {"country": "IN"}})
    before = open_database(file)
    with file.path.open("r+b") as torn:
        torn.truncate(10)
    assert before.hear("11.0.0.1").country == "IN"
    after = open_database(stored(file.path, {"11.0.0.0/8": {"country": "DE"}}))
    assert after.hear("11.0.0.1").country == "DE"
    assert before.identity != after.identity


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a usable MaxMind DB"),
        (b"just text\n" * 100, "not a usable MaxMind DB"),
        (write_mmdb({"11.0.0.0/8": {"country": "IN"}})[20:], "not a usable MaxMind DB"),
        (write_mmdb({"11.0.0.0/8": {"asn": 64512}}), "holds no country codes"),
    ],
)
def test_an_unusable_database_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.mmdb"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words) as raised:
        open_database(DatabaseFile(path, "bad"))
    assert str(raised.value).startswith(str(path))


def test_a_database_over_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.mmdb"
    with path.open("wb") as sparse:
        sparse.truncate((1 << 30) + 1)
    with pytest.raises(SourceError, match="more than a location database has"):
        open_database(DatabaseFile(path, "huge"))


def test_all_unusable_databases_are_reported_at_once(tmp_path: Path) -> None:
    good = stored(tmp_path / "good.mmdb", {"11.0.0.0/8": {"country": "IN"}})
    missing = DatabaseFile(tmp_path / "missing.mmdb", "missing")
    directory = DatabaseFile(tmp_path, "directory")
    inputs = PolicyInputs(home=frozenset({"IN"}), databases=(missing, good, directory))
    with pytest.raises(ConfigError) as raised:
        load_policy(inputs, "some.yaml")
    paths = [finding.path for finding in raised.value.findings]
    assert paths == ["border.databases[0]", "border.databases[2]"]
    assert "No such file" in raised.value.findings[0].message


def test_registry_and_database_against_each_other(tmp_path: Path) -> None:
    file = stored(tmp_path / "geo.mmdb", {"8.8.8.0/24": {"country": "IN"}})
    address = address_from_text("8.8.8.8")
    both = PolicyInputs(home=frozenset({"IN"}), databases=(file,))
    location = load_policy(both).locate(address)
    assert location.verdict is Verdict.UNKNOWN
    assert [voice.country for voice in location.evidence] == ["US", "IN"]
    alone = PolicyInputs(home=frozenset({"IN"}), databases=(file,), registry=False)
    assert load_policy(alone).locate(address).verdict is Verdict.DOMESTIC


def test_a_real_database() -> None:
    path = SHARED / "data" / "dbip-country.mmdb"
    if not path.exists():
        pytest.skip(f"{path} is not there (set INLAND_SHARED)")
    database = open_database(DatabaseFile(path, "dbip"))
    assert database.edition == "of 2026-06-01"
    assert database.hear("14.139.0.1").country == "IN"
    assert database.hear("8.8.8.8").country == "US"
    assert database.hear("2a00:1450::1").country is not None
