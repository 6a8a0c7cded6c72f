"""Resolution in virtual time: referrals, negative answers, aliases, broken servers, the border."""

from dataclasses import replace

import pytest

from resolver.model import Failure, Message, Purpose, Rcode, Reason, Route, Transport, Type
from tests.virtual import Internet, Zone, name, rrset, values

ROOT = """
. 86400 SOA 60
. 86400 NS a.root. b.root.
a.root. 86400 A 12.0.0.1
b.root. 86400 A 11.0.0.1
xa. 86400 NS ns1.xa. ns2.xa.
ns1.xa. 86400 A 11.0.1.1
ns2.xa. 86400 A 12.0.1.1
comx. 86400 NS ns.comx.
ns.comx. 86400 A 12.0.2.1
"""
XA = """
xa. 3600 SOA 60
xa. 3600 NS ns1.xa. ns2.xa.
ns1.xa. 3600 A 11.0.1.1
ns2.xa. 3600 A 12.0.1.1
home.xa. 3600 NS ns.home.xa.
ns.home.xa. 3600 A 11.0.3.1
mixed.xa. 3600 NS ns1.mixed.xa. ns2.mixed.xa.
ns1.mixed.xa. 3600 A 12.0.4.1
ns2.mixed.xa. 3600 A 11.0.4.1
glueless.xa. 3600 NS ns.hoster.comx. ns.home.xa.
out.xa. 3600 NS ns.hoster.comx.
"""
HOME = """
home.xa. 3600 SOA 60
home.xa. 3600 NS ns.home.xa.
ns.home.xa. 3600 A 11.0.3.1
www.home.xa. 300 A 11.9.9.9
alias.home.xa. 300 CNAME www.home.xa.
abroad.home.xa. 300 CNAME www.shop.comx.
tree.home.xa. 300 DNAME other.home.xa.
leaf.other.home.xa. 300 A 11.9.9.8
a.b.c.home.xa. 300 A 11.9.9.7
*.wild.home.xa. 300 A 11.9.9.6
loop1.home.xa. 300 CNAME loop2.home.xa.
loop2.home.xa. 300 CNAME loop1.home.xa.
zero.home.xa. 0 A 11.9.9.5
"""
MIXED = """
mixed.xa. 3600 SOA 60
mixed.xa. 3600 NS ns1.mixed.xa. ns2.mixed.xa.
www.mixed.xa. 300 A 11.9.9.1
"""
COMX = """
comx. 3600 SOA 60
comx. 3600 NS ns.comx.
ns.comx. 3600 A 12.0.2.1
shop.comx. 3600 NS ns.shop.comx.
ns.shop.comx. 3600 A 12.0.5.1
hoster.comx. 3600 NS ns.hoster.comx.
ns.hoster.comx. 3600 A 12.0.6.1
"""
SHOP = """
shop.comx. 3600 SOA 60
shop.comx. 3600 NS ns.shop.comx.
www.shop.comx. 300 A 12.9.9.9
back.shop.comx. 300 CNAME www.home.xa.
"""
HOSTER = """
hoster.comx. 3600 SOA 60
ns.hoster.comx. 3600 A 12.0.6.1
"""
GLUELESS = "glueless.xa. 3600 SOA 60\nwww.glueless.xa. 300 A 11.9.9.2"
OUT = "out.xa. 3600 SOA 60\nwww.out.xa. 300 A 12.9.9.2"


@pytest.fixture
def net() -> Internet:
    return internet()


