"""The native codec against dnspython, type by type, and its errors."""

import dns.flags
import dns.message
import dns.rrset
import pytest

from resolver._native import Answer, build_query, parse_message
from resolver.errors import BadMessage
from resolver.names import from_text
from tests.dnspython_view import View, of_dnspython, of_native, of_wire

OWNER = "www.example.com."
SIGNED_BY = "8 2 300 20300101000000 20200101000000 4711 example.com. c2lnbmF0dXJl"
RECORDS = {
    "A": ["192.0.2.1", "192.0.2.2"],
    "AAAA": ["2001:db8::1"],
    "NS": ["ns1.example.com.", "NS2.Example.NET."],
    "CNAME": ["alias.example.com."],
    "SOA": ["ns1.example.com. host.example.com. 1 2 3 4 5"],
    "PTR": ["host.www.example.com."],
    "MX": ["10 mail.example.com.", "20 mail.www.example.com."],
    "TXT": ['"one" "two"', '""'],
    "RP": ["host.example.com. text.example.com."],
    "AFSDB": ["1 afs.example.com."],
    "RT": ["10 relay.example.com."],
    "SRV": ["1 2 53 srv.example.com."],
    "NAPTR": ['10 20 "u" "sip" "!^.*$!x!" .', '10 20 "" "" "" next.example.com.'],
    "KX": ["10 kx.example.com."],
    "DNAME": ["other.example.com."],
    "DS": ["4711 8 2 " + "ab" * 32],
    "DNSKEY": ["257 3 8 AwEAAQ=="],
    "NSEC": ["xyz.example.com. A NS RRSIG NSEC"],
    "NSEC3": ["1 1 10 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG"],
    "NSEC3PARAM": ["1 0 10 aabb"],
    "SVCB": ["1 svc.example.com. alpn=h2 port=8443"],
    "HTTPS": ["1 . alpn=h2,h3 ipv4hint=192.0.2.1"],
    "CAA": ['0 issue "ca.example.com"'],
    "TLSA": ["3 1 1 " + "cd" * 32],
    "SSHFP": ["1 1 " + "ef" * 20],
    "LOC": ["52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"],
    "TYPE65280": [r"\# 4 c00cc00c"],
}


def response(*rrsets: dns.rrset.RRset, authority: bool = False) -> dns.message.Message:
    """A response to ``OWNER``, with the RRsets in its answer or authority section."""
    query = dns.message.make_query("wWw.eXample.com.", "ANY", want_dnssec=True)
    message = dns.message.make_response(query)
    message.flags |= dns.flags.AA
    (message.authority if authority else message.answer).extend(rrsets)
    return message


def agreed(message: dns.message.Message) -> View:
    """The native view, which must be that of dnspython."""
    wire = message.to_wire()
    view = of_native(parse_message(wire))
    assert view == of_wire(wire)
    return view


@pytest.mark.parametrize("rtype", RECORDS)
def test_every_common_type_is_read_as_dnspython_reads_it(rtype: str) -> None:
    rrset = dns.rrset.from_text(OWNER, 300, "IN", rtype, *RECORDS[rtype])
    (facts,) = agreed(response(rrset)).sections[0].values()
    assert len(facts[1]) == len(RECORDS[rtype])


@pytest.mark.parametrize("rtype", [rtype for rtype in RECORDS if rtype != "TYPE65280"])
def test_signatures_join_the_records_they_cover(rtype: str) -> None:
    rrset = dns.rrset.from_text(OWNER, 300, "IN", rtype, *RECORDS[rtype])
    signature = dns.rrset.from_text(OWNER, 200, "IN", "RRSIG", f"{rtype} {SIGNED_BY}")
    view = agreed(response(signature, rrset, authority=True))
    ((ttl, _, signatures),) = view.sections[1].values()
    assert (ttl, len(signatures)) == (200, 1)


