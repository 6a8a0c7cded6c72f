"""What native answers under a plan by itself, what it punts, and that the client is served."""

import socket
from typing import cast

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from resolver import limits_servers
from resolver.model import Address, Failure, Question, Route, Type
from tests.unit.plan_rig import PlanRig
from tests.unit.plan_zone import (
    APEX,
    WWW,
    Bend,
    ask,
    failed,
    foreign_soa,
    home_made,
    lame,
    no_soa,
    nothing,
    records,
    referral,
    script,
    sound,
    tcp,
    truncated,
    two_soas,
    with_answer,
    with_authority,
)
from tests.virtual_servers import name

pytestmark = pytest.mark.usefixtures("either_ports")


class TestPlain:
    """Answered while Python sleeps."""

    @pytest.mark.parametrize(
        ("text", "rtype", "rcode", "outcome"),
        [
            (WWW, "A", "NOERROR", "positive"),
            (WWW, "TXT", "NOERROR", "positive"),
            (APEX, "SOA", "NOERROR", "positive"),
            (WWW, "MX", "NOERROR", "nodata"),
            (APEX, "A", "NOERROR", "nodata"),
            (f"nothing.{APEX}", "A", "NXDOMAIN", "nxdomain"),
            (f"NoThInG.{APEX}", "AAAA", "NXDOMAIN", "nxdomain"),
        ],
    )
    @pytest.mark.parametrize("do", [False, True])
    def test_it_is_answered_kept_and_told(
        self, text: str, rtype: str, rcode: str, outcome: str, do: bool
    ) -> None:
        with PlanRig(script(None), tcp) as rig:
            rig.plan()
            query = ask(text, rtype, do=do)
            reply = rig.ask(query, turning=False)
            assert dns.rcode.to_text(reply.rcode()) == rcode
            expected = sound(query.to_wire())
            assert reply.question == query.question
            assert (reply.answer, len(reply.authority)) == (
                expected.answer,
                len(expected.authority),
            )
            if reply.authority:
                assert reply.authority[0].ttl == 300, "RFC 2308 section 5"
            (record,) = rig.told(1)
            assert record.route is Route.DOMESTIC
            assert record.rcode == reply.rcode()
            assert [e.outcome for e in record.exchanges] == [outcome]
            assert record.exchanges[0].question == record.question
            assert rig.punts == []
            assert rig.ask(query, turning=False).answer == reply.answer
            assert rig.seen() == rig.sent() == 1, "from the cache the second time"
            assert sum(rig.tally.lookups.values()) == 1

    def test_signatures_are_for_those_who_ask_for_them(self) -> None:
        signature = (
            f"{WWW} 300 IN RRSIG A 13 3 300 20300101000000 20200101000000 1 {APEX} "
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
        )

        def signed(reply: dns.message.Message) -> None:
            reply.answer += records(signature)

        for do, count in ((False, 1), (True, 2)):
            with PlanRig(script(signed), tcp) as rig:
                rig.plan()
                assert len(rig.ask(ask(do=do), turning=False).answer) == count

    def test_ttl_0_is_answered_and_not_kept(self) -> None:
        with PlanRig(script(None), tcp) as rig:
            rig.plan()
            for number in (1, 2, 3):
                reply = rig.ask(ask(f"zero.{APEX}"), turning=number == 2)
                assert reply.answer[0].ttl == 0
                rig.told(number)
            assert rig.seen() == 3

    def test_a_stranger_in_the_answer_goes_no_further(self) -> None:
        def stranger(reply: dns.message.Message) -> None:
            reply.answer += records("www.bank.xb. 300 IN A 192.0.2.66")
            reply.additional += records("www.bank.xb. 300 IN A 192.0.2.66")

        with PlanRig(script(stranger), tcp) as rig:
            rig.plan()
            reply = rig.ask(ask(), turning=False)
            assert reply.answer == records(f"{WWW} 300 IN A 192.0.2.1")
            assert reply.additional == []
            assert rig.records.get(name("www.bank.xb."), Type.A, rig.clock.now()) is None

    @pytest.mark.parametrize("kind", ["id", "question", "no response", "type", "class"])
    def test_what_is_no_reply_is_dropped_and_the_reply_still_taken(self, kind: str) -> None:
        def spoofed(query: bytes) -> list[bytes]:
            wire = bytearray(sound(query).to_wire())
            wire[-1] ^= 0xFF  # the address, if it were believed
            end = query.index(b"\0", 12)
            at, change = {
                "id": (0, 0x55),
                "question": (13, 0x01),
                "no response": (2, 0x80),
                "type": (end + 2, 0x01),
                "class": (end + 4, 0x02),
            }[kind]
            wire[at] ^= change
            return [bytes(wire), sound(query).to_wire()]

        with PlanRig(spoofed, tcp) as rig:
            rig.plan()
            reply = rig.ask(ask(), turning=False)
            assert reply.answer == records(f"{WWW} 300 IN A 192.0.2.1")
            assert rig.scalar("upstream_mismatched") == 1
            assert rig.seen() == rig.sent() == 1


