"""The border's privacy rule: what servers abroad are shown of a name (``border.privacy``).

RFC 9156 (QNAME minimisation, without its relaxed way), RFC 8020 (nothing below a name that does
not exist). Addresses in 11/8 are at home, in 12/8 abroad, others of unknown place.
"""

import pytest

from resolver.model import Ask, Ede, Failure, Message, Rcode, Type
from tests.small_internet import internet
from tests.virtual import Internet, values
from tests.virtual_servers import Behaviour, Zone, address, name, rrset
from tests.witness import Witness

DEEP = """
deep.comx. 3600 SOA 60
deep.comx. 3600 NS ns.deep.comx.
ns.deep.comx. 3600 A 12.0.7.1
www.deep.comx. 300 A 12.9.9.1
1.2.3.4.5.6.7.8.9.10.11.12.deep.comx. 300 A 12.9.9.2
*.wild.deep.comx. 300 A 12.9.9.3
x.alias.deep.comx. 300 CNAME p.q.deep.comx.
p.q.deep.comx. 300 A 12.9.9.4
tree.deep.comx. 300 DNAME home.xa.
host.deep.comx. 300 A 12.9.9.5
a.b.host.deep.comx. 300 A 12.9.9.6
"""
TWO = """
two.xa. 3600 SOA 60
two.xa. 3600 NS ns1.two.xa. ns2.two.xa.
ns1.two.xa. 3600 A 11.0.8.1
ns2.two.xa. 3600 A 12.0.8.1
a.b.c.d.two.xa. 300 A 11.9.9.1
"""
DEEPEST = "1.2.3.4.5.6.7.8.9.10.11.12.deep.comx"
SOA = rrset("deep.comx. 60 SOA 60")


def net_of(server: str = "12.0.7.1", **settings: bool) -> Internet:
    """The small Internet with a deep zone abroad, and one that is served on both sides."""
    net = internet(1, 0.0, **settings)
    comx = net.hosts[address("12.0.2.1")].zones[0]
    xa = net.hosts[address("11.0.1.1")].zones[0]
    for zone, lines in (
        (comx, ("deep.comx. 3600 NS ns.deep.comx.", f"ns.deep.comx. 3600 A {server}")),
        (
            xa,
            (
                "two.xa. 3600 NS ns1.two.xa. ns2.two.xa.",
                "ns1.two.xa. 3600 A 11.0.8.1",
                "ns2.two.xa. 3600 A 12.0.8.1",
            ),
        ),
    ):
        for found in map(rrset, lines):
            zone.sets[found.name, found.rtype] = found
    net.host(server, Zone("deep.comx", DEEP))
    two = Zone("two.xa", TWO)
    net.host("11.0.8.1", two)
    net.host("12.0.8.1", two)
    return net


def denies_empty(ask: Ask, message: Message) -> Message:
    """Answers NXDOMAIN for empty non-terminals, as some old servers do."""
    empty = message.rcode == Rcode.NOERROR and not message.answer
    refers = any(found.rtype == Type.NS for found in message.authority)
    return message._replace(rcode=Rcode.NXDOMAIN) if empty and not refers else message


def refuses(*steps: str) -> Behaviour:
    """Has no use for these names."""

    def bend(ask: Ask, message: Message) -> Message | Failure | None:
        unwanted = ask.question.name in [name(step) for step in steps]
        return Message(Rcode.REFUSED, question=ask.question) if unwanted else message

    return bend


@pytest.mark.parametrize("server", ["12.0.7.1", "13.0.7.1"])
def test_a_deep_name_is_shown_label_by_label(server: str) -> None:
    net = net_of(server)
    witness = Witness(net)
    result, _ = net.ask(DEEPEST)
    assert values(result.answer, "A") == ["12.9.9.2"]
    shown = [q.name for q in net.asked(server)]
    steps = [".".join(DEEPEST.split(".")[at:]) for at in range(11, -1, -1)]
    assert shown == [name(step) for step in steps]
    assert witness.wrong == []
    assert {q.name for q in net.asked("12.0.2.1")} == {name("deep.comx")}


