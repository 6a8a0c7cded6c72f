"""Shadow, reload, plans and books of rules, in virtual time."""

from collections import Counter
from collections.abc import Callable
from random import Random

import dns.flags
import dns.message
import dns.rcode
import pytest

from policy.decision import Action, Decision, Selection, Way
from resolver.forge import altered
from resolver.in_force import OwnWork
from resolver.metrics_policy import policy_metrics
from resolver.model import Ede, Purpose, Question, Rcode, Transport, Type
from resolver.names import ROOT, is_subdomain
from resolver.tags import OVERFLOW, Effect, Tags
from tests.interpreted import interpreted as pytestmark  # noqa: F401
from tests.rulebook import Book, Line, line, ruled
from tests.virtual_rules import AT_HOME, NO_HITS, World, base, make, opened
from tests.virtual_servers import address, name

__all__ = ["make", "opened"]  # fixtures
Make = Callable[..., World]


NEEDS = (
    lambda f: bool(f.addresses),
    lambda f: any(country == "XB" for _, country in f.addresses),
    lambda f: f.rcode == Rcode.NXDOMAIN,
    lambda f: any(server.country == "XB" for server in f.servers),
)
"""What rules may want of a result."""


def _some_lines(chance: Random, prefix: str) -> list[Line]:
    """Rules on names of the small Internet, some of which need the result."""
    zones = ["www.home.xa", "home.xa", "shop.comx", "comx", "mixed.xa", "wild.home.xa", "xa"]
    actions = [Action.NXDOMAIN, Action.NODATA, Action.REFUSED, Action.PASS]
    found = []
    for number in range(chance.randrange(1, 5)):
        needs = chance.choice(NEEDS) if chance.random() < 0.5 else None
        zone, action = chance.choice(zones), chance.choice(actions)
        found.append(line(zone, f"{prefix}{number}", action, needs=needs))
    return found


