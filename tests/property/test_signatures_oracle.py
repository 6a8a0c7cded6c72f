"""Signatures: of thousands of jobs, sound and damaged, native says what other programs say."""

import random
from collections import Counter
from functools import cache
from typing import Any

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from dns.dnssecalgs import get_algorithm_cls_from_dnskey
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG
from hypothesis import given
from hypothesis import strategies as st

from resolver import _native, limits_verify
from resolver.model import RRset
from resolver.names import from_text, lower
from resolver.signatures import keys_of, tries
from resolver.verify import Claim, Job, Outcome, settle, verify

ROUNDS = 4_000


def algorithms() -> dict[Algorithm, Any]:
    """A private key for each algorithm that is supported."""
    short, long = (rsa.generate_private_key(65537, bits) for bits in (1024, 2048))
    return {
        Algorithm.RSASHA1: long,
        Algorithm.RSASHA1NSEC3SHA1: short,
        Algorithm.RSASHA256: long,
        Algorithm.RSASHA512: short,
        Algorithm.ECDSAP256SHA256: ec.generate_private_key(ec.SECP256R1()),
        Algorithm.ECDSAP384SHA384: ec.generate_private_key(ec.SECP384R1()),
        Algorithm.ED25519: ed25519.Ed25519PrivateKey.generate(),
    }


@cache
def pairs() -> list[tuple[Any, DNSKEY]]:
    """Private keys with their DNSKEY."""
    return [
        (private, dns.dnssec.make_dnskey(private.public_key(), algorithm, flags=256))
        for algorithm, private in algorithms().items()
    ]


def signature_over(private: Any, key: DNSKEY, data: bytes) -> bytes:
    """The signature as RRSIG carries it, by dnspython."""
    return get_algorithm_cls_from_dnskey(key)(private).sign(data)


def dnskey(wire: bytes) -> DNSKEY:
    out = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.DNSKEY, wire, 0, len(wire))
    assert isinstance(out, DNSKEY)
    return out


def wire_of(rdata: dns.rdata.Rdata) -> bytes:
    out = rdata.to_wire()
    assert isinstance(out, bytes)
    return out


def theirs(job: Job) -> bool:
    """Whether dnspython, with ``cryptography``, takes the signature."""
    key = dnskey(b"\1\0\3" + bytes([job.algorithm]) + job.public)
    try:
        dns.dnssec._validate_signature(job.signature, job.data, key)
    except (
        InvalidSignature,
        UnsupportedAlgorithm,
        dns.exception.DNSException,
        ValueError,
        IndexError,
    ):
        return False
    return True


def damaged(chance: random.Random, octets: bytes) -> bytes:
    out = bytearray(octets)
    at = chance.randrange(len(out))
    match chance.randrange(5):
        case 0:
            out[at] ^= 1 << chance.randrange(8)
        case 1:
            del out[at]
        case 2:
            out.insert(at, chance.choice([0, 1, 255]))
        case 3:
            out[0] ^= 1 << chance.randrange(8)
        case _:
            out[at:] = b""
    return bytes(out)


def test_thousands_of_jobs_sound_and_damaged() -> None:
    chance = random.Random(20261122)
    jobs, torn = [], set()
    for _ in range(ROUNDS):
        private, key = chance.choice(pairs())
        data = chance.randbytes(chance.randrange(1, 400))
        job = Job(int(key.algorithm), key.key, data, signature_over(private, key, data))
        sizes = len(job.public), len(job.signature)
        if chance.random() < 0.75:
            field = chance.choice(["public", "data", "signature"])
            values = {**job._asdict(), field: damaged(chance, getattr(job, field))}
            job = Job(**values)
            if (len(job.public), len(job.signature)) != sizes:
                torn.add(job)
        elif chance.random() < 0.2:
            job = job._replace(algorithm=int(chance.choice(pairs())[1].algorithm))
        jobs.append(job)
    seen: Counter[tuple[int, Outcome]] = Counter()
    for start in range(0, len(jobs), limits_verify.VERIFY_JOBS_MAX):
        batch = jobs[start : start + limits_verify.VERIFY_JOBS_MAX]
        for job, outcome in zip(batch, verify(batch, sha1=True), strict=True):
            # dnspython overlooks octets too many where a number may have leading zeros.
            expected = job not in torn and theirs(job)
            assert (outcome is Outcome.VALID) == expected, job
            seen[job.algorithm, outcome] += 1
    for number in algorithms():
        assert min(seen[int(number), Outcome.VALID], seen[int(number), Outcome.BOGUS]) > 50
        assert seen[int(number), Outcome.MALFORMED] > 10


