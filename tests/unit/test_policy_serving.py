"""Rules at work in the service, in virtual time: what clients get, what is kept."""

from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import pytest

from policy.decision import Action, Facts
from resolver.decide import Decider
from resolver.model import Rcode, Route, Security
from resolver.names import is_subdomain
from tests.interpreted import interpreted as pytestmark  # noqa: F401
from tests.rulebook import line
from tests.virtual_rules import AT_HOME, CLASS, OTHER, TELLING, World, make, opened
from tests.virtual_servers import address, name
from tests.virtual_service import CLIENT

__all__ = ["make", "opened"]  # fixtures
Make = Callable[..., World]


class TestActions:
    @pytest.mark.parametrize(
        ("action", "rcode"),
        [
            (Action.NXDOMAIN, Rcode.NXDOMAIN),
            (Action.NODATA, Rcode.NOERROR),
            (Action.REFUSED, Rcode.REFUSED),
        ],
    )
    def test_a_block_answers_at_once_and_is_kept(
        self, make: Make, action: Action, rcode: int
    ) -> None:
        world = make(line("home.xa", "r1", action, ede=(16, "order 7")))
        reply = world.ask("www.home.xa")
        assert reply is not None
        assert (reply.rcode(), list(reply.answer), world.sent) == (rcode, [], 0)
        if action is not Action.REFUSED:
            (soa,) = reply.authority
            assert soa.ttl == 60
        client = world.served.ask("www.home.xa")
        assert client.hit, "the second comes from native's cache"
        record = world.served.ledger.records[0]
        assert (record.route, record.rule, record.action) == (Route.LOCAL, "r1", action.value)
        assert world.marks() == {("r1", action.value): 1}

    def test_a_drop_is_silent_and_counted(self, make: Make) -> None:
        world = make(line("home.xa", "r1", Action.DROP))
        assert world.ask("www.home.xa") is None
        assert world.marks() == {("r1", "drop"): 1}
        assert sum(world.served.tally.lookups.values()) == 1

    def test_a_sinkhole_has_the_operators_address_and_nothing_for_other_types(
        self, make: Make
    ) -> None:
        sink = line("home.xa", "r1", Action.SINKHOLE, "sink. 9999999 A 11.1.1.1")
        world = make(sink)
        reply = world.ask("www.home.xa")
        assert reply is not None
        assert [r.to_text() for r in reply.answer] == ["www.home.xa. 3600 IN A 11.1.1.1"]
        reply = world.ask("www.home.xa", "AAAA")
        assert reply is not None
        assert (reply.rcode(), list(reply.answer)) == (0, [])
        assert world.sent == 0

    def test_a_rewrite_to_an_alias_is_followed(self, make: Make) -> None:
        world = make(line("shop.comx", "r1", Action.REWRITE, "x. 60 CNAME www.home.xa."))
        reply = world.ask("www.shop.comx")
        assert reply is not None
        assert [r.name.to_text() for r in reply.answer] == ["www.shop.comx.", "www.home.xa."]
        assert world.marks() == {("r1", "rewrite"): 1}

    def test_pass_lets_through_untouched(self, make: Make) -> None:
        world = make(
            line("www.home.xa", "keep", Action.PASS), line("home.xa", "r1", Action.NXDOMAIN)
        )
        reply = world.ask("www.home.xa")
        assert reply is not None
        assert len(reply.answer) == 1
        reply = world.ask("other.home.xa")
        assert reply is not None
        assert reply.rcode() == dns.rcode.NXDOMAIN
        assert world.marks() == {("keep", "pass"): 1, ("r1", "nxdomain"): 1}

    def test_truncate_sends_clients_over_udp_to_tcp(self, make: Make) -> None:
        world = make(line("home.xa", "r1", Action.TRUNCATE))
        reply = world.ask("www.home.xa")
        assert reply is not None
        assert (bool(reply.flags & dns.flags.TC), list(reply.answer), world.sent) == (True, [], 0)
        reply = world.ask("www.home.xa", transport=1)
        assert reply is not None
        assert (bool(reply.flags & dns.flags.TC), len(reply.answer)) == (False, 1)

    def test_a_rule_that_ends_ends_what_was_made_under_it(self, make: Make) -> None:
        world = make(line("home.xa", "r1", Action.NXDOMAIN, until=10.0))
        world.ask("www.home.xa")
        world.served.run(9.0)
        assert world.served.ask("www.home.xa").hit
        world.served.run(2.0)
        assert not world.served.ask("www.home.xa").hit


