"""One run: rounds of rows of subjects, interleaved, each reading written as it is made.

The order of subjects is rotated from round to round, so that none always follows the same other.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.figures import Reading
from benchmarks.flood import CAPACITY_SECONDS, flood
from benchmarks.generator import build
from benchmarks.internet import LEVELS, ROOTS, make
from benchmarks.processes import pin, process
from benchmarks.rows import CUSTOMER, Bench, Found, asked, cold, loaded, memory, start
from benchmarks.subjects import Kind, Subject

# Authorities read eight thousand zones before they answer.
AUTHORITIES_SECONDS: Final = 60.0
# In the order of the levels: root, top-level domains, customers.
AUTHORITIES_ASKED: Final = (
    (ROOTS[0], "com"),
    ("127.10.1.1", "d0000.com"),
    ("127.10.2.1", CUSTOMER),
)
ANY: Final = frozenset({Kind.RESOLVER})


@dataclass(frozen=True, slots=True)
class Row:
    """A row: who takes part, how it is measured, about how many seconds beside its load."""

    measure: Callable[[Bench, Subject, str], Found]
    kinds: frozenset[Kind]
    title: str
    extra_seconds: float
    once: bool = False  # in the first round only: it is long and hardly varies
    many: bool = False  # with several workers too


ROWS: Final = {
    "hot": Row(loaded, ANY | {Kind.CACHE, Kind.FLOOR}, "cached answers, UDP", 2.5, many=True),
    "miss": Row(loaded, ANY | {Kind.FLOOR}, "one exchange each, delegation known", 1.5, many=True),
    "mix": Row(loaded, ANY, "nine cached, one new", 2.5, many=True),
    "tcp": Row(loaded, ANY | {Kind.CACHE}, "cached answers, TCP", 2.5, many=True),
    "pipelined": Row(loaded, ANY | {Kind.CACHE}, "cached answers, TCP, pipelined", 2.5, many=True),
    "cold": Row(cold, ANY, "a new zone each: referral and answer", 5.0),
    "start": Row(start, ANY, "start-up to first answer", 2.0),
    "memory": Row(memory, ANY, "memory for each cached name", 60.0, once=True),
    "flood": Row(flood, ANY, "random names under one zone, beside clients", 4.0),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does."""

    rows: tuple[str, ...]
    subjects: tuple[Subject, ...]
    workers: tuple[int, ...]
    rounds: int
    flood_rounds: int
    seconds: float
    latency_seconds: float
    flood_seconds: float
    names: int

    def steps(self) -> Iterator[tuple[int, int, str, Subject]]:
        """(round, workers, row, subject) in the order of the run."""
        for number in range(self.rounds):
            turn = number % len(self.subjects)
            order = self.subjects[turn:] + self.subjects[:turn]
            for workers in self.workers:
                for row in self.rows:
                    if self._takes_part(number, workers, row):
                        for subject in order:
                            if subject.kind in ROWS[row].kinds:
                                yield number, workers, row, subject

    def _takes_part(self, number: int, workers: int, row: str) -> bool:
        if workers != 1 and not ROWS[row].many:
            return False
        if row == "flood" and number >= self.flood_rounds:
            return False
        return number == 0 or not ROWS[row].once

    def estimate(self) -> float:
        """Seconds that it will take, about."""
        total = 20.0
        for _, _, row, _ in self.steps():
            total += ROWS[row].extra_seconds
            if ROWS[row].measure is loaded:
                total += self.seconds + 2 * self.latency_seconds
            if row == "flood":
                total += self.flood_seconds + CAPACITY_SECONDS
        return total


def run(plan: Plan, lines: Path, console: Console) -> list[Reading]:
    """Carry the plan out; readings go to ``lines`` as they come, and are returned."""
    readings: list[Reading] = []
    steps = list(plan.steps())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inland-bench-")))
        bench = stack.enter_context(prepared(folder, plan, console))
        output = stack.enter_context(lines.open("w"))
        bar = stack.enter_context(
            Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TimeElapsedColumn(), console=console, transient=True,
                disable=not console.is_terminal,
            )
        )  # fmt: skip
        task = bar.add_task("", total=len(steps))
        for number, workers, row, subject in steps:
            bar.update(task, description=f"round {number + 1} {row} {subject.name} ({workers})")
            reading = one(replace(bench, workers=workers), row, subject, number)
            readings.append(reading)
            output.write(json.dumps(asdict(reading)) + "\n")
            output.flush()
            console.print(told(reading), highlight=False)
            bar.advance(task)
    return readings


def one(bench: Bench, row: str, subject: Subject, number: int) -> Reading:
    """One reading; a subject that fails gives one with an error."""
    pin(bench.authorities, bench.other_cores or os.sched_getaffinity(0))
    try:
        figures, wrong = ROWS[row].measure(bench, subject, row)
    except (RuntimeError, subprocess.SubprocessError, OSError) as error:
        return Reading(row, subject.name, bench.workers, number, error=str(error))
    return Reading(row, subject.name, bench.workers, number, figures, wrong)


@contextmanager
def prepared(folder: Path, plan: Plan, console: Console) -> Iterator[Bench]:
    """The simulated Internet and the programs, ready for measurements."""
    console.print("building the generator, the floor and the simulated Internet")
    load, floor = build(folder)
    internet = make(folder / "internet")
    with ExitStack() as stack:
        authorities = tuple(
            stack.enter_context(
                process(["knotd", "-c", str(internet.knot(level))], folder / f"{level}.log")
            )
            for level in LEVELS
        )
        for level, (address, name) in zip(LEVELS, AUTHORITIES_ASKED, strict=True):
            _wait_authority(level, address, name)
        yield Bench(
            folder, internet, load, floor, authorities, plan.seconds, plan.latency_seconds,
            plan.flood_seconds, plan.names,
        )  # fmt: skip


def _wait_authority(level: str, address: str, name: str) -> None:
    deadline = time.monotonic() + AUTHORITIES_SECONDS
    while time.monotonic() < deadline:
        reply = asked(name, address, 53)
        if reply is not None and reply[3] & 15 == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the authoritative servers of level {level} do not answer")


SHOWN: Final = {
    "cpu_us": "{:.2f} µs/q",
    "qps": "{:,.0f} q/s",
    "p50_30": "p50 {:,.0f}",
    "p99_30": "p99 {:,.0f} µs at 30 %",
    "p99_sat": "p99 {:,.0f} µs at capacity",
    "start_ms": "{:.0f} ms",
    "bytes_name": "{:.0f} B/name",
    "names": "{:,.0f} names",
    "capacity": "capacity {:,.0f} q/s",
    "answered_cached": "cached {:.2%}",
    "p99_cached": "p99 {:,.0f} µs",
    "answered_new": "new {:.2%}",
    "p99_new": "p99 {:,.0f} µs",
    "answered": "answered {:.2%}",
    "exchanges": "{:.2f} exchanges/q",
    "foreign": "foreign {:.2f}",
}


def told(reading: Reading) -> str:
    """A reading on one line."""
    head = f"{reading.round + 1} {reading.row:6} {reading.workers} {reading.subject:13} "
    if reading.error:
        return f"{head} FAILED: {reading.error}"
    figures = reading.figures
    parts = [form.format(figures[key]) for key, form in SHOWN.items() if key in figures]
    return head + "  ".join(parts) + "".join(f"  ({fault})" for fault in reading.faults)
