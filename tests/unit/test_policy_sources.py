"""Evidence readers and the loading of databases."""

import os
from pathlib import Path
from random import Random

import maxminddb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxminddb import InvalidDatabaseError

from policy.inputs import PolicyInputs, SourceFile
from policy.load import load_policy, open_database, open_registry
from policy.sources import Database, code_in
from policy.table import compile_layers
from policy.verdict import Evidence, Origin, country_of
from resolver.errors import ConfigError, SourceError
from resolver.model import Address, Verdict, address_from_text, address_text
from tests.unit.evidence import hear, registry
from tests.unit.mmdb import Value, write_mmdb

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("INLAND_SHARED", PROJECT.parent / "shared"))


def stored(path: Path, networks: dict[str, Value], ip_version: int = 6) -> SourceFile:
    path.write_bytes(write_mmdb(networks, ip_version))
    return SourceFile(path, path.stem)


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
    origin = registry.origin
    assert origin.date is not None
    assert len(origin.digest) == 64
    voice = registry.say(registry.get("8.8.8.8"))
    words = f"registered in US (of {origin.date})"
    assert voice == Evidence("registry iptocc", "US", words, origin)


def test_the_registry_knows_nothing_of_unregistered_addresses() -> None:
    registry = open_registry()
    voice = registry.say(registry.get("192.0.2.1"))
    assert voice.country is None
    assert voice.detail.startswith("not registered to a country")


def test_a_region_in_the_registry_is_not_a_country() -> None:
    voice = registry(lambda text: "EU").say("EU")
    assert (voice.country, voice.detail[:16]) == (None, "registered in EU")


def test_a_database_speaks_for_both_families(tmp_path: Path) -> None:
    networks: dict[str, Value] = {
        "11.0.0.0/8": {"country": {"iso_code": "IN"}},
        "2a00::/16": {"country_code": "de"},
        "12.0.0.0/8": {"country": "EU"},
        "13.0.0.0/8": {"city": "Nowhere"},
    }
    database = open_database(stored(tmp_path / "geo.mmdb", networks))
    origin = database.source.origin
    assert (origin.date, len(origin.digest)) == ("2026-05-28", 64)
    said = Evidence("database geo", "IN", "says IN (of 2026-05-28)", origin)
    assert hear(database, "11.1.2.3") == said
    assert hear(database, "2a00::1").country == "DE"
    said = Evidence("database geo", None, "says EU (of 2026-05-28)", origin)
    assert hear(database, "12.0.0.1") == said
    assert hear(database, "13.0.0.1").detail == "record without a country (of 2026-05-28)"
    assert hear(database, "14.0.0.1").detail == "no record (of 2026-05-28)"


def test_an_ipv4_database_is_silent_about_ipv6(tmp_path: Path) -> None:
    file = stored(tmp_path / "four.mmdb", {"11.0.0.0/8": {"country": "IN"}}, ip_version=4)
    database = open_database(file)
    assert hear(database, "11.0.0.1").country == "IN"
    assert hear(database, "2a00::1").detail.startswith("no record")


def test_a_damaged_record_is_a_voice_that_knows_nothing() -> None:
    def decode(offset: int) -> object:
        raise InvalidDatabaseError("bad pointer")

    voice = Database(Origin("database", "d", "2026-01-01", "00"), 1, decode).say(1)
    assert (voice.country, voice.detail) == (None, "damaged record (of 2026-01-01)")


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
        database = open_database(SourceFile(path, "damaged"))
    except SourceError as error:
        assert str(path) in str(error)
        return
    for text in ("11.0.0.1", "12.0.0.1", "13.0.0.1", "2a00::1", "::1"):
        country = hear(database, text).country
        assert country is None or len(country) == 2


def test_a_replaced_file_changes_nothing_until_it_is_loaded_again(tmp_path: Path) -> None:
    file = stored(tmp_path / "geo.mmdb", {"11.0.0.0/8": {"country": "IN"}})
    before = open_database(file)
    with file.path.open("r+b") as torn:
        torn.truncate(10)
    assert hear(before, "11.0.0.1").country == "IN"
    after = open_database(stored(file.path, {"11.0.0.0/8": {"country": "DE"}}))
    assert hear(after, "11.0.0.1").country == "DE"
    assert before.source.origin.digest != after.source.origin.digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a usable MaxMind DB"),
        (b"just text\n" * 100, "not a usable MaxMind DB"),
        (write_mmdb({"11.0.0.0/8": {"country": "IN"}})[:-30], "not a usable MaxMind DB"),
        (write_mmdb({"11.0.0.0/8": {"country": "IN"}})[20:], "not a usable MaxMind DB"),
        (write_mmdb({"11.0.0.0/8": {"asn": 64512}}), "holds no country codes"),
    ],
)
def test_an_unusable_database_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.mmdb"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words) as raised:
        open_database(SourceFile(path, "bad"))
    assert str(raised.value).startswith(str(path))


def test_a_database_over_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.mmdb"
    with path.open("wb") as sparse:
        sparse.truncate((1 << 30) + 1)
    with pytest.raises(SourceError, match="more than a location database has"):
        open_database(SourceFile(path, "huge"))


def test_all_unusable_databases_are_reported_at_once(tmp_path: Path) -> None:
    good = stored(tmp_path / "good.mmdb", {"11.0.0.0/8": {"country": "IN"}})
    missing = SourceFile(tmp_path / "missing.mmdb", "missing")
    directory = SourceFile(tmp_path, "directory")
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
    database = open_database(SourceFile(path, "dbip"))
    assert database.source.origin.date == "2026-06-01"
    assert database.source.records > 600_000
    assert hear(database, "14.139.0.1").country == "IN"
    assert hear(database, "8.8.8.8").country == "US"
    assert hear(database, "2a00:1450::1").country is not None
    for anycast_server_of_in in ("64.96.1.1", "64.96.2.1", "64.78.204.1", "64.78.205.1"):
        assert hear(database, anycast_server_of_in).country in ("US", "CA")


def test_a_real_database_answers_as_its_own_reader_does() -> None:
    path = SHARED / "data" / "dbip-country.mmdb"
    if not path.exists():
        pytest.skip(f"{path} is not there (set INLAND_SHARED)")
    database = open_database(SourceFile(path, "dbip"))
    table = compile_layers([database.layer])
    reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    random = Random(20260601)
    for number in range(4_000):
        size = 4 if number % 2 else 16
        address = random.randbytes(size) if size == 4 else b"\x20\x01" + random.randbytes(14)
        (value,) = table.values(table.find(address))
        code = code_in(reader.get(address_text(Address(address))))
        assert database.source.say(value).country == country_of(code)
