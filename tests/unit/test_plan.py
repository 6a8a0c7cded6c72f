"""When a plan exists, what it says, and what ends it."""

from dataclasses import replace

import pytest

from resolver import limits
from resolver.delegation import Delegation
from resolver.lookups import Done, Lookup
from resolver.model import (
    Ask,
    Books,
    Failure,
    Message,
    Outcome,
    Question,
    Rank,
    Rcode,
    Reason,
    RRset,
    Security,
    Type,
    Verdict,
)
from resolver.names import ROOT, Name
from resolver.plan import Plan, Planner, Punt, make
from tests.interpreted import interpreted
from tests.small_internet import internet
from tests.virtual import Internet
from tests.virtual_servers import address, name

HOME = name("home.xa.")
NS_HOME = name("ns.home.xa.")


class Board:
    """Where plans are published, for all to see: a plan, or ``None`` for a barrier."""

    def __init__(self) -> None:
        self.cuts: dict[Name, Plan | None] = {}
        self.left: dict[Question, float] = {}
        self.published = 0

    def publish(self, plan: Plan) -> None:
        self.published += 1
        self.cuts[plan.zone] = plan

    def bar(self, zone: Name, until: float) -> None:
        self.cuts[zone] = None

    def forget(self, at: Name, subtree: bool) -> None:
        self.cuts = {z: p for z, p in self.cuts.items() if subtree is False and z != at}

    def leave(self, question: Question, until: float, now: float) -> None:
        self.left[question] = until

    def forgive(self) -> None:
        self.left.clear()


class Planned:
    """The small Internet with a board."""

    def __init__(self) -> None:
        self.net: Internet = internet()
        self.board = Board()
        self.asked = 0
        self.core = self.net.scheduler.core
        self.core.planner = Planner(self.board)

    def settle(self) -> None:
        """The end of a turn."""
        self.core.planner.settle(self.core, self.net.now)

    def warm(self, zone: str, times: int = 2) -> Plan | None:
        """Ask for so many new names of a zone; the plan that stands then."""
        for _ in range(times):
            self.asked += 1
            self.net.ask(f"n{self.asked}.{zone}")
        return self.board.cuts.get(name(zone))


@pytest.fixture
def planned() -> Planned:
    return Planned()


def test_a_second_answer_makes_a_plan_and_a_first_a_barrier(planned: Planned) -> None:
    assert planned.warm("home.xa.", 1) is None
    assert HOME in planned.board.cuts
    plan = planned.warm("home.xa.", 1)
    assert plan is not None
    assert [s.address for s in plan.servers] == [address("11.0.3.1")]
    assert plan.servers[0].label.verdict is Verdict.DOMESTIC
    assert plan.expires == plan.made + limits.PLAN_SECONDS


def test_only_servers_of_the_first_tier_are_planned_for(planned: Planned) -> None:
    plan = planned.warm("mixed.xa.")
    assert plan is not None
    assert [s.address for s in plan.servers] == [address("11.0.4.1")]
    assert plan.servers[0].label.reason is Reason.NONE


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("minimise", [True, False])
def test_names_of_any_depth_are_planned_for_servers_at_home_only(
    strict: bool, minimise: bool
) -> None:
    """Without minimisation; ``border.privacy: relaxed`` lifts it abroad too."""
    planned = Planned()
    settings = planned.core.settings
    planned.core.settings = replace(settings, qname_minimisation=minimise, strict_abroad=strict)
    home, abroad = planned.warm("home.xa."), planned.warm("shop.comx.")
    assert home is not None and abroad is not None
    assert home.any_depth is not minimise
    assert abroad.any_depth is (not minimise and not strict)
    assert abroad.tried(0, Question(name("a.shop.comx."), Type.A)).ask.needed == 3


def test_there_is_no_plan_for_the_root_nor_above_a_local_zone(planned: Planned) -> None:
    net, core = planned.net, planned.core
    servers = (name("a.root."),)
    for zone in (ROOT, name("arpa."), name("10.in-addr.arpa.")):
        cut = Delegation(zone, servers, {servers[0]: (address("12.0.0.1"),)}, net.now + 1000)
        assert make(core, cut, 1, net.now) is None


def test_a_held_down_server_ends_the_plans_of_all_its_zones(planned: Planned) -> None:
    assert planned.warm("home.xa.") is not None
    other = Delegation(name("other.xa."), (NS_HOME,), {NS_HOME: (address("11.0.3.1"),)}, 9e9)
    planned.core.cuts.put(other)
    for _ in range(2):
        planned.core.planner.answered(planned.core, other, planned.net.now)
    assert planned.board.cuts[other.zone] is not None
    server = planned.core.servers.get(address("11.0.3.1"))
    while not server.held:
        server.silent(planned.net.now, planned.net.now)
    planned.core.planner.struck(planned.core, HOME, address("11.0.3.1"))
    planned.settle()
    assert planned.board.cuts[HOME] is None
    assert planned.board.cuts[other.zone] is None
    planned.core.planner.answered(planned.core, other, planned.net.now)
    assert planned.board.cuts[other.zone] is None, "as long as it is held down"


