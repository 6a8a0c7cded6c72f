"""Clients of a simulated country: ask a resolver many questions and compare with the truth.

A bounded number of lookups is under way at once. A client behaves like a stub resolver: it waits,
asks again twice, and repeats over TCP what came truncated (RFC 1035 section 4.2.1).

Limitations: the answer section and the RCODE are compared; authority and TTLs are not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import trio

from testbed.model import Question
from testbed.truth import Expected
from testbed.zones import SERVFAIL

UNDER_WAY: Final = 32
TRIES: Final = 3  # the first and two retries, as stub resolvers do
TRY_SECONDS: Final = 5.0  # the usual time-out of a stub resolver
TCP_EVERY: Final = 12  # one lookup in so many uses TCP from the start

Asked = tuple[Question, Expected]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back for one question, and whether it is the truth."""

    question: Question
    rcode: int | None  # None: no reply at all
    wrong: str  # "" when the reply is right, else what is wrong with it


async def ask_all(
    resolver: tuple[str, int], questions: Sequence[Asked], done: Callable[[Heard], None]
) -> None:
    """Ask all, :data:`UNDER_WAY` at a time; ``done`` is called after each."""
    waiting = iter(enumerate(questions))

    async def client() -> None:
        for number, (question, expected) in waiting:
            over_tcp = number % TCP_EVERY == TCP_EVERY - 1
            done(await _ask(resolver, question, expected, over_tcp))

    async with trio.open_nursery() as nursery:
        for _ in islice(questions, UNDER_WAY):
            nursery.start_soon(client)


async def _ask(
    resolver: tuple[str, int], question: Question, expected: Expected, over_tcp: bool
) -> Heard:
    host, port = resolver
    query = dns.message.make_query(question.name, question.rtype, use_edns=0, payload=1232)
    backend = dns.asyncbackend.get_backend("trio")
    why = "no reply"
    for _ in range(TRIES):
        try:
            if over_tcp:
                reply = await dns.asyncquery.tcp(query, host, TRY_SECONDS, port, backend=backend)
            else:
                reply, _ = await dns.asyncquery.udp_with_fallback(
                    query, host, TRY_SECONDS, port, backend=backend
                )
        except dns.exception.Timeout:
            continue
        except (dns.exception.DNSException, OSError, EOFError) as error:
            why = f"no usable reply: {error}"
            continue
        return Heard(question, reply.rcode(), compare(reply, expected))
    return Heard(question, None, why)


def compare(reply: dns.message.Message, expected: Expected) -> str:
    """What is wrong with a reply, in words; ``""`` when nothing is."""
    if reply.rcode() != expected.rcode:
        got, right = (
            dns.rcode.to_text(dns.rcode.Rcode(r)) for r in (reply.rcode(), expected.rcode)
        )
        return f"{got} instead of {right}"
    if expected.rcode == SERVFAIL:
        return ""
    wanted = {
        (dns.name.from_text(rrset.name), dns.rdata.from_text("IN", rrset.rtype, text))
        for rrset in expected.answer
        for text in rrset.rdatas
    }
    given = {
        (rrset.name, rdata)
        for rrset in reply.answer
        if rrset.rdtype != dns.rdatatype.RRSIG
        for rdata in rrset
    }
    missing, surplus = len(wanted - given), len(given - wanted)
    return f"{missing} records missing, {surplus} too many" if missing or surplus else ""
