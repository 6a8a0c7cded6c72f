"""What a server says of itself, asked on demand: ``id.server``, ``hostname.bind``, and NSID.

RFC 4892 (TXT in class CH), RFC 5001 (NSID; asked for with each question, and once more with an
ordinary one, since some servers give it in class IN only). Questions go through the door with
purpose ``verification``. What is said is shown as a claim and proves nothing: round trips of
these questions are not heard by the proofs.

Limitations: over UDP only; a truncated reply is used as far as it goes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import trio

from policy.identities import knowledge
from policy.identity import decode, letter_of
from policy.proof import readable
from resolver import limits, limits_servers
from resolver.mirrors.wire import Wire
from resolver.model import Address, Books, Exchange, Label, Question, Transport, Type, Verdict
from resolver.names import ROOT, from_text

_CH = dns.rdataclass.CH
_ASKED = (
    ("id.server.", dns.rdatatype.TXT, _CH),
    ("hostname.bind.", dns.rdatatype.TXT, _CH),
    (".", dns.rdatatype.SOA, dns.rdataclass.IN),
)
TRIES = 2
"""Of each question: a datagram may be lost."""


class Said(NamedTuple):
    """What came of one question. ``rtt``: seconds of the last try; identities are octets."""

    asked: str
    outcome: str
    text: bytes | None
    nsid: bytes | None
    rtt: float


async def identify(
    wire: Wire, address: Address, label: Label, tier: int
) -> tuple[list[Said], Books]:
    """Ask a server who it is; what it said, and what that cost. Takes some seconds at most."""
    books = Books()
    said = []
    for name, rtype, rclass in _ASKED:
        for _ in range(TRIES):
            found = await _ask(wire, address, label, (name, rtype, rclass))
            _book(books, found, Question(from_text(name), int(rtype)), address, label, tier)
            if found.outcome != "timeout":
                break
        said.append(found)
    return said, books


async def _ask(
    wire: Wire,
    address: Address,
    label: Label,
    asked: tuple[str, dns.rdatatype.RdataType, dns.rdataclass.RdataClass],
) -> Said:
    name, rtype, rclass = asked
    options: list[dns.edns.Option] = [dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")]
    query = dns.message.make_query(
        name, rtype, rclass, use_edns=0, payload=limits.UDP_PAYLOAD_MAX, options=options, flags=0
    )
    outcome = await wire.ask(address, query.to_wire(), label, limits_servers.EXCHANGE_SECONDS)
    words = f"{name} {dns.rdatatype.to_text(rtype)} {dns.rdataclass.to_text(rclass)}"
    if outcome.octets is None:
        assert outcome.failure is not None
        return Said(words, outcome.failure.value, None, None, outcome.rtt)
    try:
        reply = dns.message.from_wire(outcome.octets, ignore_trailing=True)
    except dns.exception.DNSException:
        return Said(words, "malformed", None, None, outcome.rtt)
    text = _text(reply) if rclass == _CH else None
    told = dns.rcode.to_text(reply.rcode()).lower()
    return Said(words, "answer" if text is not None else told, text, _nsid(reply), outcome.rtt)


def _text(reply: dns.message.Message) -> bytes | None:
    for rrset in reply.answer:
        if rrset.rdtype == dns.rdatatype.TXT:
            return b"".join(rrset[0].strings)[: limits.IDENTITY_OCTETS_MAX]
    return None


def _nsid(reply: dns.message.Message) -> bytes | None:
    for option in reply.options:
        if option.otype == dns.edns.OptionType.NSID:
            return bytes(option.to_wire() or b"")[: limits.IDENTITY_OCTETS_MAX]
    return None


def _book(
    books: Books, said: Said, question: Question, address: Address, label: Label, tier: int
) -> None:
    if said.outcome == "not_sent":
        return
    books.exchanges += 1
    if label.verdict is not Verdict.DOMESTIC:
        books.abroad += 1
        books.reason = label.reason
    books.trail.append(
        Exchange(ROOT, None, address, question, Transport.UDP, label, tier, said.outcome, said.rtt)
    )


async def shown(address: Address, said: Sequence[Said]) -> list[dict[str, Any]]:
    """As plain values, with what each identity claims where it can be read."""
    known = None
    if letter_of(address) is not None:
        known = await trio.to_thread.run_sync(knowledge)  # the first time takes half a second
    rows = []
    for one in said:
        row: dict[str, Any] = {
            "asked": one.asked,
            "outcome": one.outcome,
            "text": readable(one.text) if one.text is not None else None,
            "nsid": readable(one.nsid) if one.nsid is not None else None,
            "rtt_ms": round(one.rtt * 1000, 3),
            "claims": None,
        }
        for identity in (one.text, one.nsid):
            site = decode(address, identity, known) if known and identity else None
            if site is not None:
                row["claims"] = f"{site.town or 'unknown town'}, {site.country} ({site.how})"
        rows.append(row)
    return rows


BOOKED = Question(from_text("id.server"), Type.TXT)
"""What a question on demand is booked as."""