def test_a_server_that_knows_no_edns_ends_the_plans_of_all_its_zones(planned: Planned) -> None:
    assert planned.warm("home.xa.") is not None
    other = Delegation(name("other.xa."), (NS_HOME,), {NS_HOME: (address("11.0.3.1"),)}, 9e9)
    planned.core.cuts.put(other)
    for _ in range(2):
        planned.core.planner.answered(planned.core, other, planned.net.now)

    def no_edns(ask: Ask, message: Message) -> Message:
        if not ask.edns:
            return message
        return message._replace(rcode=Rcode.FORMERR, answer=(), authority=(), edns=None)

    planned.net.hosts[address("11.0.3.1")].behaviour = no_edns
    result, _ = planned.net.ask("later.home.xa")
    assert result.rcode == Rcode.NXDOMAIN
    for zone in (HOME, other.zone):
        plan = planned.board.cuts[zone]
        assert plan is not None
        assert not plan.servers[0].edns


def test_a_cut_that_was_learnt_anew_meanwhile_is_not_planned_for(planned: Planned) -> None:
    assert planned.warm("home.xa.") is not None
    core, now = planned.core, planned.net.now
    old = core.cuts.get(HOME, now)
    assert old is not None
    new = Delegation(HOME, (NS_HOME,), {NS_HOME: (address("11.0.3.9"),)}, now + 1000)
    core.cuts.put(new)
    core.planner.barred(new)
    for _ in range(2):
        core.planner.answered(core, old, now)
    assert planned.board.cuts[HOME] is None
    core.planner.answered(core, new, now)
    plan = planned.board.cuts[HOME]
    assert plan is not None
    assert plan.servers[0].address == address("11.0.3.9")


@pytest.mark.parametrize("at", ["home.xa.", "xa.", "."])
def test_a_flush_of_name_servers_ends_plans_elsewhere(planned: Planned, at: str) -> None:
    core, now = planned.core, planned.net.now
    core.records.put(
        RRset(NS_HOME, Type.A, 300, (bytes(address("11.0.3.1")),)),
        Rank.ANSWER,
        Security.INDETERMINATE,
        address("11.0.3.1"),
        now,
    )
    cut = Delegation(name("shop.comx."), (NS_HOME,), {}, now + 1000)
    core.cuts.put(cut)
    for _ in range(2):
        core.planner.answered(core, cut, now)
    assert planned.board.cuts[cut.zone] is not None
    core.records.flush(name(at), subtree=True)
    core.planner.forget(name(at), subtree=True)
    planned.settle()
    assert core.planner.current(cut.zone) is None
    assert planned.board.cuts.get(cut.zone) is None


def test_a_plan_ends_with_the_addresses_that_it_rests_on(planned: Planned) -> None:
    core, now = planned.core, planned.net.now
    records = RRset(NS_HOME, Type.A, 2, (bytes(address("11.0.3.1")),))
    core.records.put(records, Rank.ANSWER, Security.INDETERMINATE, address("11.0.3.1"), now)
    cut = Delegation(name("shop.comx."), (NS_HOME,), {}, now + 1000)
    plan = make(core, cut, 1, now)
    assert plan is not None
    assert plan.expires == now + 2
    cut.addresses[NS_HOME] = (address("11.0.3.1"),)
    plan = make(core, cut, 1, now)
    assert plan is not None
    assert plan.expires == now + limits.PLAN_SECONDS


def test_no_plan_goes_abroad_while_a_name_server_has_no_known_address(planned: Planned) -> None:
    core, now = planned.core, planned.net.now
    ns_abroad, unknown = name("ns.shop.comx."), name("ns.nowhere.xa.")
    cut = Delegation(
        name("out.xa."), (ns_abroad, unknown), {ns_abroad: (address("12.0.5.1"),)}, now + 1000
    )
    assert make(core, cut, 1, now) is None
    cut.looked_up(unknown, (), now + 3)
    plan = make(core, cut, 1, now)
    assert plan is not None
    assert plan.expires == now + 3, "and no longer than that is remembered"