def internet(seed: int = 1, loss: float = 0.0, **settings: object) -> Internet:
    net = Internet(seed, loss, **settings)
    net.hint("a.root.", "12.0.0.1")
    net.hint("b.root.", "11.0.0.1")
    root, xa, mixed = Zone(".", ROOT), Zone("xa", XA), Zone("mixed.xa", MIXED)
    glueless = Zone("glueless.xa", GLUELESS)
    net.host("12.0.0.1", root, latency=0.001)
    net.host("11.0.0.1", root, latency=0.03)
    net.host("11.0.1.1", xa, latency=0.03)
    net.host("12.0.1.1", xa, latency=0.001)
    net.host("11.0.3.1", Zone("home.xa", HOME), glueless)
    net.host("12.0.4.1", mixed, latency=0.001)
    net.host("11.0.4.1", mixed, latency=0.1)
    net.host("12.0.2.1", Zone("comx", COMX))
    net.host("12.0.5.1", Zone("shop.comx", SHOP))
    net.host("12.0.6.1", Zone("hoster.comx", HOSTER), glueless, Zone("out.xa", OUT))
    return net


def abroad(net: Internet) -> list[str]:
    return [str(ask.question) for ask in net.door.sent if ask.address[0] != 11]


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


class TestBorder:
    def test_prefers_slow_domestic_server(self, net: Internet) -> None:
        for _ in range(3):
            net.ask("www.mixed.xa")
            net.run(400)
        assert abroad(net) == []
        assert net.scheduler.needless == 0

    def test_domestic_server_without_glue_is_found(self, net: Internet) -> None:
        _, books = net.ask("www.glueless.xa")
        hosts = {e.address for e in books.trail if e.question.name == name("www.glueless.xa")}
        assert hosts == {b"\x0b\x00\x03\x01"}

    def test_failed_domestic_server_is_named_as_reason(self, net: Internet) -> None:
        net.hosts[b"\x0b\x00\x04\x01"].up = False  # type: ignore[index]
        began = net.now
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED
        assert net.now - began < 2.5
        assert net.scheduler.needless == 0

    def test_held_down_server_is_not_waited_for(self, net: Internet) -> None:
        net.hosts[b"\x0b\x00\x04\x01"].up = False  # type: ignore[index]
        for _ in range(2):
            net.ask("www.mixed.xa")
            net.run(400)
        began = net.now
        _, books = net.ask("www.mixed.xa")
        assert net.now - began < 0.5
        assert books.reason is Reason.DOMESTIC_FAILED

    def test_held_down_server_comes_back_by_a_probe(self, net: Internet) -> None:
        host = net.hosts[b"\x0b\x00\x04\x01"]  # type: ignore[index]
        host.up = False
        for _ in range(3):
            net.ask("www.mixed.xa")
            net.run(400)
        host.up = True
        net.ask("www.mixed.xa")
        net.run(400)
        assert net.internal, "a probe was made"
        _, books = net.ask("www.mixed.xa")
        assert books.route is Route.DOMESTIC

    def test_domestic_slower_than_the_wait_is_still_used(self, net: Internet) -> None:
        net.hosts[b"\x0b\x00\x04\x01"].latency = 0.9  # type: ignore[index]
        _, books = net.ask("www.mixed.xa")
        assert books.route is Route.DOMESTIC

    @pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.REFUSED, Rcode.FORMERR])
    def test_broken_domestic_server_is_exhausted(self, net: Internet, rcode: int) -> None:
        net.hosts[b"\x0b\x00\x04\x01"].behaviour = lambda a, m: Message(rcode)  # type: ignore[index]
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED

    def test_observe_counts_and_does_not_prefer(self, net: Internet) -> None:
        net.border.mode = "observe"
        reasons = set()
        for _ in range(10):
            _, books = net.ask("www.mixed.xa")
            reasons.add(books.reason)
            net.run(400)
        assert Reason.POLICY in reasons

    def test_new_policy_binds_resolutions_under_way(self, net: Internet) -> None:
        net.ask("ns.home.xa")
        net.scheduler.core.policy = type(net.border)(mode="observe")
        ended = net.begin("www.mixed.xa")
        net.turn()
        net.scheduler.core.policy = net.border
        while not ended:
            net.turn()
        assert values(ended[0][0].answer, "A") == ["11.9.9.1"]


