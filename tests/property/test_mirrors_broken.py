"""Whatever a source sends or a disk holds, there is one refusal or the very zone, and no fault."""

import random
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from resolver.errors import StateError
from resolver.mirrors import store
from resolver.mirrors.check import Checks, check
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import read_zone
from resolver.mirrors.refusal import Refused
from resolver.mirrors.store import Held
from resolver.mirrors.wanted import Terms
from resolver.mirrors.whole import WholeZone
from tests.signed_zones import SHOP, signed, signer, text_of, transfer_of, written
from tests.virtual_servers import name

ZONE = name("shop.")
ORIGIN = dns.name.from_text("shop.")
SEEDS = range(150)


@pytest.fixture(scope="module")
def text() -> str:
    return written(signed("shop.", text_of(SHOP)))


@pytest.fixture(scope="module")
def good(text: str) -> ZoneCopy:
    return read_zone(ZONE, text.encode())


def messages(text: str) -> tuple[dns.message.QueryMessage, list[bytes]]:
    """A transfer of the zone, as a primary sends it."""
    zone = dns.zone.from_text(text, origin=ORIGIN, relativize=False)
    query = dns.message.make_query(ORIGIN, "AXFR", flags=0)
    return query, [reply.to_wire() for reply in transfer_of(zone, query)]


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """The octets with something wrong."""
    out = bytearray(octets)
    for _ in range(chance.randrange(1, 4)):
        way, at = chance.randrange(4), chance.randrange(len(out)) if out else 0
        if way == 0 and out:
            out[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del out[at:]
        elif way == 2:
            del out[at : at + chance.randrange(1, 20)]
        else:
            out[at:at] = chance.randbytes(chance.randrange(1, 10))
    return bytes(out)


def received(query: dns.message.QueryMessage, wires: list[bytes]) -> ZoneCopy | None:
    """What comes of these messages."""
    reading = WholeZone(ZONE, query)
    for wire in wires:
        if reading.take(wire):
            return reading.copy
    return None


def is_refused_or_same(copy: ZoneCopy | None, good: ZoneCopy) -> bool:
    """Whether the checks let nothing through but the zone itself."""
    if copy is None:
        return True
    terms = Terms("require", "require", (signer().anchor("shop."),))
    try:
        check(copy, None, terms, time.time())
    except Refused:
        return True
    return {k: sorted(v.items()) for k, v in copy.walk()} == {
        k: sorted(v.items()) for k, v in good.walk()
    }


def test_the_transfer_as_it_should_be_is_taken(text: str, good: ZoneCopy) -> None:
    query, wires = messages(text)
    assert len(wires) > 3
    copy = received(query, wires)
    assert copy is not None
    assert copy.records == good.records


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_transfer_is_refused(text: str, good: ZoneCopy, seed: int) -> None:
    chance = random.Random(seed)
    query, wires = messages(text)
    if seed % 5 == 0:
        chance.shuffle(wires)
    elif seed % 5 == 1:
        del wires[chance.randrange(len(wires))]
    else:
        at = chance.randrange(len(wires))
        wires[at] = damaged(wires[at], chance)
    try:
        copy = received(query, wires)
    except Refused as refused:
        assert str(refused)
        return
    assert is_refused_or_same(copy, good)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_file_is_refused(text: str, good: ZoneCopy, seed: int) -> None:
    chance = random.Random(seed)
    try:
        copy = read_zone(ZONE, damaged(text.encode(), chance))
    except Refused as refused:
        assert "\n" not in str(refused)
        return
    assert is_refused_or_same(copy, good)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_copy_on_disk_is_refused(good: ZoneCopy, tmp_path: Path, seed: int) -> None:
    store.save(tmp_path, Held(good, Checks("verified", "verified"), "test", time.time()))
    path = tmp_path / "shop..zone"
    path.write_bytes(damaged(path.read_bytes(), random.Random(seed)))
    try:
        held = store.load(tmp_path, ZONE)
    except StateError as error:
        assert "shop" in str(error)
        return
    assert held is not None
    assert held.copy.data == good.data
