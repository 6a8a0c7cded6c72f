"""What a version of a zone must fulfil before it is used (RFC 8976, RFC 4035, RFC 1982)."""

import hashlib
import time

import dns.zone
import pytest
from dns.zonetypes import DigestHashAlgorithm

from resolver.mirrors.check import Checks, check, digest, newer
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import read_zone
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.wanted import Terms
from resolver.names import from_text
from tests.signed_zones import ROOT, SHOP, signed, signer, text_of, written

NOW = time.time()


def copy_of(zone: dns.zone.Zone | str, origin: str = "shop.") -> ZoneCopy:
    text = zone if isinstance(zone, str) else written(zone)
    return read_zone(from_text(origin), text.encode())


def strict(origin: str = "shop.") -> Terms:
    return Terms("require", "require", (signer().anchor(origin),))


@pytest.mark.parametrize("algorithm", [DigestHashAlgorithm.SHA384, DigestHashAlgorithm.SHA512])
@pytest.mark.parametrize(("origin", "text"), [("shop.", SHOP), (".", ROOT)])
def test_a_good_zone_is_taken(origin: str, text: str, algorithm: DigestHashAlgorithm) -> None:
    zone = signed(origin, text_of(text), algorithm)
    assert check(copy_of(zone, origin), None, strict(origin), NOW) == Checks("verified", "verified")


def test_the_digest_is_that_of_another_implementation() -> None:
    zone = signed("shop.", text_of(SHOP))
    theirs = zone.compute_digest(DigestHashAlgorithm.SHA512).digest
    assert digest(copy_of(zone), hashlib.sha512()) == theirs


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("11.9.9.9", "11.9.9.6", Why.ZONEMD),  # a forged record
        ("www.shop. 300", "www.shop. 301", Why.ZONEMD),  # another TTL
        ('"Mixed Case"', '"mixed case"', Why.ZONEMD),
        ("11.0.8.1", "11.0.8.2", Why.ZONEMD),  # glue is not signed, but digested
    ],
)
def test_a_change_of_any_record_is_seen_by_the_digest(old: str, new: str, why: Why) -> None:
    text = written(signed("shop.", text_of(SHOP)))
    assert old in text
    with pytest.raises(Refused) as refused:
        check(copy_of(text.replace(old, new)), None, Terms("require", "off"), NOW)
    assert refused.value.why is why


def test_letter_case_of_names_is_not_a_change() -> None:
    text = written(signed("shop.", text_of(SHOP)))
    changed = text.replace("WWW.shop.", "www.SHOP.").replace("Mail.SHOP.", "mail.shop.")
    assert changed != text
    assert check(copy_of(changed), None, strict(), NOW) == Checks("verified", "verified")


def test_a_forged_record_is_seen_by_its_signature() -> None:
    text = written(signed("shop.", text_of(SHOP), None)).replace("11.9.9.9", "11.9.9.6")
    with pytest.raises(Refused, match=r"www\.shop\. A") as refused:
        check(copy_of(text), None, Terms("off", "require", strict().anchors), NOW)
    assert refused.value.why is Why.SIGNATURES


def test_a_record_that_was_added_without_signature_is_seen() -> None:
    text = written(signed("shop.", text_of(SHOP), None)) + "new.shop. 300 IN A 11.9.9.1\n"
    with pytest.raises(Refused, match="is not signed"):
        check(copy_of(text), None, Terms("off", "check", strict().anchors), NOW)


def test_signatures_that_have_ended_are_refused() -> None:
    zone = signed("shop.", text_of(SHOP))
    with pytest.raises(Refused) as refused:
        check(copy_of(zone), None, strict(), NOW + 15 * 86400)
    assert refused.value.why is Why.SIGNATURES