RIGHT = f"{WWW} 300 IN A 192.0.2.1"
ALIAS = f"{WWW} 300 IN CNAME www.other.xa."
INNER = f"{WWW} 300 IN CNAME inner.{APEX}"
CASES: dict[str, tuple[Bend, tuple[str, ...], dns.rcode.Rcode, list[str]]] = {
    # the bent reply; what the client gets in the end; how the exchanges are told
    "referral": (referral, (RIGHT,), dns.rcode.NOERROR, ["referral", "positive"]),
    "alias out of the zone": (
        with_answer(ALIAS),
        (ALIAS, "www.other.xa. 300 IN A 192.0.2.9"),
        dns.rcode.NOERROR,
        ["alias", "positive"],
    ),
    "alias within the zone": (
        with_answer(INNER, f"inner.{APEX} 300 IN A 192.0.2.2"),
        (INNER, f"inner.{APEX} 300 IN A 192.0.2.2"),
        dns.rcode.NOERROR,
        ["positive"],
    ),
    "from a cache": (lame, (RIGHT,), dns.rcode.NOERROR, ["lame", "positive"]),
    "not authoritative": (home_made, (RIGHT,), dns.rcode.NOERROR, ["positive"]),
    "SERVFAIL": (
        failed(dns.rcode.SERVFAIL), (RIGHT,), dns.rcode.NOERROR, ["servfail", "positive"],
    ),
    "REFUSED": (failed(dns.rcode.REFUSED), (RIGHT,), dns.rcode.NOERROR, ["refused", "positive"]),
    "NOTIMP": (failed(dns.rcode.NOTIMP), (RIGHT,), dns.rcode.NOERROR, ["notimp", "positive"]),
    "truncated": (truncated, (RIGHT,), dns.rcode.NOERROR, ["truncated", "positive"]),
    "NXDOMAIN without SOA": (no_soa, (), dns.rcode.NXDOMAIN, ["nxdomain"]),
    "nothing at all": (nothing, (), dns.rcode.NOERROR, ["nodata"]),
    "SOA of another zone": (foreign_soa, (), dns.rcode.NXDOMAIN, ["nxdomain"]),
    "two SOAs": (two_soas, (), dns.rcode.NXDOMAIN, ["nxdomain"]),
    "only a stranger in the answer": (
        with_answer("www.bank.xb. 300 IN A 192.0.2.66"), (), dns.rcode.NOERROR, ["nodata"],
    ),
    "NXDOMAIN with an answer": (
        lambda reply: reply.set_rcode(dns.rcode.NXDOMAIN),
        (RIGHT,),
        dns.rcode.NOERROR,
        ["positive"],
    ),
    "an NS set not seen before": (
        with_authority(f"{APEX} 300 IN NS ns1.{APEX}"), (RIGHT,), dns.rcode.NOERROR, ["positive"],
    ),
}  # fmt: skip


