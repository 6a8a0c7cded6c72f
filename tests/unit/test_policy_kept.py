"""Files that shrink, are torn, or come back: what is refused, what stays, what stands in."""

from pathlib import Path

import pytest

from policy.inputs import PolicyInputs, SourceFile
from policy.kept import LastGood
from policy.load import load_policy
from resolver.errors import ConfigError
from resolver.model import Verdict, address_from_text
from tests.unit.evidence import written

HERE = address_from_text("11.0.0.1")


def delegated(count: int) -> str:
    head = f"2|apnic|20260601|{count}|19830613|20260531|+1000\napnic|*|ipv4|*|{count}|summary\n"
    return head + "".join(
        f"apnic|IN|ipv4|11.{at >> 8}.{at & 255}.0|256|20100101|allocated\n" for at in range(count)
    )


def inputs(file: SourceFile, percent: int = 20) -> PolicyInputs:
    return PolicyInputs(
        home=frozenset({"IN"}),
        registry=False,
        registry_files=(file,),
        shrink_percent_max=percent,
    )


def loaded(file: SourceFile, last: LastGood, state: Path | None, percent: int = 20) -> Verdict:
    last.begin(state)
    verdict = load_policy(inputs(file, percent), "c.yaml", last).verdict(HERE)
    last.accept()
    return verdict


def test_an_update_that_shrinks_too_far_is_refused(tmp_path: Path) -> None:
    last = LastGood()
    file = written(tmp_path / "rir", delegated(2_000))
    assert loaded(file, last, None) is Verdict.DOMESTIC
    written(file.path, delegated(1_599))
    with pytest.raises(ConfigError, match="fewer than the last good one") as raised:
        loaded(file, last, None)
    (finding,) = raised.value.findings
    assert finding.path == "border.registry_files[0]"
    assert finding.message == (
        f"{file.path}: 1599 records, 20 % fewer than the last good one (2000);"
        " border.shrink_percent_max allows 20"
    )
    # What is right may be said to be right.
    assert loaded(file, last, None, percent=100) is Verdict.DOMESTIC


@pytest.mark.parametrize(("before", "after"), [(2_000, 1_600), (2_000, 2_500), (999, 1)])
def test_what_shrinks_little_or_is_small_is_taken(tmp_path: Path, before: int, after: int) -> None:
    last = LastGood()
    file = written(tmp_path / "rir", delegated(before))
    loaded(file, last, None)
    written(file.path, delegated(after))
    assert loaded(file, last, None) is Verdict.DOMESTIC


def test_many_small_steps_are_each_measured_against_the_last_good_one(tmp_path: Path) -> None:
    last = LastGood()
    file = written(tmp_path / "rir", delegated(2_000))
    for count in (2_000, 1_700, 1_400):
        written(file.path, delegated(count))
        loaded(file, last, None)


@pytest.mark.parametrize("ruin", ["shrunk", "torn", "gone"])
def test_at_a_start_the_last_good_copy_stands_in(tmp_path: Path, ruin: str) -> None:
    state = tmp_path / "state"
    file = written(tmp_path / "rir", delegated(2_000))
    loaded(file, LastGood(), state)
    match ruin:
        case "shrunk":
            written(file.path, delegated(100))
        case "torn":
            written(file.path, delegated(2_000)[:5_000])
        case "gone":
            file.path.unlink()
    starting = LastGood()
    assert loaded(file, starting, state) is Verdict.DOMESTIC
    (problem,) = starting.problems
    assert str(file.path) in problem
    assert problem.endswith("the last good copy of rir stands in")
    # While it runs, a reload of the same bad file is refused.
    with pytest.raises(ConfigError):
        loaded(file, starting, state)
    # Once the file is good again it is used.
    written(file.path, delegated(2_001))
    again = LastGood()
    assert loaded(file, again, state) is Verdict.DOMESTIC
    assert again.problems == ()
    assert again.records(file.path) == 2_001


def test_no_copy_stands_in_for_those_who_only_look(tmp_path: Path) -> None:
    state = tmp_path / "state"
    file = written(tmp_path / "rir", delegated(2_000))
    loaded(file, LastGood(), state)
    written(file.path, delegated(100))
    with pytest.raises(ConfigError, match="95 % fewer"):
        loaded(file, LastGood(stands_in=False), state)


@pytest.mark.parametrize("damage", ["copy", "note", "other path", "version"])
def test_a_damaged_copy_does_not_stand_in(tmp_path: Path, damage: str) -> None:
    state = tmp_path / "state"
    file = written(tmp_path / "rir", delegated(2_000))
    loaded(file, LastGood(), state)
    (copy,) = (state / "evidence").glob("*.copy")
    (note,) = (state / "evidence").glob("*.json")
    match damage:
        case "copy":
            copy.write_bytes(copy.read_bytes()[:-1])
        case "note":
            note.write_bytes(note.read_bytes()[:-1])
        case "other path":
            note.write_text(note.read_text().replace("rir", "rar"))
        case "version":
            note.write_text(note.read_text().replace('"version": 1', '"version": 2'))
    file.path.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        loaded(file, LastGood(), state)


def test_nothing_is_written_without_a_directory_or_before_it_is_accepted(tmp_path: Path) -> None:
    file = written(tmp_path / "rir", delegated(10))
    loaded(file, LastGood(), None)
    last = LastGood()
    last.begin(tmp_path / "state")
    load_policy(inputs(file), "c.yaml", last)
    assert list(tmp_path.iterdir()) == [file.path]
