"""What a mirror says, and how a resolution uses it (RFC 1034 section 4.3.2, RFC 8806)."""

import time
from array import array
from collections.abc import Iterator

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.mirrors.answer import reply
from resolver.mirrors.copy import Assembly, ZoneCopy, key_of, name_of
from resolver.mirrors.intake import read_zone
from resolver.model import LocalStep, Message, Question, Rcode, Route, Type
from resolver.names import Name, from_text, to_text
from resolver.plan import make
from tests.signed_zones import ROOT, SHOP, signed, text_of, written
from tests.small_internet import internet
from tests.virtual import Internet, values
from tests.virtual_servers import name

NSEC = 47


@pytest.fixture(scope="module")
def shop() -> ZoneCopy:
    return read_zone(name("shop."), written(signed("shop.", text_of(SHOP))).encode())


@pytest.fixture(scope="module")
def root() -> ZoneCopy:
    return read_zone(name("."), written(signed(".", text_of(ROOT))).encode())


def ask(zone: ZoneCopy, text: str, kind: str | int = "A") -> Message:
    rtype = Type[kind] if isinstance(kind, str) else kind
    return reply(zone, Question(name(text), rtype))


def told(message: Message) -> tuple[int, list[tuple[str, int]], list[tuple[str, int]]]:
    answer = [(to_text(r.name), int(r.rtype)) for r in message.answer]
    return message.rcode, answer, [(to_text(r.name), int(r.rtype)) for r in message.authority]


LABELS = st.lists(st.binary(min_size=1, max_size=5), max_size=5)


@given(LABELS, LABELS)
def test_keys_have_the_canonical_order_of_names(one: list[bytes], other: list[bytes]) -> None:
    names = [dns.name.Name([*parts, b""]).canonicalize() for parts in (one, other)]
    wires = [Name(each.to_digestable()) for each in names]
    keys = [key_of(each) for each in wires]
    assert [name_of(key) for key in keys] == wires
    assert (keys[0] < keys[1]) == (names[0] < names[1])
    assert keys[0].startswith(keys[1]) == names[0].is_subdomain(names[1])


class TestReplies:
    def test_a_delegation_has_its_glue_and_ds_and_no_aa(self, root: ZoneCopy) -> None:
        message = ask(root, "www.home.xa.")
        assert told(message) == (0, [], [("xa.", Type.NS), ("xa.", Type.DS)])
        assert not message.authoritative
        assert values(message.additional, "A") == ["11.0.1.1", "12.0.1.1"]
        assert all(found.signatures for found in message.authority if found.rtype == Type.DS)

    def test_an_unsigned_delegation_has_the_proof(self, root: ZoneCopy) -> None:
        assert told(ask(root, "shop.comx."))[2] == [("comx.", Type.NS), ("comx.", NSEC)]

    def test_ds_is_of_the_parent(self, root: ZoneCopy) -> None:
        message = ask(root, "xa.", "DS")
        assert told(message) == (0, [("xa.", Type.DS)], [])
        assert message.authoritative
        assert told(ask(root, "comx.", "DS"))[2] == [(".", Type.SOA), ("comx.", NSEC)]

    def test_no_such_name_is_proven(self, root: ZoneCopy) -> None:
        message = ask(root, "nosuch.")
        assert told(message) == (
            Rcode.NXDOMAIN,
            [],
            [(".", Type.SOA), ("comx.", NSEC), (".", NSEC)],
        )
        assert all(found.signatures for found in message.authority)

    def test_records_with_signatures(self, shop: ZoneCopy) -> None:
        message = ask(shop, "www.shop.")
        assert told(message) == (0, [("www.shop.", Type.A)], [])
        assert len(message.answer[0].signatures) == 1

    def test_no_records_of_the_type(self, shop: ZoneCopy) -> None:
        assert told(ask(shop, "www.shop.", "AAAA")) == (
            0,
            [],
            [("shop.", Type.SOA), ("www.shop.", NSEC)],
        )

    def test_empty_non_terminal(self, shop: ZoneCopy) -> None:
        assert told(ask(shop, "b.c.shop.")) == (
            0,
            [],
            [("shop.", Type.SOA), ("alias.shop.", NSEC)],
        )

    def test_alias_is_not_followed(self, shop: ZoneCopy) -> None:
        assert told(ask(shop, "alias.shop.")) == (0, [("alias.shop.", Type.CNAME)], [])

    def test_wildcard_stands_in(self, shop: ZoneCopy) -> None:
        code, answer, authority = told(ask(shop, "x.y.wild.shop.", "TXT"))
        assert (code, answer) == (0, [("x.y.wild.shop.", Type.TXT)])
        assert authority == [("*.wild.shop.", NSEC)]

    def test_wildcard_without_the_type(self, shop: ZoneCopy) -> None:
        assert told(ask(shop, "x.wild.shop."))[0] == 0

    def test_dname(self, shop: ZoneCopy) -> None:
        message = ask(shop, "leaf.tree.shop.")
        assert told(message)[1] == [("tree.shop.", Type.DNAME), ("leaf.tree.shop.", Type.CNAME)]

    def test_glue_is_no_answer(self, shop: ZoneCopy) -> None:
        assert told(ask(shop, "ns.cut.shop."))[2][0] == ("cut.shop.", Type.NS)


