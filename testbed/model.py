"""A simulated country as data: zones, servers, delegations, and the questions worth asking.

Home is the
user-assigned country ``XA``; ``XB`` to ``XE`` lie abroad. Who serves a world is a matter of the
backends (``loopback.py``, ``netns.py``); what the right answers are, of ``truth.py``.

Limitations: IPv4 name servers only, no signatures yet, no routing below the country.
"""

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Final

from testbed.zones import Zone, ancestors, parent

HOME: Final = "XA"
ABROAD: Final = ("XB", "XC", "XD", "XE")
COUNTRIES: Final = (HOME, *ABROAD)
DEFAULT_SEED: Final = 1


class AddressPlan(Enum):
    """Which prefixes the countries of a world live in."""

    LOOPBACK = "loopback"
    NETNS = "netns"

    def prefix(self, country: str) -> str:
        """The prefix of a country."""
        at = COUNTRIES.index(country)
        if self is AddressPlan.LOOPBACK:
            return f"127.{11 + at}.0.0/16"
        return "11.0.0.0/8" if country == HOME else f"12.{at}.0.0/16"

    def address(self, country: str, high: int, low: int) -> str:
        """An address of a country from its last two octets."""
        first, second, *_ = self.prefix(country).split(".")
        return f"{first}.{second}.{high}.{low}"


class Fault(Enum):
    """How a server behaves, other than well."""

    NONE = "none"
    SLOW = "slow"  # 300 to 900 ms
    NO_EDNS = "no_edns"  # FORMERR to any question with an OPT record
    CASE = "case"  # puts the question's name into lower case (breaks 0x20)
    DEAD = "dead"  # silent
    REFUSED = "refused"
    SERVFAIL = "servfail"
    UPWARD = "upward"  # refers to the root
    NON_AUTHORITATIVE = "non_authoritative"  # answers from a cache it should not have: AA clear

    @property
    def serves(self) -> bool:
        """Whether a resolver that keeps to the standards gets the zone's data from it."""
        return self in _SERVING


_SERVING: Final = frozenset({Fault.NONE, Fault.SLOW, Fault.NO_EDNS, Fault.CASE})


@dataclass(slots=True)
class Server:
    """One address at which a name server stands."""

    address: str
    country: str
    fault: Fault
    latency: float  # seconds from question to reply
    zones: set[str] = field(default_factory=set)  # configured on it
    delegated: set[str] = field(default_factory=set)  # named for it by parent or child

    @property
    def domestic(self) -> bool:
        """Whether it stands at home."""
        return self.country == HOME

    def role(self, qname: str, rtype: str) -> str:
        """The zone in whose role it is asked: the deepest delegated to it above the name."""
        above = ancestors(parent(qname) if rtype == "DS" and qname != "." else qname)
        return next((name for name in above if name in self.delegated), "")


NameServer = tuple[str, str]
"""A name server's name and address."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """Who serves a zone, as its parent tells it and as the zone itself does."""

    zone: str
    parent: str
    parent_set: tuple[NameServer, ...]
    child_set: tuple[NameServer, ...]

    def all(self) -> tuple[NameServer, ...]:
        """Both sets, the parent's first."""
        return tuple(dict.fromkeys((*self.parent_set, *self.child_set)))


@dataclass(frozen=True, slots=True)
class Question:
    """A question with a known answer; ``tag`` says what it tries."""

    name: str
    rtype: str
    tag: str


@dataclass
class World:
    """Topology, zones and servers; the truth about them is in ``testbed.truth``."""

    name: str
    seed: int
    plan: AddressPlan
    zones: dict[str, Zone]
    servers: dict[str, Server]
    delegations: dict[str, Delegation]
    questions: list[Question]

    @cached_property
    def networks(self) -> dict[str, IPv4Network]:
        """Prefix of each country."""
        return {country: IPv4Network(self.plan.prefix(country)) for country in COUNTRIES}

    def country_of(self, address: str) -> str | None:
        """The country of any address in the world; ``None`` outside it."""
        given = ip_address(address)
        return next((code for code, net in self.networks.items() if given in net), None)

    def zone_of(self, name: str, rtype: str) -> Zone:
        """The zone that holds a name; DS stands in the parent (RFC 4035 section 3.1.4.1)."""
        start = parent(name) if rtype == "DS" and name in self.zones and name != "." else name
        return next(self.zones[above] for above in ancestors(start) if above in self.zones)

    def hints(self) -> str:
        """The root hints file (RFC 9609 section 2)."""
        lines = []
        for name, address in self.delegations["."].parent_set:
            lines += [f". 3600000 IN NS {name}", f"{name} 3600000 IN A {address}"]
        return "\n".join(lines) + "\n"

    @property
    def domestic_prefixes(self) -> list[str]:
        """Prefixes at home."""
        return [str(ip_network(self.plan.prefix(HOME)))]

    @property
    def foreign_prefixes(self) -> list[dict[str, str]]:
        """Prefixes abroad with their countries."""
        return [{"prefix": self.plan.prefix(code), "country": code} for code in ABROAD]


@dataclass(frozen=True, slots=True)
class Spec:
    """The size of a named world."""

    name: str
    repeats: int  # how often each kind of zone occurs
    chains: int  # aliases that cross the border
    about: str


SPECS: Final = {
    spec.name: spec
    for spec in (
        Spec("small", 1, 8, "each kind of zone once: for tests"),
        Spec("country", 7, 60, "more than 200 zones: what make run shows"),
        Spec("large", 40, 400, "more than 1,000 zones: for load"),
    )
}
