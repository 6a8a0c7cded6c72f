"""The examples of ``docs/policy.md`` are true: each policy is read, each question asked."""

import re
from pathlib import Path

import pytest

from policy.rules import Ruleset
from tests.policy_rig import decide, ruleset, told

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policy.md"


def examples() -> list[tuple[str, str]]:
    """Each policy with the questions after it."""
    blocks = re.findall(r"```(yaml|text)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    kinds = [kind for kind, _ in blocks]
    assert kinds == ["yaml", "text"] * (len(blocks) // 2)
    return [(blocks[at][1], blocks[at + 1][1]) for at in range(0, len(blocks), 2)]


def lines() -> list[tuple[str, str, str]]:
    out = []
    for policy, questions in examples():
        for line in questions.strip().splitlines():
            question, arrow, expected = (part.strip() for part in line.partition("→"))
            assert arrow, line
            out.append((policy, question, expected))
    return out


def test_the_page_has_examples() -> None:
    assert len(examples()) >= 6
    assert len(lines()) >= 20


@pytest.mark.parametrize(("policy", "question", "expected"), lines())
def test_an_example_is_true(policy: str, question: str, expected: str) -> None:
    rules: Ruleset = ruleset(policy)
    found = told(decide(rules, question))
    rest = found.removeprefix(expected)
    assert found.startswith(expected), found
    assert rest == "" or rest.startswith(","), found
    assert rest == "" or expected != "nothing", found
