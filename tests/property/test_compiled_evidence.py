"""The compiled table against a plain scan of all rows of all sources, and lying databases."""

from collections.abc import Sequence
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.inputs import PolicyInputs
from policy.listing import Listing, Said, read_address
from policy.load import Opened
from policy.sources import ListSource
from policy.table import compile_layers, layer_of
from policy.verdict import Origin
from resolver.model import Address, Verdict
from tests.unit.evidence import DIGEST, policy_from

Row = tuple[int, int, int, str]  # family, first, last, country
WIDTH = {4: 32, 6: 128}


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Ranges of both families near each other and near both ends, nested or apart."""
    found: list[Row] = []
    for _ in range(draw(st.integers(0, 12))):
        family = draw(st.sampled_from([4, 6]))
        top = (1 << WIDTH[family]) - 1
        at = draw(st.integers(0, 40))
        first = at if draw(st.booleans()) else top - at
        last = min(top, first + draw(st.integers(0, 20)))
        row = family, first, last, draw(st.sampled_from(["IN", "US", "SG", "ZZ"]))
        if all(_nested(row, other) for other in found):
            found.append(row)
    return found


def _nested(one: Row, other: Row) -> bool:
    if one[0] != other[0] or one[1] > other[2] or other[1] > one[2]:
        return True
    inside = one[1] >= other[1] and one[2] <= other[2]
    around = one[1] <= other[1] and one[2] >= other[2]
    return inside != around


def scan(source: Sequence[Row], family: int, number: int) -> str | None:
    """What the narrowest range that covers an address says."""
    covering = [row for row in source if row[0] == family and row[1] <= number <= row[2]]
    return min(covering, key=lambda row: row[2] - row[1])[3] if covering else None


def listing_of(source: Sequence[Row]) -> Listing:
    listing = Listing()
    for line, (family, first, last, code) in enumerate(source, 1):
        listing.add(family, first, last, Said(code, code), line)
    return listing


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(rows(), max_size=4))
def test_the_table_equals_a_scan_of_all_rows(sources: list[list[Row]]) -> None:
    listings = [listing_of(source) for source in sources]
    layers = [layer_of(listing) for listing in listings]
    table = compile_layers([layer for layer in layers if layer is not None])
    assert None not in layers
    for family, width in WIDTH.items():
        top = (1 << width) - 1
        for number in (*range(64), *range(top - 63, top + 1), 1 << (width - 1)):
            values = table.values(table.find(number.to_bytes(width // 8, "big")))
            said = [
                listing.said[value - 1].words if value else None
                for listing, value in zip(listings, values, strict=True)
            ]
            assert said == [scan(source, family, number) for source in sources]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=2, max_size=8))
def test_rows_that_cross_are_refused_with_their_lines(ranges: list[tuple[int, int]]) -> None:
    source: list[Row] = [(4, first, first + more, "IN") for first, more in ranges]
    listing = listing_of(source)
    clean = all(_nested(one, other) for at, one in enumerate(source) for other in source[:at])
    assert (layer_of(listing) is not None) == clean
    if not clean:
        ((line, words),) = listing.faults
        earlier = int(words.split("line ")[1].split()[0])
        assert earlier < line
        assert not _nested(source[line - 1], source[earlier - 1])


def opened(kind: str, name: str, source: Sequence[Row]) -> Opened:
    listing = listing_of(source)
    layer = layer_of(listing)
    assert layer is not None
    return Opened(ListSource(Origin(kind, name, None, DIGEST), len(source), listing.said), layer)


def test_a_database_that_lies_makes_nothing_domestic_against_a_true_registry() -> None:
    """Ground truth: a thousand prefixes, each in one country. The registry tells it; databases lie
    about some, each about others. Nothing that is abroad becomes domestic, and wherever somebody
    lies across the border the address is unknown."""
    for seed in range(20):
        random = Random(seed)
        truth = [(4, at << 16, (at << 16) + 0xFFFF, random.choice(["IN", "US", "SG"]))
                 for at in range(0x0B00, 0x0B00 + 1_000)]  # fmt: skip
        lied = [
            [(f, a, b, random.choice(["IN", "US"]) if random.random() < 0.2 else code)
             for f, a, b, code in truth]
            for _ in range(2)
        ]  # fmt: skip
        policy = policy_from(
            PolicyInputs(home=frozenset({"IN"})),
            opened("registry", "rir", truth),
            opened("database", "one", lied[0]),
            opened("database", "two", lied[1]),
        )
        for at, (_, first, _, code) in enumerate(truth):
            verdict = policy.verdict(Address((first + 77).to_bytes(4, "big")))
            sides = {row[at][3] == "IN" for row in (truth, *lied)}
            if len(sides) == 2:
                assert verdict is Verdict.UNKNOWN
            else:
                assert verdict is (Verdict.DOMESTIC if code == "IN" else Verdict.FOREIGN)


@given(
    st.one_of(
        st.ip_addresses().map(str),
        st.ip_addresses(v=6).map(lambda one: one.exploded),
        st.from_regex(r"[0-9a-f:.]{2,20}", fullmatch=True),
        st.from_regex(r"([0-9A-Fa-f]{1,5}:){1,8}:", fullmatch=True),
        st.from_regex(r"([0-9]{1,4}\.){2,4}[0-9]{1,3}", fullmatch=True),
    )
)
def test_addresses_are_read_as_the_standard_library_reads_them(text: str) -> None:
    try:
        expected = ip_address(text)
    except ValueError:
        with pytest.raises(ValueError, match="is not an address"):
            read_address(text)
    else:
        assert read_address(text) == (expected.version, int(expected))
