"""The text formats of evidence: what a good file says, and one clear error for each bad line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.inputs import PolicyInputs, SourceFile
from policy.load import (
    Opened,
    load_policy,
    open_anycast,
    open_database,
    open_delegated,
    open_geofeed,
)
from resolver.errors import ConfigError, SourceError
from resolver.model import Verdict, address_from_text
from tests.unit.evidence import hear, written

Reader = Callable[[SourceFile], Opened]

GEOFEED = """\
# prefix,country,region,city,postal\r
11.0.0.0/8,IN,IN-MH,Mumbai,\r
11.5.0.0/16,in,,,  # nested: the longest speaks
11.5.1.0/24,,,,

11.5.2.0/24,ZZ
11.5.3.3,SG,,,,a field of the future
2a00:1::/32,IN,IN-DL,"Delhi, new"
"""


def test_a_geofeed(tmp_path: Path) -> None:
    feed = open_geofeed(written(tmp_path / "isp.csv", GEOFEED))
    heard = {
        text: (hear(feed, text).country, hear(feed, text).detail.rpartition(" (of ")[0])
        for text in ("11.0.0.1", "11.5.0.1", "11.5.1.1", "11.5.2.1", "11.5.3.3", "2a00:1::9")
    }
    assert heard == {
        "11.0.0.1": ("IN", "says IN (IN-MH, Mumbai)"),
        "11.5.0.1": ("IN", "says IN"),
        "11.5.1.1": (None, "not to be placed"),
        "11.5.2.1": (None, "says ZZ"),
        "11.5.3.3": ("SG", "says SG"),
        "2a00:1::9": ("IN", "says IN (IN-DL, Delhi, new)"),
    }
    assert hear(feed, "12.0.0.1").detail.startswith("no record (of 20")
    assert hear(feed, "11.0.0.1").source == "geofeed isp"
    assert feed.source.records == 6


DELEGATED = """\
# a comment
2.3|apnic|20260601|7|19830613|20260531|+1000
apnic|*|asn|*|1|summary
apnic|*|ipv4|*|4|summary
apnic|*|ipv6|*|2|summary
apnic|IN|asn|4755|1|19960101|allocated
apnic|IN|ipv4|11.0.0.0|768|20100101|allocated|A91
apnic|AP|ipv4|11.1.0.0|256|20100101|assigned|A92
apnic|ZZ|ipv4|11.2.0.0|256|20100101|allocated|A92|e-stats
apnic||ipv4|11.3.0.0|256||available|
apnic|IN|ipv6|2a00:1::|32|20100101|assigned|A91
apnic||ipv6|2a00:2::|32||reserved|
"""


def test_a_delegation_file(tmp_path: Path) -> None:
    file = open_delegated(written(tmp_path / "apnic", DELEGATED))
    heard = {
        text: (hear(file, text).country, hear(file, text).detail.partition(" (")[0])
        for text in ("11.0.0.0", "11.0.2.255", "11.0.3.0", "11.1.0.1", "11.2.0.1", "11.3.0.1")
    }
    assert heard == {
        "11.0.0.0": ("IN", "allocated to IN"),
        "11.0.2.255": ("IN", "allocated to IN"),
        "11.0.3.0": (None, "no record"),
        "11.1.0.1": (None, "assigned to AP"),
        "11.2.0.1": (None, "allocated to ZZ"),
        "11.3.0.1": (None, "available"),
    }
    assert hear(file, "2a00:1:ffff::1").country == "IN"
    assert hear(file, "2a00:2::1").country is None
    assert file.source.origin.date == "2026-05-31"
    assert hear(file, "11.0.0.0").detail == "allocated to IN (apnic) (of 2026-05-31)"


def test_a_delegation_file_may_count_its_summary_lines(tmp_path: Path) -> None:
    text = DELEGATED.replace("|7|1983", "|10|1983")
    assert open_delegated(written(tmp_path / "apnic", text)).source.records == 6


RANGES = {
    "addresses": "11.0.0.0,11.0.0.255,IN\n2a00:1::,2a00:1:ffff::,in\n11.0.1.0,11.0.1.9,ZZ\n",
    "quoted": '"11.0.0.0","11.0.0.255","IN","India"\n2a00:1::,2a00:2::,IN\n11.0.1.0,11.0.1.9,-',
    "tor": "# from somewhere\n184549376,184549631,IN\n184549632,184549641,??\n",
    "mapped": '"0","281470681743359","-"\n"281470866292736","281470866292991","IN"\n'
    '"55827575902194629176224234125318422528","55827575902194629176224234125318422537","IN"\n',
}


@pytest.mark.parametrize("form", RANGES)
def test_files_of_ranges(form: str, tmp_path: Path) -> None:
    database = open_database(written(tmp_path / "geo.csv", RANGES[form]))
    assert hear(database, "11.0.0.0").country == "IN"
    assert hear(database, "11.0.0.255").country == "IN"
    assert hear(database, "11.0.1.0").country is None
    assert hear(database, "2a00:1::1").country == (None if form == "tor" else "IN")
    assert hear(database, "11.0.0.0").source == "database geo"


def test_a_list_of_anycast_prefixes(tmp_path: Path) -> None:
    text = "# found by probing\n11.0.0.0/24\n11.0.0.0/24\n11.0.0.0/16 # wider\n12.0.0.1\n2a00::/48"
    anycast = open_anycast(written(tmp_path / "probed.txt", text))
    assert anycast.source.records == 4
    for address in ("11.0.0.1", "11.0.9.1", "12.0.0.1", "2a00::1"):
        assert hear(anycast, address).detail.startswith("anycast (of ")
    assert hear(anycast, "12.0.0.2").detail.startswith("no record")


HEAD = "2|apnic|20260601|1|19830613|20260531|+1000\n"

BAD: list[tuple[Reader, str, int, str]] = [
    (open_geofeed, "11.0.0.0/8,IN\n11.0.0.1/8,IN\n", 2, "has bits set beyond its length"),
    (open_geofeed, "11.0.0.0/33,IN\n", 1, "the length is over 32"),
    (open_geofeed, "11.0.0.0/x,IN\n", 1, "'11.0.0.0/x' is not a prefix"),
    (open_geofeed, "11.0.0/8,IN\n", 1, "'11.0.0' is not an address"),
    (open_geofeed, "11.0.0.01,IN\n", 1, "'11.0.0.01' is not an address"),
    (open_geofeed, "fe80::1%eth0,IN\n", 1, "is not an address"),
    (open_geofeed, "# fine\n\n,IN\n", 3, "'' is not an address"),
    (open_geofeed, "11.0.0.0/8,IND\n", 1, "'IND' is not a two-letter country code"),
    (open_geofeed, "11.0.0.0/8,I1\n", 1, "'I1' is not a two-letter country code"),
    (open_geofeed, "11.0.0.0/8,UK\n", 1, "the code of the United Kingdom is GB"),
    (open_geofeed, "11.0.0.0/8,IN,Mumbai\n", 1, "'Mumbai' is not a region code"),
    (open_geofeed, "11.0.0.0/8,IN,US-CA\n", 1, "region US-CA is not in IN"),
    (open_geofeed, '11.0.0.0/8,IN,,"Mum\n', 1, "unexpected end of data"),
    (open_geofeed, "11.0.0.0/8,IN\n12.0.0.0/8,IN\n11.0.0.0/8,SG\n", 3, "addresses of line 1"),
    (open_geofeed, "\x00\x01\n", 1, r"'\x00\x01' is not an address"),
    (open_delegated, "apnic|IN|ipv4|11.0.0.0|256|20100101|allocated\n", 1, "a version line"),
    (open_delegated, "3|apnic|20260601|1|1|1|+1000\n", 1, "expected a version line"),
    (open_delegated, "2|apnik|20260601|1|1|1|+1000\n", 1, "expected a version line"),
    (open_delegated, "2|apnic|20260601|many|1|1|+1000\n", 1, "'many' is not a number"),
    (open_delegated, "", 1, "no version line"),
    (open_delegated, "#\n<html>\n", 2, "expected a version line"),
    (open_delegated, HEAD, 1, "1 records announced, 0 there"),
    (open_delegated, HEAD + "apnic|*|ipv4|*|9|summary\n", 2, "9 records of ipv4 announced, 0"),
    (open_delegated, HEAD + "apnic|*|ipv5|*|9|summary\n", 2, "not a summary line"),
    (open_delegated, HEAD + "apnic|IN|ipv4|11.0.0.0|256\n", 2, "5 fields where a record has"),
    (open_delegated, HEAD + "apnic|IN|ipv4|11.0.0.0|0|1|allocated\n", 2, "are no range"),
    (open_delegated, HEAD + "apnic|IN|ipv4|255.255.255.0|512|1|allocated\n", 2, "are no range"),
    (open_delegated, HEAD + "apnic|IN|ipv4|11.0.0.0|-1|1|allocated\n", 2, "'-1' is not a number"),
    (open_delegated, HEAD + "apnic|IN|ipv4|11.0.0|256|1|allocated\n", 2, "is not an address"),
    (open_delegated, HEAD + "apnic|IN|ipv6|2a00::|129|1|allocated\n", 2, "not a prefix of IPv6"),
    (open_delegated, HEAD + "apnic|IN|ipv6|2a00::1|32|1|allocated\n", 2, "not a prefix of IPv6"),
    (open_delegated, HEAD + "apnic|IN|ipv6|11.0.0.0|32|1|allocated\n", 2, "not a prefix of IPv6"),
    (open_delegated, HEAD + "apnic|IN|ipv9|11.0.0.0|32|1|allocated\n", 2, "'ipv9' is none of"),
    (open_delegated, HEAD + "apnic|IN|ipv4|11.0.0.0|32|1|leased\n", 2, "'leased' is none of"),
    (open_delegated, HEAD + "apnic|IND|ipv4|11.0.0.0|32|1|allocated\n", 2, "'IND' is not"),
    (open_delegated, HEAD + "nobody|IN|ipv4|11.0.0.0|32|1|allocated\n", 2, "is no registry"),
    (
        open_delegated,
        DELEGATED.replace("|11.1.0.0|256|", "|11.0.2.0|512|"),
        8,
        "covers addresses of line 7",
    ),
    (open_delegated, DELEGATED[: DELEGATED.rindex("apnic||ipv6")], 5, "2 records of ipv6"),
    (open_database, "11.0.0.0,11.0.0.255\n", 1, "expected first address, last address"),
    (open_database, "start,end,country\n", 1, "'country' is not a two-letter"),
    (open_database, "11.0.0.9,11.0.0.1,IN\n", 1, "before the first"),
    (open_database, "11.0.0.9,2a00::,IN\n", 1, "of another family"),
    (open_database, "1,2,IN\n5,4,IN\n", 2, "before the first"),
    (open_database, f"1,{1 << 128},IN\n", 1, "over the last address"),
    (open_database, "11.0.0.0,11.0.0.9,IN\n11.0.0.5,11.0.0.12,SG\n", 2, "addresses of line 1"),
    (open_database, "11.0.0.0,11.0.0.9,India\n", 1, "'India' is not a two-letter"),
    (open_anycast, "11.0.0.0/24\n11.0.0.0/24,US\n", 2, "'11.0.0.0/24,US' is not a prefix"),
    (open_anycast, "cloudflare.com\n", 1, "is not an address"),
]


@pytest.mark.parametrize(("read", "text", "line", "words"), BAD)
def test_a_bad_line_is_one_clear_error(
    read: Reader, text: str, line: int, words: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "bad.txt", text)
    with pytest.raises(SourceError) as raised:
        read(file)
    (message,) = raised.value.messages
    assert message.startswith(f"{file.path} line {line}: ")
    assert words in message


@pytest.mark.parametrize("read", [open_geofeed, open_delegated, open_database, open_anycast])
def test_a_file_that_is_no_text(read: Reader, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(b"# caf\xc3\xa9\n\xff\xfe\n")
    with pytest.raises(SourceError, match=f"{path} line 2: not UTF-8 text"):
        read(SourceFile(path, "bad"))


@pytest.mark.parametrize("read", [open_geofeed, open_database, open_anycast])
def test_an_empty_file_is_an_error(read: Reader, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no records"):
        read(written(tmp_path / "empty", "# nothing\n\n"))


def test_the_number_of_told_lines_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        open_geofeed(written(tmp_path / "bad.csv", "nonsense\n" * 1_000))
    assert len(raised.value.messages) == 21
    assert raised.value.messages[-1].endswith("980 more bad lines")


def test_all_that_is_wrong_with_all_sources_is_told_at_once(tmp_path: Path) -> None:
    inputs = PolicyInputs(
        home=frozenset({"IN"}),
        registry_files=(written(tmp_path / "rir", "2|x\n"),),
        geofeeds=(
            written(tmp_path / "good.csv", "11.0.0.0/8,IN\n"),
            written(tmp_path / "feed.csv", "11.0.0.0/8,IN\nx\ny\n"),
        ),
        databases=(SourceFile(tmp_path / "none.mmdb", "none"),),
        anycast=(written(tmp_path / "list.txt", "z\n"),),
    )
    with pytest.raises(ConfigError) as raised:
        load_policy(inputs)
    paths = [finding.path for finding in raised.value.findings]
    assert paths == [
        "border.anycast[0]",
        "border.registry_files[0]",
        "border.geofeeds[1]",
        "border.geofeeds[1]",
        "border.databases[0]",
    ]


def test_sources_are_weighed_against_each_other(tmp_path: Path) -> None:
    database = written(tmp_path / "geo.csv", "11.0.0.0,11.0.255.255,IN\n11.1.0.0,11.3.0.255,IN\n")
    inputs = PolicyInputs(
        home=frozenset({"IN"}),
        registry=False,
        registry_files=(written(tmp_path / "apnic", DELEGATED.replace("|AP|", "|US|")),),
        geofeeds=(written(tmp_path / "isp.csv", "11.9.0.0/16,IN\n11.0.1.0/24,US\n"),),
        databases=(database,),
        anycast=(written(tmp_path / "any.txt", "11.0.2.0/24\n11.9.1.0/24\n"),),
    )
    policy = load_policy(inputs)
    found = {
        text: policy.verdict(address_from_text(text))
        for text in ("11.0.0.1", "11.0.1.1", "11.0.2.1", "11.1.0.1", "11.2.0.1", "11.9.0.1")
    }
    assert found == {
        "11.0.0.1": Verdict.DOMESTIC,  # registry and database agree
        "11.0.1.1": Verdict.UNKNOWN,  # the feed of the network is against both
        "11.0.2.1": Verdict.UNKNOWN,  # anycast
        "11.1.0.1": Verdict.UNKNOWN,  # registry US, database IN
        "11.2.0.1": Verdict.DOMESTIC,  # ZZ knows nothing
        "11.9.0.1": Verdict.DOMESTIC,  # the feed alone
    }
    anycast = policy.locate(address_from_text("11.9.1.1"))
    assert anycast.verdict is Verdict.UNKNOWN
    assert anycast.evidence[0].source == "anycast any"


GOOD: list[tuple[Reader, bytes]] = [
    (open_geofeed, GEOFEED.encode()),
    (open_delegated, DELEGATED.encode()),
    (open_database, RANGES["mapped"].encode()),
    (open_database, RANGES["quoted"].encode()),
    (open_anycast, b"11.0.0.0/24\n2a00::/48\n"),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=3)), min_size=1, max_size=6),
    st.integers(0, 999),
)
def test_damage_is_an_error_with_its_lines_or_a_file_that_can_be_read(
    tmp_path: Path, good: tuple[Reader, bytes], changes: list[tuple[int, bytes]], end: int
) -> None:
    read, data = good
    for at, octets in changes:
        data = data[: at % len(data)] + octets + data[at % len(data) + len(octets) :]
    path = tmp_path / "damaged"
    path.write_bytes(data[: end or len(data)])
    try:
        opened = read(SourceFile(path, "damaged"))
    except SourceError as error:
        assert error.messages
        assert all(message.startswith(str(path)) for message in error.messages)
    else:
        country = hear(opened, "11.0.0.1").country
        assert country is None or len(country) == 2
