"""What a reply means for the question that was asked of a zone's server.

RFC 1034 section 5.3.3, RFC 2308 section 2 (the shapes of negative answers), RFC 6672 (DNAME).
Expects a message that :mod:`resolver.scrub` has cut down to the zone. Upstream misbehaviour is a
value here, never an exception.

Limitations: a reply without AA but with RA comes from a cache that should not be asked and counts
as lame; without either it is taken, with a lower rank (home-made servers forget AA).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, NamedTuple

from resolver import limits
from resolver.model import Message, Question, Rcode, RRset, Type
from resolver.names import Name, from_wire, is_subdomain, replace_suffix


class Positive(NamedTuple):
    """Records of the type asked for, after ``chain`` (aliases within the zone, in order)."""

    chain: tuple[RRset, ...]
    records: tuple[RRset, ...]

    @property
    def told(self) -> str:
        """The meaning in one word."""
        return "positive"


class Alias(NamedTuple):
    """The chain leads to ``target``, which must be asked for elsewhere or again."""

    chain: tuple[RRset, ...]
    target: Name

    @property
    def told(self) -> str:
        """The meaning in one word."""
        return "alias"


class Negative(NamedTuple):
    """NODATA or NXDOMAIN for ``name`` (the end of ``chain``). ``soa`` is ``None`` when the reply
    had none: then it is not cached (RFC 2308 section 5)."""

    chain: tuple[RRset, ...]
    name: Name
    nxdomain: bool
    soa: RRset | None
    proofs: tuple[RRset, ...]
    above: bool = False  # it is a name above that was found not to exist (RFC 8020)

    @property
    def told(self) -> str:
        """The meaning in one word."""
        return "nxdomain" if self.nxdomain else "nodata"


class Referral(NamedTuple):
    """A cut strictly below the zone asked, at or above the name."""

    ns: RRset
    ds: RRset | None

    @property
    def told(self) -> str:
        """The meaning in one word."""
        return "referral"


@dataclass(frozen=True, slots=True)
class Lame:
    """The server does not serve the zone."""

    told: Literal["lame", "upward", "refused"]


@dataclass(frozen=True, slots=True)
class Broken:
    """The server cannot answer this question: its rcode in words, or what is wrong."""

    told: str


@dataclass(frozen=True, slots=True)
class TooLong:
    """A DNAME whose target would be over 255 octets: YXDOMAIN (RFC 6672 section 2.2)."""

    chain: tuple[RRset, ...]

    @property
    def told(self) -> str:
        """The meaning in one word."""
        return "toolong"


_Section = tuple[RRset, ...]
_new_positive: Final[Callable[[tuple[_Section, _Section]], Positive]] = partial(
    tuple.__new__, Positive
)
_new_referral: Final[Callable[[tuple[RRset, RRset | None]], Referral]] = partial(
    tuple.__new__, Referral
)

Meaning = Positive | Alias | Negative | TooLong | Referral | Lame | Broken

_SOUND: Final = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN})
_NOTHING: Final[tuple[RRset, ...]] = ()
_RCODES: dict[int, str] = {
    Rcode.FORMERR: "formerr",
    Rcode.SERVFAIL: "servfail",
    Rcode.NOTIMP: "notimp",
    Rcode.BADVERS: "badvers",
}
YXDOMAIN: Final = 6


def classify(
    message: Message,
    zone: Name,
    question: Question,
    ttl_negative_max: int = limits.NEGATIVE_SECONDS_MAX,
) -> Meaning:
    """The meaning of a scrubbed reply from a server of ``zone``."""
    if message.rcode not in _SOUND:
        return _refusal(message)
    chain, name, records = _NOTHING, question.name, _NOTHING
    if message.answer:
        chain, name = _chain(message.answer, question)
        if any(link.name == name for link in chain):
            return Alias(chain, name)  # a loop; the resolution sees it and ends
        records = _records(message.answer, name, question.rtype)
    if (chain or records or message.rcode == Rcode.NXDOMAIN) and _from_cache(message):
        return Lame("lame")
    if records:
        return _new_positive((chain, records))
    if not chain and (referral := _referral(message, zone, question.name)):
        return referral
    negative = _negative(message, zone, chain, name, ttl_negative_max)
    if chain and (not isinstance(negative, Negative) or negative.soa is None):
        return Alias(chain, name)
    return negative


def _refusal(message: Message) -> Meaning:
    """What an rcode other than NOERROR and NXDOMAIN means."""
    rcode = message.rcode
    if rcode == Rcode.REFUSED:
        return Lame("refused")
    if rcode == YXDOMAIN and message.answer and message.answer[0].rtype == Type.DNAME:
        return TooLong(message.answer[:1])
    return Broken(_RCODES.get(rcode, f"rcode{rcode}"))


def _chain(answer: tuple[RRset, ...], question: Question) -> tuple[tuple[RRset, ...], Name]:
    """Aliases from the question's name onward, and the name where they end."""
    name = question.name
    if question.rtype in (Type.CNAME, Type.ANY):
        return (), name
    chain: list[RRset] = []
    for _ in range(limits.ALIASES_MAX):
        link = _alias_at(answer, name, question.rtype)
        if link is None:
            break
        found, target = link
        if target is None:
            break
        chain.extend(found)
        name = target
        if any(link.name == name for link in chain):
            break
    return tuple(chain), name


