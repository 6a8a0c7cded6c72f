"""The evaluator agrees with the naive oracle on random policies and questions (seeded)."""

import json
from random import Random
from typing import Any

import pytest

from policy.decision import Action, Asked, Decision, Facts, ServerFact
from policy.engine import word_of
from policy.rule_file import read_rule_file
from policy.rule_make import Around
from policy.rule_merge import merge
from policy.rule_units import read_type
from resolver.model import Address, Security, Verdict, address_from_text, address_text
from resolver.names import from_text
from tests import policy_oracle as oracle
from tests.policy_oracle import Found, Query, Told
from tests.policy_rig import NOW, SYSTEMS, as_of, book

POLICIES, QUESTIONS = 1_000, 100  # of each: 100,000 questions in all
LABELS = ("a", "b", "c")
TOPS = ("x", "y.x", "z")
VIEWS = ("red", "blue")
COUNTRIES = ("XA", "XB", "none")
SERVERS = ("ns.a.x", "ns.z", "dns.c.y.x")
TYPES = ("A", "AAAA", "TXT")
DATES = ("2025-12-31", "2026-11-21", "2026-11-22", "2026-11-23", "2026-12-01", "2027-06-30")
HOURS = ("00:00-24:00", "09:00-17:00", "22:00-06:30", "12:00-12:01", "00:00-12:00")
DAYS = ("mon-fri", "sat", "sun-tue", ["mon", "thu"])
PASSING: tuple[Any, ...] = (
    "pass",
    {"block": "nxdomain"},
    {"block": "nodata"},
    {"block": "refused"},
    {"block": "drop"},
    {"block": "sinkhole", "addresses": ["192.0.2.66", "2001:db8::66"]},
    {"rewrite": ["A 192.0.2.80"]},
)
CHOOSING: tuple[Any, ...] = (
    "prefer", "any", "domestic-only", "mirror-only", {"forward": "inner"},
)  # fmt: skip
LISTS = {"few": ["a.x", "b.z"], "far": ["c.y.x"]}


def a_name(random: Random) -> str:
    parts = [random.choice(LABELS) for _ in range(random.randrange(3))]
    return ".".join([*parts, random.choice(TOPS)])


def some(random: Random, values: tuple[Any, ...]) -> Any:
    """One value, or a list of some."""
    if random.random() < 0.5:
        return random.choice(values)
    return random.sample(values, random.randint(1, len(values)))


def a_match(random: Random, views: tuple[str, ...]) -> dict[str, Any]:
    match: dict[str, Any] = {}
    for key, chance in (("suffix", 0.5), ("name", 0.35)):
        if random.random() < chance:
            names = [a_name(random) for _ in range(random.randint(1, 3))]
            match[key] = names if len(names) > 1 else names[0]
    if random.random() < 0.15:
        match["listed"] = some(random, tuple(LISTS))
    if random.random() < 0.3:
        match["type"] = some(random, TYPES)
    if random.random() < 0.3:
        match["view"] = some(random, (*views, "others"))
    if random.random() < 0.25:
        match["time"] = {"days": random.choice(DAYS), "hours": some(random, HOURS)}
        if random.random() < 0.5:
            match["time"]["timezone"] = random.choice(tuple(oracle.OFFSETS))
    return match


def of_results(random: Random, match: dict[str, Any]) -> None:
    for key, values in (
        ("server_country", COUNTRIES),
        ("server_as", (64500, 64501, 64999)),
        ("server_address", ("192.0.2.0/31", "192.0.2.2/32", "198.51.100.0/24")),
        ("server_name", ("x", "z", "c.y.x")),
        ("answer_country", COUNTRIES),
        ("security", ("secure", "insecure", "indeterminate")),
    ):
        if random.random() < 0.25:
            match[key] = some(random, values)


def a_rule(random: Random, number: int, views: tuple[str, ...]) -> dict[str, Any]:
    match = a_match(random, views)
    if random.random() < 0.5:
        effect = random.choice(CHOOSING)
    else:
        effect = random.choice(PASSING)
        if isinstance(effect, dict) and "rewrite" in effect:
            match.pop("type", None)  # a record of a type that is not asked for is an error
        of_results(random, match)
    rule = {"id": f"r{number}", "match": match, "effect": effect}
    if effect not in ("prefer", "any", "pass") or random.random() < 0.2:
        early, late = sorted(random.sample(range(len(DATES)), 2))
        rule |= {
            "authority": {"kind": random.choice(tuple(oracle.EDE)), "name": "Someone"},
            "reference": f"no. {number}",
            "from": DATES[early],
            "until": DATES[late],
        }
    return rule