class TestPunted:
    """Given to Python with the reply, which is not asked for again."""

    @pytest.mark.parametrize("case", CASES)
    def test_the_client_gets_the_right_answer_in_the_end(self, case: str) -> None:
        bend, expected, rcode, outcomes = CASES[case]
        with PlanRig(script(bend), tcp) as rig:
            rig.plan()
            reply = rig.ask(ask())
            assert reply.rcode() == rcode
            assert reply.answer == records(*expected)
            self.check(rig, outcomes, 1)
            (punted,) = rig.punts
            assert punted.punt.outcome is not None
            message = punted.punt.outcome.message
            assert message is not None, "the raw reply"
            assert message.question is not None
            assert rig.records.get(name("www.bank.xb."), Type.A, rig.clock.now()) is None

    def check(self, rig: PlanRig, outcomes: list[str], clients: int) -> None:
        told = rig.told(clients)
        trail = [e.outcome for record in told for e in record.exchanges]
        assert trail == outcomes
        assert rig.sent() == rig.seen() == len(outcomes)
        assert rig.scalar("planned") == rig.scalar("planned_punted") == clients
        assert [len(punted.misses) for punted in rig.punts] == [clients]
        assert rig.driver.needless == rig.driver.lookups == 0

    @pytest.mark.parametrize(
        ("kind", "failure", "outcomes"),
        [
            ("silence", None, ["timeout", "positive"]),
            ("case", Failure.CASE, ["case", "positive"]),
            ("torn", Failure.MALFORMED, ["malformed", "positive"]),
            ("oversized", Failure.MALFORMED, ["malformed", "positive"]),
            ("two questions", Failure.MALFORMED, ["malformed", "positive"]),
        ],
    )
    def test_without_a_readable_reply_too(
        self, kind: str, failure: Failure | None, outcomes: list[str]
    ) -> None:
        count = iter(range(10**9))

        def reply(query: bytes) -> list[bytes]:
            wire = sound(query).to_wire()
            if next(count):
                return [wire]
            if kind == "silence":
                return []
            if kind == "case":
                end = wire.index(b"\0", 12)
                return [wire[:12] + wire[12:end].swapcase() + wire[end:]]
            if kind == "torn":
                return [wire[:-3]]
            if kind == "two questions":
                return [wire[:5] + b"\2" + wire[6:]]
            made = sound(query)
            texts = [f'"{number:0250}"' for number in range(30)]
            made.answer = [dns.rrset.from_text(WWW, 300, "IN", "TXT", *texts)]
            return [made.to_wire(max_size=65535)]

        with PlanRig(reply, tcp) as rig:
            rig.plan()
            assert rig.ask(ask()).answer == records(RIGHT)
            self.check(rig, outcomes, 1)
            (punted,) = rig.punts
            outcome = punted.punt.outcome
            assert (outcome.failure if outcome is not None else None) == failure
            assert outcome is None or outcome.message is None

    def test_a_server_without_edns_is_asked_without_and_planned_so(self) -> None:
        def reply(query: bytes) -> list[bytes]:
            made = sound(query)
            if query[11]:
                nothing(made)
                made.set_rcode(dns.rcode.FORMERR)
            made.use_edns(False)
            return [made.to_wire()]

        with PlanRig(reply, tcp) as rig:
            rig.plan()
            assert rig.ask(ask()).answer == records(RIGHT)
            self.check(rig, ["no_edns", "positive"], 1)

    def test_all_who_wait_are_given_and_the_exchange_is_told_once(self) -> None:
        held: list[bytes] = []

        def reply(query: bytes) -> list[bytes]:
            held.append(query)
            return [] if len(held) == 1 else [sound(query).to_wire()]

        with PlanRig(reply, tcp) as rig:
            rig.plan()
            for number in range(5):
                query = ask(do=number % 2 == 1)
                query.id = number
                rig.client.send(query.to_wire())
            replies = [rig.reply() for _ in range(5)]
            assert {reply.id for reply in replies} == set(range(5))
            assert all(reply.answer == records(RIGHT) for reply in replies)
            told = rig.told(5)
            assert rig.sent() == rig.seen() == 2
            assert all(record.route is Route.DOMESTIC for record in told)
            assert sum(len(punted.misses) for punted in rig.punts) == 5

    def test_a_late_reply_is_counted_and_tells_how_fast_the_server_is(self) -> None:
        first: list[bytes] = []

        def reply(query: bytes) -> list[bytes]:
            if not first:
                first.append(query)
                return []
            return [sound(query).to_wire()]

        with PlanRig(reply, tcp) as rig:
            rig.plan()
            assert rig.ask(ask()).answer == records(RIGHT)
            ((upstream, port),) = [
                (upstream, port)
                for upstream in rig.upstreams
                for query, port in upstream.datagrams
                if query == first[0]
            ]
            slow = rig.core.servers.get(Address(upstream.address))
            assert slow.srtt is None
            other = bytes([first[0][0] ^ 1]) + first[0][1:]
            for query in (other, first[0], first[0]):
                upstream.send_datagram(sound(query).to_wire(), port, "127.0.0.1")
            rig.turn_until(lambda: rig.scalar("upstream_late") == 3)
            assert [e.outcome for e in rig.told(1)[0].exchanges] == ["timeout", "positive"]
            rig.turn_until(lambda: slow.srtt is not None)
            assert cast(float, slow.srtt) >= limits_servers.WAIT_FIRST
            assert slow.rttvar == cast(float, slow.srtt) / 2, "one reply, and that to its question"
            assert slow.strikes == 0


