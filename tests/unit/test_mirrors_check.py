"""What a version of a zone must fulfil before it is used (RFC 8976, RFC 4035, RFC 1982)."""

import hashlib
import time

import dns.dnssec
import dns.name
import dns.rdata
import dns.zone
import pytest
from dns.rdtypes.ANY.DNSKEY import DNSKEY
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


SIGNED = Terms("off", "require", strict().anchors)


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


def test_a_wildcard_record_in_the_place_of_a_names_own_is_refused() -> None:
    text = written(signed("shop.", text_of(SHOP), None))
    wild = next(row for row in text.splitlines() if row.startswith("*.wild.shop. 300 IN RRSIG TXT"))
    forged = text.replace("*.wild.shop. 300 IN TXT", "x.wild.shop. 300 IN TXT", 1)
    forged = forged.replace(wild, wild.replace("*.wild", "x.wild"))
    # What the signature says of the name itself is right, only that it is not a zone's content.
    with pytest.raises(Refused, match=r"x\.wild\.shop\. TXT: .* wildcard"):
        check(copy_of(without_nsec(forged, "*.wild")), None, SIGNED, NOW)


def without_nsec(text: str, owner: str) -> str:
    rows = text.splitlines()
    return "\n".join(row for row in rows if not (row.startswith(owner) and "NSEC" in row)) + "\n"


def test_one_right_signature_is_enough_whatever_stands_beside_it() -> None:
    text = written(signed("shop.", text_of(SHOP), None))
    row = next(one for one in text.splitlines() if one.startswith("www.shop. 300 IN RRSIG A "))
    head, _, octets = row.rpartition(" ")
    wrong = f"{head} {'B' if octets[0] == 'A' else 'A'}{octets[1:]}"
    assert check(copy_of(f"{text}{wrong}\n"), None, SIGNED, NOW).signatures == "verified"
    with pytest.raises(Refused, match=r"www\.shop\. A: no signature is right"):
        check(copy_of(text.replace(row, wrong)), None, SIGNED, NOW)


def test_a_forged_signature_in_a_zone_of_many_batches_is_found() -> None:
    names = "".join(f"n{number}.shop. 300 IN A 11.1.1.1\n" for number in range(400))
    text = written(signed("shop.", text_of(SHOP) + names, None))
    assert check(copy_of(text), None, SIGNED, NOW).signatures == "verified"
    forged = text.replace("n399.shop. 300 IN A 11.1.1.1", "n399.shop. 300 IN A 11.1.1.2")
    with pytest.raises(Refused, match=r"n399\.shop\. A: no signature is right"):
        check(copy_of(forged), None, SIGNED, NOW)


def test_keys_of_an_algorithm_that_is_not_known_are_told_apart() -> None:
    text = written(signed("shop.", text_of(SHOP), None))
    key = dns.rdata.from_text("IN", "DNSKEY", "257 3 16 " + "AA" * 38)
    assert isinstance(key, DNSKEY)
    anchor = dns.dnssec.make_ds(dns.name.from_text("shop."), key, "SHA384").to_text()
    with_key = f"{text}shop. 3600 IN DNSKEY {key}\n"
    made = text.splitlines()
    row = next(one for one in made if one.startswith("shop. 3600 IN RRSIG DNSKEY 13"))
    fields = row.split()
    fields[5], fields[10] = "16", str(dns.dnssec.key_id(key))
    with pytest.raises(Refused, match=r"shop\. DNSKEY: signed with what is not supported only"):
        check(
            copy_of(f"{with_key}{' '.join(fields)}\n"),
            None,
            Terms("off", "require", (anchor,)),
            NOW,
        )