class TestAliases:
    def test_every_name_on_the_chain_is_asked(self, make: Make) -> None:
        world = make(line("www.shop.comx", "r1", Action.NXDOMAIN))
        reply = world.ask("abroad.home.xa")
        assert reply is not None
        assert reply.rcode() == dns.rcode.NXDOMAIN
        assert [r.name.to_text() for r in reply.answer] == ["abroad.home.xa."]
        assert all(
            ask.address[0] == 11 or ask.question.name != name("www.shop.comx")
            for ask in world.served.door.sent
        )
        assert world.marks() == {("r1", "nxdomain"): 1}

    def test_within_one_zone_too(self, make: Make) -> None:
        world = make(line("www.home.xa", "r1", Action.NODATA))
        reply = world.ask("alias.home.xa")
        assert reply is not None
        assert (reply.rcode(), len(reply.answer)) == (0, 1)

    def test_the_target_is_asked_for_under_its_own_selection(self, make: Make) -> None:
        world = make(line("shop.comx", "r1", selection=AT_HOME))
        reply = world.ask("abroad.home.xa")
        assert reply is not None
        assert reply.rcode() == dns.rcode.SERVFAIL
        sent = [ask for ask in world.served.door.sent if ask.question.name == name("www.shop.comx")]
        assert all(ask.address[0] == 11 for ask in sent)
        assert list(reply.answer) == [], "a failure is told alone, as without rules"

    def test_a_loop_through_names_that_are_asked_ends(self, make: Make) -> None:
        world = make(
            line("loop1.home.xa", "a", selection=AT_HOME),
            line("loop2.home.xa", "b", selection=AT_HOME),
        )
        reply = world.ask("loop1.home.xa")
        assert reply is not None
        assert reply.rcode() == dns.rcode.SERVFAIL


class TestClosed:
    def test_the_client_is_told_which_rule(self, make: Make) -> None:
        world = make(line("shop.comx", "stay", selection=AT_HOME, ede=(18, "act 5")))
        client = world.served.ask("www.shop.comx")
        world.served.finish(client)
        (record,) = world.served.ledger.records
        assert (record.rcode, record.route, record.rule) == (Rcode.SERVFAIL, Route.DOMESTIC, "stay")
        assert record.action == "domestic-only"
        assert all(ask.address[0] == 11 for ask in world.served.door.sent)

    def test_others_are_not_concerned(self, make: Make) -> None:
        world = make(line("home.xa", "stay", selection=AT_HOME))
        reply = world.ask("www.shop.comx")
        assert reply is not None
        assert len(reply.answer) == 1

    def test_addresses_of_name_servers_stay_at_home_by_their_own_rule(self, make: Make) -> None:
        """Work for a lookup without a rule on a name that must stay at home."""
        world = make(line("hoster.comx", "stay", selection=AT_HOME))
        assert world.rcode("www.out.xa") == dns.rcode.SERVFAIL
        names = {ask.question.name for ask in world.served.door.sent if ask.address[0] != 11}
        assert not any(is_subdomain(asked, name("hoster.comx")) for asked in names)


class TestAnswers:
    def test_a_rule_on_the_result_alters_it(self, make: Make) -> None:
        abroad = lambda facts: any(country == "XB" for _, country in facts.addresses)  # noqa: E731
        world = make(line("comx", "r1", Action.NXDOMAIN, needs=abroad))
        reply = world.ask("www.shop.comx")
        assert reply is not None
        assert (reply.rcode(), list(reply.answer)) == (dns.rcode.NXDOMAIN, [])
        assert world.sent > 0
        assert world.marks() == {("r1", "nxdomain"): 1}

    def test_facts_hold_the_servers_on_the_way(self, make: Make) -> None:
        seen: list[Facts] = []

        def look(facts: Facts) -> bool:
            seen.append(facts)
            return False

        world = make(line("comx", "r1", Action.NXDOMAIN, needs=look))
        world.ask("www.shop.comx")
        facts = seen[0]
        assert {(s.zone, s.address, s.country) for s in facts.servers} >= {
            (name("shop.comx"), address("12.0.5.1"), "XB"),
            (name("comx"), address("12.0.2.1"), "XB"),
        }
        assert facts.security is Security.INDETERMINATE
        assert facts.addresses == ((address("12.9.9.9"), "XB"),)


class TestViews:
    def test_views_have_answers_of_their_own(self, make: Make) -> None:
        world = make(line("home.xa", "r1", Action.NXDOMAIN, views=[1]), classes=(CLASS,))
        assert world.rcode("www.home.xa") == dns.rcode.NOERROR
        assert world.rcode("www.home.xa", source=OTHER) == dns.rcode.NXDOMAIN
        assert world.served.ask("www.home.xa").hit
        assert world.served.ask("www.home.xa", source=OTHER).hit
        assert {record.client.view for record in world.served.ledger.records} == {0, 1}

    def test_a_view_may_be_told_route_and_reason(self, make: Make) -> None:
        world = make(classes=(TELLING,))
        decider = world.served.core.decider
        assert isinstance(decider, Decider)
        assert (decider.explains(0), decider.explains(1)) == (False, True)
        # Options are added for each client, so the octets kept in native do not show them.
        for source in (OTHER, CLIENT):
            assert world.rcode("www.shop.comx", source=source) == dns.rcode.NOERROR