def _alias_at(
    answer: tuple[RRset, ...], name: Name, rtype: int
) -> tuple[tuple[RRset, ...], Name | None] | None:
    for rrset in answer:
        if rrset.rtype == rtype and rrset.name == name:
            return None
    for rrset in answer:
        if rrset.rtype == Type.DNAME and rrset.name != name and is_subdomain(name, rrset.name):
            cname = synthesise(rrset, name)
            return ((rrset, cname), from_wire(cname.rdatas[0])) if cname else ((), None)
    for rrset in answer:
        if rrset.rtype == Type.CNAME and rrset.name == name:
            return (rrset,), from_wire(rrset.rdatas[0])
    return None


def synthesise(dname: RRset, name: Name) -> RRset | None:
    """The CNAME that a DNAME stands for at ``name`` (RFC 6672 section 3.1), with its TTL.

    ``None`` when the target would be over 255 octets (YXDOMAIN).
    """
    target = replace_suffix(name, dname.name, Name(dname.rdatas[0]))
    if target is None:
        return None
    return RRset(name, Type.CNAME, dname.ttl, (bytes(target),))


def _records(answer: tuple[RRset, ...], name: Name, rtype: int) -> tuple[RRset, ...]:
    if rtype == Type.ANY:
        return tuple([rrset for rrset in answer if rrset.name == name])
    return tuple([rrset for rrset in answer if rrset.rtype == rtype and rrset.name == name])


def _referral(message: Message, zone: Name, name: Name) -> Referral | Lame | None:
    if message.rcode != Rcode.NOERROR or Type.SOA in [r.rtype for r in message.authority]:
        return None
    below = [
        rrset
        for rrset in message.authority
        if rrset.rtype == Type.NS and rrset.name != zone and is_subdomain(name, rrset.name)
    ]
    if len(below) != 1:
        return None
    ns = below[0]
    ds = [r for r in message.authority if r.rtype == Type.DS and r.name == ns.name]
    return _new_referral((ns, ds[0] if ds else None))


def _from_cache(message: Message) -> bool:
    return message.recursive and not message.authoritative


def _negative(
    message: Message,
    zone: Name,
    chain: tuple[RRset, ...],
    name: Name,
    ttl_negative_max: int,
) -> Negative | Lame:
    nxdomain = message.rcode == Rcode.NXDOMAIN
    for soa in message.authority:
        if soa.rtype == Type.SOA and is_subdomain(name, soa.name):
            if _from_cache(message):
                return Lame("lame")
            capped = soa._replace(ttl=min(negative_ttl(soa), ttl_negative_max))
            proofs = tuple(r for r in message.authority if r.rtype in (Type.NSEC, Type.NSEC3))
            return Negative(chain, name, nxdomain, capped, proofs)
    if not message.authoritative and not nxdomain:
        upward = any(r.rtype == Type.NS and r.name == zone for r in message.authority)
        return Lame("upward" if upward else "lame")
    return Negative(chain, name, nxdomain, None, ())


def negative_ttl(soa: RRset) -> int:
    """Least of the SOA's TTL and its MINIMUM field (RFC 2308 section 5)."""
    return min(soa.ttl, int.from_bytes(soa.rdatas[0][-4:], "big"))
