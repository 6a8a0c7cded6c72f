"""Broken response policy zones: one clear refusal each, with its line; what is in force stays."""

import gzip
from pathlib import Path

import pytest

from policy.rpz_table import compile_zone
from resolver.mirrors.copy import Assembly
from resolver.mirrors.policy_file import ZoneFiles
from resolver.mirrors.refusal import Refused
from resolver.names import Name, from_text
from tests.unit.rpz_rig import HEAD, asked, book, said
from tests.unit.rpz_rig import zone as zone_of

ZONE = from_text("one.rpz.test")
L = HEAD.count("\n") + 1  # line of the first record of a row

# Text below the head, line of the fault, words of the refusal.
FILES = [
    # Syntax.
    ("a CNAME\n", L, "a name is missing"),
    ("a\n", L, "without a type"),
    ("a IN\n", L, "without a type"),
    ("a 60 IN\n", L, "without a type"),
    ("a CNAME . .\n", L, "too much"),
    ("a CNAME ( .\n", L, "not closed"),
    ("a CNAME . )\n", L, "was not opened"),
    ('a TXT "x\n', L, "quotation mark"),
    ('b CNAME .\na TXT "x\n', L + 1, "quotation mark"),
    ("a TXT\n", L, "a text is missing"),
    ("a TXT " + "x" * 256 + "\n", L, "more than 255"),
    ("a TXT \\400\n", L, "bad escape"),
    ("a TXT \\1\n", L, "bad escape"),
    ("a CNAME \\1.\n", L, "bad escape"),
    ("$ORIGIN\n", L, "without a value"),
    ("$ORIGIN a. b.\n", L, "too much"),
    ("$TTL x\n", L, "not a number of seconds"),
    ("$TTL\n", L, "without a value"),
    ("$INCLUDE other\n", L, "not understood"),
    ("$GENERATE 1-9 a$ CNAME .\n", L, "not understood"),
    ("$FOO bar\n", L, "not understood"),
    # Owners.
    ("other.zone. CNAME .\n", L, "not in the zone"),
    ("$ORIGIN elsewhere.\na CNAME .\n", L + 1, "not in the zone"),
    ("a..b CNAME .\n", L, "empty label"),
    (".a CNAME .\n", L, "empty label"),
    ("x" * 64 + " CNAME .\n", L, "63 octets"),
    (("abcdefg." * 31) + "x CNAME .\n", L, "255 octets"),
    ("bücher CNAME .\n", L, "A-labels"),
    ('"" CNAME .\n', L, "empty name"),
    # Types, classes and TTLs.
    ("a WKS x\n", L, "not understood"),
    ("a CNAMEE .\n", L, "not understood"),
    ("a TYPE65536 \\# 0\n", L, "not understood"),
    ("a TYPE99 x\n", L, "RFC 3597"),
    ("a TYPE99 \\# 2 00\n", L, "1 octets"),
    ("a TYPE99 \\# 1 0g\n", L, "hexadecimal"),
    ("a TYPE99 \\# 1 0\n", L, "hexadecimal"),
    ("a TYPE99 \\# x\n", L, "not such a number"),
    ("a TYPE99 \\#\n", L, "missing"),
    ("a CH CNAME .\n", L, "not IN"),
    ("a 60 60 CNAME .\n", L, "not understood"),
    ("a 2147483648 CNAME .\n", L, "seconds"),
    ("a 1x CNAME .\n", L, "seconds"),
    ("a 1h1y CNAME .\n", L, "seconds"),
    # Rdata.
    ("a A 1.2.3\n", L, "not an IPv4"),
    ("a A 1.2.3.256\n", L, "not an IPv4"),
    ("a A ::1\n", L, "not an IPv4"),
    ("a A 01.2.3.4\n", L, "not an IPv4"),
    ("a AAAA 1.2.3.4\n", L, "not an IPv6"),
    ("a AAAA 1::2::3\n", L, "not an IPv6"),
    ("a MX 10\n", L, "missing"),
    ("a MX x mail\n", L, "not such a number"),
    ("a MX 65536 mail\n", L, "not such a number"),
    ("a SRV 1 2 x.\n", L, "not such a number"),
    ("a CNAME " + "y" * 64 + "\n", L, "63 octets"),
    # The zone as a whole.
    ("a SOA ns admin 1 1 1 1 1\n", L, "not at the apex"),
    ("@ SOA ns admin 2 1 1 1 1\n", L, "second SOA"),
    ("a CNAME .\na A 1.2.3.4\n", L + 1, "beside other records"),
    ("a A 1.2.3.4\nb CNAME .\na CNAME .\n", L + 2, "beside other records"),
    ("a CNAME .\na CNAME *.\n", L + 1, "beside other records"),
    # Triggers.
    ("33.1.2.0.192.rpz-ip CNAME .\n", L, "33 in IPv4"),
    ("a CNAME .\n24.1.2.0.192.rpz-ip CNAME .\n", L + 1, "bits set beyond"),
    ("1.2.0.192.rpz-ip CNAME .\n", L, "neither four parts"),
    ("32.1.2.0.192.rpz-ips CNAME .\n", L, "no such kind"),
    ("128.zz.zz.rpz-nsip CNAME .\n", L, "more than once"),
    ("rpz-nsdname CNAME .\n", L, "no name before"),
    ("rpz-client-ip CNAME .\n", L, "no address before"),
]


