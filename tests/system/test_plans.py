"""Planned or not, a lookup is the same: answers and books of one scenario run both ways."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import dns.flags
import dns.message
import dns.query
import pytest

from testbed.control import Loopback
from testbed.model import Fault, World
from testbed.truth import Truth
from tests.system.serving import Serving

NAMES_PER_ZONE = 6
TURNS = 3
TYPES = ("A", "AAAA", "MX", "TXT", "SOA", "NS", "DS", "CNAME")

Asked = tuple[str, str, bool, int, str]
"""Name, type, DO, flags, transport."""


def sound_zones(world: World) -> list[str]:
    """Zones whose servers all work: what is asked of whom does not depend on chance there."""
    faultless = {at for at, server in world.servers.items() if server.fault is Fault.NONE}
    return [
        delegation.zone
        for delegation in world.delegations.values()
        if delegation.zone != "." and all(address in faultless for _, address in delegation.all())
    ]


def scenario(world: World, seed: int) -> list[Asked]:
    """Questions for known and unknown names of sound zones, some of them repeated."""
    chance = Random(seed)
    zones = sound_zones(world)
    known: dict[str, list[tuple[str, str]]] = {zone: [] for zone in zones}
    for question, expected in Truth(world).questions():
        if known.keys() >= set(expected.zones):  # aliases stay within sound zones
            known[expected.zones[0]].append((question.name, question.rtype))
    asked: list[Asked] = []
    for zone in zones:
        names = [(f"r{chance.randrange(10**6)}.{zone}", "A") for _ in range(NAMES_PER_ZONE)]
        names += [(name, chance.choice(TYPES)) for name, _ in names[:3]]
        names += [(f"deep.{names[0][0]}", "A"), (zone, chance.choice(TYPES)), *known[zone]]
        chance.shuffle(names)
        for name, rtype in names:
            flags = dns.flags.RD | (dns.flags.CD if chance.random() < 0.2 else 0)
            transport = "tcp" if chance.random() < 0.4 else "udp"
            asked.append((name, rtype, chance.random() < 0.3, flags, transport))
            if chance.random() < 0.2:
                asked.append(asked[-1])
    return asked


def answers(serving: Serving, asked: Iterable[Asked]) -> tuple[list[str], Counter[str]]:
    """What came, without what may differ: ID and TTLs; and the lookups by transport."""
    port = serving.port
    told = []
    lookups: Counter[str] = Counter()
    for name, rtype, do, flags, transport in asked:
        query = dns.message.make_query(name, rtype, use_edns=0, want_dnssec=do, flags=flags)
        query.id = 0
        lookups[transport] += 1
        if transport == "tcp":
            reply = dns.query.tcp(query, "127.0.0.1", 15, port)
        else:
            reply, truncated = dns.query.udp_with_fallback(query, "127.0.0.1", 15, port)
            lookups["tcp"] += truncated
        for rrset in (*reply.answer, *reply.authority):
            rrset.ttl = 0
            rrset.items = dict(sorted(rrset.items.items(), key=str))
        told.append(reply.to_text())
    return told, lookups


def books(serving: Serving) -> Counter[tuple[str, frozenset[tuple[str, str]]]]:
    """Counts of lookups and exchanges. Servers of one tier are asked by chance, so their
    countries are left out."""
    kept: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    for (name, labels), value in serving.metrics().items():
        if name in (
            "inland_lookups_total",
            "inland_escaped_lookups_total",
            "inland_exchanges_total",
            "inland_needless_escapes_total",
            "inland_lookup_seconds_count",
        ):
            words = frozenset(label for label in labels if label[0] != "country")
            kept[name, words] += int(value)
    return kept


def wait_for_lookups(serving: Serving, lookups: Counter[str]) -> None:
    """Wait until the books tell all: native tells of planned lookups in batches."""
    ends = time.monotonic() + 10
    for transport, count in lookups.items():
        while serving.total("inland_lookups_total", transport=transport) != count:
            assert time.monotonic() < ends, transport
            time.sleep(0.01)


Told = tuple[list[str], Counter[tuple[str, frozenset[tuple[str, str]]]]]


def played(serving: Serving, asked: list[Asked], plans: bool) -> Told:
    """Answers and books of one run."""
    with serving:
        told, lookups = answers(serving, asked)
        wait_for_lookups(serving, lookups)
        planned = serving.total("inland_planned_total", result="taken")
        assert planned > len(asked) / 5 if plans else planned == 0
        assert serving.total("inland_faults_total") == 0
        return told, books(serving)


@pytest.mark.parametrize("minimise", [True, False])
def test_the_same_scenario_both_ways_gives_the_same_answers_and_books(
    near_world: Loopback, tmp_path: Path, minimise: bool
) -> None:
    """A machine that is late by 0.2 s has a question asked again, which is in the books; so they
    are compared again then. What comes of plans comes each time."""
    asked = scenario(near_world.world, seed=5)
    for turn in range(TURNS):
        found = []
        for plans in (True, False):
            folder = tmp_path / f"{turn}{plans}"
            folder.mkdir()
            serving = Serving(near_world, folder)
            serving.configure(resolution={"plans": plans, "qname_minimisation": minimise})
            found.append(played(serving, asked, plans))
        (planned_answers, planned_books), (plain_answers, plain_books) = found
        for question, ours, theirs in zip(asked, planned_answers, plain_answers, strict=True):
            assert ours == theirs, question
        keys = planned_books | plain_books
        differing = {
            key: (planned_books[key], plain_books[key])
            for key in keys
            if planned_books[key] != plain_books[key]
        }
        if not differing:
            return
        print(f"turn {turn}: {differing}")
    raise AssertionError(f"the books differ each time, at last in {differing}")
