"""The third-party scenarios that pass must keep passing (a ratchet: ``expected.txt``)."""

import os
from pathlib import Path

import pytest

from tests.scenarios.netns import why_not
from tests.scenarios.runner import DIALECTS, collect, run_all, shared

EXPECTED = Path(__file__).with_name("expected.txt")
JOBS = max(1, min(4, os.cpu_count() or 1))


def expected() -> list[str]:
    lines = EXPECTED.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_the_list_is_sorted_and_has_no_doubles() -> None:
    assert expected() == sorted(set(expected()))


@pytest.mark.slow
@pytest.mark.netns
def test_expected_scenarios_pass() -> None:
    folder = shared()
    if folder is None:
        pytest.skip("no scenarios: INLAND_SHARED names no folder with scenarios/ in it")
    if reason := why_not():
        pytest.skip(reason)
    suites = [(name, folder / name) for name in DIALECTS]
    found = collect(suites, expected())
    gone = set(expected()) - {scenario.name for scenario in found}
    assert not gone, f"in expected.txt but not in the folder: {sorted(gone)}"
    options = {"adapter": "inland", "tidy": True, "resign": True, "relaxed": True}
    failed = [
        result.line(label)
        for label, result in run_all(found, options, jobs=JOBS)
        if result.status != "pass"
    ]
    assert not failed, "\n" + "\n".join(failed)
