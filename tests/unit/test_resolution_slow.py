"""Slow servers at home and silent ones abroad: nobody waits for them where another can answer."""

import pytest

from resolver import limits_servers
from resolver.model import Question, Rcode, Result, Type
from tests.small_internet import XA, internet
from tests.virtual import Internet
from tests.virtual_servers import Zone, address, name

CUTS = """
two.xa. 3600 NS ns1.two.xa. ns2.two.xa.
ns1.two.xa. 3600 A 11.0.8.1
ns2.two.xa. 3600 A 11.0.8.2
host.xa. 3600 NS ns.host.xa.
ns.host.xa. 3600 A 11.0.8.3
beside.xa. 3600 NS ns1.host.xa. ns.hoster.comx.
pair.xa. 3600 NS far.host.xa. near.host.xa.
"""
TWO = "two.xa. 3600 SOA 60\nwww.two.xa. 300 A 11.9.9.4\nmail.two.xa. 300 A 11.9.9.4"
HOST = """host.xa. 3600 SOA 60
ns1.host.xa. 3600 A 11.0.8.4
far.host.xa. 3600 A 11.0.8.5
near.host.xa. 3600 A 11.0.8.6
"""
PAIR = "pair.xa. 3600 SOA 60\nwww.pair.xa. 300 A 11.9.9.6"
BESIDE = "beside.xa. 3600 SOA 60\nwww.beside.xa. 300 A 11.9.9.5"
FIRST, SECOND = address("11.0.8.1"), address("11.0.8.2")
NEAR = 0.01
CUT_SECONDS = 0.05
"""More than it takes to find the cut."""


@pytest.fixture
def net() -> Internet:
    """Nothing abroad answers; the root is asked at home."""
    net = internet()
    net.hosts[address("11.0.0.1")].latency = NEAR
    net.host("11.0.1.1", Zone("xa", XA + CUTS), latency=NEAR)
    net.host("11.0.8.1", Zone("two.xa", TWO), latency=NEAR)
    net.host("11.0.8.2", Zone("two.xa", TWO), latency=NEAR)
    net.host("11.0.8.3", Zone("host.xa", HOST), latency=NEAR)
    net.host("11.0.8.4", Zone("beside.xa", BESIDE), latency=NEAR)
    net.ask("www.home.xa")  # the root and xa are known
    for at, host in net.hosts.items():
        host.up = at[0] != 12
    return net


def timed(net: Internet, text: str) -> tuple[Result, float]:
    """The result of a lookup and how long it took."""
    ended: list[tuple[Result, float]] = []
    began = net.now
    question = Question(name(text), Type.A)
    net.scheduler.lookup(question, began, lambda result, _: ended.append((result, net.now - began)))
    while not ended:
        net.turn()
    return ended[0]


class TestSlowAtHome:
    def test_another_at_home_is_asked_soon(self, net: Internet) -> None:
        net.hosts[FIRST].latency = net.hosts[SECOND].latency = 0.4
        _, seconds = timed(net, "www.two.xa")
        asked = [ask.address for ask in net.door.sent if ask.address in (FIRST, SECOND)]
        assert set(asked) == {FIRST, SECOND}
        assert 0.4 < seconds < 0.4 + CUT_SECONDS

    def test_it_is_no_silence_and_ends_with_a_reply(self, net: Internet) -> None:
        net.hosts[FIRST].latency = net.hosts[SECOND].latency = 0.4
        net.begin("www.two.xa")
        net.run(0.2)
        servers = net.scheduler.core.servers
        slow = next(a for a in (FIRST, SECOND) if servers.get(a).passed_over_until > net.now)
        assert servers.get(slow).strikes == 0
        net.run(1.0)
        assert servers.get(slow).passed_over_until == 0.0
        assert servers.get(slow).srtt == pytest.approx(0.4)

    def test_one_that_was_passed_over_is_asked_last(self, net: Internet) -> None:
        dead, other = SECOND, FIRST  # as chance has it
        net.hosts[dead].up = False
        for number in range(50):
            net.ask(f"n{number}.two.xa")
        asked = [ask.address for ask in net.door.sent if ask.address in (dead, other)]
        assert asked.count(dead) == 1
        net.run(limits_servers.PASSED_OVER_SECONDS)
        for number in range(200):
            net.ask(f"m{number}.two.xa")
        asked = [ask.address for ask in net.door.sent if ask.address in (dead, other)]
        assert asked.count(dead) > 1, "it is tried again some time"

    def test_alone_it_has_its_usual_wait(self, net: Internet) -> None:
        net.hosts[FIRST].latency = 0.3
        net.hosts[SECOND].up = False
        net.border.banned = frozenset({SECOND})
        timed(net, "www.two.xa")
        assert [ask.address for ask in net.door.sent].count(FIRST) == 1


