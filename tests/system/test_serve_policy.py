"""Rules in a running server, looked at with dig and by the authorities' own books."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from testbed.control import Loopback
from testbed.truth import Truth
from testbed.zones import is_subdomain
from tests.system.serving import Serving, query, tagged

ACCOUNT = {
    "authority": {"kind": "operator", "name": "Test"},
    "reference": "T-1",
    "from": "2020-01-01",
    "until": "2099-12-31",
}
PLAIN: dict[str, Any] = {"version": 1, "mode": "prefer"}


def rule(number: int, zone: str, effect: object, **match: object) -> dict[str, Any]:
    """A rule about a zone, with all that it has to say of itself."""
    return {"id": f"r{number}", "match": {"suffix": zone, **match}, "effect": effect, **ACCOUNT}


def configure(
    serving: Serving, policy: dict[str, Any], shadow: dict[str, Any] | None = None
) -> None:
    """Write a policy file and name it in the configuration."""
    file = serving.folder / "rules.yaml"
    file.write_text(json.dumps(policy))
    keys: dict[str, Any] = {"files": [str(file)]}
    if shadow is not None:
        other = serving.folder / "shadow.yaml"
        other.write_text(json.dumps(shadow))
        keys["shadow"] = [str(other)]
    serving.configure(policy=keys)


@pytest.fixture
def ruled(world: Loopback, tmp_path: Path) -> Iterator[Serving]:
    """A resolver whose rules are about a zone each."""
    serving = Serving(world, tmp_path)
    configure(serving, PLAIN)
    with serving:
        yield serving


def positive(world: Loopback, count: int) -> list[str]:
    """Names with addresses, each of a zone of its own."""
    names: list[str] = []
    zones: list[str] = []
    for question, expected in Truth(world.world).questions():
        zone = world.world.zone_of(question.name, question.rtype).name
        plain = question.rtype == "A" and expected.rcode == 0 and len(expected.answer) == 1
        if plain and zone not in zones and not any(is_subdomain(zone, z) for z in zones):
            names.append(question.name)
            zones.append(zone)
        if len(names) == count:
            return names
    raise AssertionError("the world is too small")


def dig(serving: Serving, *words: str) -> str:
    """What dig prints."""
    shown = subprocess.run(
        ["dig", "@127.0.0.1", "-p", str(serving.port), "+tries=1", "+time=2", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return shown.stdout


def records(reply: dns.message.Message) -> list[tuple[str, int, list[str]]]:
    """The answer without its TTLs, which count down."""
    found = [(set_.name.to_text(), set_.rdtype, sorted(map(str, set_))) for set_ in reply.answer]
    return sorted(found)


ACTIONS: dict[str, tuple[object, str, str]] = {
    "nxdomain": ({"block": "nxdomain"}, "status: NXDOMAIN", "EDE: 15 (Blocked)"),
    "nodata": ({"block": "nodata"}, "status: NOERROR", "EDE: 15 (Blocked)"),
    "refused": ({"block": "refused"}, "status: REFUSED", "EDE: 15 (Blocked)"),
    "sinkhole": ({"block": "sinkhole", "addresses": ["192.0.2.99"]}, "192.0.2.99", "EDE: 4"),
    "rewrite": ({"rewrite": ["A 192.0.2.98"]}, "192.0.2.98", "EDE: 4"),
    "drop": ({"block": "drop"}, "", ""),
}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_each_action_over_each_transport(ruled: Serving, transport: str) -> None:
    names = positive(ruled.world, len(ACTIONS) + 1)
    rules = [
        rule(number, name, effect)
        for number, (name, (effect, _, _)) in enumerate(zip(names, ACTIONS.values(), strict=False))
    ]
    configure(ruled, PLAIN | {"rules": rules})
    ruled.ask_control("reload")
    how = ["+tcp"] if transport == "tcp" else ["+notcp"]
    for turn in range(2):
        for number, (action, (_, wanted, told)) in enumerate(ACTIONS.items()):
            shown = dig(ruled, *how, names[number], "A")
            if action == "drop":
                assert "status:" not in shown, shown
            else:
                assert wanted in shown, shown
                assert told in shown, shown
            counted = ruled.total("inland_policy_actions_total", rule=f"r{number}", action=action)
            assert counted == turn + 1, "the second is a hit of native's cache"
    shown = dig(ruled, *how, names[-1], "A")
    assert "status: NOERROR" in shown
    assert "EDE" not in shown
    route = ruled.total("inland_lookups_total", route="local")
    assert route >= 2 * len(ACTIONS)


def test_domestic_only_is_kept_whatever_fails(ruled: Serving) -> None:
    """The servers' own books: nobody abroad hears of the zones, also when all at home are dead."""
    world = ruled.world.world
    truth = Truth(world)
    closed = [z for z in world.zones if z.endswith("xa.") and z != "xa."][:40]
    configure(
        ruled,
        {
            "version": 1,
            "mode": "enforce",
            "enforce": closed,
            "rules": [rule(1, z, "domestic-only") | {"id": f"z{n}"} for n, z in enumerate(closed)],
        },
    )
    ruled.ask_control("reload")
    ruled.world.reset()
    wanted = [q for q, _ in truth.questions() if any(is_subdomain(q.name, z) for z in closed)]
    assert wanted
    for dead in (False, True):
        if dead:
            ruled.world.down([a for a, s in world.servers.items() if s.domestic])
            ruled.ask_control("flush", all=True)
        for question in wanted[:: 6 if dead else 2]:
            try:
                query(ruled, question.name, question.rtype)
            except dns.exception.Timeout:
                continue
    heard = ruled.world.log()
    assert heard
    for _, address, name, *_ in heard:
        if not world.servers[address].domestic:
            assert not any(is_subdomain(name, zone) for zone in closed), (address, name)
    ruled.world.up(world.servers)
    assert ruled.total("inland_needless_escapes_total") == 0


