"""The builder of worlds: addresses, servers, hosters and delegations, from one seeded chance.

The infrastructure of a country stands here: root letters (one at home), the country's registry
with one server abroad, generic top-level domains abroad, and hosters at home and abroad, well and
ill. What kinds of zones are hung below it is in ``kinds.py``, what stands in them in
``content.py``.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.model import (
    ABROAD,
    COUNTRIES,
    HOME,
    AddressPlan,
    Delegation,
    Fault,
    NameServer,
    Question,
    Server,
    Spec,
    World,
)
from testbed.zones import Zone, is_subdomain, parent

TTL_CHOICES = ((0, 3), (5, 3), (60, 6), (300, 10), (3600, 50), (7200, 15), (86400, 13))
DELEGATION_TTL_CHOICES = ((300, 1), (3600, 3), (86400, 6))
HOSTS_PER_OCTET = 250  # host numbers 1 to 250 in each /24
CONTENT_OCTETS = range(200, 220)  # third octets for the addresses in answers


@dataclass(frozen=True, slots=True)
class Hoster:
    """A pair of name servers with names in a zone of their own."""

    zone: str
    country: str
    fault: Fault
    addresses: tuple[str, str]

    def named(self) -> tuple[NameServer, ...]:
        """Its servers under its own names."""
        return tuple(
            (f"ns{at}.{self.zone}", address) for at, address in enumerate(self.addresses, 1)
        )


def vanity(zone: str, servers: Sequence[NameServer]) -> tuple[NameServer, ...]:
    """The same addresses under names inside the zone, which need glue."""
    return tuple((f"ns{at}.{zone}", address) for at, (_, address) in enumerate(servers, 1))


class Builder:
    """Collects a world; every choice comes from one seeded source."""

    def __init__(self, spec: Spec, seed: int, plan: AddressPlan) -> None:
        self.spec = spec
        self.plan = plan
        self.rng = random.Random(f"{spec.name}:{seed}")
        self.world = World(spec.name, seed, plan, {}, {}, {}, [])
        self.hosters: dict[str, Hoster] = {}
        self._hosts = dict.fromkeys(COUNTRIES, 0)

    def ttl(self) -> int:
        """A TTL: some 0, some short, most an hour or more."""
        values, weights = zip(*TTL_CHOICES, strict=True)
        return int(self.rng.choices(values, weights)[0])

    def content_address(self, country: str) -> str:
        """An address for the records of a zone; no server stands there."""
        return self.plan.address(
            country, self.rng.choice(CONTENT_OCTETS), self.rng.randint(1, HOSTS_PER_OCTET)
        )

    def server(self, country: str, fault: Fault = Fault.NONE) -> Server:
        """A new server at the next free address of a country."""
        number = self._hosts[country]
        self._hosts[country] += 1
        address = self.plan.address(
            country, number // HOSTS_PER_OCTET, number % HOSTS_PER_OCTET + 1
        )
        low, high = (1, 8) if country == HOME else (30, 250)
        if fault is Fault.SLOW:
            low, high = 300, 900
        server = Server(address, country, fault, self.rng.randint(low, high) / 1000)
        self.world.servers[address] = server
        return server

    def hoster(
        self, zone: str, country: str, fault: Fault = Fault.NONE, hosted_by: str | None = None
    ) -> Hoster:
        """A new pair of servers; their names' zone is their own or stands with another hoster."""
        first, second = self.server(country, fault), self.server(country, fault)
        hoster = Hoster(zone, country, fault, (first.address, second.address))
        self.hosters[zone] = hoster
        servers = self.hosters[hosted_by].named() if hosted_by else hoster.named()
        made = self.zone(zone, "hoster", servers)
        for name, address in hoster.named():
            made.add(name, "A", 86400, address)
        self.ask(f"ns1.{zone}", "A", "server_address")
        self.ask(f"ns1.{zone}", "AAAA", "nodata")
        self.ask(f"ns9.{zone}", "A", "nxdomain")
        return hoster

    def zone(
        self,
        name: str,
        kind: str,
        servers: Sequence[NameServer],
        child: Sequence[NameServer] | None = None,
        unconfigured: Sequence[NameServer] = (),
    ) -> Zone:
        """A new zone, delegated from the deepest zone above it.

        ``child`` is the zone's own NS set where it differs; ``unconfigured`` servers are named
        but know nothing of the zone.
        """
        world = self.world
        child = servers if child is None else child
        above = "" if name == "." else parent(name)
        while above and above not in world.zones:
            above = parent(above)
        zone = world.zones[name] = Zone(name, kind)
        suffix = "" if name == "." else name
        minimum = self.rng.choice((60, 300, 900))
        serial = 2026000000 + world.seed
        zone.add(
            name,
            "SOA",
            3600,
            f"{child[0][0]} hostmaster.{suffix} {serial} 7200 900 1209600 {minimum}",
        )
        values, weights = zip(*DELEGATION_TTL_CHOICES, strict=True)
        ttl = int(self.rng.choices(values, weights)[0])
        zone.add(name, "NS", ttl, *(ns for ns, _ in child))
        delegation = Delegation(name, above or ".", tuple(servers), tuple(child))
        world.delegations[name] = delegation
        for ns, address in delegation.all():
            server = world.servers[address]
            server.delegated.add(name)
            if (ns, address) not in unconfigured:
                server.zones.add(name)
            if is_subdomain(ns, name):
                zone.add(ns, "A", ttl, address)
        if above:
            cut = world.zones[above]
            cut.add(name, "NS", ttl, *(ns for ns, _ in servers))
            for ns, address in servers:
                if is_subdomain(ns, name):
                    cut.add(ns, "A", ttl, address)
        return zone

    def ask(self, name: str, rtype: str, tag: str) -> None:
        """Put a question on the list."""
        self.world.questions.append(Question(name, rtype, tag))

    def serves_nested(self, address: str, zone: str) -> bool:
        """Whether a server abroad has a zone above or below, which would blur its role."""
        server = self.world.servers[address]
        return not server.domestic and any(
            is_subdomain(zone, other) or is_subdomain(other, zone) for other in server.delegated
        )

    def well(self, country: str, zone: str, avoid: Sequence[str] = ()) -> Hoster:
        """A good hoster at home or abroad (``country`` ``"*"``) for a zone."""
        fits = [
            hoster
            for hoster in self.hosters.values()
            if hoster.fault is Fault.NONE
            and (hoster.country != HOME if country == "*" else hoster.country == country)
            and hoster.zone not in (zone, *avoid)
            and not any(self.serves_nested(address, zone) for address in hoster.addresses)
        ]
        return self.rng.choice(fits)

    def ill(self, fault: Fault, country: str = HOME) -> Hoster:
        """A hoster with a fault."""
        return next(h for h in self.hosters.values() if h.fault is fault and h.country == country)