def test_what_is_not_supported_is_said() -> None:
    private = ed448.Ed448PrivateKey.generate()
    key = dns.dnssec.make_dnskey(private.public_key(), Algorithm.ED448)
    job = Job(16, key.key, b"data", private.sign(b"data"))
    old, short = pairs()[0], Job(8, b"\x03\1\0\1" + b"\xff" * 96, b"", b"\1" * 96)
    sha1 = Job(5, old[1].key, b"data", signature_over(*old, b"data"))
    assert verify([job, sha1, short]) == [Outcome.UNSUPPORTED] * 3
    assert verify([sha1], sha1=True) == [Outcome.VALID]


def test_a_batch_over_its_bounds_is_not_begun() -> None:
    job = Job(8, b"", b"", b"")
    assert len(verify([job] * limits_verify.VERIFY_JOBS_MAX)) == limits_verify.VERIFY_JOBS_MAX
    with pytest.raises(ValueError, match="too many jobs"):
        verify([job] * (limits_verify.VERIFY_JOBS_MAX + 1))
    with pytest.raises(ValueError, match="too many octets"):
        verify([job._replace(data=bytes(limits_verify.VERIFY_OCTETS_MAX + 1))])


# --- What is signed ------------------------------------------------------------------------------

_LABEL = st.binary(min_size=1, max_size=8).map(lambda octets: bytes([len(octets)]) + octets)
_NAME = st.lists(
    st.one_of(_LABEL, st.sampled_from([b"\3WwW", b"\7eXample", b"\1*"])), max_size=4
).map(lambda labels: b"".join(labels) + b"\0")
_TEXT = st.binary(max_size=6).map(lambda octets: bytes([len(octets)]) + octets)
_U16 = st.binary(min_size=2, max_size=2)


def _of(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(b"".join)


_RDATA: dict[int, st.SearchStrategy[bytes]] = {
    1: st.binary(min_size=4, max_size=4),
    2: _NAME,
    5: _NAME,
    6: _of(_NAME, _NAME, st.binary(min_size=20, max_size=20)),
    12: _NAME,
    15: _of(_U16, _NAME),
    16: _TEXT,
    17: _of(_NAME, _NAME),
    18: _of(_U16, _NAME),
    21: _of(_U16, _NAME),
    26: _of(_U16, _NAME, _NAME),
    33: _of(_U16, _U16, _U16, _NAME),
    35: _of(_U16, _U16, _TEXT, _TEXT, _TEXT, _NAME),
    36: _of(_U16, _NAME),
    39: _NAME,
    46: _of(st.just(b"\0\1\x0d\1" + bytes(14)), _NAME, st.just(b"signature")),
    47: _of(_NAME, st.just(b"\0\1\x40")),
    64: _of(_U16, _NAME),
    65280: st.binary(max_size=30),
}


@st.composite
def rrsets(draw: st.DrawFn) -> tuple[bytes, int, list[bytes]]:
    rtype = draw(st.sampled_from(sorted(_RDATA)))
    most = 1 if rtype in (5, 6, 39, 47) else 5  # of which a name has one
    return draw(_NAME), rtype, draw(st.lists(_RDATA[rtype], min_size=1, max_size=most))


@given(rrsets(), st.integers(0, 5), _NAME, st.integers(0, 2**32 - 1))
def test_what_is_signed_is_what_another_program_would_sign(
    made: tuple[bytes, int, list[bytes]], labels: int, signer: bytes, ttl: int
) -> None:
    owner, rtype, rdatas = made
    kind = dns.rdatatype.RdataType.make(rtype)
    rdataset = dns.rdataset.Rdataset(dns.rdataclass.IN, kind)
    for rdata in rdatas:
        rdataset.add(dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata)), ttl=60)
    head = rtype.to_bytes(2) + bytes([13, labels]) + ttl.to_bytes(4) + bytes(8) + b"\x12\x34"
    rrsig = head + signer + b"signature"
    theirs = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RRSIG, rrsig, 0, len(rrsig))
    assert isinstance(theirs, RRSIG)
    name = dns.name.from_wire(owner, 0)[0]
    ours = _native.signed_data(lower(owner), rtype, rdatas, rrsig)
    try:
        expected = dns.dnssec._make_rrsig_signature_data((name, rdataset), theirs)
    except dns.exception.DNSException:
        assert ours is None or owner.startswith(b"\1*")
        return
    assert ours is not None
    assert ours[0] == expected
    for rdata in rdatas:
        one = dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata))
        assert _native.canonical_rdata(rtype, rdata) == one.to_digestable()