def test_a_policy_without_a_match_changes_no_answer(near_world: Loopback, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with Serving(near_world, tmp_path / "a") as without:
        serving = Serving(near_world, tmp_path / "b")
        configure(serving, PLAIN | {"rules": [rule(1, "nowhere.invalid", {"block": "refused"})]})
        with serving as under:
            for question, _ in Truth(near_world.world).questions()[::4]:
                one = query(without, question.name, question.rtype)
                other = query(under, question.name, question.rtype)
                assert one.rcode() == other.rcode(), question
                assert records(one) == records(other), question


def test_views_get_answers_of_their_own(ruled: Serving) -> None:
    (name,) = positive(ruled.world, 1)
    policy = PLAIN | {
        "views": [{"name": "lab", "clients": ["127.0.0.2/32"], "explain": True}],
        "rules": [rule(1, name, {"block": "nxdomain"}, view="lab")],
    }
    configure(ruled, policy)
    ruled.ask_control("reload")
    for _ in range(2):
        assert "status: NOERROR" in dig(ruled, name)
        shown = dig(ruled, "-b", "127.0.0.2", name)
        assert "status: NXDOMAIN" in shown
        assert "rule r1" in shown, "this view is told why"
    assert ruled.total("inland_policy_actions_total", rule="r1") == 2


def test_shadow_counts_equal_what_happens_when_it_is_live(ruled: Serving) -> None:
    names = positive(ruled.world, 6)
    draft = PLAIN | {
        "rules": [
            rule(1, names[0], {"block": "nxdomain"}),
            rule(2, names[1], "pass"),
            rule(3, names[2], {"rewrite": ["A 192.0.2.5"]}),
            rule(4, names[3], "any"),
        ]
    }

    def ask_all() -> None:
        for _ in range(3):
            for name in names:
                query(ruled, name)

    configure(ruled, PLAIN, draft)
    ruled.ask_control("reload")
    ask_all()
    shadow = {
        number: ruled.total("inland_policy_shadow_total", rule=f"r{number}")
        for number in range(1, 5)
    }
    assert ruled.total("inland_policy_actions_total") == 0
    configure(ruled, draft)
    ruled.ask_control("reload")
    ask_all()
    live = {
        number: ruled.total("inland_policy_actions_total", rule=f"r{number}")
        for number in range(1, 5)
    }
    assert live == shadow == dict.fromkeys(range(1, 5), 3.0)


def test_reloads_each_second_under_load_serve_one_policy_or_the_other(ruled: Serving) -> None:
    """Each answer is of one of two policies, and none of the old after the new was told of."""
    names = positive(ruled.world, 12)
    blocked = [names[::2], names[1::2]]
    policies = [
        PLAIN | {"rules": [rule(n, name, {"block": "refused"}) for n, name in enumerate(half)]}
        for half in blocked
    ]
    configure(ruled, policies[0])
    ruled.ask_control("reload")
    stop, wrong, asked = threading.Event(), [], [0]
    port, acknowledged = ruled.port, [(0.0, 0)]

    def load() -> None:
        turn = 0
        while not stop.is_set():
            name = names[turn % len(names)]
            turn += 1
            at_begin = acknowledged[-1]
            message = dns.message.make_query(name, "A", use_edns=0)
            reply = dns.query.udp(message, "127.0.0.1", 10, port)
            asked[0] += 1
            # Between the request for a reload and its acknowledgement either may answer.
            if len(acknowledged) and acknowledged[-1] is at_begin and at_begin[1] >= 0:
                refused = reply.rcode() == dns.rcode.REFUSED
                if refused != (name in blocked[at_begin[1]]):
                    wrong.append((name, at_begin, reply.to_text()))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(1, 8):
            configure(ruled, policies[turn % 2], policies[(turn + 1) % 2])  # the other as shadow
            acknowledged.append((time.monotonic(), -1))
            ruled.ask_control("reload")
            acknowledged.append((time.monotonic(), turn % 2))
            time.sleep(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert asked[0] > 100


def test_from_a_reload_on_nothing_is_asked_abroad_that_it_forbids(ruled: Serving) -> None:
    world = ruled.world.world
    name = tagged(ruled.world, "positive", "A")
    zones = [z for z in world.zones if z.endswith(".xa.") and z.count(".") == 3][:20]
    closed = {
        "version": 1,
        "mode": "enforce",
        "enforce": zones,
        "rules": [rule(n, z, "domestic-only") for n, z in enumerate(zones)],
    }
    stop = threading.Event()
    port = ruled.port

    def load(first: int) -> None:
        number = first
        while not stop.is_set():
            number += 2
            text = f"n{number}.{zones[number % len(zones)]}"
            try:
                dns.query.udp(dns.message.make_query(text, "A"), "127.0.0.1", 3, port)
            except dns.exception.Timeout:
                continue

    threads = [threading.Thread(target=load, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        configure(ruled, closed)
        ruled.ask_control("reload")
        ruled.world.reset()
        time.sleep(3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    heard = ruled.world.log()
    assert heard
    for _, address, asked, *_ in heard:
        if not world.servers[address].domestic:
            assert not any(is_subdomain(asked, zone) for zone in zones), (address, asked)
    query(ruled, name)


FORWARDER = "::1"  # the world's servers are all IPv4


def test_lookups_go_to_a_forwarder_at_home_and_nowhere_else(
    world: Loopback, tmp_path: Path
) -> None:
    """The forwarder is another resolver, on the port that all servers of the world have."""
    for folder in ("behind", "before"):
        (tmp_path / folder).mkdir()
    behind = Serving(world, tmp_path / "behind")
    behind.configure(listen={"dns": [f"[{FORWARDER}]:{world.port}"]}, access={"allow": ["::1"]})
    before = Serving(world, tmp_path / "before")
    prefixes = [*before.base["border"]["domestic"], f"{FORWARDER}/128"]
    names = positive(world, 3)
    policy = PLAIN | {
        "forwarders": [{"name": "inner", "addresses": [FORWARDER]}],
        "rules": [rule(1, name, {"forward": "inner"}) for name in names[:2]],
    }
    policy["rules"][1]["id"] = "r2"
    configure(before, policy)
    keys = json.loads(before.file.read_text())
    keys["border"]["domestic"] = prefixes
    keys["resolution"]["ipv6"] = True
    before.file.write_text(json.dumps(keys))
    with behind, before:
        right = {name: records(query(before, name)) for name in names}
        for name in names[:2]:
            assert right[name], name
            assert records(query(before, name)) == right[name], "from the cache"
        assert before.total("inland_policy_actions_total", action="forward") == 4
        asked = behind.total("inland_queries_total")
        assert asked >= 2
        query(before, names[2])
        assert behind.total("inland_queries_total") == asked, "others go their usual way"
        assert before.total("inland_needless_escapes_total") == 0
