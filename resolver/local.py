"""Names that are never asked of anybody: special-use and locally served zones.

RFC 6761 (localhost, invalid, test), RFC 6762 (local), RFC 6303 and the IANA registry of locally
served zones (reverse zones of private and special addresses), RFC 7686 (onion), RFC 8375
(home.arpa), RFC 8880 (ipv4only.arpa), RFC 9462 (resolver.arpa), RFC 9476 (alt), RFC 9665
(service.arpa).

Limitations: ``example`` is asked as usual, as RFC 6761 section 6.5 wants of caching servers.
"""

from functools import cache
from ipaddress import ip_address
from typing import Final

from resolver.model import Question, Rcode, Result, RRset, Type
from resolver.names import Name, from_text, is_subdomain, label_count, suffix

TTL = 10_800  # the TTL that RFC 6303 section 3 uses
_REVERSE_V4 = (
    "0", "10", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255",
    *(f"{octet}.172" for octet in range(16, 32)), "168.192",
    *(f"{octet}.100" for octet in range(64, 128)),
)  # fmt: skip
_REVERSE_V6 = ("0." * 32, "1." + "0." * 31, "d.f.", "8.e.f.", "9.e.f.", "a.e.f.", "b.e.f.",
               "8.b.d.0.1.0.0.2.")  # fmt: skip
_EMPTY = ("test", "invalid", "local", "onion", "alt", "home.arpa", "resolver.arpa",
          "service.arpa")  # fmt: skip
_IPV4ONLY = from_text("ipv4only.arpa")
_LOCALHOST: Final = from_text("localhost")
_INTERNAL = from_text("internal")


@cache
def zones() -> frozenset[Name]:
    """Apexes of all locally served zones."""
    texts = [*(f"{part}.in-addr.arpa" for part in _REVERSE_V4),
             *(f"{part}ip6.arpa" for part in _REVERSE_V6), *_EMPTY,
             "170.0.0.192.in-addr.arpa", "171.0.0.192.in-addr.arpa"]  # fmt: skip
    return frozenset({*map(from_text, texts), _IPV4ONLY, _LOCALHOST})


_LABELS_MAX: Final = 34  # the longest apex is a whole ip6.arpa name


def zone_of(name: Name, known: frozenset[Name]) -> Name | None:
    """The zone of those ``known`` to be served locally that ``name`` is in, if any."""
    if not known:
        return None
    for count in range(1, min(label_count(name), _LABELS_MAX) + 1):
        if (apex := suffix(name, count)) in known:
            return apex
    return None


def answer(question: Question, known: frozenset[Name]) -> Result | None:
    """The local answer of the zones ``known``, or ``None`` when the name is to be asked for as
    usual. One that is not among :func:`zones` is empty."""
    apex = zone_of(question.name, known)
    if apex is None:
        return None
    if question.name == apex and question.rtype == Type.DS and apex in zones():
        return None  # it is its parent's; that of a zone of our own has none
    data = _data(question.name, apex)
    if data is None:
        return Result(Rcode.NXDOMAIN, authority=(soa(apex),))
    found = tuple(r for r in data if question.rtype in (r.rtype, Type.ANY))
    return Result(Rcode.NOERROR, found, () if found else (soa(apex),))


def is_private(zone: Name) -> bool:
    """Whether a zone is below a top-level domain that is for private use (``internal``, which ICANN
    has reserved), or in a locally served one."""
    return is_subdomain(zone, _INTERNAL) or zone_of(zone, zones()) is not None


def _data(name: Name, apex: Name) -> tuple[RRset, ...] | None:
    """All records at ``name``; ``None`` when it does not exist."""
    at_apex = _apex(apex) if name == apex else ()
    if apex == _LOCALHOST:
        # RFC 6761 section 6.3: every name below localhost is the loopback address too.
        return (*_addresses(name, "127.0.0.1", "::1"), *at_apex)
    if name == _IPV4ONLY:
        return (*_addresses(name, "192.0.0.170", "192.0.0.171"), *at_apex)
    if (target := _pointers().get(name)) is not None:
        return (RRset(name, Type.PTR, TTL, (bytes(target),)), *at_apex)
    if at_apex or any(is_subdomain(pointer, name) for pointer in _pointers()):
        return at_apex
    return None


@cache
def _pointers() -> dict[Name, Name]:
    return {
        from_text("1.0.0.127.in-addr.arpa"): _LOCALHOST,
        from_text("1." + "0." * 31 + "ip6.arpa"): _LOCALHOST,
        from_text("170.0.0.192.in-addr.arpa"): _IPV4ONLY,
        from_text("171.0.0.192.in-addr.arpa"): _IPV4ONLY,
    }


def _addresses(name: Name, *texts: str) -> tuple[RRset, ...]:
    by_type: dict[int, list[bytes]] = {}
    for text in texts:
        packed = ip_address(text).packed
        by_type.setdefault(Type.A if len(packed) == 4 else Type.AAAA, []).append(packed)
    return tuple(RRset(name, rtype, TTL, tuple(found)) for rtype, found in by_type.items())


def _apex(apex: Name) -> tuple[RRset, ...]:
    """SOA and NS of an empty zone as RFC 6303 section 3 gives them."""
    return soa(apex), RRset(apex, Type.NS, TTL, (bytes(apex),))


def soa(apex: Name, ttl: int = TTL) -> RRset:
    """The SOA of a locally served zone. ``ttl``: of its denials."""
    numbers = (1, 3600, 1200, 604_800, ttl)
    rdata = bytes(apex) + bytes(from_text("nobody.invalid"))
    rdata += b"".join(number.to_bytes(4, "big") for number in numbers)
    return RRset(apex, Type.SOA, ttl, (rdata,))
