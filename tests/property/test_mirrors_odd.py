"""Records that are none of their type, in a transfer of a whole zone, which native reads without
looking into types that have no names: a refusal or a copy that answers, no fault and no loop."""

import random
from collections.abc import Iterator

import pytest

from resolver.mirrors.answer import reply
from resolver.mirrors.check import check
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.wanted import Terms
from resolver.model import Question, Rcode, Type
from tests.property.test_transfer_native import by_native, messages
from tests.unit.test_mirrors_check import NOW, strict
from tests.virtual_servers import name

NSEC3, NSEC3PARAM, ZONEMD, DNSKEY = 50, 51, 63, 48
KINDS = (2, 5, 6, 39, 43, 46, 47, DNSKEY, NSEC3, NSEC3PARAM, ZONEMD)
HASHED = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.shop."
OWNERS = ("shop.", "a.shop.", HASHED)
TERMS = (
    strict(),
    Terms("check", "off"),
    Terms("off", "check", strict().anchors),
    Terms("require", "off"),
)


def transfer(*odd: tuple[str, int, bytes]) -> Iterator[bytes]:
    """A zone with records of any type and content, each written as a type that nobody knows."""
    records = ["ns.shop. 60 IN A 192.0.2.1", "shop. 60 IN NS ns.shop.", "a.shop. 60 IN TXT x"]
    for at, (owner, _, rdata) in enumerate(odd):
        records.append(f"{owner} 60 IN TYPE{65400 + at} \\# {len(rdata)} {rdata.hex()}")
    for wire in messages(random.Random(1), records, None)[1]:
        whole = wire
        for at, (_, kind, _) in enumerate(odd):
            whole = whole.replace((65400 + at).to_bytes(2) + b"\0\1", kind.to_bytes(2) + b"\0\1")
        yield whole


@pytest.mark.parametrize("seed", range(400))
def test_a_refusal_or_a_copy_that_answers(seed: int) -> None:
    chance = random.Random(seed)
    odd = [
        (chance.choice(OWNERS), chance.choice(KINDS), chance.randbytes(chance.randrange(26)))
        for _ in range(chance.randrange(1, 4))
    ]
    query, _ = messages(random.Random(1), [], None)
    try:
        copy = by_native(query, list(transfer(*odd)))
    except Refused:
        return
    assert copy is not None
    for terms in TERMS:
        try:
            check(copy, None, terms, NOW)
        except Refused as refused:
            assert str(refused) and "\n" not in str(refused)
    for text in ("shop.", "a.shop.", "b.shop.", "c.a.shop.", HASHED):
        for rtype in (Type.A, Type.NS, Type.SOA, Type.DS, Type.DNSKEY):
            reply(copy, Question(name(text), rtype))


@pytest.mark.parametrize(
    "param",
    [
        None,
        b"",
        b"\1\0\0\0",  # cut off
        b"\2\0\0\0\0",  # a hash that is not known
        b"\1\0\xff\xff\0",  # too many iterations
        b"\1\0\0\0\0",  # no NSEC3 has the hash of the apex
    ],
)
def test_hashed_names_without_a_chain_that_can_be_used(param: bytes | None) -> None:
    odd = [(HASHED, NSEC3, b"\1\0\0\0\0\1\0")]
    odd += [("shop.", NSEC3PARAM, param)] if param is not None else []
    query, _ = messages(random.Random(1), [], None)
    copy = by_native(query, list(transfer(*odd)))
    assert copy is not None
    for text, rcode in (("shop.", Rcode.NOERROR), ("a.shop.", Rcode.NOERROR), ("b.shop.", 3)):
        assert reply(copy, Question(name(text), Type.AAAA)).rcode == rcode


@pytest.mark.parametrize("octets", [0, 3, 6, 17])
def test_a_digest_that_is_too_short(octets: int) -> None:
    query, _ = messages(random.Random(1), [], None)
    copy = by_native(query, list(transfer(("shop.", ZONEMD, bytes(octets)))))
    assert copy is not None
    with pytest.raises(Refused, match="too short") as refused:
        check(copy, None, Terms("check", "off"), NOW)
    assert refused.value.why is Why.ZONEMD
