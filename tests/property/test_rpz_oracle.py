"""Response policy zones over random zones, questions and results: the rulebook says what a plain
reading of draft-vixie-dnsop-dns-rpz section 5 says, and a version made from what differs says what
one made anew says."""

import random
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Any

from policy.decision import Action, Asked, Decision, Facts
from policy.rpz import PolicyZones
from policy.rpz_client import client_classes
from policy.rpz_table import compile_zone, read_file
from policy.rpz_zone import PolicyZone, Terms
from resolver.model import Type
from resolver.names import from_text
from tests.unit.rpz_rig import HEAD, asked, facts, final

NAMES = ["a.x.test", "b.x.test", "a.y.test", "x.test", "y.test", "c.a.x.test"]
SERVERS = ["ns1.x.test", "ns2.y.test", "ns.z.test"]
ADDRESSES = ["192.0.2.1", "192.0.2.129", "192.0.3.1", "2001:db8::1", "2001:db8:1::1"]
PREFIXES = ["192.0.2.1/32", "192.0.2.0/24", "192.0.2.128/25", "192.0.0.0/16", "2001:db8::/32",
            "2001:db8::1/128", "128.0.0.0/1"]  # fmt: skip
KINDS = ["client-ip", "qname", "ip", "nsdname", "nsip"]
Line = tuple[str, str, int]
"""Kind, what it is about, and the last octet of the address that tells of it (0: PASSTHRU)."""


def owner(kind: str, what: str) -> str:
    if kind == "qname":
        return what
    if kind == "nsdname":
        return f"{what}.rpz-nsdname"
    network = ip_network(what)
    if network.version == 4:
        parts = str(network.network_address).split(".")[::-1]
    else:
        parts = [part.lstrip("0") or "0" for part in network.network_address.exploded.split(":")][
            ::-1
        ]
    return ".".join([str(network.prefixlen), *parts, f"rpz-{kind}"])


def random_zone(chance: random.Random) -> list[Line]:
    lines: dict[tuple[str, str], Line] = {}
    for _ in range(chance.randint(1, 6)):
        kind = chance.choice(KINDS)
        if kind == "qname":
            what = chance.choice([*NAMES, "*.x.test", "*.test", "*", "*.a.x.test"])
        elif kind == "nsdname":
            what = chance.choice([*SERVERS, "*.x.test", "*.test"])
        else:
            what = chance.choice(PREFIXES)
        lines[kind, what] = (kind, what, chance.choice([0, *range(1, 255)]))
    return list(lines.values())


def text_of(lines: list[Line]) -> str:
    actions = [("CNAME rpz-passthru." if mark == 0 else f"A 10.0.0.{mark}") for _, _, mark in lines]
    return HEAD + "".join(
        f"{owner(kind, what)} {action}\n"
        for (kind, what, _), action in zip(lines, actions, strict=True)
    )


def below(name: str, what: str) -> bool:
    return name.endswith(what[1:]) if what != "*" else name != ""


def rank_of_name(name: str, what: str) -> tuple[Any, ...] | None:
    """Section 5.3: exact before wildcard, then the longest."""
    if name == what:
        return (0, -what.count("."))
    return (1, -what.count(".")) if what.startswith("*") and below(name, what) else None


def rank_of_address(address: str, what: str) -> tuple[Any, ...] | None:
    """Sections 5.6 and 5.7."""
    network, one = ip_network(what), ip_address(address)
    if one.version != network.version or one not in network:
        return None
    return (-(network.prefixlen + (96 if one.version == 4 else 0)), int(one))