class TestLeft:
    """Questions that a plan does not speak for."""

    @pytest.mark.parametrize("rtype", ["NS", "DS", "CNAME", "DNAME"])
    def test_types_that_bear_on_cuts_and_aliases(self, rtype: str) -> None:
        with PlanRig(script(None), tcp) as rig:
            rig.plan()
            rig.ask(ask(f"n.{APEX}", rtype))
            assert rig.scalar("planned") == 0

    def test_deeper_names_with_minimisation_and_names_below_a_barrier(self) -> None:
        with PlanRig(script(None), tcp) as rig:
            rig.plan()
            rig.cut(name(f"sub.{APEX}"))
            for text in (f"a.b.{APEX}", f"a.sub.{APEX}", f"sub.{APEX}"):
                rig.ask(ask(text))
            assert rig.scalar("planned") == 0
            rig.ask(ask(f"b2.{APEX}"), turning=False)
            assert rig.scalar("planned") == 1

    def test_what_the_records_know(self) -> None:
        with PlanRig(script(with_answer(ALIAS)), tcp) as rig:
            rig.plan()
            rig.ask(ask())
            planned = rig.scalar("planned")
            assert rig.ask(ask(do=True)).answer[0] == records(ALIAS)[0]
            assert rig.ask(ask(rtype="TXT")).answer[0].rdtype == dns.rdatatype.CNAME
            assert rig.scalar("planned") == planned

    def test_what_has_failed_a_moment_ago(self) -> None:
        def reply(query: bytes) -> list[bytes]:
            made = sound(query)
            failed(dns.rcode.SERVFAIL)(made)
            return [made.to_wire()]

        with PlanRig(reply, tcp) as rig:
            rig.plan()
            assert rig.ask(ask()).rcode() == dns.rcode.SERVFAIL
            planned, seen = rig.scalar("planned"), rig.seen()
            assert rig.ask(ask(do=True)).rcode() == dns.rcode.SERVFAIL
            assert (rig.scalar("planned"), rig.seen()) == (planned, seen)

    def test_after_another_policy_nothing_that_was_planned(self) -> None:
        with PlanRig(script(None), tcp) as rig:
            rig.plan()
            rig.core.planner.restart()
            rig.plans.set_policy(rig.policy)
            assert rig.ask(ask()).answer == records(RIGHT)
            assert rig.scalar("planned") == 0
            assert rig.plan().ask(ask(rtype="TXT"), turning=False).answer
            assert rig.scalar("planned") == 1


def test_a_client_over_tcp_is_planned_for_as_well() -> None:
    with PlanRig(script(None), tcp) as rig:
        rig.plan()
        query = ask().to_wire()
        with socket.create_connection(rig.listener.addresses()[0], timeout=10) as client:
            client.sendall(len(query).to_bytes(2) + query)
            size = int.from_bytes(client.recv(2))
            reply = dns.message.from_wire(client.recv(size))
        assert reply.answer == records(RIGHT)
        (record,) = rig.told(1)
        assert record.client.transport.value == "tcp"
        assert record.question == Question(name(WWW), Type.A)