def test_at_home_steps_grow_as_the_rfc_says() -> None:
    """RFC 9156 section 2.3: at most 10 steps."""
    net = net_of()
    net.hosts[address("11.0.8.1")].zones[0].sets[name(f"{'x.' * 20}two.xa"), Type.A] = rrset(
        f"{'x.' * 20}two.xa. 300 A 11.9.9.2"
    )
    result, _ = net.ask(f"{'x.' * 20}two.xa")
    assert values(result.answer, "A") == ["11.9.9.2"]
    assert len(net.asked("11.0.8.1")) <= 10


@pytest.mark.parametrize(
    ("text", "kind", "rcode", "found"),
    [
        ("any.thing.at.all.wild.deep.comx", "A", Rcode.NOERROR, ["12.9.9.3"]),
        ("x.alias.deep.comx", "A", Rcode.NOERROR, ["12.9.9.4"]),
        ("a.b.host.deep.comx", "A", Rcode.NOERROR, ["12.9.9.6"]),
        ("a.b.host.deep.comx", "AAAA", Rcode.NOERROR, []),
        ("no.such.name.deep.comx", "A", Rcode.NXDOMAIN, []),
        ("nothing.2.3.4.5.6.7.8.9.10.11.12.deep.comx", "TXT", Rcode.NXDOMAIN, []),
        ("www.tree.deep.comx", "A", Rcode.NOERROR, ["11.9.9.9"]),
        ("a.b.c.tree.deep.comx", "A", Rcode.NOERROR, ["11.9.9.7"]),
        ("back.shop.comx", "A", Rcode.NOERROR, ["11.9.9.9"]),
    ],
)
def test_sound_zones_abroad_answer_as_without_the_rule(
    text: str, kind: str, rcode: int, found: list[str]
) -> None:
    net = net_of()
    witness = Witness(net)
    result, _ = net.ask(text, kind)
    assert (result.rcode, values(result.answer, "A")) == (rcode, found)
    relaxed, _ = net_of(strict_abroad=False).ask(text, kind)
    assert (relaxed.rcode, relaxed.answer) == (result.rcode, result.answer)
    assert relaxed.authority == result.authority
    assert witness.wrong == []
    assert net.scheduler.needless == 0


def test_below_a_dname_no_more_is_shown_than_finds_it() -> None:
    """RFC 6672 section 2.3: it speaks for all names below."""
    net = net_of()
    witness = Witness(net)
    net.ask("a.b.c.tree.deep.comx")
    assert [text for text in witness.names if "tree" in text] == [
        "tree.deep.comx.",
        "c.tree.deep.comx.",
    ]


