"""Selections in the core, in virtual time: whom a lookup asks, and that others are left alone."""

import pytest

from policy.decision import PLAIN, Selection, Way
from resolver.model import (
    Ask,
    Ede,
    Message,
    Rcode,
    Reason,
    Route,
    RRset,
    Type,
    Verdict,
)
from resolver.selection import settled
from tests.small_internet import abroad, internet
from tests.virtual import Internet, values
from tests.virtual_servers import address, name, rrset

AT_HOME = Selection(Way.DOMESTIC_ONLY, rule="stay")
ANY = Selection(Way.ANY)
MIRRORS = Selection(Way.MIRROR_ONLY, rule="copies")
FIRST, SECOND = "11.0.7.1", "11.0.7.2"


@pytest.fixture
def net() -> Internet:
    return internet()


class TestDomesticOnly:
    def test_nobody_abroad_is_asked_on_the_whole_way(self, net: Internet) -> None:
        result, books = net.ask("www.mixed.xa", selection=AT_HOME)
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.route is Route.DOMESTIC
        assert abroad(net) == []

    def test_it_fails_closed_and_others_do_not_fail_with_it(self, net: Internet) -> None:
        net.hosts[address("11.0.4.1")].up = False
        result, books = net.ask("www.mixed.xa", selection=AT_HOME)
        assert result.rcode == Rcode.SERVFAIL
        assert (books.abroad, abroad(net)) == (0, [])
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED
        sent = len(net.door.sent)
        result, _ = net.ask("www.mixed.xa", "TXT", selection=AT_HOME)
        assert result.rcode == Rcode.SERVFAIL
        assert all(ask.address[0] == 11 for ask in net.door.sent[sent:])
        assert net.scheduler.needless == 0

    def test_what_only_servers_abroad_know_fails_with_no_exchange_abroad(
        self, net: Internet
    ) -> None:
        result, _ = net.ask("www.shop.comx", selection=AT_HOME)
        assert result.rcode == Rcode.SERVFAIL
        assert abroad(net) == []

    def test_addresses_of_name_servers_are_looked_up_at_home_too(self, net: Internet) -> None:
        result, _ = net.ask("www.glueless.xa", selection=AT_HOME)
        assert values(result.answer, "A") == ["11.9.9.2"]
        assert abroad(net) == []

    def test_what_it_did_not_find_others_find_at_once(self, net: Internet) -> None:
        result, _ = net.ask("www.out.xa", selection=AT_HOME)
        assert result.rcode == Rcode.SERVFAIL
        assert abroad(net) == []
        result, _ = net.ask("www.out.xa")
        assert values(result.answer, "A") == ["12.9.9.2"]

    def test_equal_questions_at_once_do_not_share_what_they_may_not(self, net: Internet) -> None:
        closed = net.begin("www.shop.comx", selection=AT_HOME)
        plain = net.begin("www.shop.comx")
        while not (closed and plain):
            net.turn()
        assert closed[0][0].rcode == Rcode.SERVFAIL
        assert closed[0][1].abroad == 0
        assert values(plain[0][0].answer, "A") == ["12.9.9.9"]

    def test_a_verdict_that_changes_meanwhile_is_obeyed(self, net: Internet) -> None:
        """A proof that ends between the choice of a server and the exchange with it."""
        net.ask("www.mixed.xa", selection=AT_HOME)
        net.run(400)
        held = net.begin("new.mixed.xa", selection=AT_HOME)
        net.border.domestic = 99
        sent = len(net.door.sent)
        while not held:
            net.turn()
        assert held[0][0].rcode == Rcode.SERVFAIL
        assert len(net.door.sent) == sent


class TestAny:
    def test_every_server_is_of_one_tier_and_policy_is_the_reason(self, net: Internet) -> None:
        _, books = net.ask("www.mixed.xa", selection=ANY)
        away = [e for e in books.trail if e.label.verdict is Verdict.FOREIGN]
        assert away
        assert {e.label.reason for e in away} == {Reason.POLICY}
        assert books.reason is Reason.POLICY
        assert {e.tier for e in books.trail} == {0}
        assert net.scheduler.needless == 0


class TestMirrorOnly:
    def test_without_a_mirror_nothing_is_asked_and_no_record_is_shown(self, net: Internet) -> None:
        net.ask("www.home.xa")
        sent = len(net.door.sent)
        result, books = net.ask("www.home.xa", selection=MIRRORS)
        assert result.rcode == Rcode.SERVFAIL
        assert (books.exchanges, len(net.door.sent)) == (0, sent)