class TestTrouble:
    def test_no_server_replies(self, net: Internet) -> None:
        net.hosts[b"\x0b\x00\x03\x01"].up = False  # type: ignore[index]
        result, _ = net.ask("www.home.xa")
        assert result.rcode == Rcode.SERVFAIL
        assert net.now <= 11

    def test_failure_is_cached_for_a_while(self, net: Internet) -> None:
        """RFC 9520 section 3.2."""
        net.hosts[b"\x0b\x00\x03\x01"].up = False  # type: ignore[index]
        net.ask("www.home.xa")
        _, books = net.ask("www.home.xa")
        assert books.exchanges == 0
        net.hosts[b"\x0b\x00\x03\x01"].up = True  # type: ignore[index]
        net.run(70)
        result, _ = net.ask("www.home.xa")
        assert result.rcode == Rcode.NOERROR

    def test_truncated_reply_is_asked_over_tcp(self, net: Internet) -> None:
        def cut(ask: object, message: Message) -> Message:
            over_tcp = ask.transport is Transport.TCP  # type: ignore[attr-defined]
            return message if over_tcp else replace(message, truncated=True, answer=())

        net.hosts[b"\x0b\x00\x03\x01"].behaviour = cut  # type: ignore[index]
        result, books = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]
        assert [e.transport for e in books.trail][-1] is Transport.TCP

    def test_wrong_case_is_asked_over_tcp(self, net: Internet) -> None:
        def lower(ask: object, message: Message) -> Message | Failure:
            return message if ask.transport is Transport.TCP else Failure.CASE  # type: ignore[attr-defined]

        net.hosts[b"\x0b\x00\x03\x01"].behaviour = lower  # type: ignore[index]
        result, _ = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]

    def test_server_without_edns(self, net: Internet) -> None:
        """RFC 6891 section 7."""

        def old(ask: object, message: Message) -> Message:
            return Message(Rcode.FORMERR) if ask.edns else message  # type: ignore[attr-defined]

        net.hosts[b"\x0b\x00\x03\x01"].behaviour = old  # type: ignore[index]
        result, _ = net.ask("www.home.xa")
        assert values(result.answer, "A") == ["11.9.9.9"]
        count = len(net.door.sent)
        net.ask("alias.home.xa")
        assert len(net.door.sent) == count + 1

    def test_lame_server_is_left_out(self, net: Internet) -> None:
        net.hosts[b"\x0b\x00\x04\x01"].zones.clear()  # type: ignore[index]
        net.ask("www.mixed.xa")
        count = len(net.asked("11.0.4.1"))
        net.run(200)
        net.scheduler.core.records.flush(name("www.mixed.xa"), subtree=False)
        net.ask("www.mixed.xa")
        assert len(net.asked("11.0.4.1")) == count

    def test_upward_referral_is_lame(self, net: Internet) -> None:
        root = Zone(".", ROOT)
        net.hosts[b"\x0b\x00\x04\x01"].zones[:] = [root]  # type: ignore[index]
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED

    def test_records_out_of_bailiwick_are_not_learnt(self, net: Internet) -> None:
        def poison(ask: object, message: Message) -> Message:
            evil = rrset("www.home.xa. 300 A 12.6.6.6")
            return replace(
                message, answer=(*message.answer, evil), additional=(*message.additional, evil)
            )

        net.hosts[b"\x0c\x00\x05\x01"].behaviour = poison  # type: ignore[index]
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
        xa = net.hosts[b"\x0b\x00\x01\x01"].zones[0]  # type: ignore[index]
        extra = Zone("xa", XA + "p.xa. 300 NS ns.q.xa.\nq.xa. 300 NS ns.p.xa.\n")
        xa.sets = extra.sets
        result, _ = net.ask("www.p.xa")
        assert result.rcode == Rcode.SERVFAIL
        assert net.now < 11

    def test_quota_bounds_amplification(self, net: Internet) -> None:
        """NXNSAttack: many name servers without glue below a zone that is not there."""
        xa = net.hosts[b"\x0b\x00\x01\x01"].zones[0]  # type: ignore[index]
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
