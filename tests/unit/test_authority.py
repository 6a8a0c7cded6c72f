"""What the embedded name servers say, read with dnspython, a codec that they do not use."""

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from testbed.authority import Authority
from testbed.model import AddressPlan, Delegation, Fault, Server, World
from testbed.zones import Zone

ADDRESS = "127.11.0.1"


def small_zone() -> Zone:
    zone = Zone("z.xa.", "test")
    zone.add("z.xa.", "SOA", 3600, "ns1.z.xa. host.z.xa. 1 7200 900 1209600 300")
    zone.add("z.xa.", "NS", 3600, "ns1.z.xa.", "ns.elsewhere.comx.")
    zone.add("ns1.z.xa.", "A", 3600, ADDRESS)
    zone.add("www.z.xa.", "A", 60, "127.11.200.1", "127.11.200.2")
    zone.add("a.b.z.xa.", "TXT", 60, '"deep"')
    zone.add("*.w.z.xa.", "A", 60, "127.11.200.3")
    zone.add("alias.z.xa.", "CNAME", 60, "www.z.xa.")
    zone.add("away.z.xa.", "CNAME", 60, "www.other.comx.")
    zone.add("into.z.xa.", "CNAME", 60, "www.child.z.xa.")
    zone.add("old.z.xa.", "DNAME", 60, "w.z.xa.")
    zone.add("child.z.xa.", "NS", 600, "ns.child.z.xa.", "ns1.z.xa.")
    zone.add("ns.child.z.xa.", "A", 600, "127.11.0.9")
    zone.add("big.z.xa.", "TXT", 60, *(f'"{letter * 200}"' for letter in "abcdefgh"))
    return zone


def ask(
    name: str,
    rtype: str = "A",
    fault: Fault = Fault.NONE,
    stream: bool = False,
    **query: object,
) -> dns.message.Message:
    query.setdefault("use_edns", 0)
    question = dns.message.make_query(name, rtype, **query)  # type: ignore[arg-type]
    wire = answer(question.to_wire(), fault, stream)
    assert wire is not None
    reply = dns.message.from_wire(wire)
    assert question.is_response(reply)
    return reply


def answer(wire: bytes, fault: Fault = Fault.NONE, stream: bool = False) -> bytes | None:
    root = Zone(".", "root")
    root.add(".", "NS", 60, "a.root-servers.")
    zones = {"z.xa.": small_zone(), ".": root}
    server = Server(ADDRESS, "XA", fault, 0.0, {"z.xa."}, {"z.xa."})
    delegations: dict[str, Delegation] = {}
    world = World("t", 1, AddressPlan.LOOPBACK, zones, {ADDRESS: server}, delegations, [])
    authority = Authority(world)
    first = authority.answer(server, wire, stream)
    # The second time the packed reply is taken from the store; it must not differ.
    assert authority.answer(server, wire, stream) == first
    return None if first is None else first.wire


def section(rrsets: list[dns.rrset.RRset]) -> list[str]:
    return [f"{r.name} {r.ttl} {dns.rdatatype.to_text(r.rdtype)} {len(r)}" for r in rrsets]


def test_positive_answer_is_authoritative() -> None:
    reply = ask("www.z.xa.")
    assert section(reply.answer) == ["www.z.xa. 60 A 2"]
    assert reply.flags & dns.flags.AA and not reply.flags & dns.flags.RA
    assert not reply.authority


def test_nodata_and_empty_non_terminals_carry_the_soa_with_the_negative_ttl() -> None:
    for name in ("www.z.xa.", "b.z.xa.", "w.z.xa."):
        reply = ask(name, "MX")
        assert reply.rcode() == dns.rcode.NOERROR and not reply.answer
        assert section(reply.authority) == ["z.xa. 300 SOA 1"]


def test_missing_name_is_nxdomain_with_the_soa() -> None:
    reply = ask("nosuch.z.xa.")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert section(reply.authority) == ["z.xa. 300 SOA 1"]


def test_wildcard_covers_names_below_its_encloser_only() -> None:
    assert section(ask("x.y.w.z.xa.").answer) == ["x.y.w.z.xa. 60 A 1"]
    assert ask("x.w.z.xa.", "TXT").rcode() == dns.rcode.NOERROR
    assert ask("x.z.xa.").rcode() == dns.rcode.NXDOMAIN


def test_aliases_are_followed_inside_the_zone_only() -> None:
    assert section(ask("alias.z.xa.").answer) == ["alias.z.xa. 60 CNAME 1", "www.z.xa. 60 A 2"]
    assert section(ask("away.z.xa.").answer) == ["away.z.xa. 60 CNAME 1"]
    assert section(ask("alias.z.xa.", "CNAME").answer) == ["alias.z.xa. 60 CNAME 1"]


def test_alias_into_a_delegation_brings_the_referral_along() -> None:
    reply = ask("into.z.xa.")
    assert reply.flags & dns.flags.AA
    assert section(reply.answer) == ["into.z.xa. 60 CNAME 1"]
    assert section(reply.authority) == ["child.z.xa. 600 NS 2"]


