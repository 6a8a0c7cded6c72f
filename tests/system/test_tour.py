"""``make run``: the report, what is served while it runs, and an exit status that tells."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from testbed import tour
from testbed.clients import Asked
from testbed.control import Loopback
from tests.system.deployed import ROOT

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SMALL = ("--world", "small", "--lookups", "40")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """As they were: a tour takes Ctrl-C for itself."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def test_a_tour_on_which_all_holds_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert tour.main([*SMALL, "--seconds", "0"]) == 0
    shown = capsys.readouterr().out
    assert "answers equal to the truth: 80 of 80" in shown
    assert "  NO " not in shown
    assert "dig @127.0.0.1" in shown


def test_what_did_not_hold_is_told_by_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tour.choose

    def choose(backend: Loopback, count: int) -> Sequence[Asked]:
        question, expected = plain(backend, count)[0]
        return [(question, replace(expected, rcode=(expected.rcode + 1) % 4))]

    monkeypatch.setattr(tour, "choose", choose)
    assert tour.main([*SMALL, "--seconds", "0"]) == 1
    shown = capsys.readouterr().out
    assert "NO   answers equal to the truth: 0 of 2" in shown
    assert shown.splitlines()[-1].startswith("tour: not all held")


def test_ctrl_c_ends_it_well_and_nothing_is_left() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "testbed.tour", *SMALL],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if line.startswith("Serving until Ctrl-C"):
                process.send_signal(signal.SIGINT)
                break
        assert process.stdout.read().splitlines()[-1] == "Stopped."
    assert process.returncode == 0


def test_a_world_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert tour.main(["--world", "nowhere"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("tour: ")
    assert "nowhere" in line