def test_an_own_set_that_is_shown_again_is_no_news(planned: Planned) -> None:
    host = planned.net.hosts[address("11.0.3.1")]
    ns = RRset(HOME, Type.NS, 300, (bytes(NS_HOME),))
    host.behaviour = lambda _, message: message._replace(authority=(*message.authority, ns))
    assert planned.warm("home.xa.", 3) is not None
    published = planned.board.published
    planned.net.run(100)
    planned.net.ask("again.home.xa")
    assert planned.board.published == published + 1, "renewed, and not withdrawn"
    kept = planned.core.records.get(HOME, Type.NS, planned.net.now)
    assert kept is not None
    assert kept.rrset is not None
    assert kept.rrset.ttl < 210, "its life runs on"
    other = RRset(HOME, Type.NS, 300, (bytes(name("ns9.home.xa.")),))
    host.behaviour = lambda _, message: message._replace(authority=(*message.authority, other))
    planned.net.ask("news.home.xa")
    plan = planned.board.cuts[HOME]
    assert plan is None or plan.own_set == (name("ns9.home.xa."),)


def test_addresses_of_planned_name_servers_and_failed_questions_are_left_to_python(
    planned: Planned,
) -> None:
    plan = planned.warm("home.xa.")
    assert plan is not None
    for rtype in (Type.A, Type.AAAA):
        assert planned.board.left[Question(NS_HOME, rtype)] == plan.expires
    planned.net.hosts[address("11.0.3.1")].behaviour = lambda _, message: message._replace(
        rcode=Rcode.SERVFAIL, answer=(), authority=()
    )
    result, _ = planned.net.ask("fails.home.xa")
    assert result.rcode == Rcode.SERVFAIL
    left = planned.board.left[Question(name("fails.home.xa."), Type.A)]
    assert left >= planned.net.now + limits.FAILURE_SECONDS_FIRST - 1
    planned.net.scheduler.flush_failures()
    assert planned.board.left == {}


class TestPunts:
    """A lookup goes on from what was spent."""

    def punt(self, planned: Planned, outcome: Outcome | None, ago: float) -> Punt:
        plan = planned.warm("home.xa.")
        assert plan is not None
        question = Question(name("www.home.xa."), Type.A)
        now = planned.net.now
        punt = Punt(question, plan.tried(0, question), outcome, now - ago)
        planned.net.scheduler.punted(punt, now)
        return punt

    def test_a_reply_is_used_and_not_asked_for_again(self, planned: Planned) -> None:
        host = planned.net.hosts[address("11.0.3.1")]
        message = host.zones[0].answer(Question(name("www.home.xa."), Type.A))
        self.punt(planned, Outcome(message, None, 0.02), 0.02)
        before = len(planned.net.door.sent)
        result, books = planned.net.ask("www.home.xa")
        assert result.rcode == Rcode.NOERROR
        assert len(planned.net.door.sent) == before
        assert [e.outcome for e in books.trail] == ["positive"]

    def test_a_silence_is_a_strike_and_a_try(self, planned: Planned) -> None:
        server = planned.core.servers.get(address("11.0.3.1"))
        self.punt(planned, None, 0.2)
        _, books = planned.net.ask("www.home.xa")
        assert [e.outcome for e in books.trail] == ["timeout", "positive"]
        assert server.strikes == 0, "the second try was answered"

    @interpreted
    def test_quota_and_deadline_count_from_the_question(
        self, planned: Planned, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Lookup] = []
        scheduler = planned.net.scheduler

        def make_lookup(deadline: float, done: Done) -> Lookup:
            made.append(Lookup(deadline, done))
            return made[-1]

        monkeypatch.setattr(type(scheduler), "make_lookup", staticmethod(make_lookup))
        punt = self.punt(planned, Outcome(None, Failure.CASE, 0.02), 0.5)
        made.clear()
        told: list[Books] = []
        scheduler.lookup(
            punt.question, planned.net.now, lambda _, books: told.append(books), arrived=punt.sent
        )
        while not told:
            planned.net.turn()
        assert made[0].deadline == punt.sent + limits.LOOKUP_SECONDS
        assert made[0].exchanges_left == limits.EXCHANGES_PER_LOOKUP - 2
        assert [e.outcome for e in told[0].trail] == ["case", "positive"]

    def test_one_for_a_resolution_under_way_is_only_booked(self, planned: Planned) -> None:
        plan = planned.warm("home.xa.")
        assert plan is not None
        ended = planned.net.begin("www.home.xa")
        planned.net.door.submit(planned.net.scheduler.advance(planned.net.now))
        question = Question(name("www.home.xa."), Type.A)
        punt = Punt(question, plan.tried(0, question), None, planned.net.now)
        planned.net.scheduler.punted(punt, planned.net.now)
        while not ended:
            planned.net.turn()
        _, books = ended[0]
        assert books.exchanges == 2
