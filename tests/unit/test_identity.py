"""Identities: the exact table, the operators' conventions, and what must not be read into them."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from policy.airports import airports
from policy.identities import knowledge
from policy.identity import Airport, Entry, Knowledge, decode, decode_letter, letter_of, table_key
from policy.published import Published, exact_table, letters_of, read_rows, voted_towns
from resolver.errors import SourceError
from resolver.model import address_from_text

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("INLAND_SHARED", PROJECT.parent / "shared"))
FIXTURE = SHARED / "data/root-identifiers-2024-09.json"

K_ROOT = address_from_text("193.0.14.129")
F_ROOT_V6 = address_from_text("2001:500:2f::f")
M_ROOT = address_from_text("202.12.27.33")
ELSEWHERE = address_from_text("192.0.2.1")

SMALL = Knowledge(
    table={
        ("d", "muin"): Entry("IN", "Mumbai", "BOM"),
        ("i", "thr"): Entry("IR", "Shiraz", None),
    },
    airports={
        "BOM": Airport("IN", 19.09, 72.87, "Mumbai"),
        "THR": Airport("IR", 35.69, 51.31, "Tehran"),
        "ABO": Airport("CI", 5.46, -3.23, "Aboisso"),
    },
)


@pytest.fixture(scope="module")
def rows() -> list[Published]:
    if not FIXTURE.exists():
        pytest.skip(f"{FIXTURE} is not there (set INLAND_SHARED)")
    return read_rows(json.loads(FIXTURE.read_text("utf-8")))


def test_the_letter_of_an_address() -> None:
    assert (letter_of(K_ROOT), letter_of(F_ROOT_V6), letter_of(ELSEWHERE)) == ("k", "f", None)
    assert letter_of(address_from_text("198.41.0.4")) == "a"
    assert letter_of(address_from_text("2001:dc3::35")) == "m"


def test_only_an_operator_that_uses_a_convention_is_decoded_by_it() -> None:
    for identity in ("M-BOM-1", "BOM", "ns1.in-bom.k.ripe.net", "in-bom-aa"):
        assert decode(ELSEWHERE, identity, SMALL) is None
    assert decode(K_ROOT, "M-BOM-1", SMALL) is None
    assert decode(M_ROOT, "in-bom-aa", SMALL) is None
    for silent in "ce":  # they publish nothing
        assert decode_letter(silent, "bom1a.c.root-servers.org", SMALL) is None


def test_by_convention_with_an_airport() -> None:
    site = decode(M_ROOT, "M-BOM-1", SMALL)
    assert site is not None
    assert (site.operator, site.country, site.town) == ("root M", "IN", "Mumbai")
    assert (site.airport, site.at, site.how) == ("BOM", (19.09, 72.87), "convention")


def test_a_code_that_is_no_airport_gives_nothing() -> None:
    assert decode(M_ROOT, "M-QQQ-1", SMALL) is None
    assert decode(M_ROOT, "M-BOMB-1", SMALL) is None


def test_a_towns_code_is_not_taken_for_an_airport_elsewhere() -> None:
    """K's code of Abovyan in Armenia is that of an airport in Côte d'Ivoire."""
    site = decode(K_ROOT, "ns1.am-abo.k.ripe.net", SMALL)
    assert site is not None
    assert (site.country, site.town, site.airport, site.at) == ("AM", None, None, None)


def test_an_identity_that_names_no_country_is_nothing() -> None:
    assert decode(K_ROOT, "ns1.zz-bom.k.ripe.net", SMALL) is None
    assert decode(K_ROOT, "ns1.eu-bom.k.ripe.net", SMALL) is None


def test_the_table_comes_first_and_letters_that_use_it_have_no_convention() -> None:
    site = decode_letter("i", "s1.thr", SMALL)
    assert site is not None
    assert (site.town, site.country, site.how, site.at) == ("Shiraz", "IR", "table", None)
    assert decode_letter("i", "bom", SMALL) is None
    found = decode_letter("d", "muin3.droot.maxgigapop.net", SMALL)
    assert found is not None
    assert (found.town, found.at) == ("Mumbai", (19.09, 72.87))
    # "ca" in D's code may be California or Canada: without the table nothing is told.
    assert decode_letter("d", "trca1.droot.maxgigapop.net", SMALL) is None


@pytest.mark.parametrize(
    "identity",
    [b"", b"\xff\xfe", b"\x00\x01\x02\x03", "M-BOM-1\nM-BOM-2", "M-BOM-1" * 100, "м-bom-1", "  "],
)
def test_octets_that_are_no_identity_are_nothing(identity: bytes | str) -> None:
    assert decode(M_ROOT, identity, SMALL) is None


def test_octets_of_an_nsid_and_letter_case() -> None:
    assert decode(M_ROOT, b" m-bom-1\n", SMALL) == decode(M_ROOT, "m-bom-1", SMALL) is not None


# --- Published identifiers ------------------------------------------------------------------------

# Letter → published, rightly told by convention alone. D, G and I have none.
CONVENTION = {
    "a": (112, 112),
    "b": (24, 24),
    "d": (596, 0),
    "f": (355, 349),  # 98.3 %
    "g": (18, 0),
    "h": (14, 14),
    "i": (99, 0),
    "j": (286, 284),  # 99.3 %: Hong Kong is published as CN, and says HK itself
    "k": (134, 134),
    "l": (183, 183),
    "m": (59, 58),  # 98.3 %
}


def test_how_many_identities_tell_their_country_by_convention(rows: list[Published]) -> None:
    bare = Knowledge(airports=airports())
    count: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in rows:
        site = decode_letter(row.letter, row.identity, bare)
        count[row.letter] += 1
        right[row.letter] += site is not None and site.country == row.country
    assert {letter: (count[letter], right[letter]) for letter in sorted(count)} == CONVENTION


def test_with_the_table_every_published_identity_tells_its_country(rows: list[Published]) -> None:
    known = knowledge()
    wrong = [
        (row, site)
        for row in rows
        if (site := decode_letter(row.letter, row.identity, known)) is None
        or site.country != row.country
    ]
    assert [(row.letter, row.town, site and site.country) for row, site in wrong] == [
        ("j", "Hong Kong", "HK"),
        ("j", "Hong Kong", "HK"),
    ]


def test_no_letter_is_decoded_by_the_convention_of_another(rows: list[Published]) -> None:
    known = knowledge()
    shares = {frozenset("aj")}  # one operator, one form
    for row in rows:
        for letter in "abcdefghijklm":
            if letter != row.letter and frozenset((letter, row.letter)) not in shares:
                assert decode_letter(letter, row.identity, known) is None


ROWS = [
    Published("f", "BLR.cf.f.root-servers.org", "IN", "Bangalore"),
    Published("d", "bain1.droot.maxgigapop.net", "IN", "Bangalore"),
    Published("d", "bain2.droot.maxgigapop.net", "IN", "Bangalore"),
    Published("k", "ns1.in-blr.k.ripe.net", "IN", "Bangalore City"),
    Published("f", "QQQ.cf.f.root-servers.org", "KH", "Phnom Penh"),
]
AIRPORTS = {"BLR": Airport("IN", 13.2, 77.7, "Bangalore")}


def test_the_table_holds_what_no_convention_tells() -> None:
    table = exact_table(ROWS, AIRPORTS)
    assert table == {
        ("d", "bain"): Entry("IN", "Bangalore", "BLR"),
        ("f", "qqq.cf.f.root-servers.org"): Entry("KH", "Phnom Penh", None),
    }
    assert voted_towns(ROWS, AIRPORTS) == {("IN", "bangalore"): "BLR"}


def test_a_key_in_two_countries_is_refused() -> None:
    more = [*ROWS, Published("d", "bain3.droot.maxgigapop.net", "US", "Bath")]
    with pytest.raises(SourceError, match="d: bain: both IN and US"):
        exact_table(more, AIRPORTS)
    odd = [*ROWS, Published("d", "somewhere.example", "US", "Bath")]
    with pytest.raises(SourceError, match="not the form that this letter uses"):
        exact_table(odd, AIRPORTS)


def test_towns_are_compared_by_their_letters() -> None:
    assert letters_of("São Paulo") == letters_of("Sao Paulo") == "saopaulo"
    assert letters_of("Luxembourg City") == "luxembourg"
    assert table_key("g", "GROOT-eur1-2") == "groot-eur1"
    assert table_key("i", "somewhere") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "expected a list"),
        ([], "expected a list"),
        ([["a", "x", "IN"]], "row 0: expected four texts"),
        ([["a", "x", "IN", "B"], ["z", "x", "IN", "B"]], "row 1: 'z' is no root letter"),
        ([["a", "x", "EU", "B"]], "row 0: 'EU' is no ISO 3166-1 code"),
        ([["a", "", "IN", "B"]], "row 0: empty or unprintable"),
        ([["a", "x\n", "IN", "B"]], "row 0: empty or unprintable"),
        ([["a", 1, "IN", "B"]], "row 0: expected four texts"),
    ],
)
def test_broken_rows_are_named(value: object, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_rows(value)


def test_airports_of_territories_have_their_own_code() -> None:
    every = airports()
    assert (every["SJU"].country, every["STT"].country, every["LYR"].country) == ("PR", "VI", "SJ")
    assert every["LON"].country == "GB"  # a city of several airports
    assert abs(every["LON"].lat - 51.5) < 0.5


def test_minutes_and_seconds_set_down_as_decimals_are_put_right() -> None:
    brussels, luxembourg = airports()["BRU"], airports()["LUX"]
    assert (brussels.lat, brussels.lon) == pytest.approx((50.9014, 4.4844), abs=1e-4)
    assert (luxembourg.lat, luxembourg.lon) == pytest.approx((49.6233, 6.2044), abs=1e-4)