class TestShadow:
    NAMES = ("www.home.xa", "www.shop.comx", "abroad.home.xa", "www.mixed.xa", "gone.home.xa")

    def lines(self) -> tuple[Line, ...]:
        return (
            line("www.shop.comx", "s1", Action.NXDOMAIN),
            line("mixed.xa", "s2", selection=AT_HOME),
            line("home.xa", "s3", Action.NODATA, needs=lambda f: not f.answer),
        )

    def test_what_it_counts_is_what_happens_when_it_is_live(self, make: Make) -> None:
        tried = make(shadow=Book(*self.lines()))
        live = make(*self.lines())
        for world in (tried, live):
            for text in self.NAMES:
                world.ask(text)
        wanted = {(rule, action): n for (rule, action), n in live.marks().items() if rule}
        counted: Counter[tuple[str, ...]] = Counter()
        for (rule, _, action), count in tried.shades().items():
            if action != "none":
                counted[rule, action] += count
        assert counted == wanted
        assert not any(rule for rule, _ in tried.marks()), "nothing was done"

    def test_a_rule_on_the_result_is_decided_also_where_the_live_one_alters_it(
        self, make: Make
    ) -> None:
        abroad = line("comx", "s1", Action.REFUSED, needs=lambda f: bool(f.addresses))
        world = make(
            line("comx", "r1", Action.NXDOMAIN, needs=lambda f: bool(f.answer)),
            shadow=Book(abroad),
        )
        assert world.rcode("www.shop.comx") == dns.rcode.NXDOMAIN
        assert world.shades() == {("s1", "nxdomain", "refused"): 1}

    def test_without_a_resolution_such_a_rule_stays_undecided(self, make: Make) -> None:
        abroad = line("comx", "s1", Action.REFUSED, needs=lambda f: bool(f.addresses))
        world = make(line("comx", "r1", Action.NXDOMAIN), shadow=Book(abroad))
        world.ask("www.shop.comx")
        assert world.shades() == {("r1", "nxdomain", "undecided"): 1}

    def test_with_lookups_of_its_own_it_is_decided(self, make: Make) -> None:
        abroad = line("comx", "s1", Action.REFUSED, needs=lambda f: bool(f.addresses))
        world = make(line("comx", "r1", Action.NXDOMAIN), shadow=Book(abroad), shadow_lookups=1)
        clients = [world.served.ask("www.shop.comx") for _ in range(3)]
        for client in clients:
            reply = world.reply(client)
            assert reply is not None
            assert reply.rcode() == dns.rcode.NXDOMAIN
            assert client.replied == client.asked, "no client waits for it"
        assert world.shades() == {}, "counted when it is known"
        world.served.run(5)
        assert world.shades() == {("s1", "nxdomain", "refused"): 3}
        assert {ask.label.purpose for ask in world.served.door.sent} <= {
            Purpose.SHADOW, Purpose.BOOTSTRAP, Purpose.NAMESERVER_ADDRESS
        }  # fmt: skip
        internal = [r for r in world.served.ledger.records if r.exchanges]
        assert [r.client.transport for r in internal] == [Transport.INTERNAL]
        assert sum(len(r.exchanges) for r in internal) == world.sent
        assert world.served.ask("www.shop.comx").hit, "kept with what it is counted under"
        assert world.served.tally.trials == {"decided": 1, "refused": 0, "ended": 0}

    def test_they_are_bounded_and_what_is_beyond_is_undecided(self, make: Make) -> None:
        abroad = line("comx", "s1", Action.REFUSED, needs=lambda f: bool(f.addresses))
        world = make(line("comx", "r1", Action.NXDOMAIN), shadow=Book(abroad), shadow_lookups=2)
        for number in range(5):
            world.ask(f"n{number}.shop.comx")
        assert world.shades() == {("r1", "nxdomain", "undecided"): 3}
        world.served.run(1.0)
        world.ask("n9.shop.comx")
        world.served.run(5)
        assert world.served.tally.trials == {"decided": 3, "refused": 3, "ended": 0}
        assert world.shades()["r1", "nxdomain", "undecided"] == 3

    def test_a_reload_leaves_them_undecided_and_asks_no_more_for_them(self, make: Make) -> None:
        abroad = line("comx", "s1", Action.REFUSED, needs=lambda f: bool(f.addresses))
        lines = (line("comx", "r1", Action.NXDOMAIN),)
        world = make(*lines, shadow=Book(abroad), shadow_lookups=9)
        world.ask("www.shop.comx")
        world.reload(*lines)
        sent = world.sent
        world.served.run(20)
        assert world.sent == sent > 0
        assert world.shades() == {("r1", "nxdomain", "undecided"): 1}
        assert world.served.tally.trials == {"decided": 0, "refused": 0, "ended": 1}
        internal = [r for r in world.served.ledger.records if r.exchanges]
        assert sum(len(r.exchanges) for r in internal) == sent, "in the books all the same"

    def test_they_stay_at_home_where_either_policy_closes(self, make: Make) -> None:
        """The policy in force closes the target of an alias, the shadow a name that is blocked."""
        needs = lambda f: bool(f.addresses)  # noqa: E731
        world = make(
            line("abroad.home.xa", "r1", Action.NXDOMAIN),
            line("mixed.xa", "r2", Action.NXDOMAIN),
            line("shop.comx", "stay", selection=AT_HOME),
            shadow=Book(
                line("home.xa", "s1", Action.REFUSED, needs=needs),
                line("mixed.xa", "s2", Action.REFUSED, selection=AT_HOME, needs=needs),
            ),
            shadow_lookups=9,
        )
        world.ask("abroad.home.xa")
        world.ask("www.mixed.xa")
        world.served.run(20)
        for ask in world.served.door.sent:
            if is_subdomain(ask.question.name, name("shop.comx")):
                assert ask.address[0] == 11
            if is_subdomain(ask.question.name, name("mixed.xa")):
                assert ask.address[0] == 11
        assert world.served.tally.trials["decided"] == 2

    @pytest.mark.parametrize("seed", range(100))
    def test_with_lookups_of_its_own_its_counts_are_those_of_the_shadow_live(
        self, make: Make, seed: int
    ) -> None:
        """Whatever the rules in force are: every name, asked by two clients."""
        chance = Random(seed)
        mine, shadow = _some_lines(chance, "r"), _some_lines(chance, "s")
        tried = make(*mine, shadow=Book(*shadow), shadow_lookups=100)
        live = make(*shadow)
        for world in (tried, live):
            for text in (*self.NAMES, "leaf.tree.home.xa", "loop1.home.xa", "x.wild.home.xa"):
                for _ in range(2):
                    world.served.answers.flush(ROOT, True)  # hits are native's to count
                    client = world.served.ask(text)
                    world.served.finish(client)
                world.served.run(20)
        wanted = {key: n for key, n in live.marks().items() if key[0]}
        counted: Counter[tuple[str, ...]] = Counter()
        for (rule, _, action), count in tried.shades().items():
            if action != "none":
                counted[rule, action] += count
        assert "undecided" not in {action for _, action in counted}
        assert counted == wanted

    def test_it_alters_nothing(self, make: Make) -> None:
        with_shadow = make(shadow=Book(*self.lines()))
        without = make()
        for text in self.NAMES:
            one, other = with_shadow.ask(text), without.ask(text)
            assert one is not None
            assert other is not None
            assert one.to_wire() == other.to_wire()
        assert with_shadow.sent == without.sent


