"""The arithmetic of the benchmarks, their configurations, and one small run of the real thing."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks import figures, generator, report, run, subjects
from benchmarks.__main__ import unused
from benchmarks.figures import Fault, Reading, Shares, Target
from benchmarks.internet import LEVELS, make

QUIET = Shares(
    subject=0.99, subject_cores=1.0, generator=0.5, generators=1, authorities=0.2,
    other_cores=1.0, foreign=0.0, foreign_own=0.0, pinned=True,
)  # fmt: skip


def reading(subject: str, number: int, *faults: Fault, row: str = "hot", **found: float) -> Reading:
    return Reading(row, subject, 1, number, dict(found), faults)


def test_a_ratio_is_the_median_of_ratios_within_rounds() -> None:
    # The machine is three times slower in the third round: the ratio does not care.
    readings = [
        *(reading("inland", n, cpu_us=us) for n, us in enumerate((5.0, 6.0, 15.0))),
        *(reading("unbound", n, cpu_us=us) for n, us in enumerate((10.0, 10.0, 30.0))),
        *(reading("bind9", n, cpu_us=us) for n, us in enumerate((11.0, 12.0, 31.0))),
    ]
    peer = figures.best_peer(readings, "hot", 1, "cpu_us")
    assert peer == "unbound"
    found = figures.ratio(readings, "hot", 1, "cpu_us", peer)
    assert found is not None
    assert (found.median, found.least, found.greatest, found.rounds) == (0.5, 0.5, 0.6, 3)


def test_a_round_that_one_side_lacks_has_no_ratio() -> None:
    readings = [
        reading("inland", 0, cpu_us=5.0),
        reading("inland", 1, Fault.FOREIGN, cpu_us=50.0),
        reading("unbound", 0, cpu_us=10.0),
        reading("unbound", 1, cpu_us=10.0),
        Reading("hot", "inland", 1, 2, error="it fell over"),
        reading("unbound", 2, cpu_us=10.0),
    ]
    found = figures.ratio(readings, "hot", 1, "cpu_us", "unbound")
    assert found is not None
    assert (found.median, found.rounds) == (0.5, 1)
    assert figures.ratio(readings, "hot", 1, "cpu_us", "bind9") is None


def test_the_best_peer_is_neither_ours_nor_the_floor() -> None:
    readings = [reading(name, 0, p99_30=us) for name, us in
                (("inland", 1.0), ("floor", 2.0), ("unbound", 9.0), ("dnsdist", 8.0))]  # fmt: skip
    assert figures.best_peer(readings, "hot", 1, "p99_30") == "dnsdist"
    assert figures.best_peer(readings, "hot", 1, "p99_30", highest=True) == "unbound"
    assert figures.best_peer(readings[:2], "hot", 1, "p99_30") is None


@pytest.mark.parametrize(
    ("fault", "spoilt", "stands"),
    [
        (Fault.FOREIGN, {"cpu_us", "qps", "p99_30"}, set()),
        (Fault.GENERATOR, {"qps", "p99_sat"}, {"cpu_us", "p99_30"}),
        (Fault.IDLE, {"qps", "p99_sat"}, {"cpu_us", "p99_30"}),
        (Fault.LATE, {"p99_30", "p99_cached"}, {"cpu_us", "qps"}),
    ],
)
def test_what_a_fault_spoils(fault: Fault, spoilt: set[str], stands: set[str]) -> None:
    found = Reading("hot", "inland", 1, 0, dict.fromkeys(spoilt | stands, 1.0), (fault,))
    assert {figure for figure in found.figures if not found.valid(figure)} == spoilt


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (QUIET, ()),
        (replace(QUIET, foreign=0.2), (Fault.FOREIGN,)),
        (replace(QUIET, foreign_own=0.07), (Fault.FOREIGN,)),
        (replace(QUIET, subject=0.6, generator=0.95, authorities=0.0), (Fault.GENERATOR,)),
        (replace(QUIET, subject=0.6, generator=0.3, authorities=0.65), (Fault.AUTHORITIES,)),
        (replace(QUIET, subject=0.6), (Fault.IDLE,)),
        # Two workers share two cores with a generator: all in use, no one to blame.
        (
            replace(QUIET, subject=1.2, subject_cores=2.0, generator=0.7, generators=2,
                    other_cores=2.0, pinned=False),
            (),
        ),
        (
            replace(QUIET, subject=0.9, subject_cores=2.0, generator=0.95, generators=1,
                    other_cores=2.0, pinned=False),
            (Fault.GENERATOR,),
        ),
    ],
)  # fmt: skip
def test_who_was_the_bottleneck(shares: Shares, expected: tuple[Fault, ...]) -> None:
    assert figures.faults(shares) == expected


def test_targets_count_valid_readings_only() -> None:
    target = Target("hot", "cpu_us", 0.7, "peer")
    good = [reading("inland", 0, cpu_us=6.0), reading("unbound", 0, cpu_us=10.0)]
    assert figures.judge(good, target).met is True
    slow = [reading("inland", 0, cpu_us=8.0), reading("unbound", 0, cpu_us=10.0)]
    assert figures.judge(slow, target).met is False
    noisy = [reading("inland", 0, Fault.FOREIGN, cpu_us=6.0), good[1]]
    judged = figures.judge(noisy, target)
    assert judged.met is None
    assert "spoiled: 0.60" in judged.text
    share = Target("flood", "answered_cached", 0.995, least=True)
    found = [reading("inland", 0, row="flood", answered_cached=0.999)]
    assert figures.judge(found, share).met is True


def test_a_lost_question_counts_as_the_time_out() -> None:
    quick = {5 * 32: 90}  # 32 ns
    assert generator.percentile(quick, 0.5, 90, 2e6) == pytest.approx(0.033)
    assert generator.percentile(quick, 0.9, 100, 2e6) == pytest.approx(0.033)
    assert generator.percentile(quick, 0.99, 100, 2e6) == 2e6


def test_an_open_loop_charges_a_stall_to_all_who_would_have_waited(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    load, _ = generator.build(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        words = ["-p", str(server.getsockname()[1]), "-c", "1", "-r", "400", "-N", "400"]
        with subprocess.Popen([load, *words, "-z", "stall.test"], stdout=subprocess.PIPE) as asking:
            for number in range(400):
                query, client = server.recvfrom(512)
                if number == 100:
                    time.sleep(0.4)  # what is measured, not a wait for something
                server.sendto(query[:2] + b"\x81\x80" + query[4:6] + b"\0\1" + query[8:], client)
            text, _ = asking.communicate(timeout=10)
    found = generator.read(text.decode())
    assert (found.sent, found.good) == (400, 400)
    # 160 questions were due while it stalled; the k-th of them waited 400 ms less 2.5 ms times k.
    waited = sum(count for bucket, count in found.latency.items() if bucket >= 26 * 32)  # 67 ms
    assert 100 <= waited <= 300


def test_generators_add_up() -> None:
    line = {
        "sent": 10, "done": 9, "lost": 1, "empty": 1, "rcodes": {"0": 8, "2": 1}, "rate": 4.5,
        "seconds": 2.0, "asking": 1.9, "cpu": 0.5, "whole": 0.6,
        "latency": [[300, 9]], "late": [[200, 10]],
    }  # fmt: skip
    one = generator.read(json.dumps(line))
    assert (one.good, one.answered) == (7, 0.7)
    both = generator.together([one, one])
    assert (both.sent, both.good, both.rate, both.seconds) == (20, 14, 9.0, 2.0)
    assert (both.latency, both.rcodes) == ({300: 18}, {"0": 16, "2": 2})


def test_the_order_of_subjects_turns_from_round_to_round() -> None:
    two = (subjects.INLAND, subjects.UNBOUND)
    plan = run.Plan(("hot", "memory"), two, (1, 2), 2, 1, 1.0, 1.0, 1.0, 1000)
    steps = [(n, w, row, one.name) for n, w, row, one in plan.steps()]
    assert steps == [
        (0, 1, "hot", "inland"), (0, 1, "hot", "unbound"),
        (0, 1, "memory", "inland"), (0, 1, "memory", "unbound"),  # once, one worker
        (0, 2, "hot", "inland"), (0, 2, "hot", "unbound"),
        (1, 1, "hot", "unbound"), (1, 1, "hot", "inland"),
        (1, 2, "hot", "unbound"), (1, 2, "hot", "inland"),
    ]  # fmt: skip
    assert plan.estimate() > 6 * 3


def test_tables_show_what_was_spoilt(tmp_path: Path) -> None:
    readings = [
        reading("inland", 0, cpu_us=6.0, qps=150_000.0),
        reading("unbound", 0, Fault.GENERATOR, cpu_us=10.0, qps=90_000.0),
    ]
    text = report.tables(readings)
    assert "| unbound | 10.00 | (90,000) |" in text
    assert "generator in 1 of 1" in text
    assert "inland: 0.60 (0.60–0.60) × unbound" in text
    assert "| hot | cpu_us | at most 0.7 × the best peer | 0.60" in text


@pytest.mark.parametrize("subject", subjects.SUBJECTS.values(), ids=lambda subject: subject.name)
@pytest.mark.parametrize("workers", [1, 2])
def test_every_configuration_is_filled_in(
    subject: subjects.Subject, workers: int, tmp_path: Path
) -> None:
    if not subject.configuration:
        pytest.skip("it has none")
    place = subjects.Place(tmp_path, tmp_path / "hints", tmp_path / "floor", workers, None, None)
    text = subjects.configuration(subject, place, 5301)
    assert "${" not in text
    assert "5301" in text
    if subject is subjects.INLAND:
        assert yaml.safe_load(text)["resolution"]["workers"] == workers
    if shutil.which("unbound-checkconf") and subject is subjects.UNBOUND:
        (tmp_path / "hints").write_text("")
        (tmp_path / "unbound.conf").write_text(text)
        subprocess.run(["unbound-checkconf", tmp_path / "unbound.conf"], check=True)


def test_the_configuration_of_ours_is_accepted(tmp_path: Path) -> None:
    internet = make(tmp_path / "internet", zones=4)
    place = subjects.Place(tmp_path, internet.hints, tmp_path / "floor", 1, None, None)
    written = tmp_path / "inland.yaml"
    written.write_text(subjects.configuration(subjects.INLAND, place, 5301))
    checked = subprocess.run(
        [sys.executable, "-m", "resolver.cli", "check", str(written)],
        cwd=subjects.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert all(internet.knot(level).exists() for level in LEVELS)


def test_a_second_run_of_a_day_has_a_name_of_its_own(tmp_path: Path) -> None:
    assert unused(tmp_path, "2026-01-02") == "2026-01-02"
    (tmp_path / "2026-01-02.jsonl").write_text("")
    assert unused(tmp_path, "2026-01-02") == "2026-01-02-2"


def test_unknown_subjects_are_named() -> None:
    assert [one.name for one in subjects.chosen(["kresd", "named"])] == ["knot-resolver", "bind9"]
    with pytest.raises(ValueError, match="no subject 'nobody'"):
        subjects.chosen(["nobody"])


@pytest.mark.slow
@pytest.mark.netns
def test_a_small_run_measures_inland_and_the_floor(tmp_path: Path) -> None:
    missing = [name for name in ("knotd", "cc", "setpriv") if shutil.which(name) is None]
    if missing or os.getuid():
        pytest.skip(f"needs root and {' '.join(missing)}")
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rows", "miss", "--peers", "inland,floor",
         "--rounds", "1", "--workers", "1", "--seconds", "0.5", "--latency-seconds", "0.3",
         "--out", str(tmp_path)],
        cwd=subjects.ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (lines,) = tmp_path.glob("*.jsonl")
    readings = {found.subject: found for found in report.read(lines)}
    assert set(readings) == {"inland", "floor"}
    for found in readings.values():
        assert found.figures["cpu_us"] > 1
        assert found.figures["answered"] > 0.9
        assert found.figures["exchanges"] == pytest.approx(1.0, abs=0.2)
    (text,) = tmp_path.glob("*.md")
    assert "× floor" in text.read_text()


def test_what_privacy_costs_is_told_for_each_row() -> None:
    words = [sys.executable, "-m", "benchmarks.privacy", "--rounds", "1", "--questions", "50"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    rows = [line.split("  ")[0] for line in told.splitlines()[1:]]
    assert rows == ["hot", "planned, home", "planned, abroad"]