def test_dname_makes_a_cname_and_goes_on() -> None:
    reply = ask("x.old.z.xa.")
    kinds = [dns.rdatatype.to_text(r.rdtype) for r in reply.answer]
    assert kinds == ["DNAME", "CNAME", "A"]
    assert str(reply.answer[1][0].target) == "x.w.z.xa."


def test_referral_has_glue_and_no_aa() -> None:
    reply = ask("deep.www.child.z.xa.")
    assert not reply.flags & dns.flags.AA and not reply.answer
    assert section(reply.authority) == ["child.z.xa. 600 NS 2"]
    assert section(reply.additional) == ["ns.child.z.xa. 600 A 1", "ns1.z.xa. 3600 A 1"]


def test_ds_is_answered_on_the_parents_side_of_the_cut() -> None:
    reply = ask("child.z.xa.", "DS")
    assert reply.flags & dns.flags.AA
    assert section(reply.authority) == ["z.xa. 300 SOA 1"]


def test_own_ns_set_comes_with_addresses() -> None:
    assert section(ask("z.xa.", "NS").additional) == ["ns1.z.xa. 3600 A 1"]


def test_other_zones_types_and_classes_are_refused() -> None:
    assert ask("www.other.xa.").rcode() == dns.rcode.REFUSED
    assert ask("z.xa.", "AXFR").rcode() == dns.rcode.REFUSED
    assert ask("z.xa.", "ANY").rcode() == dns.rcode.REFUSED
    assert ask("z.xa.", "A", rdclass="CH").rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(
    ("query", "truncated"),
    [
        ({"use_edns": -1}, True),
        ({"payload": 1232}, True),
        ({"payload": 4096}, True),  # we never send more than 1232 octets
        ({"stream": True}, False),
    ],
)
def test_truncation_leaves_question_and_opt(query: dict[str, object], truncated: bool) -> None:
    reply = ask("big.z.xa.", "TXT", **query)  # type: ignore[arg-type]
    assert bool(reply.flags & dns.flags.TC) is truncated
    assert bool(reply.answer) is not truncated
    assert (reply.edns == 0) is (query.get("use_edns") != -1)


def test_edns_is_echoed_and_unknown_versions_are_badvers() -> None:
    reply = ask("www.z.xa.", want_dnssec=True)
    assert (reply.edns, reply.payload, bool(reply.ednsflags & dns.flags.DO)) == (0, 1232, True)
    assert ask("www.z.xa.", use_edns=-1).edns == -1
    assert ask("www.z.xa.", use_edns=1).rcode() == dns.rcode.BADVERS


def test_case_of_the_question_comes_back_unless_the_server_breaks_it() -> None:
    asked = dns.message.make_query("wWw.Z.xA.", "A").to_wire()
    assert b"\3wWw\1Z\2xA\0" in (answer(asked) or b"")
    broken = answer(asked, Fault.CASE) or b""
    assert b"\3www\1z\2xa\0" in broken and b"wWw" not in broken


def test_each_lame_server_is_lame_in_its_way() -> None:
    assert ask("www.z.xa.", fault=Fault.REFUSED).rcode() == dns.rcode.REFUSED
    assert ask("www.z.xa.", fault=Fault.SERVFAIL).rcode() == dns.rcode.SERVFAIL
    upward = ask("www.z.xa.", fault=Fault.UPWARD)
    assert section(upward.authority) == [". 60 NS 1"] and not upward.flags & dns.flags.AA
    cached = ask("www.z.xa.", fault=Fault.NON_AUTHORITATIVE)
    assert cached.answer and not cached.flags & dns.flags.AA


def test_a_server_without_edns_says_formerr_and_answers_plain_questions() -> None:
    reply = ask("www.z.xa.", fault=Fault.NO_EDNS)
    assert (reply.rcode(), reply.edns) == (dns.rcode.FORMERR, -1)
    assert ask("www.z.xa.", fault=Fault.NO_EDNS, use_edns=-1).answer


def test_silence_for_dead_servers_responses_and_torn_headers() -> None:
    asked = dns.message.make_query("www.z.xa.", "A").to_wire()
    assert answer(asked, Fault.DEAD) is None
    assert answer(asked[:2] + b"\x80" + asked[3:]) is None
    assert answer(asked[:11]) is None


def test_what_cannot_be_read_is_formerr_and_other_opcodes_notimp() -> None:
    asked = dns.message.make_query("www.z.xa.", "A", use_edns=0).to_wire()
    for at in range(12, len(asked)):
        wire = answer(asked[:at])
        assert wire is not None and wire[3] & 15 == dns.rcode.FORMERR, at
    notify = dns.message.make_query("www.z.xa.", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    assert (answer(notify.to_wire()) or b"\0\0\0\0")[3] & 15 == dns.rcode.NOTIMP
