"""Response policy zones from text, and what they say of questions and results."""

from collections.abc import Sequence
from typing import Any

from policy.decision import Action, Asked, Decision, Facts, ServerFact
from policy.rpz import PolicyZones
from policy.rpz_client import client_classes
from policy.rpz_table import compile_zone, read_file
from policy.rpz_zone import PolicyZone, Terms
from resolver.model import (
    Address,
    Rcode,
    RRset,
    Security,
    Type,
    Verdict,
    address_from_text,
    address_text,
)
from resolver.names import Name, from_text, to_text

HEAD = "$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\n"


def zone(text: str, called: str = "one", **terms: Any) -> PolicyZone:
    """A zone with these lines. ``terms``: of the operator."""
    apex = from_text(f"{called}.rpz.test")
    _, data, _, _ = read_file(apex, (HEAD + text).encode(), 10_000)
    return PolicyZone(Terms(called, apex, **terms), compile_zone(apex, 1, data).content)


def book(*zones: PolicyZone) -> PolicyZones:
    """The rulebook of these zones."""
    return PolicyZones(zones, client_classes([one.content.clients for one in zones]))


def asked(
    name: str, rtype: int = Type.A, client: str = "", zones: Sequence[PolicyZone] = ()
) -> Asked:
    """A question. ``client``: its address."""
    number = 0
    if client:
        classes = client_classes([one.content.clients for one in zones])
        packed = address_from_text(client)
        best = -1
        for prefix, of in classes.prefixes:
            shift = 8 * len(packed) - prefix.bits
            same = len(prefix.address) == len(packed) and (
                int.from_bytes(packed) >> shift == int.from_bytes(prefix.address) >> shift
            )
            if same and prefix.bits > best:
                best, number = prefix.bits, of
    return Asked(0, from_text(name), rtype, 1000.0, number)


def rrset(line: str) -> RRset:
    """``owner TYPE data`` of A, AAAA, CNAME."""
    owner, kind, data = line.split()
    rdata = bytes(from_text(data)) if kind == "CNAME" else bytes(address_from_text(data))
    return RRset(from_text(owner), Type[kind], 300, (rdata,))


def facts(answer: Sequence[str] = (), servers: Sequence[tuple[str, str, str]] = ()) -> Facts:
    """A result. ``servers``: (zone, name, address)."""
    records = tuple(rrset(line) for line in answer)
    addresses = [
        rdata for one in records if one.rtype in (Type.A, Type.AAAA) for rdata in one.rdatas
    ]
    return Facts(
        Rcode.NOERROR,
        records,
        tuple((Address(one), "none") for one in addresses),
        tuple(
            ServerFact(from_text(cut), from_text(name), _address(address), Verdict.UNKNOWN, "none")
            for cut, name, address in servers
        ),
        Security.INDETERMINATE,
    )  # fmt: skip


def _address(text: str) -> Address | None:
    return address_from_text(text) if text else None


def address_text_of(packed: bytes) -> str:
    """Text of packed octets."""
    return address_text(Address(packed))


def final(zones: PolicyZones, question: Asked, found: Facts) -> Decision:
    """The word of the zones in the end, and that they never change it."""
    first = zones.on_question(question)
    last = zones.on_answer(question, found)
    if first.action is not Action.NONE:
        assert not first.waits
        assert last == first
    return last


def said(decision: Decision) -> str:
    """A decision in one line: action, zone and trigger, records."""
    words = [decision.action.value]
    if decision.rule:
        words.append(decision.rule.removeprefix("rpz:"))
    for one in decision.records:
        for rdata in one.rdatas:
            words += [to_text(one.name), Type(one.rtype).name, shown(one.rtype, rdata)]
    return " ".join(words)


def shown(rtype: int, rdata: bytes) -> str:
    """Rdata in short."""
    if rtype == Type.CNAME:
        return to_text(Name(rdata))
    if rtype in (Type.A, Type.AAAA):
        return address_text_of(rdata)
    return rdata.hex()