def a_policy(random: Random) -> dict[str, Any]:
    views = VIEWS[: random.randrange(3)]
    policy: dict[str, Any] = {
        "version": 1,
        "timezone": random.choice(tuple(oracle.OFFSETS)),
        "mode": random.choice(("observe", "prefer", "enforce", "enforce")),
        "enforce": sorted({a_name(random) for _ in range(random.randint(1, 3))}),
        "views": [
            {
                "name": view,
                "clients": [f"10.{number}.0.0/16"],
                "rewrite_secure": random.random() < 0.5,
            }
            for number, view in enumerate(views)
        ],
        "forwarders": [{"name": "inner", "addresses": ["192.0.2.53"]}],
        "lists": LISTS,
        "rules": [a_rule(random, number, views) for number in range(random.randint(1, 8))],
    }
    entries = {}
    for _ in range(random.randrange(3)):
        entry: dict[str, Any] = {"mode": random.choice(("observe", "prefer", "enforce"))}
        if entry["mode"] == "enforce":
            entry["zone"] = random.choice(policy["enforce"])  # nothing else may be enforced
        elif random.random() < 0.6:
            entry["zone"] = a_name(random)
        if "zone" not in entry or random.random() < 0.3:
            entry["view"] = random.choice((*views, "others"))
        entries[entry.get("zone"), entry.get("view")] = entry
    policy["modes"] = list(entries.values())
    return policy


def a_query(random: Random, views: tuple[str, ...]) -> Query:
    wall = NOW + random.choice((0, 0, 60 * random.randrange(-20_000, 20_000), -0.5, 43_200))
    return Query(a_name(random), random.choice(TYPES), random.choice((*views, "others")), wall)


def a_result(random: Random) -> Found:
    servers = [
        (
            random.choice(SERVERS),
            random.choice((*SYSTEMS, "192.0.2.9", "203.0.113.7")),
            random.choice(COUNTRIES),
        )
        for _ in range(random.randrange(3))
    ]
    answer = [random.choice(COUNTRIES) for _ in range(random.randrange(3))]
    return Found(answer, servers, random.choice(("secure", "insecure", "indeterminate")))


def facts(found: Found) -> Facts:
    address = address_from_text("198.51.100.1")
    zone = from_text("x")
    return Facts(
        0,
        (),
        tuple((address, country) for country in found.answer),
        tuple(
            ServerFact(zone, from_text(name), address_from_text(text), Verdict.UNKNOWN, country)
            for name, text, country in found.servers
        ),
        Security[found.status.upper()],
    )


def plain(decision: Decision) -> Told:
    """A decision in the oracle's words."""
    effect = word_of(decision)
    if effect == "prefer" and not (decision.rule or decision.waits):
        effect = "none"
    records = tuple(
        ("A" if rrset.rtype == 1 else "AAAA", address_text(Address(rdata)))
        for rrset in decision.records
        for rdata in rrset.rdatas
    )
    code = decision.ede[0] if decision.ede is not None else None
    return Told(
        effect, decision.rule, code, decision.waits, decision.would, decision.until, records
    )


@pytest.mark.slow
def test_the_evaluator_agrees_with_the_oracle_on_100_000_questions() -> None:
    random = Random(20261122)
    effects: dict[str, int] = {}
    for number in range(POLICIES):
        policy = a_policy(random)
        text = json.dumps(policy)
        around = Around(has_as_numbers=True)
        rules = merge([read_rule_file(text.encode(), f"{number}.yaml")], around)
        validating = random.random() < 0.5
        rulebook = book(rules, validating=validating, systems=as_of)
        views = tuple(view["name"] for view in policy["views"])
        for _ in range(QUESTIONS):
            query, result = a_query(random, views), a_result(random)
            view = 1 + views.index(query.view) if query.view != "others" else 0
            asked = Asked(view, from_text(query.name), read_type(query.rtype), query.wall)
            expected = oracle.on_question(policy, query, validating)
            decision = rulebook.on_question(asked)
            assert plain(decision) == expected, (text, query)
            assert not decision.waits or decision.action is Action.NONE
            final = rulebook.on_answer(asked, facts(result))
            expected = oracle.on_answer(policy, query, result, validating, SYSTEMS)
            assert plain(final) == expected, (text, query, result)
            effects[expected.effect] = effects.get(expected.effect, 0) + 1
    assert min(effects.values()) > 500, effects  # every effect is met often
    assert len(effects) == 13, effects
