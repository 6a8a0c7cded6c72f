"""The native reader against dnspython on messages that chance made, whole and damaged."""

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import hypothesis.strategies as st
from hypothesis import assume, given, settings

from resolver._native import parse_message
from resolver.errors import BadMessage
from tests.dnspython_view import View, of_native, of_wire

LABELS = st.sampled_from([b"a", b"B", b"www", b"Example", b"com", b"x" * 63, b"\0", b"\xff."])
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: dns.name.Name([*labels, b""]))
OCTETS = st.binary(min_size=1, max_size=40)


@st.composite
def rdatas(draw: st.DrawFn) -> dns.rdata.Rdata:
    """Rdata of the types that differ in how names stand in them."""
    rtype = draw(st.sampled_from([1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 47, 65280]))
    name = draw(NAMES).to_wire() or b"\0"
    fixed = {
        1: st.binary(min_size=4, max_size=4),
        28: st.binary(min_size=16, max_size=16),
        6: NAMES.map(lambda other: name + (other.to_wire() or b"") + bytes(20)),
        15: st.binary(min_size=2, max_size=2).map(lambda head: head + name),
        33: st.binary(min_size=6, max_size=6).map(lambda head: head + name),
        16: OCTETS.map(lambda text: bytes([len(text)]) + text),
        47: st.just(name + b"\0\1\x40"),
        65280: OCTETS,
    }
    wire = draw(fixed.get(rtype, st.just(name)))
    return dns.rdata.from_wire(
        dns.rdataclass.IN, dns.rdatatype.RdataType.make(rtype), wire, 0, len(wire)
    )


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A response of dnspython with compression, a few records in each section."""
    query = dns.message.make_query(draw(NAMES), draw(st.sampled_from(["A", "ANY"])))
    message = dns.message.make_response(query)
    if draw(st.booleans()):
        message.use_edns(0, 0x8000 * draw(st.integers(0, 1)), draw(st.integers(512, 4096)))
    for section in (message.answer, message.authority, message.additional):
        for rdata in draw(st.lists(rdatas(), max_size=4)):
            ttl = draw(st.integers(0, 2**31 - 1))
            section.append(dns.rrset.from_rdata(draw(NAMES), ttl, rdata))
    return message.to_wire(max_size=65535)


def doubled_singletons(view: View) -> bool:
    """Two records where a type allows one: dnspython keeps the last, native keeps both."""
    return any(
        len(rdatas) > 1 and dns.rdatatype.is_singleton(dns.rdatatype.RdataType.make(rtype))
        for section in view.sections
        for (_, rtype), (_, rdatas, _) in section.items()
    )


@given(messages())
def test_whole_messages_are_read_alike(wire: bytes) -> None:
    view, expected = of_native(parse_message(wire)), of_wire(wire)
    assert expected
    assume(not doubled_singletons(view))
    assert view == expected


@settings(max_examples=200)
@given(messages(), st.data())
def test_damaged_messages_are_read_alike_or_refused(wire: bytes, data: st.DataObject) -> None:
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    octets = bytes(damaged[: cut if data.draw(st.booleans()) else len(damaged)])
    try:
        message = parse_message(octets)
    except BadMessage:
        return
    view, expected = of_native(message), of_wire(octets)
    if expected and not expected.truncated and not doubled_singletons(view):
        assert view == expected


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        message = parse_message(octets)
    except BadMessage:
        return
    assert len(message) == 8
