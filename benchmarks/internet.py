"""A simulated Internet for load: root, four TLDs, hosting and customer zones, and two for misses.

``bulk.com`` has every name (a wildcard), ``flood.com`` has none. Three Knot DNS processes serve
all on loopback, one for each level, so that no server answers below its own. All is the same for
the same numbers.

Limitations: not signed yet, IPv4 servers only.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TLDS: Final = ("com", "net", "org", "in")
TTL: Final = 86400
ROOTS: Final = ("127.10.0.1", "127.10.0.2")
HOSTS: Final = 20
BULK: Final = ("127.10.3.1", "127.10.3.2")
FLOOD: Final = ("127.10.3.3", "127.10.3.4")
BULK_ZONE: Final = "bulk.com"
FLOOD_ZONE: Final = "flood.com"
ZONES: Final = 8000  # a cold question each: enough for half a second of a fast resolver
HOT_NAMES: Final = 5000
OTHER_ZONES: Final = 200  # whose delegations are known before a flood
OTHER_NAMES: Final = 10_000  # 100 a second for longer than the longest flood
HOSTS_ASKED: Final = ("www", "mail", "api")
LEVELS: Final = ("root", "tld", "sld")


@dataclass(frozen=True, slots=True)
class Internet:
    """Where the parts lie."""

    folder: Path

    @property
    def hints(self) -> Path:
        return self.folder / "root.hints"

    def knot(self, level: str) -> Path:
        """Configuration of the Knot DNS process for a level."""
        return self.folder / f"{level}.conf"

    def questions(self, name: str) -> Path:
        """A file of ``name type`` lines."""
        return self.folder / f"{name}.txt"


def make(folder: Path, zones: int = ZONES) -> Internet:
    """Write zones, configurations, hints and questions below ``folder``."""
    internet = Internet(folder)
    customers = [f"d{i:04d}.{TLDS[i % len(TLDS)]}" for i in range(zones)]
    bodies: dict[str, str] = {}
    cuts: dict[str, list[str]] = {tld: [] for tld in TLDS}

    def delegate(zone: str, servers: list[str], glue: list[tuple[str, str]], data: str) -> None:
        told = "".join(f"{zone}. {TTL} NS {server}\n" for server in servers)
        told += "".join(f"{server} {TTL} A {address}\n" for server, address in glue)
        bodies[zone] = _soa(zone + ".", servers[0]) + told + data
        cuts[zone.rpartition(".")[2]].append(told)

    for host in range(1, HOSTS + 1):
        zone, server = f"host{host:02d}.net", f"ns1.host{host:02d}.net."
        delegate(zone, [server], [(server, _host(host))], f"www.{zone}. {TTL} A 127.20.0.{host}\n")
    for number, zone in enumerate(customers):
        first, second = 1 + number % HOSTS, 1 + (number * 7 + 3) % HOSTS
        second = 1 + first % HOSTS if second == first else second
        if number // 4 % 2:  # names of the hosting company, no glue
            servers = [f"ns1.host{host:02d}.net." for host in (first, second)]
            glue = []
        else:
            servers = [f"ns1.{zone}.", f"ns2.{zone}."]
            glue = list(zip(servers, (_host(first), _host(second)), strict=True))
        delegate(zone, servers, glue, _content(zone, number))
    for zone, addresses, data in (
        (BULK_ZONE, BULK, f"*.{BULK_ZONE}. {TTL} A 127.30.0.1\n"),
        (FLOOD_ZONE, FLOOD, f"{FLOOD_ZONE}. {TTL} A 127.30.0.2\n"),
    ):
        names = [f"ns1.{zone}.", f"ns2.{zone}."]
        delegate(zone, names, list(zip(names, addresses, strict=True)), data)
    _write_tops(internet, bodies, cuts)
    _write_questions(internet, customers)
    return internet


def _soa(zone: str, server: str) -> str:
    return f"{zone} {TTL} SOA {server} hostmaster.{server} 1 7200 3600 1209600 3600\n"


def _host(number: int) -> str:
    return f"127.10.2.{number}"


def _tld_addresses(number: int) -> tuple[str, str]:
    return f"127.10.1.{2 * number + 1}", f"127.10.1.{2 * number + 2}"


def _content(zone: str, number: int) -> str:
    return (
        "".join(
            f"{host}.{zone}. {TTL} A 127.{20 + at}.{number // 250}.{1 + number % 250}\n"
            f"{host}.{zone}. {TTL} AAAA 2001:db8:{at}::{number:x}\n"
            for at, host in enumerate(HOSTS_ASKED)
        )
        + f"*.{zone}. {TTL} A 127.31.0.1\n"
    )


def _write_tops(internet: Internet, bodies: dict[str, str], cuts: dict[str, list[str]]) -> None:
    hints = "".join(
        f". {TTL} NS {letter}.root-servers.net.\n{letter}.root-servers.net. {TTL} A {address}\n"
        for letter, address in zip("ab", ROOTS, strict=True)
    )
    root = _soa(".", "a.root-servers.net.") + hints
    for number, tld in enumerate(TLDS):
        servers = [f"a.nic.{tld}.", f"b.nic.{tld}."]
        cut = "".join(f"{tld}. {TTL} NS {server}\n" for server in servers)
        glue = zip(servers, _tld_addresses(number), strict=True)
        cut += "".join(f"{server} {TTL} A {address}\n" for server, address in glue)
        root += cut
        bodies[tld] = _soa(f"{tld}.", servers[0]) + cut + "".join(cuts[tld])
    zones = internet.folder / "zones"
    zones.mkdir(parents=True)
    for zone, body in bodies.items():
        (zones / f"{zone}.zone").write_text(body)
    (zones / "root.zone").write_text(root)
    internet.hints.write_text(hints)
    tlds = [address for number in range(len(TLDS)) for address in _tld_addresses(number)]
    hosts = [_host(number) for number in range(1, HOSTS + 1)]
    levels = (list(ROOTS), [""]), (tlds, list(TLDS)), ([*hosts, *BULK, *FLOOD], list(bodies))
    for level, (addresses, served) in zip(LEVELS, levels, strict=True):
        wanted = [zone for zone in served if level != "sld" or zone not in TLDS]
        internet.knot(level).write_text(_knot(internet.folder, level, addresses, wanted))


def _knot(folder: Path, level: str, addresses: list[str], zones: list[str]) -> str:
    run = folder / "run" / level
    run.mkdir(parents=True)
    listen = "".join(f"  listen: {address}@53\n" for address in addresses)
    domains = "".join(
        f"  - domain: {zone}.\n" + ("" if zone else "    file: root.zone\n") for zone in zones
    )
    return (
        f"server:\n  rundir: {run}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
        f"{listen}log:\n  - target: stderr\n    any: error\ndatabase:\n  storage: {run}\n"
        f'template:\n  - id: default\n    storage: {folder}/zones\n    file: "%s.zone"\n'
        "    journal-content: none\n    zonefile-load: whole\n    zonefile-sync: -1\n"
        f"    semantic-checks: off\nzone:\n{domains}"
    )


def _write_questions(internet: Internet, customers: list[str]) -> None:
    chance = random.Random(1)

    def write(name: str, lines: list[str]) -> None:
        internet.questions(name).write_text("".join(f"{line} A\n" for line in lines))

    names = [f"{host}.{zone}" for zone in customers for host in HOSTS_ASKED]
    hot = chance.sample(names, min(HOT_NAMES, len(names)))
    write("hotset", hot)
    write("hot", chance.choices(hot, k=200_000))
    cold = [f"www.{zone}" for zone in customers]
    chance.shuffle(cold)
    write("cold", cold)
    others = customers[:OTHER_ZONES]
    write("otherset", [f"www.{zone}" for zone in others])
    write("others", [f"n{n:05d}.{others[n % len(others)]}" for n in range(OTHER_NAMES)])
    write("warm", [f"warm.{BULK_ZONE}", FLOOD_ZONE])
