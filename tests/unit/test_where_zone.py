"""What is known of a name, told over DNS: to whom, what, and that nothing comes of it."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

from policy.decision import Action, Selection, Way
from resolver.names import from_text
from resolver.where_zone import Notes
from tests.interpreted import interpreted as pytestmark  # noqa: F401
from tests.rulebook import line
from tests.virtual_rules import OTHER, TELLING, World, make, opened
from tests.virtual_service import CLIENT

__all__ = ["make", "opened"]  # fixtures
Make = Callable[..., World]

ZONE = "where.inland.internal"
WHERE = from_text(ZONE)
NEAR = TELLING._replace(clients=(ip_network("192.0.2.0/24"),), view=2, name="near")
"""The view of the client that the others know nothing of."""


@pytest.fixture
def told(make: Make) -> World:
    """A world with a zone, and one view that may know."""
    return make(line("shop.comx", "r1", Action.NXDOMAIN), classes=(TELLING,), where=WHERE)


def ask(world: World, name: str, **how: Any) -> dns.message.Message:
    """What the client of the view is told."""
    reply = world.ask(name, **{"kind": "TXT", "source": OTHER, **how})
    assert reply is not None
    return reply


def lines(reply: dns.message.Message) -> list[dict[str, str]]:
    """The words of each record."""
    return [
        dict(word.decode().split("=", 1) for word in rdata.strings)
        for rrset in reply.answer
        for rdata in rrset
    ]


def about(found: list[dict[str, str]], topic: str) -> list[dict[str, str]]:
    """Those on one topic."""
    return [one for one in found if one["about"] == topic]


class TestWhatIsTold:
    def test_a_lookup_its_servers_its_records_and_where_they_stand(self, told: World) -> None:
        told.ask("www.home.xa", source=OTHER)
        sent, record = told.sent, told.served.ledger.records[-1]
        trail = record.exchanges
        reply = ask(told, f"www.home.xa.{ZONE}")
        assert told.sent == sent, "nothing is asked of anybody"
        found = lines(reply)
        (first,) = about(found, "name")
        assert (first["name"], first["type"], first["source"]) == ("www.home.xa.", "A", "cache")
        assert first["generation"] == record.generation
        (records,) = about(found, "records")
        assert records["kind"] == "records"
        assert (records["destination"], records["verdict"]) == ("domestic", "domestic")
        (lookup,) = about(found, "lookup")
        assert (lookup["route"], lookup["exchanges"]) == ("domestic", str(len(trail)))
        shown = [(e["address"], e["verdict"], e["country"]) for e in about(found, "exchange")]
        assert len(shown) == len(trail) > 1
        assert shown[-1][1:] == ("domestic", "XA")
        assert {e["grade"] for e in about(found, "exchange")} == {"operator"}
        servers = about(found, "server")
        assert servers
        assert {s["zone"] for s in servers} == {z["zone"] for z in about(found, "zone")}
        assert "192.0.2" not in reply.to_text(), "addresses of clients stay unknown"

    def test_each_name_on_a_chain_of_aliases(self, told: World) -> None:
        told.ask("alias.home.xa", source=OTHER)
        kinds = [r["kind"] for r in about(lines(ask(told, f"alias.home.xa.{ZONE}")), "records")]
        assert kinds == ["alias", "records"]

    def test_another_type_stands_behind_an_underscore(self, told: World) -> None:
        told.ask("www.home.xa", "AAAA", source=OTHER)
        found = lines(ask(told, f"www.home.xa._aaaa.{ZONE}"))
        assert about(found, "name")[0]["type"] == "AAAA"
        assert ask(told, f"www.home.xa._nonsense.{ZONE}").rcode() == dns.rcode.NXDOMAIN
        assert ask(told, f"_aaaa.{ZONE}").rcode() == dns.rcode.NXDOMAIN

    def test_a_denial(self, told: World) -> None:
        told.ask("none.home.xa", source=OTHER)
        (records,) = about(lines(ask(told, f"none.home.xa.{ZONE}")), "records")
        assert records["kind"] == "nxdomain"

    def test_the_rule_and_nothing_of_what_it_hides(self, make: Make) -> None:
        world = make(classes=(TELLING, NEAR), where=WHERE)
        world.ask("www.shop.comx")
        rule = line("shop.comx", "r1", Action.NXDOMAIN, views=(1,))
        world.reload(rule, classes=(TELLING, NEAR))
        found = lines(ask(world, f"www.shop.comx.{ZONE}"))
        assert [one["about"] for one in found] == ["name", "rule"]
        assert (found[0]["source"], found[1]["rule"]) == ("policy", "r1")
        assert (found[1]["action"], found[1]["held"]) == ("nxdomain", "no")
        assert about(lines(ask(world, f"www.shop.comx.{ZONE}", source=CLIENT)), "records")

    def test_a_forwarder_is_not_passed_by(self, make: Make) -> None:
        away = Selection(Way.FORWARD, forwarders=())
        world = make(line("home.xa", "f", selection=away), classes=(TELLING,), where=WHERE)
        found = lines(ask(world, f"www.home.xa.{ZONE}"))
        assert found[0]["source"] == "forward"

    def test_local_names(self, told: World) -> None:
        assert lines(ask(told, f"localhost.{ZONE}"))[0]["source"] == "local"

    def test_lookups_of_another_view_are_not_told(self, make: Make) -> None:
        world = make(classes=(TELLING, NEAR), where=WHERE)
        world.ask("www.home.xa")
        assert about(lines(ask(world, f"www.home.xa.{ZONE}")), "lookup") == []
        assert about(lines(ask(world, f"www.home.xa.{ZONE}", source=CLIENT)), "lookup")

    def test_after_a_reload_no_view_is_told_of_lookups_before(self, told: World) -> None:
        told.ask("www.home.xa", source=OTHER)
        told.reload(classes=(NEAR,))
        found = lines(ask(told, f"www.home.xa.{ZONE}", source=CLIENT))
        assert about(found, "lookup") == []


class TestWhatComesOfIt:
    def test_what_is_not_known_does_not_exist_and_is_not_looked_up(self, told: World) -> None:
        reply = ask(told, f"www.home.xa.{ZONE}")
        assert (reply.rcode(), told.sent) == (dns.rcode.NXDOMAIN, 0)
        (soa,) = reply.authority
        assert (soa.name.to_text(), soa.ttl) == (f"{ZONE}.", 0)

    def test_other_types_have_no_records(self, told: World) -> None:
        told.ask("www.home.xa", source=OTHER)
        reply = ask(told, f"www.home.xa.{ZONE}", kind="A")
        assert (reply.rcode(), list(reply.answer)) == (dns.rcode.NOERROR, [])
        assert [one.ttl for one in reply.authority] == [0]

    def test_no_answer_is_kept_and_all_are_counted(self, told: World) -> None:
        told.ask("www.home.xa", source=OTHER)
        before = told.served.answers.entries()
        for _ in range(2):
            client = told.served.ask(f"www.home.xa.{ZONE}", "TXT", source=OTHER)
            assert not client.hit
        ask(told, f"other.home.xa.{ZONE}")
        assert told.served.answers.entries() == before
        assert told.served.tally.where == {True: 2, False: 1}
        assert [r.route.value for r in told.served.ledger.records[-3:]] == ["local"] * 3

    @pytest.mark.parametrize("known", [True, False])
    def test_strangers_see_an_empty_zone_whatever_is_known(self, told: World, known: bool) -> None:
        if known:
            told.ask("www.home.xa", source=OTHER)
        sent = told.sent
        reply = told.ask(f"www.home.xa.{ZONE}", "TXT")
        assert reply is not None
        assert (reply.rcode(), told.sent) == (dns.rcode.NXDOMAIN, sent)
        (soa,) = reply.authority
        assert (soa.name.to_text(), soa.ttl, list(reply.answer)) == (f"{ZONE}.", 10_800, [])
        assert told.served.tally.where == {True: 0, False: 0}

    def test_an_alias_into_the_zone_asks_nobody(self, make: Make) -> None:
        to = f"x. 60 CNAME www.home.xa.{ZONE}."
        world = make(line("shop.comx", "r1", Action.REWRITE, to), where=WHERE)
        reply = world.ask("www.shop.comx", "TXT")
        assert reply is not None
        assert (reply.rcode(), world.sent) == (dns.rcode.NXDOMAIN, 0)

    def test_without_a_zone_the_name_is_like_any_other(self, make: Make) -> None:
        world = make(classes=(TELLING,))
        ask(world, f"www.home.xa.{ZONE}")
        assert world.sent > 0
        assert world.served.tally.where == {True: 0, False: 0}


class TestBounds:
    def test_an_answer_has_a_size(self, told: World, monkeypatch: pytest.MonkeyPatch) -> None:
        told.ask("www.home.xa", source=OTHER)
        whole = lines(ask(told, f"www.home.xa.{ZONE}"))
        monkeypatch.setattr("resolver.where_zone.OCTETS_MAX", 300)
        found = lines(ask(told, f"www.home.xa.{ZONE}"))
        (more,) = about(found, "more")
        assert int(more["left"]) + len(found) - 1 == len(whole)

    def test_a_loop_of_aliases_ends(self, told: World) -> None:
        told.ask("loop1.home.xa", source=OTHER)
        found = lines(ask(told, f"loop1.home.xa.{ZONE}"))
        assert [r["kind"] for r in about(found, "records")] == ["alias", "alias"]

    def test_notes_are_bounded(self, told: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("resolver.where_zone.NOTES_MAX", 3)
        notes: Notes = told.served.service._replies.notes
        for number in range(9):
            told.ask(f"n{number}.home.xa", source=OTHER)
        assert len(notes) == 3
        assert about(lines(ask(told, f"n8.home.xa.{ZONE}")), "lookup")
        assert not about(lines(ask(told, f"n2.home.xa.{ZONE}")), "lookup")

    def test_a_name_as_long_as_can_be_is_escaped_and_cut(self, told: World) -> None:
        labels = ["\\001" * 60] * 2 + ["\\002" * 40, "home", "xa"]
        asked = ".".join(labels)
        told.ask(asked, source=OTHER)
        found = lines(ask(told, f"{asked}.{ZONE}"))
        assert len(about(found, "name")[0]["name"]) == 255 - len("name=")