@pytest.mark.parametrize(
    ("text", "line", "words"), FILES, ids=[f"{i}-{row[2]}" for i, row in enumerate(FILES)]
)
def test_a_broken_file_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(Refused) as refused:
        ZoneFiles().read(ZONE, (HEAD + text).encode())
    assert str(refused.value).startswith(f"line {line}: "), refused.value
    assert words in str(refused.value)


WHOLE = [
    (b"", "no SOA"),
    (b"; nothing\n", "no SOA"),
    (b"a 60 CNAME .\n", "no SOA"),
    (b"a CNAME .\n", "no TTL"),
    (b"  60 CNAME .\n", "without an owner"),
    (b"@ 60 SOA ns admin 1 1 1 1\n", "MINIMUM is missing"),
    (b"@ 60 SOA ns admin x 1 1 1 1\n", "serial"),
    (b"@ 60 SOA ns\n", "missing"),
    (b"\x00\xff\xfe", "A-labels"),
    (gzip.compress(b"a 60 CNAME .\n"), "no SOA"),
    (gzip.compress(HEAD.encode())[:-9], "too early"),
    (b"\x1f\x8bnot gzip", "gzip"),
]


@pytest.mark.parametrize(("octets", "words"), WHOLE, ids=[row[1] for row in WHOLE])
def test_what_is_no_zone_file_is_refused(octets: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ZoneFiles().read(ZONE, octets)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        ZoneFiles().read(ZONE, (HEAD + "a A x\nb A y\n" + "c A z\n" * 30).encode())
    assert str(refused.value).count("line ") == 5
    assert str(refused.value).endswith("; and 15 more")


def test_what_was_read_is_read_once() -> None:
    files, text = ZoneFiles(), HEAD + "a CNAME .\n"
    first = files.read(ZONE, text.encode())
    assert files.read(ZONE, text.encode()) is first
    assert files.read(ZONE, gzip.compress((text + "b CNAME .\n").encode())) is not first


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        ZoneFiles().open(ZONE, tmp_path / "none")


# Owner, records in text, words: what a transfer brings is not refused, but counted and not applied.
TRANSFERRED = [
    ("33.1.2.0.192.rpz-ip", "CNAME .", "33 in IPv4"),
    ("24.1.2.0.192.rpz-client-ip", "CNAME .", "bits set beyond"),
    ("x.rpz-nsip", "CNAME .", "not a prefix length"),
    ("a.rpz-other", "CNAME .", "no such kind"),
    ("rpz-nsdname", "CNAME .", "no name before"),
    ("32.1.2.0.192.rpz-ip", "CNAME rpz-what.", "reserved"),
    ("www.shop.example", "CNAME rpz-what.", "reserved"),
    ("www.shop.example", "TYPE46 \\# 2 0001", "no records"),
    ("www.shop.example", "NS ns.example.", "no records"),
]


@pytest.mark.parametrize(
    ("owner", "records", "words"), TRANSFERRED, ids=[f"{r[0]} {r[1]}" for r in TRANSFERRED]
)
def test_a_bad_trigger_in_a_transfer_is_counted_and_never_applied(
    owner: str, records: str, words: str
) -> None:
    copy = ZoneFiles().read(ZONE, f"{HEAD}place {records}\ngood.example CNAME .\n".encode())
    assembly = Assembly(ZONE, copy)
    moved = dict(copy.sets(Name(b"\x05place" + ZONE)))
    assembly.sets(Name(b"\x05place" + ZONE)).clear()
    assembly.sets(Name(from_text(owner)[:-1] + ZONE)).update(moved)
    content = compile_zone(ZONE, 1, assembly.finish().data).content
    assert content.fault_count == 1
    assert words in content.faults[0]
    one = zone_of("")
    one.content = content
    one.by_name = True
    assert said(book(one).on_question(asked("www.shop.example"))) == "none"
    assert said(book(one).on_question(asked("good.example"))) == "nxdomain one:qname"


def test_more_faults_than_are_told_are_counted() -> None:
    copy = ZoneFiles().read(ZONE, (HEAD + "place CNAME .\n").encode())
    assembly = Assembly(ZONE, copy)
    sets = dict(copy.sets(Name(b"\x05place" + ZONE)))
    for at in range(100):
        assembly.sets(Name(from_text(f"{at}.rpz-ip")[:-1] + ZONE)).update(sets)
    content = compile_zone(ZONE, 1, assembly.finish().data).content
    assert (content.fault_count, len(content.faults)) == (100, 20)
