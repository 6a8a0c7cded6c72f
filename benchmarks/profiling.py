"""Where Inland's time goes: ``make bench-profile``, perf where the kernel lets it, else callgrind.

Symbols need a native module that was not stripped; the make target builds one.

Limitations: one worker; perf samples the processor clock (virtual machines have no counters).
Callgrind counts instructions in user space only, and slows the subject a hundredfold.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import subjects
from benchmarks.processes import pin, process
from benchmarks.rows import OUTSTANDING, Bench, prepare, questions, wait_answer
from benchmarks.run import Plan, prepared
from benchmarks.subjects import INLAND, running

FREQUENCY: Final = "997"  # a prime, so that no timer keeps step with it
LEAST_PERCENT: Final = 0.8
LINES_MAX: Final = 30
SLOW_START_SECONDS: Final = 120.0  # under callgrind
FILE: Final = "profile.md"
PROFILED: Final = ("hot", "miss", "tcp", "pipelined", "mix")
SEPARATOR: Final = "^"  # between the fields of perf report: in no symbol of ours


def kept(folder: Path) -> str:
    """The last profile in a folder of results, to go into its document."""
    found = folder / FILE
    return found.read_text() if found.exists() else ""


def main(plan: Plan, out: Path, console: Console) -> int:
    """Profile the loaded rows; exit status 0, or 1 when a profiler is missing."""
    one = _with_perf if _perf_works() else _with_callgrind
    if one is _with_callgrind and shutil.which("valgrind") is None:
        console.print("bench: neither perf nor valgrind can be used")
        return 1
    parts = [f"## Where the time goes, commit {subjects.commit()}\n"]
    with tempfile.TemporaryDirectory(prefix="inland-profile-") as scratch:
        folder = Path(scratch)
        with prepared(folder, plan, console) as bench:
            pin(bench.authorities, bench.other_cores or os.sched_getaffinity(0))
            for row in [row for row in plan.rows if row in PROFILED]:
                console.print(f"profile of {row}")
                parts.append(f"### {row}\n\n{one(bench, row, folder)}")
    text = "\n".join(parts)
    (out / FILE).write_text(text)
    print(text)
    console.print(f"bench: written to {out / FILE}")
    return 0


def _perf_works() -> bool:
    if shutil.which("perf") is None:
        return False
    tried = subprocess.run(
        ["perf", "record", "-e", "cpu-clock", "-o", os.devnull, "--", "true"],
        capture_output=True, check=False,
    )  # fmt: skip
    return tried.returncode == 0


def _with_perf(bench: Bench, row: str, folder: Path) -> str:
    data = folder / "perf.data"
    with running(INLAND, bench.place(INLAND), row) as server:
        wait_answer(server)
        prepare(bench, row)
        load = replace(questions(bench, row), outstanding=OUTSTANDING, seconds=bench.seconds + 1)
        recorder = [
            "perf", "record", "-q", "-F", FREQUENCY, "-e", "cpu-clock", "-o", str(data),
            "-p", str(server.charged[0].pid), "--", "sleep", f"{bench.seconds:g}",
        ]  # fmt: skip
        with process(recorder, folder / "perf.log", bench.other_cores):
            (found,) = bench.generator().run(load)
    by_object, by_symbol = (_told(data, sort) for sort in ("comm,dso", "comm,dso,symbol"))
    return f"perf, {found.rate:,.0f} q/s.\n\n{by_object}\n{by_symbol}"


def _told(data: Path, sort: str) -> str:
    """The samples in Markdown, most first."""
    text = subprocess.run(
        ["perf", "report", "--stdio", "-q", "--no-children", "-i", str(data), "-t", SEPARATOR,
         "--sort", sort, "--percent-limit", f"{LEAST_PERCENT:g}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    width = sort.count(",") + 2
    rows = [[cell.strip() for cell in line.split(SEPARATOR)][:width] for line in text.splitlines()]
    rows = [[row[0], *(f"`{cell}`" for cell in row[1:])] for row in rows if len(row) == width]
    head = ["%", *sort.replace("comm", "thread").replace("dso", "object").split(",")]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * width, *rows[:LINES_MAX]]]
    return "\n".join(lines) + "\n"


def _with_callgrind(bench: Bench, row: str, folder: Path) -> str:
    data = folder / f"callgrind.{row}"
    wrap = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={data}"]
    with running(INLAND, bench.place(INLAND), row, wrap=wrap) as server:
        wait_answer(server, seconds=SLOW_START_SECONDS)
        load = replace(questions(bench, row), outstanding=8, seconds=bench.seconds, timeout=20.0)
        (found,) = bench.generator().run(load)
    text = subprocess.run(
        ["callgrind_annotate", str(data)], capture_output=True, text=True, check=True
    ).stdout
    shown = [line for line in text.splitlines() if "%)" in line][:LINES_MAX]
    return f"callgrind, {found.done} replies, instructions.\n\n```\n" + "\n".join(shown) + "\n```\n"
