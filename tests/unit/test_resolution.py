"""Resolution in virtual time: referrals, negative answers, aliases, broken servers, bounds."""

import pytest

from resolver.model import Ask, Failure, Message, Purpose, Rcode, Reason, Route, Transport, Type
from tests.small_internet import ROOT, XA, abroad, internet
from tests.virtual import Internet, values
from tests.virtual_servers import Zone, address, name, rrset


@pytest.fixture
def net() -> Internet:
    return internet()


class TestAnswers:
    def test_positive_through_referrals(self, net: Internet) -> None:
        result, books = net.ask("www.home.xa")
        assert result.rcode == Rcode.NOERROR
        assert values(result.answer, "A") == ["11.9.9.9"]
        assert books.route is Route.DOMESTIC
        assert books.exchanges == 4  # priming, root, xa, home.xa
        assert abroad(net) == []

    def test_second_lookup_is_local(self, net: Internet) -> None:
        net.ask("www.home.xa")
        result, books = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]
        assert books.route is Route.LOCAL

    def test_ttl_counts_down(self, net: Internet) -> None:
        net.ask("www.home.xa")
        net.run(100)
        result, _ = net.ask("www.home.xa")
        assert 195 <= result.answer[0].ttl <= 200

    def test_ttl_zero_is_not_used_again(self, net: Internet) -> None:
        net.ask("zero.home.xa")
        _, books = net.ask("zero.home.xa")
        assert books.exchanges == 1

    @pytest.mark.parametrize(
        ("text", "kind", "rcode"),
        [
            ("nothing.home.xa", "A", Rcode.NXDOMAIN),
            ("www.home.xa", "TXT", Rcode.NOERROR),
            ("b.c.home.xa", "A", Rcode.NOERROR),
            ("nothing.xa", "A", Rcode.NXDOMAIN),
            ("nothing", "A", Rcode.NXDOMAIN),
        ],
    )
    def test_negative_has_soa_and_is_cached(
        self, net: Internet, text: str, kind: str, rcode: int
    ) -> None:
        """RFC 2308 sections 2 and 5."""
        result, _ = net.ask(text, kind)
        assert (result.rcode, result.answer) == (rcode, ())
        assert result.authority[0].rtype == Type.SOA
        assert result.authority[0].ttl == 60
        again, books = net.ask(text, kind)
        assert (again.rcode, books.exchanges) == (rcode, 0)
        net.run(61)
        _, books = net.ask(text, kind)
        assert books.exchanges >= 1

    def test_deep_name_below_empty_non_terminals(self, net: Internet) -> None:
        result, _ = net.ask("a.b.c.home.xa")
        assert values(result.answer, "A") == ["11.9.9.7"]

    def test_wildcard(self, net: Internet) -> None:
        result, _ = net.ask("any.thing.wild.home.xa")
        assert values(result.answer, "A") == ["11.9.9.6"]

    def test_alias_within_zone(self, net: Internet) -> None:
        result, books = net.ask("alias.home.xa")
        assert [r.rtype for r in result.answer] == [Type.CNAME, Type.A]
        assert books.exchanges == 4

    def test_alias_across_the_border(self, net: Internet) -> None:
        result, books = net.ask("abroad.home.xa")
        assert values(result.answer, "A") == ["12.9.9.9"]
        assert books.route is Route.ESCAPED
        assert books.reason is Reason.NO_DOMESTIC_SERVER

    def test_alias_back_home(self, net: Internet) -> None:
        result, _ = net.ask("back.shop.comx")
        assert values(result.answer, "CNAME") == ["www.home.xa."]
        assert values(result.answer, "A") == ["11.9.9.9"]

    def test_alias_loop_ends(self, net: Internet) -> None:
        result, _ = net.ask("loop1.home.xa")
        assert result.rcode == Rcode.SERVFAIL

    def test_dname_fresh_and_from_records(self, net: Internet) -> None:
        """RFC 6672 section 3.1."""
        result, _ = net.ask("leaf.tree.home.xa")
        assert [r.rtype for r in result.answer] == [Type.DNAME, Type.CNAME, Type.A]
        again, books = net.ask("leaf.tree.home.xa")
        assert again.answer == result.answer
        assert books.route is Route.LOCAL
        other, books = net.ask("none.tree.home.xa")
        assert other.rcode == Rcode.NXDOMAIN
        assert [r.rtype for r in other.answer] == [Type.DNAME, Type.CNAME]

    def test_out_of_bailiwick_servers_are_looked_up(self, net: Internet) -> None:
        result, books = net.ask("www.out.xa")
        assert values(result.answer, "A") == ["12.9.9.2"]
        purposes = {e.label.purpose for e in books.trail}
        assert Purpose.NAMESERVER_ADDRESS in purposes

    def test_same_answers_without_minimisation(self) -> None:
        net = internet(qname_minimisation=False)
        result, _ = net.ask("a.b.c.home.xa")
        assert values(result.answer, "A") == ["11.9.9.7"]
        assert net.asked("11.0.1.1")[0].name == name("a.b.c.home.xa")

    def test_parents_see_one_label_more(self, net: Internet) -> None:
        """RFC 9156 section 2."""
        net.ask("a.b.c.home.xa")
        assert {q.name for q in net.asked("11.0.0.1")} <= {name("."), name("xa")}
        assert {q.name for q in net.asked("11.0.1.1")} == {name("home.xa")}

    def test_special_use_names_are_not_asked(self, net: Internet) -> None:
        for text, rcode in (("foo.invalid", 3), ("localhost", 0), ("x.onion", 3)):
            result, books = net.ask(text)
            assert (result.rcode, books.exchanges) == (rcode, 0)
        assert net.door.sent == []


