"""Servers that reply oddly to some questions, and always alike to the same one.

Each oddity bends a sound reply in one way that a resolver meets in the wild. Which questions meet
which one follows from a seed.
"""

from collections.abc import Callable
from zlib import crc32

from resolver.model import Ask, Failure, Message, Rcode, RRset, Transport, Type
from resolver.names import Name, parent
from tests.virtual_servers import Host, name, rrset

Bent = Message | Failure | None


def _over_udp(bend: Callable[[Message], Bent]) -> Callable[[Ask, Message], Bent]:
    return lambda ask, m: bend(m) if ask.transport is Transport.UDP else m


def _soaless(_: Ask, message: Message) -> Bent:
    return message._replace(authority=tuple(r for r in message.authority if r.rtype != Type.SOA))


def _foreign_soa(_: Ask, message: Message) -> Bent:
    return _soas(message, lambda soa: (soa._replace(name=name("elsewhere.example.")),))


def _lower_soa(ask: Ask, message: Message) -> Bent:
    return _soas(message, lambda soa: (soa._replace(name=Name(b"\1x" + ask.question.name)),))


def _two_soas(_: Ask, message: Message) -> Bent:
    return _soas(message, lambda soa: (soa, soa._replace(name=parent(soa.name))))


def _soas(message: Message, bend: Callable[[RRset], tuple[RRset, ...]]) -> Message:
    authority: list[RRset] = []
    for found in message.authority:
        authority += bend(found) if found.rtype == Type.SOA else (found,)
    return message._replace(authority=tuple(authority))


def _stranger(_: Ask, message: Message) -> Bent:
    extra = rrset("www.elsewhere.example. 300 A 12.3.4.5")
    return message._replace(answer=(*message.answer, extra))


def _elsewhere(ask: Ask, message: Message) -> Bent:
    alias = RRset(ask.question.name, Type.CNAME, 60, (bytes(name("www.elsewhere.example.")),))
    return message._replace(rcode=Rcode.NOERROR, answer=(alias,), authority=())


def _inside(ask: Ask, message: Message) -> Bent:
    target = Name(b"\5inner" + parent(ask.question.name))
    alias = RRset(ask.question.name, Type.CNAME, 60, (bytes(target),))
    found = RRset(target, Type.A, 60, (bytes((11, 9, 9, 9)),))
    return message._replace(rcode=Rcode.NOERROR, answer=(alias, found), authority=())


def _delegated(ask: Ask, message: Message) -> Bent:
    if ask.question.rtype == Type.DS:
        return message
    server = Name(b"\2ns" + ask.question.name)
    cut = RRset(ask.question.name, Type.NS, 60, (bytes(server),))
    glue = RRset(server, Type.A, 60, (bytes(ask.address),))
    return message._replace(
        rcode=Rcode.NOERROR,
        authoritative=False,
        answer=(),
        authority=(cut,),
        additional=(glue,),
    )


def _own_set(ask: Ask, message: Message) -> Bent:
    zone = next((r.name for r in message.authority if r.rtype == Type.SOA), None)
    if zone is None:
        return message
    server = Name(b"\6newest" + zone)
    ns = RRset(zone, Type.NS, 300, (bytes(server),))
    glue = RRset(server, Type.A, 300, (bytes(ask.address),))
    return message._replace(
        authority=(*message.authority, ns), additional=(*message.additional, glue)
    )


def _no_edns(ask: Ask, message: Message) -> Bent:
    return (
        message._replace(rcode=Rcode.FORMERR, answer=(), authority=(), edns=None)
        if (ask.edns)
        else message
    )


def _ttl(ttl: int) -> Callable[[Ask, Message], Bent]:
    def bend(_: Ask, message: Message) -> Bent:
        sections = (message.answer, message.authority)
        answer, authority = (tuple(r._replace(ttl=ttl) for r in s) for s in sections)
        return message._replace(answer=answer, authority=authority)

    return bend


def _with_rcode(rcode: int) -> Callable[[Ask, Message], Bent]:
    return lambda _, m: m._replace(rcode=rcode, answer=(), authority=())


ODDITIES: dict[str, Callable[[Ask, Message], Bent]] = {
    "truncated": _over_udp(lambda m: m._replace(truncated=True, answer=(), authority=())),
    "truncated, with records": _over_udp(lambda m: m._replace(truncated=True)),
    "wrong case": _over_udp(lambda _: Failure.CASE),
    "malformed": _over_udp(lambda _: Failure.MALFORMED),
    "unreachable": _over_udp(lambda _: Failure.UNREACHABLE),
    "not sent": _over_udp(lambda _: Failure.NOT_SENT),
    "silent": lambda _a, _m: None,
    "without a question": lambda _, m: m._replace(question=None),
    "not authoritative": lambda _, m: m._replace(authoritative=False),
    "from a cache": lambda _, m: m._replace(authoritative=False, recursive=True),
    "SERVFAIL": _with_rcode(Rcode.SERVFAIL),
    "REFUSED": _with_rcode(Rcode.REFUSED),
    "NOTIMP": _with_rcode(Rcode.NOTIMP),
    "NOTAUTH": _with_rcode(9),
    "no EDNS": _no_edns,
    "no SOA": _soaless,
    "SOA of another zone": _foreign_soa,
    "SOA below the name": _lower_soa,
    "two SOAs": _two_soas,
    "a stranger in the answer": _stranger,
    "alias out of the zone": _elsewhere,
    "alias within the zone": _inside,
    "referral": _delegated,
    "another NS set": _own_set,
    "TTL 0": _ttl(0),
    "TTL of years": _ttl(2**31 - 1),
    "empty": lambda _, m: m._replace(answer=(), authority=()),
    "NXDOMAIN with records": lambda _, m: m._replace(rcode=Rcode.NXDOMAIN),
}


class OddHost(Host):
    """A host whose replies are odd for one name in ``one_in``, each server in its own way."""

    def __init__(self, host: Host, seed: int, one_in: int) -> None:
        super().__init__([], host.latency)
        self._host = host
        self._seed = seed
        self._one_in = one_in
        self.met_planned: set[str] = set()
        self.planned = False

    def reply(self, ask: Ask) -> Message | Failure | None:
        """As the host, bent."""
        message = self._host.reply(ask)
        if not isinstance(message, Message):
            return message
        chance = crc32(self._seed.to_bytes(8) + ask.address + ask.question.name)
        if chance % self._one_in:
            return message
        kind = list(ODDITIES)[chance // self._one_in % len(ODDITIES)]
        if self.planned:
            self.met_planned.add(kind)
        return ODDITIES[kind](ask, message)
