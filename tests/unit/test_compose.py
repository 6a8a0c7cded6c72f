"""What a reply carries with and without DO (RFC 4035 section 3.2.1), and how long it lives."""

import pytest

from resolver import limits
from resolver.compose import addresses_in, compose
from resolver.model import Question, Rcode, Result, RRset, Type
from resolver.names import from_text

NAME = from_text("www.example.in.")
ZONE = from_text("example.in.")
ADDRESS = RRset(NAME, Type.A, 300, (bytes(4),), (b"signature of A",))
SOA = RRset(ZONE, Type.SOA, 60, (b"soa",), (b"signature of SOA",))
NSEC = RRset(NAME, Type.NSEC, 30, (b"nsec",), (b"signature of NSEC",))
NSEC3 = RRset(NAME, Type.NSEC3, 30, (b"nsec3",), (b"signature of NSEC3",))
QUESTION = Question(NAME, Type.A)


def test_a_client_with_do_gets_signatures_and_proofs() -> None:
    result = Result(Rcode.NOERROR, (ADDRESS,), (NSEC,))
    sections = compose(result, QUESTION, do=True)
    assert sections.answer == (ADDRESS,)
    assert sections.authority == (NSEC,)


def test_a_client_without_do_gets_neither() -> None:
    result = Result(Rcode.NXDOMAIN, (ADDRESS,), (SOA, NSEC, NSEC3))
    sections = compose(result, QUESTION, do=False)
    assert [rrset.signatures for rrset in sections.answer] == [()]
    assert [rrset.rtype for rrset in sections.authority] == [Type.SOA]
    assert sections.authority[0].signatures == ()


@pytest.mark.parametrize("rtype", [Type.RRSIG, Type.NSEC, Type.DS, Type.DNSKEY, Type.NSEC3PARAM])
def test_a_type_that_was_asked_for_is_never_stripped(rtype: Type) -> None:
    asked = RRset(NAME, rtype, 300, (b"data",))
    sections = compose(Result(Rcode.NOERROR, (asked,)), Question(NAME, rtype), do=False)
    assert sections.answer == (asked,)


def test_the_reply_lives_as_long_as_its_shortest_record() -> None:
    result = Result(Rcode.NXDOMAIN, authority=(SOA, NSEC))
    assert compose(result, QUESTION, do=True).lifetime == NSEC.ttl


def test_a_record_that_is_stripped_does_not_shorten_the_life() -> None:
    result = Result(Rcode.NXDOMAIN, authority=(SOA, NSEC))
    assert compose(result, QUESTION, do=False).lifetime == SOA.ttl


def test_ttl_zero_is_not_kept() -> None:
    brief = RRset(NAME, Type.A, 0, (bytes(4),))
    assert compose(Result(Rcode.NOERROR, (brief, ADDRESS)), QUESTION, do=False).lifetime == 0


def test_what_must_not_be_cached_is_not_kept() -> None:
    result = Result(Rcode.NOERROR, (ADDRESS,), cacheable=False)
    assert compose(result, QUESTION, do=False).lifetime == 0


def test_a_failure_is_kept_for_a_second_whatever_it_carries() -> None:
    result = Result(Rcode.SERVFAIL, (ADDRESS,), ede=((22, "no server"),))
    sections = compose(result, QUESTION, do=False)
    assert sections.lifetime == limits.ANSWER_FAILURE_SECONDS
    assert sections.ede == ((22, "no server"),)


def test_a_reply_without_records_is_kept_for_a_moment_only() -> None:
    assert compose(Result(Rcode.NOERROR), QUESTION, do=False).lifetime == 1


def test_addresses_are_those_of_both_families_in_order() -> None:
    six = RRset(NAME, Type.AAAA, 300, (bytes(16),))
    alias = RRset(NAME, Type.CNAME, 300, (ZONE,))
    assert addresses_in((alias, ADDRESS, six)) == [bytes(4), bytes(16)]