def test_all_types_together_are_read_from_one_compressed_message() -> None:
    rrsets = [
        dns.rrset.from_text(f"{rtype}.{OWNER}", 60, "IN", rtype, *data)
        for rtype, data in RECORDS.items()
    ]
    assert len(agreed(response(*rrsets)).sections[0]) == len(RECORDS)


@pytest.mark.parametrize("rtype", RECORDS)
def test_what_native_composes_dnspython_reads_with_the_same_records(rtype: str) -> None:
    rrset = dns.rrset.from_text(OWNER, 300, "IN", rtype, *RECORDS[rtype])
    signature = dns.rrset.from_text(OWNER, 300, "IN", "RRSIG", f"{rtype} {SIGNED_BY}")
    message = response(rrset) if rtype == "TYPE65280" else response(rrset, signature)
    parsed = parse_message(message.to_wire())
    answer = Answer(from_text(OWNER), 255, 1, 0, parsed[5], parsed[5], parsed[5], [], 7.0)
    composed = dns.message.from_wire(answer.message(7.0))
    view, expected = of_dnspython(composed), of_wire(message.to_wire())
    assert view and expected
    assert view.sections == expected.sections[:1] * 3
    assert composed.flags == dns.flags.QR | dns.flags.RA
    assert len(answer.message(7.0)) <= len(composed.to_wire()) + 64  # It does compress.


def test_ttls_of_an_answer_count_from_when_it_was_made() -> None:
    rrset = (from_text(OWNER), 1, 300, (b"\xc0\x00\x02\x01",), ())
    answer = Answer(from_text(OWNER), 1, 1, 0, [rrset], [], [], [(3, "stale")], 100.0)
    ttls = [dns.message.from_wire(answer.message(now)).answer[0].ttl for now in (100, 110.5, 999)]
    assert ttls == [300, 290, 0]


@pytest.mark.parametrize("wire", [b"", b"\0" * 11, b"\0" * 5 + b"\1" + b"\0" * 6])
def test_what_cannot_be_read_raises_bad_message(wire: bytes) -> None:
    with pytest.raises(BadMessage, match="too early"):
        parse_message(wire)


@pytest.mark.parametrize(
    "rrset",
    [
        (b"\xc0\x0c", 1, 300, (), ()),
        (b"", 1, 300, (), ()),
        (b"\x01a", 1, 300, (), ()),
        (b"\0", 1, 300, (b"x" * 65536,), ()),
        (b"\0", 1, 300, ()),
    ],
)
def test_rrsets_that_could_not_stand_in_a_message_are_refused(rrset: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=r"name|rdata|fields"):
        Answer(b"\0", 1, 1, 0, [rrset], [], [], [], 0.0)  # type: ignore[list-item]


def test_the_query_of_the_door_is_what_dnspython_understands_by_it() -> None:
    query = dns.message.from_wire(build_query(from_text(OWNER), 28, 4711, True, False))
    assert query.id == 4711
    assert query.flags == 0
    assert (query.edns, query.payload, query.ednsflags) == (0, 1232, dns.flags.DO)
    assert query.question[0].to_text() == f"{OWNER} IN AAAA"
    plain = build_query(from_text(OWNER), 28, 4711, False, False)
    assert dns.message.from_wire(plain).edns == -1


@pytest.mark.parametrize(("edns", "size"), [(4, -1), (5, 0)])
def test_forwarders_are_asked_with_rd(edns: int, size: int) -> None:
    query = dns.message.from_wire(build_query(from_text(OWNER), 1, 4711, edns, False))
    assert query.flags & dns.flags.RD
    assert query.edns == size


def test_letter_case_is_random_and_nothing_else_is() -> None:
    name = from_text("abcdefghijklmnopqrstuvwxyz.example.")
    queries = {build_query(name, 1, 1, True, True) for _ in range(20)}
    assert len(queries) > 15
    assert {query.lower() for query in queries} == {build_query(name, 1, 1, True, False).lower()}
