"""Authoritative servers in memory: zones from a few lines of text, and hosts that misbehave."""

from collections.abc import Callable
from dataclasses import dataclass, field

from resolver.model import (
    Address,
    Ask,
    Edns,
    Failure,
    Message,
    Question,
    Rcode,
    RRset,
    Type,
    address_from_text,
)
from resolver.names import Name, ancestors, from_text, is_subdomain, parent, wildcard


def name(text: str) -> Name:
    """Shorthand."""
    return from_text(text)


def address(text: str) -> Address:
    """Shorthand."""
    return address_from_text(text)


def rrset(line: str) -> RRset:
    """``owner TTL TYPE value [value …]``; values of one RRset are separated by spaces."""
    owner, ttl, kind, *texts = line.split()
    rtype = Type[kind]
    if rtype in (Type.A, Type.AAAA):
        rdatas = tuple(bytes(address(v)) for v in texts)
    elif rtype in (Type.NS, Type.CNAME, Type.DNAME, Type.PTR):
        rdatas = tuple(bytes(name(v)) for v in texts)
    elif rtype is Type.SOA:
        numbers = b"".join(n.to_bytes(4, "big") for n in (1, 3600, 600, 86400, int(texts[0])))
        base = "" if owner == "." else owner
        rdatas = (bytes(name("ns." + base)) + bytes(name("host." + base)) + numbers,)
    else:
        rdatas = tuple(bytes([len(v)]) + v.encode() for v in texts)
    return RRset(name(owner), rtype, int(ttl), rdatas)


class Zone:
    """Authoritative data of one zone, answered as RFC 1034 section 4.3.2 says."""

    def __init__(self, apex: str, text: str) -> None:
        self.apex = name(apex)
        self.sets: dict[tuple[Name, int], RRset] = {}
        for line in filter(None, (raw.strip() for raw in text.splitlines())):
            found = rrset(line)
            self.sets[found.name, found.rtype] = found

    def answer(self, question: Question) -> Message:
        """The reply to a question for a name in this zone."""
        answer: list[RRset] = []
        at = question.name
        for _ in range(8):
            cut = self._cut(at, question.rtype)
            if cut is not None:
                return self._refer(cut, tuple(answer))
            exact = self.sets.get((at, question.rtype))
            if exact is not None:
                return self._reply(Rcode.NOERROR, (*answer, exact))
            alias = self._alias(at)
            if alias is None:
                break
            answer.extend(alias)
            at = Name(alias[-1].rdatas[0])
            if not is_subdomain(at, self.apex):
                return self._reply(Rcode.NOERROR, tuple(answer))
        star = self._star(at, question.rtype)
        if star is not None:
            return self._reply(Rcode.NOERROR, (*answer, star))
        rcode = Rcode.NOERROR if self._exists(at) else Rcode.NXDOMAIN
        soa = self.sets[self.apex, Type.SOA]
        return self._reply(rcode, tuple(answer), (soa,))

    def _cut(self, at: Name, rtype: int) -> RRset | None:
        for above in ancestors(at):
            if above == self.apex:
                return None
            ns = self.sets.get((above, Type.NS))
            if ns is not None and not (rtype == Type.DS and above == at):
                return ns
        return None

    def _alias(self, at: Name) -> tuple[RRset, ...] | None:
        cname = self.sets.get((at, Type.CNAME))
        if cname is not None:
            return (cname,)
        for above in ancestors(at):
            dname = self.sets.get((above, Type.DNAME))
            if dname is not None and above != at:
                target = at[: -len(above)] + dname.rdatas[0]
                return (dname, RRset(at, Type.CNAME, dname.ttl, (target,)))
        return None

    def _star(self, at: Name, rtype: int) -> RRset | None:
        if self._exists(at):
            return None
        above = parent(at)
        while not self._exists(above):
            above = parent(above)
        star = self.sets.get((wildcard(above), rtype))
        return None if star is None else star._replace(name=at)

    def _exists(self, at: Name) -> bool:
        return any(is_subdomain(owner, at) for owner, _ in self.sets)

    def _refer(self, ns: RRset, answer: tuple[RRset, ...]) -> Message:
        glue = [
            self.sets[Name(target), rtype]
            for target in ns.rdatas
            for rtype in (Type.A, Type.AAAA)
            if (Name(target), rtype) in self.sets
        ]
        return Message(Rcode.NOERROR, answer=answer, authority=(ns,), additional=tuple(glue))

    def _reply(
        self, rcode: int, answer: tuple[RRset, ...], authority: tuple[RRset, ...] = ()
    ) -> Message:
        return Message(rcode, True, answer=answer, authority=authority)


Behaviour = Callable[[Ask, Message], Message | Failure | None]
"""Bends a server's reply; ``None`` is silence."""


@dataclass
class Host:
    """A server: its zones, its latency, what is wrong with it."""

    zones: list[Zone] = field(default_factory=list)
    latency: float = 0.02
    up: bool = True
    behaviour: Behaviour | None = None

    def reply(self, ask: Ask) -> Message | Failure | None:
        """What comes back, before latency and loss."""
        zones = [z for z in self.zones if is_subdomain(ask.question.name, z.apex)]
        if ask.question.rtype == Type.DS and len(zones) > 1:
            zones = [z for z in zones if z.apex != ask.question.name]
        if zones:
            message = max(zones, key=lambda z: len(z.apex)).answer(ask.question)
        else:
            message = Message(Rcode.REFUSED)
        message = message._replace(question=ask.question)
        if ask.edns:
            message = message._replace(edns=Edns(1232, 0, True))
        return self.behaviour(ask, message) if self.behaviour else message
