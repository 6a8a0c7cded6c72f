"""Policy files with random damage: a policy, or findings that all have a file and a line."""

import json
from random import Random
from typing import Any

import pytest

from policy.rule_file import read_rule_file
from policy.rule_make import Around
from policy.rule_merge import merge
from resolver.errors import ConfigError
from tests.policy_rig import book
from tests.property.test_rules_oracle import a_policy

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 0.5, "", " ", ".", "*", "*.x", "a..b", "a" * 300,
    "ü.example", "XA", "AS1", "10.0.0.0/8", "10.0.0.1/8", "::/0", "1", "2026-11-22", "2026-13-01",
    "mon", "enforce", "pass", "r0", "others", "domestic", "A", "\u0000", "A 192.0.2.1", "x\ny",
    "TXT " + "x" * 300, [], {}, [None], [[]], ["a", "a"], {"a": 1}, {"block": "nodata"},
    {"rpz": "z"}, {"time": {}},
)  # fmt: skip
KEYS = ("name", "suffix", "time", "rpz", "id", "match", "until", "", "a b", "block", "mode", "view")


def torn(random: Random, value: Any) -> Any:
    """The same with one part replaced, removed, doubled or renamed, some way down."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        out = dict(value)
        key = random.choice(list(out))
        choice = random.randrange(8)
        if choice == 0:
            del out[key]
        elif choice == 1:
            out[random.choice(KEYS)] = out.pop(key)
        elif choice == 2:
            out[key] = random.choice(JUNK)
        else:
            out[key] = torn(random, out[key])
        return out
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        if random.random() < 0.2:
            return [*value, value[at]]
        return [*value[:at], torn(random, value[at]), *value[at + 1 :]]
    return random.choice(JUNK)


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_told_with_file_and_line(seed: int) -> None:
    random = Random(seed)
    good = bad = 0
    for _ in range(400):
        policy: Any = a_policy(random)
        for _ in range(random.randint(0, 3)):
            policy = torn(random, policy)
        data = json.dumps(policy, indent=1).encode()
        try:
            rules = merge([read_rule_file(data, "p.yaml")], Around(has_as_numbers=True))
        except ConfigError as error:
            bad += 1
            lines = data.count(b"\n") + 1
            for found in error.findings:
                assert found.source == "p.yaml"
                assert found.line is not None, (found, data)
                assert 1 <= found.line <= lines
                assert found.message
            str(error).encode()
        else:
            good += 1
            book(rules)
            assert rules.digest()
    assert good > 50, (good, bad)
    assert bad > 100