def test_a_key_that_nobody_vouches_for_is_refused() -> None:
    zone = signed("shop.", text_of(SHOP))
    other = Terms("check", "require", ("4711 13 2 " + "AB" * 32,))
    with pytest.raises(Refused, match="none of the zone's keys"):
        check(copy_of(zone), None, other, NOW)


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        (Terms("check", "check"), Checks("absent", "unsigned")),
        (Terms("off", "off"), Checks("unchecked", "unchecked")),
        (Terms("require", "off"), Why.ZONEMD),
        (Terms("off", "require"), Why.SIGNATURES),
        # Who knows a key must not be given a zone without signatures.
        (Terms("off", "check", ("4711 13 2 " + "AB" * 32,)), Why.SIGNATURES),
    ],
)
def test_a_zone_without_signatures_on_each_term(terms: Terms, found: Checks | Why) -> None:
    copy = copy_of(text_of(SHOP))
    if isinstance(found, Checks):
        assert check(copy, None, terms, NOW) == found
        return
    with pytest.raises(Refused) as refused:
        check(copy, None, terms, NOW)
    assert refused.value.why is found


@pytest.mark.parametrize(
    ("record", "mode", "found"),
    [
        ("1 1 1 " + "00" * 48, "check", Why.ZONEMD),  # wrong digest
        ("2 1 1 " + "00" * 48, "check", Why.ZONEMD),  # of another serial
        ("1 240 1 " + "00" * 48, "check", "unsupported"),  # a private scheme
        ("1 240 1 " + "00" * 48, "require", Why.ZONEMD),
    ],
)
def test_digests_that_do_not_fit(record: str, mode: str, found: str | Why) -> None:
    copy = copy_of(text_of(SHOP) + f"shop. 3600 IN ZONEMD {record}\n")
    if isinstance(found, str):
        assert check(copy, None, Terms(mode, "off"), NOW).zonemd == found
        return
    with pytest.raises(Refused) as refused:
        check(copy, None, Terms(mode, "off"), NOW)
    assert refused.value.why is found


def test_a_zone_that_shrinks_by_more_than_half_is_refused_unless_forced() -> None:
    many = "".join(f"n{number}.shop. 300 IN A 11.1.1.1\n" for number in range(40))
    large = copy_of(text_of(SHOP) + many)
    small = copy_of(text_of(SHOP, serial=2))
    terms = Terms("off", "off")
    with pytest.raises(Refused, match="shrinks from 53 records to 13") as refused:
        check(small, large, terms, NOW)
    assert refused.value.why is Why.SHRINK
    check(small, large, terms, NOW, forced=True)
    check(small, large, Terms("off", "off", (), 80), NOW)


def test_an_older_serial_is_refused() -> None:
    ours, theirs = copy_of(text_of(SHOP, serial=5)), copy_of(text_of(SHOP, serial=4))
    with pytest.raises(Refused) as refused:
        check(theirs, ours, Terms("off", "off"), NOW)
    assert refused.value.why is Why.SERIAL
    check(ours, theirs, Terms("off", "off"), NOW)


def test_serials_go_round() -> None:
    assert newer(1, 2)
    assert not newer(2, 2)
    assert not newer(2, 1)
    assert newer(2**32 - 1, 0)
    assert not newer(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("www.shop. 300 IN A 11.9.9.9\n", Why.CONSISTENCY),  # no SOA
        ("shop. 300 IN SOA a. b. 1 1 1 1 1\n", Why.CONSISTENCY),  # no NS
        ("shop. 300 IN SOA a. b. 1 1 1 1 1\nshop. 300 IN SOA a. b. 2 1 1 1 1\n", Why.CONSISTENCY),
        ("shop. 300 IN A 300.1.1.1\n", Why.TORN),
        ("shop. 300 IN SOA a. b. 1 1 1", Why.TORN),
        ("$INCLUDE other\n", Why.TORN),
        ("\ufffd", Why.TORN),
    ],
)
def test_files_that_are_no_zone(text: str, why: Why) -> None:
    with pytest.raises(Refused) as refused:
        check(copy_of(text), None, Terms("off", "off"), NOW)
    assert refused.value.why is why
