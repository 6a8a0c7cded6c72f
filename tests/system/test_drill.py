"""``inland drill``: who would fail under a policy, as the truth of a simulated country has it."""

import json
from pathlib import Path

import pytest

from resolver.assemble import world_loader
from resolver.cli.drill import report_of
from resolver.drill import Fate, grouped, on_trial, read_queries, replay
from resolver.errors import SourceError
from testbed.control import configuration, start
from testbed.truth import State, Truth

BY = {
    "authority": {"kind": "regulator", "name": "Telecom authority"},
    "reference": "Circular 8",
    "from": "2026-01-01",
    "until": "2099-12-31",
}


def test_domestic_only_fails_those_whom_a_cut_would_fail(tmp_path: Path) -> None:
    world = start("small")
    try:
        truth = Truth(world.world)
        questions = [q for q in world.world.questions if q.rtype == "A" and q.name != "."][:40]
        blocked = next(
            q for q in questions if truth.expected(q.name, q.rtype, State(cut=True)).rcode == 0
        )
        tops = sorted({q.name.rstrip(".").rpartition(".")[2] for q in questions})
        policy = {
            "version": 1,
            "mode": "enforce",
            "enforce": tops,
            "rules": [
                {
                    "id": "no",
                    "match": {"name": blocked.name},
                    "effect": {"block": "nxdomain"},
                    **BY,
                },
                {"id": "home", "match": {"suffix": tops}, "effect": "domestic-only", **BY},
            ],
        }
        rules, queries = tmp_path / "rules.yaml", tmp_path / "queries"
        rules.write_text(json.dumps(policy))
        queries.write_text("".join(f"{q.name} {q.rtype} 127.0.0.1\n" for q in questions))
        live = world_loader(configuration(world.world, world), None)()
        trial = on_trial(live, (rules,))
        groups = grouped(live.policy, trial.policy, read_queries(queries))
        rows = list(replay(live, trial, groups))
    finally:
        world.stop()
    assert len(rows) == len(questions)
    for question, row in zip(questions, rows, strict=True):
        before = truth.expected(question.name, question.rtype).rcode
        cut = truth.expected(question.name, question.rtype, State(cut=True)).rcode
        if question is blocked:
            expected = Fate.FAILS
            assert (row.trial.rule, row.trial.action, row.trial.rcode) == ("no", "nxdomain", 3)
        elif before == 2:
            expected = Fate.FAILED
        else:
            expected = Fate.FAILS if cut == 2 else Fate.SAME
            assert row.trial.route != "escaped"
        assert row.fate is expected, (question, row)
    report = report_of(rows)
    assert report["fates"]["fails"] == sum(row.fate is Fate.FAILS for row in rows) > 5
    assert report["rules"].keys() == {"no", "home"}
    told = next(row for row in report["changed"] if row["trial"]["rule"] == "home")
    assert "EDE 16: Circular 8 (Telecom authority)" in told["why"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.example", "line 1: expected NAME TYPE, or NAME TYPE CLIENT"),
        ("# only\n\na.example A x", "line 3: 'x' is not an IP address"),
        ("a.example A\na..b A", "line 2: 'a..b': empty label"),
        ("a.example AA", "line 1: 'AA' is not a record type"),
        ("# nothing", "holds no questions"),
        ("a.example A ::1 x", "line 1: expected NAME TYPE"),
    ],
)
def test_a_bad_file_of_questions_is_told_with_its_lines(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "queries"
    path.write_text(text)
    with pytest.raises(SourceError) as caught:
        read_queries(path)
    assert words in str(caught.value)