def oracle(
    zones: list[list[Line]], client: str, chain: list[str], addresses: list[str],
    servers: list[tuple[str, str, str]],
) -> int | None:  # fmt: skip
    """The mark of the line that decides: the least in the order of section 5."""
    matches: list[tuple[tuple[Any, ...], int]] = []
    for stage, name in enumerate(chain):
        near = [(ns, at) for zone, ns, at in servers if name == zone or name.endswith("." + zone)]
        about = {
            "client-ip": [client] if stage == 0 else [],
            "qname": [name],
            "ip": addresses if stage + 1 == len(chain) else [],
            "nsdname": [ns for ns, _ in near],
            "nsip": [at for _, at in near],
        }
        for at, lines in enumerate(zones):
            for kind, what, mark in lines:
                named = kind in ("qname", "nsdname")
                for one in about[kind]:
                    rank = rank_of_name(one, what) if named else rank_of_address(one, what)
                    if rank is not None:
                        order = tuple(reversed(what.split("."))) if kind == "nsdname" else ()
                        matches.append(((stage, at, KINDS.index(kind), *rank, order), mark))
    return min(matches)[1] if matches else None


def mark_of(decision: Decision) -> int | None:
    if decision.action is Action.NONE:
        return None
    return 0 if decision.action is Action.PASS else decision.records[-1].rdatas[0][-1]


def random_lookup(chance: random.Random) -> tuple[str, list[str], list[str], list[Any]]:
    chain = chance.sample(NAMES, chance.choice([1, 1, 2, 3]))
    addresses = chance.sample(ADDRESSES[:3], chance.randint(1, 3))
    cuts = chance.sample(["x.test", "y.test", "a.x.test"], chance.randint(0, 3))
    servers = [(cut, chance.choice(SERVERS), chance.choice(ADDRESSES)) for cut in cuts]
    return chance.choice(ADDRESSES), chain, addresses, servers


def book_of(zones: list[PolicyZone]) -> PolicyZones:
    return PolicyZones(zones, client_classes([one.content.clients for one in zones]))


def lookup(
    zones: list[PolicyZone], client: str, chain: list[str], addresses: list[str], servers: list[Any]
) -> tuple[Asked, Facts]:
    records = [f"{a} CNAME {b}" for a, b in pairwise(chain)]
    records += [f"{chain[-1]} A {address}" for address in addresses]
    return asked(chain[0], Type.A, client, zones), facts(records, servers)


def test_the_rulebook_says_what_the_specification_says() -> None:
    chance = random.Random(11)
    decided = 0
    for _ in range(1500):
        plain = [random_zone(chance) for _ in range(chance.randint(1, 3))]
        zones = []
        for at, lines in enumerate(plain):
            apex = from_text(f"z{at}")
            data = read_file(apex, text_of(lines).encode(), 1000)[1]
            zones.append(PolicyZone(Terms(f"z{at}", apex), compile_zone(apex, 1, data).content))
        rules = book_of(zones)
        for _ in range(6):
            client, chain, addresses, servers = random_lookup(chance)
            question, found = lookup(zones, client, chain, addresses, servers)
            wanted = oracle(plain, client, chain, addresses, servers)
            assert mark_of(final(rules, question, found)) == wanted, (plain, client, chain)
            decided += wanted is not None
    assert decided > 3000


def test_a_version_made_from_what_differs_is_like_one_made_anew() -> None:
    chance = random.Random(12)
    apex = from_text("z0")
    for _ in range(100):
        compiled = None
        for serial in range(6):
            lines = random_zone(chance) + random_zone(chance)
            unique = list({(kind, what): (kind, what, mark) for kind, what, mark in lines}.values())
            data = read_file(apex, text_of(unique).encode(), 1000)[1]
            compiled = compile_zone(apex, serial, data, compiled)
            anew = compile_zone(apex, serial, data)
            assert compiled.content.entries == anew.content.entries
            both = [[PolicyZone(Terms("z", apex), one.content)] for one in (compiled, anew)]
            for _ in range(5):
                case = random_lookup(chance)
                marks = [mark_of(final(book_of(zones), *lookup(zones, *case))) for zones in both]
                assert marks[0] == marks[1] == oracle([unique], *case)
