"""What stands in the zones: ordinary records, special features by turns, and aliases between zones.

Each zone gets a positive, a NODATA and an NXDOMAIN question and those of its feature: wildcards
(RFC 4592), empty non-terminals, answers that need TCP, aliases, DNAME (RFC 6672).
"""

from collections.abc import Callable
from typing import Final

from testbed.build import Builder
from testbed.model import ABROAD, HOME
from testbed.zones import Zone

CHAIN_MAX: Final = 4  # aliases in the longest chain across zones
LARGE_STRINGS: Final = 12  # strings of 200 octets: over 1232 octets, so UDP truncates

Feature = Callable[[Builder, Zone], None]


def fill(builder: Builder, zone: Zone, country: str, number: int) -> None:
    """Give a zone its records and questions; ``number`` picks the feature by turns."""
    name = zone.name
    zone.add(name, "A", builder.ttl(), builder.content_address(country))
    zone.add(name, "MX", builder.ttl(), f"10 mail.{name}", f"20 mx2.{name}")
    zone.add(f"mail.{name}", "A", builder.ttl(), builder.content_address(country))
    zone.add(f"mx2.{name}", "A", builder.ttl(), builder.content_address(country))
    addresses = [builder.content_address(country) for _ in range(builder.rng.randint(1, 3))]
    zone.add(f"www.{name}", "A", builder.ttl(), *addresses)
    zone.add(f"www.{name}", "AAAA", builder.ttl(), f"2001:db8:{number + 1:x}::1")
    builder.ask(f"www.{name}", "A", "positive")
    builder.ask(f"www.{name}", "TXT", "nodata")
    builder.ask(f"nosuch.{name}", "A", "nxdomain")
    rtype = ("A", "MX", "SOA", "NS", "AAAA")[number % 5]
    builder.ask(name, rtype, "apex_ns" if rtype == "NS" else "apex")
    FEATURES[number % len(FEATURES)](builder, zone)


def _wildcard(builder: Builder, zone: Zone) -> None:
    zone.add(f"*.{zone.name}", "TXT", builder.ttl(), '"any"')
    builder.ask(f"thing{builder.rng.randint(1, 99)}.{zone.name}", "TXT", "wildcard")
    builder.ask(f"a.b.c.{zone.name}", "TXT", "wildcard")
    builder.ask(f"thing.{zone.name}", "MX", "wildcard_nodata")
    # www exists, so the wildcard does not reach below it (RFC 4592 section 2.2.1).
    builder.ask(f"below.www.{zone.name}", "TXT", "nxdomain")


def _wildcard_below_empty(builder: Builder, zone: Zone) -> None:
    address = builder.content_address(HOME)
    zone.add(f"*.deep.empty.{zone.name}", "A", builder.ttl(), address)
    builder.ask(f"some.deep.empty.{zone.name}", "A", "wildcard")
    builder.ask(f"more.some.deep.empty.{zone.name}", "A", "wildcard")
    builder.ask(f"deep.empty.{zone.name}", "A", "empty_non_terminal")
    builder.ask(f"empty.{zone.name}", "A", "empty_non_terminal")
    builder.ask(f"other.empty.{zone.name}", "A", "nxdomain")


def _empty_non_terminal(builder: Builder, zone: Zone) -> None:
    zone.add(f"_sip._tcp.{zone.name}", "SRV", builder.ttl(), f"5 10 5060 www.{zone.name}")
    builder.ask(f"_sip._tcp.{zone.name}", "SRV", "positive")
    builder.ask(f"_tcp.{zone.name}", "SRV", "empty_non_terminal")


def _large(builder: Builder, zone: Zone) -> None:
    strings = tuple(f'"{chr(97 + at) * 200}"' for at in range(LARGE_STRINGS))
    zone.add(f"large.{zone.name}", "TXT", builder.ttl(), *strings)
    builder.ask(f"large.{zone.name}", "TXT", "tcp")


def _local_aliases(builder: Builder, zone: Zone) -> None:
    zone.add(f"shop.{zone.name}", "CNAME", builder.ttl(), f"store.{zone.name}")
    zone.add(f"store.{zone.name}", "CNAME", builder.ttl(), f"www.{zone.name}")
    zone.add(f"gone.{zone.name}", "CNAME", builder.ttl(), f"missing.{zone.name}")
    builder.ask(f"shop.{zone.name}", "A", "alias")
    builder.ask(f"shop.{zone.name}", "MX", "alias_nodata")
    builder.ask(f"gone.{zone.name}", "A", "alias_nxdomain")
    builder.ask(f"store.{zone.name}", "CNAME", "positive")


def _local_dname(builder: Builder, zone: Zone) -> None:
    zone.add(f"x.new.{zone.name}", "A", builder.ttl(), builder.content_address(HOME))
    zone.add(f"old.{zone.name}", "DNAME", builder.ttl(), f"new.{zone.name}")
    builder.ask(f"x.old.{zone.name}", "A", "dname")
    builder.ask(f"y.old.{zone.name}", "A", "dname_nxdomain")
    builder.ask(f"old.{zone.name}", "DNAME", "positive")


def _wildcard_alias(builder: Builder, zone: Zone) -> None:
    zone.add(f"*.apps.{zone.name}", "CNAME", builder.ttl(), f"www.{zone.name}")
    builder.ask(f"one.apps.{zone.name}", "A", "wildcard_alias")
    builder.ask(f"two.apps.{zone.name}", "MX", "alias_nodata")
    builder.ask(f"apps.{zone.name}", "A", "empty_non_terminal")


FEATURES: Final[tuple[Feature, ...]] = (
    _wildcard,
    _large,
    _local_aliases,
    _empty_non_terminal,
    _local_dname,
    _wildcard_below_empty,
    _wildcard_alias,
)


def link_aliases(builder: Builder, chains: int) -> None:
    """Aliases of one to four steps that cross the border both ways, and DNAMEs across it."""
    world, rng = builder.world, builder.rng
    by_side: dict[bool, list[Zone]] = {True: [], False: []}
    for zone in world.zones.values():
        if f"www.{zone.name}" in zone.records:
            stands_at_home = any(
                world.servers[address].domestic
                for _, address in world.delegations[zone.name].parent_set
            )
            by_side[stands_at_home].append(zone)
    for number in range(chains):
        length = number % CHAIN_MAX + 1
        side = bool(number % 2)
        path = [rng.choice(by_side[side ^ bool(at % 2)]) for at in range(length + 1)]
        for at, zone in enumerate(path[:-1]):
            last = at == length - 1
            target = f"www.{path[-1].name}" if last else f"hop{number}-{at + 1}.{path[at + 1].name}"
            zone.add(f"hop{number}-{at}.{zone.name}", "CNAME", builder.ttl(), target)
        builder.ask(f"hop{number}-0.{path[0].name}", "A", "alias_across")
        if number % 3 == 0:
            builder.ask(f"hop{number}-0.{path[0].name}", "TXT", "alias_nodata")
        if number % 4 == 1:
            zone, target_zone = path[0], path[1]
            zone.add(f"moved{number}.{zone.name}", "DNAME", builder.ttl(), target_zone.name)
            builder.ask(f"www.moved{number}.{zone.name}", "A", "dname_across")
            builder.ask(f"nosuch.moved{number}.{zone.name}", "A", "dname_nxdomain")


def side_of(builder: Builder, number: int, home: bool) -> str:
    """The country of a zone's content: mostly where it is served, now and then elsewhere."""
    if number % 7 == 3:
        home = not home
    return HOME if home else builder.rng.choice(ABROAD)
