"""Transfers as native reads them are transfers as dnspython reads them: random zones, in messages
of any size, signed or not; and whatever is done to them, native takes nothing that dnspython does
not."""

import random
import struct
from base64 import b64decode
from collections.abc import Sequence

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.xfr
import pytest

from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import Manager
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.transfer import sign
from resolver.mirrors.wanted import Key
from resolver.mirrors.whole import WholeZone
from tests.property.test_mirrors_broken import damaged
from tests.system.primaries import KEY_NAME, SECRET
from tests.virtual_servers import name

ZONE, ORIGIN = name("shop."), dns.name.from_text("shop.")
SOA = "shop. 60 IN SOA ns.Shop. admin.shop. 7 3600 600 86400 60"
DATA = (
    "A 192.0.2.{n}", "AAAA 2001:db8::{n}", "CNAME Www{n}.Shop.", "MX {n} mail.shop.",
    "NS ns{n}.shop.",
    'TXT "text {n}" "more"', "SRV 1 2 {n} srv.shop.", "PTR p{n}.other.", "DNAME d{n}.other.",
    "DS {n} 13 250 aabb", "NSEC n{n}.shop. A RRSIG", "CAA 0 issue \"ca{n}.example\"",
    'NAPTR 1 2 "u" "sip" "!x{n}!" naptr.shop.', "TYPE65400 \\# 3 0102{n:02x}",
    "RRSIG A 13 2 60 20300101000000 20200101000000 {n} shop. AAAA",
    "RRSIG MX 13 2 60 20300101000000 20200101000000 {n} shop. AAAA",
)  # fmt: skip
KEY = Key(KEY_NAME, "hmac-sha256", b64decode(SECRET))


def lines(chance: random.Random) -> list[str]:
    """Records of a zone in any order, some twice, some of a name apart from each other."""
    names = ["shop."]
    for _ in range(chance.randrange(1, 40)):
        label = chance.choice(("a", "B", "x.y", "*", r"\000\001\255", "N" * 40)) + str(
            chance.randrange(9)
        )
        names.append(f"{label}.{chance.choice(names)}")
    names = [one for one in names if len(one) < 180]
    found = [
        f"{chance.choice(names)} {chance.choice((60, 300))} IN "
        + chance.choice(DATA).format(n=chance.randrange(1, 4))
        for _ in range(chance.randrange(1, 200))
    ]
    return found + chance.sample(found, min(3, len(found)))


def messages(
    chance: random.Random, records: Sequence[str], key: Key | None
) -> tuple[dns.message.QueryMessage, list[bytes]]:
    """The query, and what a primary sends; of the messages between only some are signed."""
    query = dns.message.make_query(ORIGIN, "AXFR", flags=0)
    if key is not None:
        sign(query, key)
    query.to_wire()
    left = [SOA, *records, SOA]
    wires: list[bytes] = []
    context = None
    while left:
        some = left[: chance.randrange(1, 60)]
        del left[: len(some)]
        reply = dns.message.make_response(query)
        if wires and chance.random() < 0.5:
            reply.question = []
        for line in some:
            owner, ttl, _, rtype, rdata = line.split(" ", 4)
            reply.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", rtype, rdata))
        wire = reply.to_wire(multi=True, tsig_ctx=context)
        context = reply.tsig_ctx
        wires.append(wire)
    return query, wires


def by_dnspython(query: dns.message.QueryMessage, wires: Sequence[bytes]) -> ZoneCopy | None:
    manager = Manager(ZONE, None)
    inbound = dns.xfr.Inbound(manager, dns.rdatatype.AXFR)
    context = None
    for wire in wires:
        message = dns.message.from_wire(
            wire, keyring=query.keyring, request_mac=query.mac, xfr=True, tsig_ctx=context,
            multi=True, one_rr_per_rrset=True,
        )  # fmt: skip
        context = message.tsig_ctx
        if inbound.process_message(message):
            return manager.copy
    return None


def by_native(query: dns.message.QueryMessage, wires: Sequence[bytes]) -> ZoneCopy | None:
    reading = WholeZone(ZONE, query)
    for wire in wires:
        if reading.take(wire):
            return reading.copy
    return None


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "signed"])
@pytest.mark.parametrize("seed", range(60))
def test_both_read_the_same(seed: int, key: Key | None) -> None:
    chance = random.Random(seed)
    query, wires = messages(chance, lines(chance), key)
    ours, theirs = by_native(query, wires), by_dnspython(query, wires)
    assert ours is not None and theirs is not None
    assert (ours.records, ours.serial) == (theirs.records, theirs.serial)
    assert list(ours.walk()) == list(theirs.walk())
    assert (ours.data, ours.offsets) == (theirs.data, theirs.offsets)


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "signed"])
@pytest.mark.parametrize("seed", range(150))
def test_what_is_damaged_is_refused_or_read_as_dnspython_does(seed: int, key: Key | None) -> None:
    chance = random.Random(1000 + seed)
    query, wires = messages(chance, lines(chance), key)
    if seed % 3 == 0 and len(wires) > 1:
        del wires[chance.randrange(len(wires))]
    else:
        at = chance.randrange(len(wires))
        wires[at] = damaged(wires[at], chance)
    try:
        ours = by_native(query, wires)
    except Refused as refused:
        assert str(refused) and "\n" not in str(refused)
        return
    if ours is None:
        return  # it has not ended
    assert key is None or seed % 3 == 0, "a signature covers what was damaged"
    try:
        theirs = by_dnspython(query, wires)
    except (dns.exception.DNSException, Refused, ValueError):
        return  # rdata of types without names is opaque to native
    assert theirs is not None
    assert list(ours.walk()) == list(theirs.walk())


def test_messages_have_to_be_signed() -> None:
    chance = random.Random(1)
    records = [f"n{at}.shop. 60 IN CNAME ." for at in range(300)]
    query, wires = messages(chance, records, KEY)
    _, bare = messages(random.Random(1), records, None)
    assert len(wires) > 3
    for broken in ([*bare], [bare[0], *wires[1:]], [*wires[:-1], bare[-1]]):
        with pytest.raises(Refused) as refused:
            by_native(query, broken)
        assert refused.value.why is Why.TSIG
    unsigned, _ = messages(random.Random(1), records, None)
    with pytest.raises(Refused) as refused:
        by_native(unsigned, wires)
    assert refused.value.why is Why.TSIG
    other = Key("other.test.", "hmac-sha256", KEY.secret)
    query, _ = messages(random.Random(1), records, other)
    with pytest.raises(Refused) as refused:
        by_native(query, wires)
    assert refused.value.why is Why.TSIG


def test_a_refusal_and_a_name_of_another_zone() -> None:
    query, wires = messages(random.Random(1), ["a.shop. 60 IN A 192.0.2.1"], None)
    refusal = bytearray(wires[0])
    struct.pack_into("!B", refusal, 3, 5)
    with pytest.raises(Refused, match="REFUSED") as refused:
        by_native(query, [bytes(refusal)])
    assert refused.value.why is Why.REFUSED
    query, wires = messages(random.Random(1), ["a.shop.other. 60 IN A 192.0.2.1"], None)
    with pytest.raises(Refused, match="not in the zone") as refused:
        by_native(query, wires)
    assert refused.value.why is Why.CONSISTENCY