class TestTrouble:
    def test_no_server_replies(self, net: Internet) -> None:
        net.hosts[address("11.0.3.1")].up = False
        result, _ = net.ask("www.home.xa")
        assert result.rcode == Rcode.SERVFAIL
        assert net.now <= 11

    def test_failure_is_cached_for_a_while(self, net: Internet) -> None:
        """RFC 9520 section 3.2."""
        net.hosts[address("11.0.3.1")].up = False
        net.ask("www.home.xa")
        _, books = net.ask("www.home.xa")
        assert books.exchanges == 0
        net.hosts[address("11.0.3.1")].up = True
        net.run(70)
        result, _ = net.ask("www.home.xa")
        assert result.rcode == Rcode.NOERROR

    def test_truncated_reply_is_asked_over_tcp(self, net: Internet) -> None:
        def cut(ask: Ask, message: Message) -> Message:
            over_tcp = ask.transport is Transport.TCP
            return message if over_tcp else message._replace(truncated=True, answer=())

        net.hosts[address("11.0.3.1")].behaviour = cut
        result, books = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]
        assert [e.transport for e in books.trail][-1] is Transport.TCP

    def test_wrong_case_is_asked_over_tcp(self, net: Internet) -> None:
        def lower(ask: Ask, message: Message) -> Message | Failure:
            return message if ask.transport is Transport.TCP else Failure.CASE

        net.hosts[address("11.0.3.1")].behaviour = lower
        result, _ = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]

    def test_server_without_edns(self, net: Internet) -> None:
        """RFC 6891 section 7."""

        def old(ask: Ask, message: Message) -> Message:
            return Message(Rcode.FORMERR) if ask.edns else message

        net.hosts[address("11.0.3.1")].behaviour = old
        result, _ = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]
        count = len(net.door.sent)
        net.ask("alias.home.xa")
        assert len(net.door.sent) == count + 1

    def test_lame_server_is_left_out(self, net: Internet) -> None:
        net.hosts[address("11.0.4.1")].zones.clear()
        net.ask("www.mixed.xa")
        count = len(net.asked("11.0.4.1"))
        net.run(200)
        net.scheduler.core.records.flush(name("www.mixed.xa"), subtree=False)
        net.ask("www.mixed.xa")
        assert len(net.asked("11.0.4.1")) == count

    def test_upward_referral_is_lame(self, net: Internet) -> None:
        root = Zone(".", ROOT)
        net.hosts[address("11.0.4.1")].zones[:] = [root]
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED

    def test_records_out_of_bailiwick_are_not_learnt(self, net: Internet) -> None:
        def poison(ask: Ask, message: Message) -> Message:
            evil = rrset("www.home.xa. 300 A 12.6.6.6")
            return message._replace(
                answer=(*message.answer, evil), additional=(*message.additional, evil)
            )

        net.hosts[address("12.0.5.1")].behaviour = poison
        net.ask("www.shop.comx")
        result, _ = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]

    def test_equal_questions_are_joined(self, net: Internet) -> None:
        ended = [net.begin("www.home.xa") for _ in range(50)]
        while not all(ended):
            net.turn()
        assert len(net.door.sent) == 4
        assert {b.route for [(_, b)] in ended} == {Route.DOMESTIC}

    def test_name_servers_in_each_others_zones_end(self, net: Internet) -> None:
        """A cycle without glue has no answer and must not hang."""
        xa = net.hosts[address("11.0.1.1")].zones[0]
        extra = Zone("xa", XA + "p.xa. 300 NS ns.q.xa.\nq.xa. 300 NS ns.p.xa.\n")
        xa.sets = extra.sets
        result, _ = net.ask("www.p.xa")
        assert result.rcode == Rcode.SERVFAIL
        assert net.now < 11

    def test_quota_bounds_amplification(self, net: Internet) -> None:
        """NXNSAttack: many name servers without glue below a zone that is not there."""
        xa = net.hosts[address("11.0.1.1")].zones[0]
        lines = XA
        for number in range(40):
            servers = " ".join(f"n{number}x{k}.void{k}.comx." for k in range(13))
            lines += f"evil{number}.xa. 300 NS {servers}\n"
        xa.sets = Zone("xa", lines).sets
        before = len(net.door.sent)
        result, _ = net.ask("www.evil0.xa")
        assert result.rcode == Rcode.SERVFAIL
        assert len(net.door.sent) - before <= 100

    @pytest.mark.parametrize("seed", range(20))
    def test_under_loss_answers_are_right_or_absent(self, seed: int) -> None:
        net = internet(seed, loss=0.1)
        for text, kind, expected in (
            ("www.home.xa", "A", ["11.9.9.9"]),
            ("www.mixed.xa", "A", ["11.9.9.1"]),
            ("abroad.home.xa", "A", ["12.9.9.9"]),
            ("www.out.xa", "A", ["12.9.9.2"]),
        ):
            for _ in range(3):
                result, _ = net.ask(text, kind)
                if result.rcode == Rcode.NOERROR:
                    break
                net.run(1.5)
            assert values(result.answer, "A") == expected
        assert net.scheduler.needless == 0

    def test_nothing_is_left_behind(self, net: Internet) -> None:
        for text in ("www.home.xa", "nothing.xa", "abroad.home.xa", "www.out.xa"):
            net.ask(text)
        net.run(100)
        assert len(net.scheduler) == 0
        assert net.scheduler.next_deadline() is None

    def test_nobody_is_woken_for_who_has_ended(self, net: Internet) -> None:
        net.ask("www.home.xa")
        assert net.scheduler.advance(net.now) == []
        assert net.scheduler.next_deadline() is None, "the wait of its last exchange"