class TestReload:
    def test_who_waits_gets_the_answer_of_the_new_policy(self, make: Make) -> None:
        world = make()
        client = world.served.ask("www.shop.comx")
        assert client.reply is None
        world.reload(line("comx", "r1", Action.NXDOMAIN))
        world.served.driver.turn()
        assert dns.message.from_wire(world.served.finish(client)).rcode() == dns.rcode.NXDOMAIN
        sent = world.sent
        world.served.run(20)
        assert world.sent == sent, "what is not wanted any more is not asked for"

    def test_nothing_is_asked_abroad_that_the_new_policy_forbids(self, make: Make) -> None:
        world = make()
        clients = [world.served.ask(f"n{n}.mixed.xa") for n in range(20)]
        world.served.door.hosts[address("11.0.4.1")].up = False
        world.served.run(0.01)
        world.reload(line("mixed.xa", "stay", selection=AT_HOME))
        sent = world.sent
        for client in clients:
            world.served.finish(client)
        later = world.served.door.sent[sent:]
        assert later
        assert all(ask.address[0] == 11 for ask in later)

    def test_books_hold_every_exchange_once(self, make: Make) -> None:
        world = make()
        chance = Random(7)
        clients = []
        for turn in range(60):
            zone = chance.choice(["home.xa", "mixed.xa", "shop.comx"])
            clients.append(world.served.ask(f"n{turn}.{zone}"))
            world.served.run(0.02)
            if turn % 5 == 4:
                lines = [line("mixed.xa", "stay", selection=AT_HOME)] if turn % 2 else []
                world.reload(*lines)
        for client in clients:
            world.served.finish(client)
        world.served.run(30)
        told = sum(len(record.exchanges) for record in world.served.ledger.records)
        assert told >= world.sent
        assert world.served.driver.needless == 0
        assert len(world.served.scheduler) == 0
        assert world.served.driver.lookups == 0
        by_client = [r for r in world.served.ledger.records if r.client.transport is Transport.UDP]
        assert len(by_client) == len(clients)

    def test_no_answer_outlives_its_policy(self, make: Make) -> None:
        world = make(line("home.xa", "r1", Action.NXDOMAIN))
        world.ask("www.home.xa")
        world.reload()
        reply = world.ask("www.home.xa")
        assert reply is not None
        assert reply.rcode() == dns.rcode.NOERROR
        world.reload(line("home.xa", "r1", Action.NXDOMAIN))
        reply = world.ask("www.home.xa")
        assert reply is not None
        assert reply.rcode() == dns.rcode.NXDOMAIN

    def test_a_reload_that_changes_nothing_leaves_lookups_alone(self, make: Make) -> None:
        world = make(line("home.xa", "r1", Action.NXDOMAIN))
        client = world.served.ask("www.shop.comx")
        under_way = list(world.served.scheduler._tasks)
        world.served.reload(world.served.core.policy)  # type: ignore[arg-type]
        assert list(world.served.scheduler._tasks) == under_way
        world.served.finish(client)
        assert sum(world.served.tally.lookups.values()) == 1

    def test_work_of_our_own_obeys_too(self, make: Make) -> None:
        world = make()
        own = OwnWork(world.served.core, world.served.driver)
        ended: list[int] = []
        question = Question(name("www.shop.comx"), Type.A)

        def begin() -> None:
            own.lookup(question, lambda r, b: ended.append(r.rcode), Purpose.VERIFICATION)
            world.served.driver.turn()

        begin()
        assert world.sent > 0
        world.reload(line("comx", "stay", selection=AT_HOME))
        own.follow()
        assert ended == [Rcode.SERVFAIL], "given up, since it might go abroad"
        sent = world.sent
        begin()
        world.served.run(20)
        assert ended == [Rcode.SERVFAIL] * 2
        assert all(ask.address[0] == 11 for ask in world.served.door.sent[sent:])