# --- Claims --------------------------------------------------------------------------------------

NOW = 1_800_000_000
ZONE = from_text("example.")


def _rrsig(private: Any, key: DNSKEY, tag: int | None = None) -> bytes:
    rrset = dns.rrset.from_text("www.example.", 60, "IN", "A", "192.0.2.1", "192.0.2.2")
    made = dns.dnssec.sign(
        rrset, private, dns.name.from_text("example."), key, inception=NOW - 60, expiration=NOW + 60
    )
    out = wire_of(made)
    return out if tag is None else out[:16] + tag.to_bytes(2) + out[18:]


def _www(*signatures: bytes) -> RRset:
    rdatas = (b"\xc0\0\2\2", b"\xc0\0\2\1")
    return RRset(from_text("www.example."), 1, 60, rdatas, signatures)


def test_the_first_valid_signature_speaks_whatever_stands_before_it() -> None:
    private, key = pairs()[4]
    keys = keys_of([wire_of(key)])
    good = _rrsig(private, key)
    bad = good[:-1] + bytes([good[-1] ^ 1])
    claims = [
        Claim(rrset, tries(rrset, ZONE, keys, NOW))
        for rrset in (_www(good), _www(bad, bad, good), _www(bad), _www(), _www(good[:-3]))
    ]
    found = settle(claims)
    assert [one.signature for one in found] == [good, good, None, None, None]
    assert [one.outcome for one in found] == [
        Outcome.VALID, Outcome.VALID, Outcome.BOGUS, None, Outcome.MALFORMED,
    ]  # fmt: skip


def test_signatures_that_may_not_speak_are_not_tried() -> None:
    private, key = pairs()[4]
    good, wire = _rrsig(private, key), wire_of(key)
    keys = keys_of([wire])
    assert len(tries(_www(good), ZONE, keys, NOW)) == 1
    assert not tries(_www(good), ZONE, keys, NOW + 61)
    assert not tries(_www(good), ZONE, keys, NOW - 61)
    assert not tries(_www(good), from_text("org."), keys, NOW)
    assert not tries(_www(good), from_text("a.example."), keys, NOW)
    assert not tries(_www(good)._replace(rtype=28), ZONE, keys, NOW)
    assert not tries(_www(good[:17], b""), ZONE, keys, NOW)
    for flags in (b"\0\0", b"\1\x80", b"\0\x01"):  # no zone key, revoked, no zone key
        assert not keys_of([flags + wire[2:]])
    assert not keys_of([wire[:2] + b"\2" + wire[3:], wire[:4], b""])


def test_keys_that_share_a_tag_do_not_multiply_the_work() -> None:
    """CVE-2023-50387: so many signatures with a tag that so many keys have."""
    private, key = pairs()[4]
    good, wire = _rrsig(private, key), wire_of(key)
    tag = dns.dnssec.key_id(key)
    keys = keys_of([wire, *(swapped(wire, at) for at in range(4, 60, 4))])
    assert {tag for _, tag in keys} == {tag}
    assert len(keys[13, tag]) > 8
    bad = [good[:-2] + number.to_bytes(2) for number in range(100)]
    rrset = _www(*bad, good)
    made = tries(rrset, ZONE, keys, NOW)
    assert len(made) == limits_verify.SIGNATURE_TRIES_MAX
    assert settle([Claim(rrset, made)])[0].outcome is Outcome.BOGUS


def swapped(wire: bytes, at: int) -> bytes:
    """Another key with the same tag: two words in each other's place."""
    return wire[:at] + wire[at + 2 : at + 4] + wire[at : at + 2] + wire[at + 4 :]


@given(st.binary(min_size=5, max_size=80))
def test_key_tags_are_those_of_another_program(public: bytes) -> None:
    wire = b"\1\0\3\x0d" + public
    assert [tag for _, tag in keys_of([wire])] == [dns.dnssec.key_id(dnskey(wire))]