def recursive(*lines: str, rcode: int = Rcode.NOERROR) -> object:
    """A server that answers everything with the same records, as a recursive one does."""
    found: tuple[RRset, ...] = tuple(map(rrset, lines))

    def reply(ask: Ask, message: Message) -> Message:
        here = any(r.name == ask.question.name for r in found)
        wanted = tuple(r for r in found if here and r.rtype in (ask.question.rtype, Type.CNAME))
        soa = () if wanted else (rrset("xa. 60 SOA 60"),)
        return message._replace(
            rcode=rcode, authoritative=False, recursive=True, answer=wanted, authority=soa
        )

    return reply


class TestForward:
    def forwarders(self, net: Internet) -> Selection:
        for at in (FIRST, SECOND):
            net.host(at).behaviour = recursive(  # type: ignore[assignment]
                "www.corp.xa. 300 CNAME web.corp.xa.", "web.corp.xa. 300 A 11.9.9.3"
            )
        return Selection(Way.FORWARD, (address(FIRST), address(SECOND)), "corp")

    def test_the_whole_answer_comes_from_the_first_and_stays_out_of_the_records(
        self, net: Internet
    ) -> None:
        selection = self.forwarders(net)
        result, books = net.ask("www.corp.xa", selection=selection)
        assert [r.rtype for r in result.answer] == [Type.CNAME, Type.A]
        assert [(ask.address, ask.recursion) for ask in net.door.sent] == [(address(FIRST), True)]
        assert books.route is Route.DOMESTIC
        assert net.records.entries == {}

    def test_a_denial_keeps_its_soa(self, net: Internet) -> None:
        selection = self.forwarders(net)
        result, _ = net.ask("gone.corp.xa", "TXT", selection=selection)
        assert (result.rcode, result.answer) == (Rcode.NOERROR, ())
        assert [r.rtype for r in result.authority] == [Type.SOA]

    def test_the_second_is_asked_when_the_first_is_silent(self, net: Internet) -> None:
        selection = self.forwarders(net)
        net.hosts[address(FIRST)].up = False
        result, _ = net.ask("www.corp.xa", selection=selection)
        assert values(result.answer, "A") == ["11.9.9.3"]
        assert {ask.address for ask in net.door.sent} == {address(FIRST), address(SECOND)}
        net.run(30)
        before = len(net.asked(FIRST))
        result, _ = net.ask("web.corp.xa", selection=selection)
        assert values(result.answer, "A") == ["11.9.9.3"]
        held = net.scheduler.core.servers.get(address(FIRST)).held
        assert not held or len(net.asked(FIRST)) - before <= 1, "only a probe"

    def test_one_abroad_is_never_asked(self, net: Internet) -> None:
        selection = Selection(Way.FORWARD, (address("12.0.7.1"),), "corp")
        result, books = net.ask("www.corp.xa", selection=selection)
        assert (result.rcode, books.exchanges, net.door.sent) == (Rcode.SERVFAIL, 0, [])

    def test_one_that_offers_no_recursion_is_passed_over(self, net: Internet) -> None:
        selection = self.forwarders(net)
        net.hosts[address(FIRST)].behaviour = lambda a, m: Message(Rcode.NOERROR)
        result, _ = net.ask("www.corp.xa", selection=selection)
        assert values(result.answer, "A") == ["11.9.9.3"]


def test_the_plain_selection_is_one_object() -> None:
    assert settled(Selection()) is PLAIN
    assert settled(AT_HOME) is AT_HOME


def test_work_that_nobody_wants_ends_and_is_told(net: Internet) -> None:
    from resolver.model import Books, Question, Result

    told: list[tuple[Result, Books]] = []
    question = Question(name("www.home.xa"), Type.A)
    lookups = [
        net.scheduler.lookup(question, net.now, lambda r, b: told.append((r, b))) for _ in range(2)
    ]
    net.turn()
    for at, lookup in enumerate(lookups):
        assert lookup is not None
        net.scheduler.leave(lookup, question, PLAIN)
        assert (len(net.scheduler) == 0) == (at == 1)
    assert [result.ede[0][0] for result, _ in told] == [Ede.OTHER, Ede.OTHER]
    assert told[0][1].exchanges == 0, "the other goes on with the work"
    assert told[1][1].exchanges > 0
    sent = len(net.door.sent)
    net.run(10)
    assert len(net.door.sent) == sent