class TestAssembly:
    def test_a_difference_gives_what_the_whole_gives(self, shop: ZoneCopy) -> None:
        work = Assembly(shop.apex, shop)
        work.sets(name("www.shop."))[Type.A, 0] = 300, (b"\x0b\x09\x09\x01",)
        work.sets(name("alias.shop.")).clear()
        work.sets(name("zz.new.shop."))[Type.A, 0] = 60, (b"\x0b\x01\x01\x01",)
        new = work.finish()
        whole = Assembly(shop.apex)
        for owner, sets in shop.walk():
            whole.sets(owner).update(sets)
        whole.sets(name("www.shop."))[Type.A, 0] = 300, (b"\x0b\x09\x09\x01",)
        whole.sets(name("alias.shop.")).clear()
        whole.sets(name("zz.new.shop."))[Type.A, 0] = 60, (b"\x0b\x01\x01\x01",)
        again = whole.finish()
        assert (new.data, new.offsets, new.records) == (again.data, again.offsets, again.records)
        assert not new.sets(name("alias.shop."))

    def test_a_name_outside_is_refused(self) -> None:
        work = Assembly(name("shop."))
        work.sets(name("other."))[Type.A, 0] = 60, (b"\x0b\x01\x01\x01",)
        with pytest.raises(ValueError, match="not in"):
            work.finish()

    def test_a_zone_of_many_names_is_found_in_quickly_and_small(self) -> None:
        work = Assembly(name("big."))
        soa = b"\0\0" + b"\0\0\0\1" * 5
        work.sets(name("big."))[Type.SOA, 0] = 60, (soa,)
        target = bytes(name("ns1.hoster.big."))
        for number in range(50_000):
            work.sets(from_text(f"n{number}.big."))[Type.NS, 0] = 3600, (target,)
        zone = work.finish()
        assert zone.size < 50_000 * 64
        began = time.perf_counter()
        for number in range(0, 50_000, 50):
            assert ask(zone, f"www.n{number}.big.").authority
        assert time.perf_counter() - began < 2.0
        assert isinstance(zone.offsets, array)


@pytest.fixture
def net(root: ZoneCopy) -> Iterator[Internet]:
    made = internet()
    made.scheduler.core.mirrors.put(root)
    yield made


class TestResolution:
    def test_the_root_is_not_asked(self, net: Internet) -> None:
        result, books = net.ask("www.home.xa.")
        assert values(result.answer, "A") == ["11.9.9.9"]
        assert books.exchanges == 2  # xa, home.xa
        assert books.mirrored == [
            LocalStep(name("."), 1, Question(name("www.home.xa."), Type.A), "referral", 0)
        ]
        assert not net.asked("12.0.0.1")
        assert not net.asked("11.0.0.1")

    def test_a_name_that_does_not_exist_is_local(self, net: Internet) -> None:
        result, books = net.ask("www.nosuch.")
        assert result.rcode == Rcode.NXDOMAIN
        assert books.route is Route.LOCAL
        assert [to_text(found.name) for found in result.authority] == [".", "comx.", "."]
        assert not net.door.sent

    def test_records_of_the_zone_are_local(self, net: Internet) -> None:
        result, books = net.ask(".", "NS")
        assert values(result.answer, "NS") == ["a.root.", "b.root."]
        assert books.route is Route.LOCAL

    def test_without_the_mirror_the_servers_are_asked_again(self, net: Internet) -> None:
        net.ask("www.home.xa.")
        net.scheduler.core.mirrors.drop(name("."))
        _, books = net.ask("www.nosuch.")
        assert books.exchanges > 0

    def test_no_plan_speaks_for_names_that_a_mirror_covers(self, net: Internet) -> None:
        net.ask("www.home.xa.")
        core = net.scheduler.core
        for zone, planned in (("home.xa.", True), ("xa.", True)):
            cut = core.cuts.get(name(zone), net.now)
            assert cut is not None
            assert (make(core, cut, 1, net.now) is not None) == planned
        below = SHOP.replace("shop.", "home.xa.")
        core.mirrors.put(read_zone(name("home.xa."), text_of(below).encode()))
        for zone in ("home.xa.", "xa."):
            cut = core.cuts.get(name(zone), net.now)
            assert cut is not None
            assert make(core, cut, 2, net.now) is None

    def test_the_deepest_mirror_counts(self, net: Internet) -> None:
        text = """
            xa. 3600 IN SOA ns1.xa. host.xa. 7 3600 600 86400 300
            xa. 3600 IN NS ns1.xa.
            home.xa. 3600 IN NS ns.home.xa.
            ns.home.xa. 3600 IN A 11.0.3.1
        """
        lines = "\n".join(line.strip() for line in text.splitlines())
        net.scheduler.core.mirrors.put(read_zone(name("xa."), lines.encode()))
        result, books = net.ask("www.home.xa.")
        assert values(result.answer, "A") == ["11.9.9.9"]
        assert books.exchanges == 1
        assert [to_text(step.zone) for step in books.mirrored] == ["xa."]
        _, books = net.ask("xa.", "DS")  # of the parent, which is mirrored too
        assert [to_text(step.zone) for step in books.mirrored] == ["."]
