"""Worlds are the same for the same seed, have every kind of zone, and know what was avoidable."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from testbed.model import HOME, AddressPlan, Fault, World
from testbed.truth import State, Truth
from testbed.world import SPECS, make_world
from testbed.zones import NXDOMAIN, SERVFAIL, YXDOMAIN, Zone, is_subdomain, lookup

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def country() -> World:
    return make_world("country")


@pytest.fixture(scope="module")
def truth(country: World) -> Truth:
    return Truth(country)


def zone_of_kind(world: World, kind: str) -> Zone:
    return next(zone for zone in world.zones.values() if zone.kind == kind)


def test_same_seed_same_truth_in_every_process() -> None:
    script = "from testbed.truth import Truth; from testbed.world import make_world; "
    script += "print(Truth(make_world('small:7')).export_json())"
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True, check=True,
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(texts) == 1
    assert json.loads(texts.pop())["seed"] == 7


def test_another_seed_is_another_world() -> None:
    assert set(make_world("small:1").zones) != set(make_world("small:2").zones)


def test_a_country_has_more_than_200_zones_and_each_kind_many_times(country: World) -> None:
    kinds = Counter(zone.kind for zone in country.zones.values())
    leaves = {k: n for k, n in kinds.items() if k not in ("root", "cctld", "category", "tld")}
    assert sum(leaves.values()) >= 200
    assert min(n for k, n in leaves.items() if "lame" not in k) >= 5
    assert sum(n for k, n in leaves.items() if k.startswith("lame_beside")) >= 20


def test_each_zone_has_at_least_three_questions(country: World) -> None:
    asked: Counter[str] = Counter()
    for question in country.questions:
        asked[country.zone_of(question.name, question.rtype).name] += 1
    assert min(asked[name] for name in country.zones) >= 3


def test_questions_cover_what_can_go_wrong(country: World) -> None:
    tags = {question.tag for question in country.questions}
    assert tags >= {
        "positive", "nodata", "nxdomain", "alias", "alias_across", "alias_nxdomain", "dname",
        "dname_across", "wildcard", "empty_non_terminal", "tcp", "apex_ns", "server_address",
    }  # fmt: skip


def test_aliases_cross_the_border_both_ways_up_to_four_deep(country: World, truth: Truth) -> None:
    lengths = Counter[int]()
    crossings: set[tuple[bool, bool]] = set()
    for question, expected in truth.questions():
        if question.tag != "alias_across" or expected.rcode:
            continue
        lengths[sum(r.rtype == "CNAME" for r in expected.answer)] += 1
        sides = [bool(truth.domestic_servers(zone)) for zone in expected.zones]
        crossings.update(pairwise(sides))
    assert set(lengths) >= {1, 2, 3, 4}
    assert {(True, False), (False, True)} <= crossings


def test_ttls_vary_from_zero_to_a_day(country: World) -> None:
    ttls = Counter(r.ttl for zone in country.zones.values() for r in zone.rrsets())
    assert ttls[0] > 10 and ttls[5] > 10 and ttls[86400] > 100
    long = sum(n for ttl, n in ttls.items() if ttl >= 3600)
    assert long / ttls.total() > 0.6


def test_every_fault_stands_beside_live_servers_of_both_sides(country: World, truth: Truth) -> None:
    beside = defaultdict(set)
    for name in country.zones:
        addresses = [address for _, address in country.delegations[name].parent_set]
        live = {country.servers[a].domestic for a in addresses if truth.serves(name, a)}
        for address in addresses:
            server = country.servers[address]
            if server.domestic and server.fault is not Fault.NONE:
                beside[server.fault].update(live)
    for fault in Fault:
        assert fault is Fault.NONE or False in beside[fault], fault
    assert (
        True in beside[Fault.DEAD] and True in beside[Fault.SLOW] and True in beside[Fault.UPWARD]
    )


def test_servers_abroad_have_one_role_for_a_name(country: World) -> None:
    for server in country.servers.values():
        if not server.domestic:
            zones = sorted(server.delegated)
            assert not [(a, b) for a in zones for b in zones if a != b and is_subdomain(b, a)]


def test_addresses_lie_in_the_prefix_of_their_country(country: World) -> None:
    for address, server in country.servers.items():
        assert country.country_of(address) == server.country
    assert country.country_of("192.0.2.1") is None


def test_zones_that_nobody_serves_are_servfail(country: World, truth: Truth) -> None:
    dead = zone_of_kind(country, "nobody_serves").name
    assert dead not in truth.reachable()
    assert truth.expected(f"www.{dead}", "A").rcode == SERVFAIL


def test_exchange_abroad_is_avoidable_only_beside_a_live_domestic_server(
    country: World, truth: Truth
) -> None:
    def abroad(kind: str) -> tuple[str, str]:
        zone = zone_of_kind(country, kind).name
        servers = (address for _, address in country.delegations[zone].all())
        return zone, next(a for a in servers if not country.servers[a].domestic)

    assert truth.avoidable(*abroad("mixed"))
    assert truth.avoidable(*abroad("slow_beside_abroad"))
    assert truth.avoidable(*abroad("one_domestic_without_glue"))
    assert truth.avoidable(*abroad("child_forgets_domestic"))
    assert truth.avoidable(*abroad("no_edns_beside_abroad"))
    assert not truth.avoidable(*abroad("foreign"))
    assert not truth.avoidable(*abroad("dead_beside_abroad"))
    assert not truth.avoidable(*abroad("lame_beside_abroad_refused"))
    # Only the zone itself tells of its domestic server: one has to go abroad to hear it.
    assert not truth.avoidable(*abroad("child_adds_domestic"))


def test_a_domestic_server_gone_down_makes_the_escape_unavoidable(
    country: World, truth: Truth
) -> None:
    zone = zone_of_kind(country, "mixed").name
    home, abroad = truth.domestic_servers(zone), ""
    for _, address in country.delegations[zone].parent_set:
        abroad = abroad if country.servers[address].domestic else address
    assert truth.avoidable_exchanges([(abroad, zone, 3), (home[0], zone, 5)]) == [(abroad, zone, 3)]
    assert not truth.avoidable(zone, abroad, State(down=frozenset(home)))


def test_a_cut_leaves_what_home_can_reach_by_itself(country: World, truth: Truth) -> None:
    reach = truth.reachable(State(cut=True))
    assert {".", "xa.", "gov.xa.", "co.xa.", "brightdns.xa."} <= reach
    assert not reach & {"comx.", "localdns.comx.", zone_of_kind(country, "foreign").name}
    # Served at home, but its servers' names stand abroad.
    assert zone_of_kind(country, "out_of_bailiwick_abroad").name not in reach
    assert reach < truth.reachable()


def test_hints_name_five_letters_one_at_home(country: World) -> None:
    lines = country.hints().splitlines()
    addresses = [line.split()[-1] for line in lines if " A " in line]
    assert len(addresses) == 5
    assert [country.country_of(a) for a in addresses].count(HOME) == 1


def test_plans_share_names_but_not_prefixes() -> None:
    here, there = make_world("small", 4), make_world("small", 4, AddressPlan.NETNS)
    assert list(here.zones) == list(there.zones)
    assert all(a.startswith(("11.", "12.")) for a in there.servers)


def test_worlds_are_named_with_a_seed_or_refused() -> None:
    assert make_world("small:12").seed == 12
    assert make_world(SPECS["small"], 5).seed == 5
    with pytest.raises(ValueError, match="country"):
        make_world("atlantis")
    with pytest.raises(ValueError, match="number"):
        make_world("small:x")


def test_lookup_stops_at_names_that_a_dname_makes_too_long() -> None:
    zone = Zone("z.", "test")
    zone.add("z.", "SOA", 60, "ns.z. h.z. 1 2 3 4 5")
    zone.add("o.z.", "DNAME", 60, ".".join(["n" * 60] * 3) + ".z.")
    assert lookup(zone, "x.o.z.", "A").rcode == NXDOMAIN
    assert lookup(zone, "x" * 63 + "." + "y" * 60 + ".o.z.", "A").rcode == YXDOMAIN