def add_registries(builder: Builder) -> None:
    """The root, the country's registry, and the registries abroad."""

    def servers(stem: str, countries: Sequence[str]) -> list[NameServer]:
        return [
            (f"{letter}.{stem}", builder.server(country).address)
            for letter, country in zip("abcdefgh", countries, strict=False)
        ]

    builder.zone(".", "root", servers("root-servers.", ("XB", "XC", HOME, "XD", "XE")))
    builder.zone("xa.", "cctld", servers("dns.xa.", (HOME, HOME, "XB")))
    categories: list[tuple[str, Sequence[str]]] = [
        ("gov.xa.", (HOME, HOME)),
        ("co.xa.", (HOME, HOME, "XC")),
        ("ac.xa.", (HOME, HOME)),
        ("net.xa.", (HOME, HOME, "XD")),
    ]
    for name, countries in categories:
        builder.zone(name, "category", servers(f"dns.{name}", countries))
    abroad: list[tuple[str, Sequence[str]]] = [
        ("comx.", ("XB", "XC", "XD")),
        ("netx.", ("XB", "XD")),
        ("orgx.", ("XC", "XE")),
        *((f"{code.lower()}.", (code, code)) for code in ABROAD),
    ]
    for name, countries in abroad:
        builder.zone(name, "tld", servers(f"nic.{name}", countries))
    for name in builder.world.zones:
        suffix = "" if name == "." else name
        builder.ask(name, "SOA", "apex")
        builder.ask(name, "NS", "apex_ns")
        builder.ask(name, "TXT", "nodata")
        builder.ask(f"nosuch-{builder.rng.randint(100, 999)}.{suffix}", "A", "nxdomain")


def add_hosters(builder: Builder) -> None:
    """Hosters, well and ill; names at home and abroad, with and without glue."""
    builder.hoster("brightdns.xa.", HOME)
    builder.hoster("coopdns.xa.", HOME)
    builder.hoster("homedns.net.xa.", HOME)
    builder.hoster("bigdns.comx.", "XB")
    builder.hoster("clouddns.netx.", "XC")
    builder.hoster("worlddns.orgx.", "XD")
    builder.hoster("parkdns.xe.", "XE")
    # Names whose zone is served abroad, although the servers stand at home.
    builder.hoster("localdns.comx.", HOME, hosted_by="bigdns.comx.")
    # To find these, one has to find relaydns.netx first, and for that clouddns.netx.
    builder.hoster("relaydns.orgx.", "XC", hosted_by="clouddns.netx.")
    builder.hoster("nestdns.comx.", HOME, hosted_by="relaydns.orgx.")
    for fault in Fault:
        if fault is not Fault.NONE:
            label = fault.value.replace("_", "-")
            builder.hoster(f"{label}-dns.xa.", HOME, fault, hosted_by="brightdns.xa.")
    builder.hoster("dead-dns.netx.", "XD", Fault.DEAD, hosted_by="bigdns.comx.")
    builder.hoster("refused-dns.netx.", "XD", Fault.REFUSED, hosted_by="bigdns.comx.")