class TestFarAtHome:
    def test_one_that_is_known_to_be_far_is_not_asked_to_find_out(self, net: Internet) -> None:
        net.hosts[FIRST].latency = 0.3
        for number in range(200):
            net.ask(f"n{number}.two.xa")
        assert len(net.asked("11.0.8.1")) <= 1

    def test_after_a_quarter_of_an_hour_it_is(self, net: Internet) -> None:
        net.hosts[FIRST].latency = 0.3
        for number in range(60):
            net.ask(f"n{number}.two.xa")
        before = len(net.asked("11.0.8.1"))
        net.hosts[FIRST].latency = NEAR / 4
        net.run(limits_servers.SPEED_SECONDS)
        for number in range(200):
            net.ask(f"m{number}.two.xa")
        assert len(net.asked("11.0.8.1")) > before + 100, "it is the nearest by now"

    def test_another_name_server_is_sought_when_the_known_one_is_slow(self, net: Internet) -> None:
        net.border.home_zone = name("xa.")
        net.host("11.0.8.5", Zone("pair.xa", PAIR), latency=0.3)
        net.host("11.0.8.6", Zone("pair.xa", PAIR), latency=NEAR)
        net.ask("ns1.host.xa")
        net.ask("far.host.xa")  # its address is among the records, that of the other is not
        _, first = timed(net, "www.pair.xa")
        assert first > 0.3
        timed(net, "a.pair.xa")
        _, third = timed(net, "b.pair.xa")
        assert third < CUT_SECONDS
        questions = [
            ask.question for ask in net.door.sent if ask.question.name == name("near.host.xa.")
        ]
        assert len(questions) == len(set(questions)) == 2, "A and AAAA, once"

    def test_a_name_that_is_not_at_home_is_not_sought(self, net: Internet) -> None:
        net.host("11.0.8.5", Zone("pair.xa", PAIR), latency=0.3)
        net.ask("far.host.xa")
        for number in range(10):
            net.ask(f"n{number}.pair.xa")
        assert not [a for a in net.door.sent if a.question.name == name("near.host.xa.")]


class TestSilentAbroad:
    def test_a_name_server_found_at_home_is_enough(self, net: Internet) -> None:
        result, seconds = timed(net, "www.beside.xa")
        assert result.rcode == Rcode.NOERROR
        assert seconds < 2 * CUT_SECONDS, "the address of the other one is not waited for"

    def test_the_others_are_looked_up_when_it_fails(self, net: Internet) -> None:
        for at, host in net.hosts.items():
            host.up |= at[0] == 12
        net.hosts[address("12.0.2.1")].latency = 0.5
        net.hosts[address("12.0.6.1")].zones.append(Zone("beside.xa", BESIDE))
        net.hosts[address("11.0.8.4")].up = False
        result, _ = timed(net, "www.beside.xa")
        assert result.rcode == Rcode.NOERROR
        assert net.asked("12.0.6.1")

    def test_a_late_reply_is_heard_while_others_are_looked_up(self, net: Internet) -> None:
        net.hosts[address("11.0.8.4")].latency = 2.4
        result, seconds = timed(net, "www.beside.xa")
        assert result.rcode == Rcode.NOERROR
        assert 2.4 < seconds < 2.4 + 2 * CUT_SECONDS
        assert net.border.patience < 2.4, "so the others were being looked up"

    def test_what_was_spent_stays_in_the_books(self, net: Internet) -> None:
        before = len(net.door.sent)
        _, books = net.ask("www.beside.xa")
        assert books.exchanges == len(net.door.sent) - before