class TestServersThatDenyEmptyNonTerminals:
    def test_abroad_the_name_is_not_found_and_that_is_told_and_counted(self) -> None:
        net = net_of()
        net.hosts[address("12.0.7.1")].behaviour = denies_empty
        witness = Witness(net)
        result, books = net.ask("p.q.deep.comx")
        assert result.rcode == Rcode.NXDOMAIN
        assert result.ede[0][0] == Ede.OTHER
        assert "RFC 8020" in result.ede[0][1]
        assert result.authority[0].rtype == Type.SOA
        assert witness.names[-1] == "q.deep.comx."
        withheld = net.scheduler.core.withheld
        assert (withheld.denied, withheld.refused) == (1, 0)
        assert books.exchanges > 0

    def test_relaxed_it_is_found(self) -> None:
        net = net_of(strict_abroad=False)
        net.hosts[address("12.0.7.1")].behaviour = denies_empty
        result, _ = net.ask("p.q.deep.comx")
        assert values(result.answer, "A") == ["12.9.9.4"]
        assert result.ede == ()

    def test_what_the_records_deny_is_not_asked_for_abroad_again(self) -> None:
        net = net_of()
        net.ask("one.gone.deep.comx")
        sent = len(net.door.sent)
        result, books = net.ask("two.gone.deep.comx", "TXT")
        assert (result.rcode, books.exchanges) == (Rcode.NXDOMAIN, 0)
        assert result.authority[0].rtype == Type.SOA
        assert len(net.door.sent) == sent
        assert net.scheduler.core.withheld.denied == 2
        net.run(61)
        assert net.ask("two.gone.deep.comx", "TXT")[1].exchanges == 1

    def test_at_home_the_whole_name_is_asked_for(self) -> None:
        net = net_of()
        for at in ("11.0.8.1", "12.0.8.1"):
            net.hosts[address(at)].behaviour = denies_empty
        witness = Witness(net)
        result, _ = net.ask("a.b.c.d.two.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert witness.wrong == []
        assert net.asked("12.0.8.1") == []

    def test_when_those_at_home_fail_then_those_abroad_are_shown_a_label(self) -> None:
        """The whole name is for servers at home; abroad the step counts, and there it ends."""
        net = net_of()
        witness = Witness(net)
        home, other = net.hosts[address("11.0.8.1")], net.hosts[address("12.0.8.1")]

        def denies_and_dies(ask: Ask, message: Message) -> Message | None:
            home.up = False
            return denies_empty(ask, message)

        home.behaviour, other.behaviour = denies_and_dies, denies_empty
        result, _ = net.ask("a.b.c.d.two.xa")
        assert result.rcode == Rcode.NXDOMAIN
        assert {q.name for q in net.asked("12.0.8.1")} == {name("d.two.xa")}
        assert witness.wrong == []
        assert net.scheduler.needless == 0

    def test_servers_at_home_are_asked_although_one_abroad_denied(self) -> None:
        net = net_of()
        home, other = net.hosts[address("11.0.8.1")], net.hosts[address("12.0.8.1")]
        home.up, other.behaviour = False, denies_empty
        assert net.ask("a.b.c.d.two.xa")[0].rcode == Rcode.NXDOMAIN
        home.up = True
        net.run(30)
        result, _ = net.ask("a.b.c.d.two.xa", "A")
        assert values(result.answer, "A") == ["11.9.9.1"]


class TestServersThatRefuseSteps:
    def test_abroad_the_lookup_fails_and_that_is_told_and_counted(self) -> None:
        net = net_of()
        net.hosts[address("12.0.7.1")].behaviour = refuses("q.deep.comx")
        witness = Witness(net)
        result, _ = net.ask("p.q.deep.comx")
        assert result.rcode == Rcode.SERVFAIL
        assert result.ede == (
            (
                Ede.NO_REACHABLE_AUTHORITY,
                "servers abroad refused part of the name; they are not shown more (border.privacy)",
            ),
        )
        assert net.scheduler.core.withheld.refused == 1
        assert "p.q.deep.comx." not in witness.names
        assert witness.names.count("q.deep.comx.") == 1
        assert values(net.ask("www.deep.comx")[0].answer, "A") == ["12.9.9.1"]

    def test_relaxed_it_is_found(self) -> None:
        net = net_of(strict_abroad=False)
        net.hosts[address("12.0.7.1")].behaviour = refuses("q.deep.comx")
        result, _ = net.ask("p.q.deep.comx")
        assert values(result.answer, "A") == ["12.9.9.4"]
        assert net.scheduler.core.withheld.refused == 0

    def test_another_server_abroad_may_answer_the_step(self) -> None:
        net = net_of()
        deep = net.hosts[address("12.0.7.1")].zones[0]
        comx = net.hosts[address("12.0.2.1")].zones[0]
        more = rrset("ns.deep.comx. 3600 A 12.0.7.1 12.0.7.2")
        comx.sets[more.name, more.rtype] = more
        net.host("12.0.7.2", deep)
        net.hosts[address("12.0.7.1")].behaviour = refuses("q.deep.comx")
        for _ in range(5):
            assert values(net.ask("p.q.deep.comx")[0].answer, "A") == ["12.9.9.4"]
            net.scheduler.core.records.flush(name("deep.comx"), subtree=True)

    def test_at_home_the_whole_name_is_asked_for(self) -> None:
        net = net_of()
        for at in ("11.0.8.1", "12.0.8.1"):
            net.hosts[address(at)].behaviour = refuses("d.two.xa")
        witness = Witness(net)
        result, _ = net.ask("a.b.c.d.two.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert {q.name for q in net.asked("12.0.8.1")} <= {name("d.two.xa")}
        assert witness.wrong == []

    def test_silence_is_a_failure_like_any_other(self) -> None:
        net = net_of()
        net.hosts[address("12.0.7.1")].up = False
        result, _ = net.ask("p.q.deep.comx")
        assert result.rcode == Rcode.SERVFAIL
        assert "border.privacy" not in result.ede[0][1]
        assert net.scheduler.core.withheld.refused == 0


class TestWhatIsKnown:
    def test_empty_names_in_the_records_are_steps_that_need_not_be_asked(self) -> None:
        net = net_of()
        net.ask(DEEPEST)
        sent = len(net.door.sent)
        net.ask("other.3.4.5.6.7.8.9.10.11.12.deep.comx")
        assert [ask.question.name for ask in net.door.sent[sent:]] == [
            name("other.3.4.5.6.7.8.9.10.11.12.deep.comx")
        ]

    def test_records_of_the_zone_below_do_not_show_more_to_the_zone_above(self) -> None:
        """The cut is forgotten, the address at its apex is not."""
        net = net_of()
        net.hosts[address("12.0.7.1")].zones[0].sets[name("deep.comx"), Type.A] = rrset(
            "deep.comx. 3600 A 12.9.9.9"
        )
        net.ask("deep.comx")
        net.scheduler.core.cuts.flush(name("deep.comx"), subtree=False)
        witness = Witness(net)
        net.ask("p.q.deep.comx")
        assert witness.wrong == []
        assert {q.name for q in net.asked("12.0.2.1")} == {name("deep.comx")}


def test_without_minimisation_at_home_the_rule_holds_abroad() -> None:
    net = net_of(qname_minimisation=False)
    witness = Witness(net)
    assert values(net.ask("a.b.c.d.two.xa")[0].answer, "A") == ["11.9.9.1"]
    assert values(net.ask("p.q.deep.comx")[0].answer, "A") == ["12.9.9.4"]
    assert {q.name for q in net.asked("11.0.8.1")} == {name("a.b.c.d.two.xa")}
    assert witness.wrong == []
    assert net.asked("12.0.2.1")[0].name == name("deep.comx")


def test_a_reload_in_the_middle_of_a_lookup_binds_the_next_try() -> None:
    """The first try is lost; the second is sent under the new settings."""
    net = net_of(qname_minimisation=False, strict_abroad=False)
    net.ask("www.deep.comx")
    core = net.scheduler.core
    host = net.hosts[address("12.0.7.1")]

    def lost_once(ask: Ask, message: Message) -> None:
        host.behaviour = None
        core.settings = net_of().scheduler.core.settings

    host.behaviour = lost_once
    net.ask("p.q.deep.comx")
    shown = [q.name for q in net.asked("12.0.7.1")][1:]
    assert shown == [name("p.q.deep.comx"), name("q.deep.comx"), name("p.q.deep.comx")]


@pytest.mark.parametrize("labels", [60, 100])
def test_steps_are_bounded_and_their_end_shows_no_more(labels: int) -> None:
    """A wildcard answers at any depth, so only the bound ends it."""
    net = net_of()
    witness = Witness(net)
    result, books = net.ask("x." * labels + "wild.deep.comx")
    assert result.rcode == Rcode.SERVFAIL
    assert "border.privacy" in result.ede[0][1]
    assert books.exchanges <= 45
    assert witness.wrong == []
    assert net.scheduler.core.withheld.refused == 1


def test_what_a_reverse_name_of_ipv6_needs_is_within_the_bound() -> None:
    net = net_of()
    nibbles = ".".join("0123456789abcdef" * 2)
    deep = net.hosts[address("12.0.7.1")].zones[0]
    found = rrset(f"{nibbles}.deep.comx. 300 PTR www.deep.comx.")
    deep.sets[found.name, found.rtype] = found
    result, books = net.ask(f"{nibbles}.deep.comx", "PTR")
    assert result.rcode == Rcode.NOERROR
    assert books.exchanges == 35  # priming, the root, comx, and 32 of the zone