class TestPlans:
    def test_concerned_names_are_left_to_python(self, make: Make) -> None:
        world = make(line("bad.mixed.xa", "r1", Action.NXDOMAIN), plans=True)
        for number in range(6):
            world.ask(f"n{number}.mixed.xa")
        carrier = world.served.carrier
        assert carrier is not None
        assert carrier.carried > 0
        reply = world.ask("bad.mixed.xa")
        assert reply is not None
        assert reply.authority[0].ttl == 60

    def test_what_was_planned_before_a_reload_is_judged_after_it(self, make: Make) -> None:
        world = make(plans=True)
        for number in range(6):
            world.ask(f"n{number}.mixed.xa")
        carrier = world.served.carrier
        assert carrier is not None
        before = carrier.carried
        client = world.served.ask("late.mixed.xa")
        assert carrier.carried == before + 1
        world.reload(line("late.mixed.xa", "r1", Action.REFUSED))
        assert dns.message.from_wire(world.served.finish(client)).rcode() == dns.rcode.REFUSED
        told = sum(len(record.exchanges) for record in world.served.ledger.records)
        assert told == world.sent

    def test_planned_answers_are_counted_under_what_holds_for_all(self, make: Make) -> None:
        world = make(plans=True)
        steady = Selection(Way.DOMESTIC_ONLY, rule="all")
        book = Book(steady=steady)
        book.lines = ()
        world.number += 1
        policy = ruled(base(), Steady(steady), number=world.number)
        world.served.reload(policy)
        for number in range(8):
            world.ask(f"n{number}.mixed.xa")
        carrier = world.served.carrier
        assert carrier is not None
        assert carrier.carried > 0
        assert world.marks() == {("all", "domestic-only"): 8}


class Steady(Book):
    """One selection for everything."""

    def __init__(self, steady: Selection) -> None:
        super().__init__(steady=steady)

    def on_question(self, asked: object) -> object:  # type: ignore[override]

        return Decision(selection=self.steady, rule=self.steady.rule)


def test_tags_are_bounded() -> None:

    tags = Tags(most=2000)
    numbers = {tags.number(Effect(f"r{n}", "nxdomain")) for n in range(5000)}
    assert max(numbers) < 2000
    ((mark, count),) = tags.marks([(tags.number(Effect("new", "nxdomain")), 3)])
    assert (mark.live.rule, count) == (OVERFLOW, 3)
    assert tags.number(Effect("", "none")) == 0


def test_metrics_of_policy(make: Make) -> None:
    world = make(
        line("home.xa", "r1", Action.NXDOMAIN), shadow=Book(line("mixed.xa", "s1", Action.REFUSED))
    )
    for text in ("www.home.xa", "www.mixed.xa", "www.shop.comx"):
        world.ask(text)
    served = world.served
    found = {
        metric.name: {tuple(sample.labels.values()): sample.value for sample in metric.samples}
        for metric in policy_metrics(served.in_force.tags, served.tally, NO_HITS)
    }
    assert found["inland_policy_actions"] == {("r1", "nxdomain"): 1.0}
    assert found["inland_policy_shadow"] == {
        ("r1", "nxdomain", "none"): 1.0,
        ("s1", "none", "refused"): 1.0,
    }
    assert found["inland_policy_held_back"] == {}


def test_extended_errors_reach_clients(make: Make) -> None:

    decision = line("home.xa", "r1", Action.SINKHOLE, "x. 60 A 11.1.1.1", ede=(15, "why")).decision
    result = altered(decision, Question(name("www.home.xa"), Type.A), ())
    assert result.ede == ((Ede.FORGED_ANSWER, ""), (15, "why"))
