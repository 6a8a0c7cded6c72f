"""The zone ``example.xa.`` of the tests of native's plans: sound replies, and bent ones.

Scripts for :class:`tests.unit.upstreams.Upstream`, written with dnspython: a codec that is not
ours.
"""

from collections.abc import Callable, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Bend = Callable[[dns.message.Message], None]
WWW = "www.example.xa."
APEX = "example.xa."
SOA = f"{APEX} 900 IN SOA ns1.{APEX} host.{APEX} 1 2 3 4 300"


def records(*lines: str) -> list[dns.rrset.RRset]:
    """RRsets from ``owner TTL class type rdata`` each."""
    found = []
    for line in lines:
        owner, ttl, rclass, rtype, rdata = line.split(maxsplit=4)
        found.append(dns.rrset.from_text(owner, int(ttl), rclass, rtype, rdata))
    return found


def sound(query: bytes) -> dns.message.Message:
    """The right reply: A and TXT at www and ns, another A at other.xa, SOA; no other name."""
    asked = dns.message.from_wire(query)
    reply = dns.message.make_response(asked)
    reply.flags |= dns.flags.AA
    reply.flags &= ~dns.flags.RA
    question = asked.question[0]
    at = question.name.to_text().lower()
    rtype = dns.rdatatype.to_text(question.rdtype)
    known = {
        (WWW, "A"): f"{WWW} 300 IN A 192.0.2.1",
        (WWW, "TXT"): f'{WWW} 300 IN TXT "some text"',
        (f"zero.{APEX}", "A"): f"zero.{APEX} 0 IN A 192.0.2.1",
        (APEX, "SOA"): SOA,
        (f"inner.{APEX}", "A"): f"inner.{APEX} 300 IN A 192.0.2.2",
        ("www.other.xa.", "A"): "www.other.xa. 300 IN A 192.0.2.9",
    }
    if (at, rtype) in known:
        reply.answer = records(known[at, rtype])
    else:
        reply.authority = records(SOA)
        if not any(owner == at or owner.endswith("." + at) for owner, _ in known):
            reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


def script(bend: Bend | None) -> Callable[[bytes], Sequence[bytes]]:
    """Sound replies, the first of them bent."""
    count = iter(range(10**9))

    def reply(query: bytes) -> list[bytes]:
        made = sound(query)
        if bend is not None and next(count) == 0:
            bend(made)
        return [made.to_wire(max_size=65535)]

    return reply


def tcp(query: bytes) -> list[bytes]:
    return [sound(query).to_wire()]


def ask(text: str = WWW, rtype: str = "A", **how: bool) -> dns.message.QueryMessage:
    return dns.message.make_query(text, rtype, use_edns=0, want_dnssec=how.get("do", False))


def no_soa(reply: dns.message.Message) -> None:
    nothing(reply)
    reply.set_rcode(dns.rcode.NXDOMAIN)


def nothing(reply: dns.message.Message) -> None:
    reply.answer, reply.authority = [], []


def foreign_soa(reply: dns.message.Message) -> None:
    no_soa(reply)
    reply.authority = records("other.xa. 900 IN SOA ns. host. 1 2 3 4 300")


def two_soas(reply: dns.message.Message) -> None:
    no_soa(reply)
    reply.authority = records(SOA, "xa. 900 IN SOA ns. host. 1 2 3 4 300")


def with_answer(*lines: str) -> Bend:
    def bend(reply: dns.message.Message) -> None:
        reply.answer, reply.authority = records(*lines), []

    return bend


def with_authority(*lines: str) -> Bend:
    def bend(reply: dns.message.Message) -> None:
        reply.authority += records(*lines)

    return bend


def referral(reply: dns.message.Message) -> None:
    nothing(reply)
    reply.flags &= ~dns.flags.AA
    reply.authority = records(f"{WWW} 300 IN NS ns.{WWW}")
    reply.additional = records(f"ns.{WWW} 300 IN A 127.0.0.1")


def lame(reply: dns.message.Message) -> None:
    reply.flags &= ~dns.flags.AA
    reply.flags |= dns.flags.RA


def home_made(reply: dns.message.Message) -> None:
    reply.flags &= ~dns.flags.AA


def truncated(reply: dns.message.Message) -> None:
    reply.flags |= dns.flags.TC


def failed(rcode: dns.rcode.Rcode) -> Bend:
    def bend(reply: dns.message.Message) -> None:
        nothing(reply)
        reply.set_rcode(rcode)

    return bend
