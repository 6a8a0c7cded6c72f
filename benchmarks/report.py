"""The tables of a run: targets, rows, what spoiled readings; machine, versions and method.

Limitations: text only; plots come with the laboratory.
"""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import (
    FLOOR,
    SUBJECT,
    TARGETS,
    Fault,
    Reading,
    best_peer,
    forgiven,
    judge,
    median,
    ratio,
    values,
)
from benchmarks.run import ROWS, Plan
from benchmarks.subjects import SUBJECTS, commit

# Of each kind of row: figure, head of its column, form.
COLUMNS: Final = {
    "loaded": (
        ("cpu_us", "µs/q", "{:.2f}"),
        ("qps", "q/s", "{:,.0f}"),
        ("p50_30", "p50 at 30 %", "{:,.0f}"),
        ("p99_30", "p99 at 30 %", "{:,.0f}"),
        ("worst_30", "its worst window", "{:,.0f}"),
        ("p50_sat", "p50 at 100 %", "{:,.0f}"),
        ("p99_sat", "p99 at 100 %", "{:,.0f}"),
        ("answered", "answered", "{:.2%}"),
        ("answered_sat", "answered at 100 %", "{:.2%}"),
        ("exchanges", "exchanges/q", "{:.2f}"),
    ),
    "cold": (
        ("cpu_us", "µs/q", "{:.2f}"),
        ("qps", "q/s", "{:,.0f}"),
        ("answered", "answered", "{:.2%}"),
        ("exchanges", "exchanges/q", "{:.2f}"),
    ),
    "start": (("start_ms", "ms", "{:.0f}"), ("start_cpu_ms", "processor ms", "{:.0f}")),
    "memory": (
        ("bytes_name", "bytes a name", "{:.0f}"),
        ("names", "names known", "{:,.0f}"),
        ("asked", "names asked", "{:,.0f}"),
        ("own_mib", "own MiB", "{:.0f}"),
        ("mapped_mib", "mapped MiB", "{:.0f}"),
        ("fill_seconds", "filled in s", "{:.0f}"),
    ),
    "flood": (
        ("capacity", "miss capacity q/s", "{:,.0f}"),
        ("flood_qps", "flood q/s", "{:,.0f}"),
        ("answered_flood", "flood answered", "{:.1%}"),
        ("answered_cached", "cached answered", "{:.2%}"),
        ("p99_cached", "cached p99 µs", "{:,.0f}"),
        ("answered_new", "new answered", "{:.2%}"),
        ("p99_new", "new p99 µs", "{:,.0f}"),
        ("dropped", "no room in a socket", "{:.1%}"),
    ),
}


def read(path: Path) -> list[Reading]:
    """Readings of an earlier run."""
    found = []
    for line in path.read_text().splitlines():
        fields = json.loads(line)
        fields["faults"] = tuple(Fault(fault) for fault in fields["faults"])
        found.append(Reading(**fields))
    return found


def tables(readings: Sequence[Reading]) -> str:
    """All of it in Markdown: targets first."""
    parts = [_targets(readings)]
    for row, workers in dict.fromkeys((reading.row, reading.workers) for reading in readings):
        parts.append(_row(readings, row, workers))
    return "\n".join(part for part in parts if part)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _targets(readings: Sequence[Reading]) -> str:
    if not any(reading.subject == SUBJECT for reading in readings):
        return ""
    rows = []
    there = {reading.row for reading in readings}
    for target in TARGETS:
        if target.row not in there:
            continue
        judged = judge(readings, target)
        bound = f"{'at least' if target.least else 'at most'} {target.bound:,g}"
        if target.to:
            bound += f" × {'the best peer' if target.to == 'peer' else 'the floor'}"
        mark = {True: "yes", False: "**no**", None: "–"}[judged.met]
        rows.append((target.row, target.figure, bound, judged.text, mark))
    return "## Targets, one worker\n\n" + _table(("row", "figure", "bound", "found", "met"), rows)


def _row(readings: Sequence[Reading], row: str, workers: int) -> str:
    ours = [one for one in readings if (one.row, one.workers) == (row, workers)]
    columns = COLUMNS.get(row, COLUMNS["loaded"])
    subjects = [name for name in SUBJECTS if any(one.subject == name for one in ours)]
    rows = []
    for name in subjects:
        cells = [name]
        for figure, _, form in columns:
            cells.append(_cell(ours, row, workers, name, figure, form))
        rows.append([*cells, _remarks([one for one in ours if one.subject == name])])
    text = f"## {row}: {ROWS[row].title}, {workers} worker{'s' * (workers != 1)}\n\n"
    text += _table(("subject", *(head for _, head, _ in columns), "remarks"), rows)
    return text + _ratios(ours, row, workers, columns[0][0])


def _cell(
    readings: Sequence[Reading], row: str, workers: int, name: str, figure: str, form: str
) -> str:
    """Median, with the range where there are more; in brackets when no reading is valid."""
    found = values(readings, row, workers, name, figure).values()
    if not found:
        spoiled = median(forgiven(readings), row, workers, name, figure)
        return "–" if spoiled is None else f"({form.format(spoiled)})"
    middle = form.format(statistics.median(found))
    if len(found) > 1 and figure in ("cpu_us", "bytes_name", "start_ms"):
        return f"{middle} ({form.format(min(found))}–{form.format(max(found))})"
    return middle


def _remarks(readings: Sequence[Reading]) -> str:
    """How many readings were spoiled, by what."""
    parts = []
    for fault in Fault:
        count = sum(fault in one.faults for one in readings)
        if count:
            parts.append(f"{fault} in {count} of {len(readings)}")
    failed = [one.error for one in readings if one.error]
    if failed:
        parts.append(f"failed {len(failed)} times: {failed[0]}")
    return "; ".join(parts) or " "


def _ratios(readings: Sequence[Reading], row: str, workers: int, figure: str) -> str:
    if row == "flood":
        return ""
    for mark, among in (("", readings), ("spoiled: ", forgiven(readings))):
        peer = best_peer(among, row, workers, figure)
        found = [ratio(among, row, workers, figure, to) for to in (peer, FLOOR) if to]
        told = [str(one) for one in found if one is not None]
        if told:
            return f"\n{mark}inland: {', '.join(told)} ({figure}, medians of ratios)\n"
    return ""


def machine() -> str:
    """Processor, cores, memory and kernel, without the machine's name."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {platform.release()}"


def document(readings: Sequence[Reading], plan: Plan, day: str, profile: str) -> str:
    """The dated file of a run."""
    versions = ", ".join(f"{one.name} {one.version()}" for one in plan.subjects)
    return f"""# Benchmarks of {day}

- Machine: {machine()}. Load average at the end: {os.getloadavg()[1]:.2f}.
- Commit: {commit()}. Versions: {versions}.
- Method: {plan.rounds} interleaved rounds ({plan.flood_rounds} of the flood), order rotated;
  closed loop {plan.seconds:g} s, open loop {plan.latency_seconds:g} s at 30 % of the subject's own
  capacity (the median of windows of half a second) and at 100 %, flood {plan.flood_seconds:g} s.
  One worker: subject on core 0, generator
  and authorities on core 1; more workers: not pinned. Cells are medians of valid readings (range);
  in brackets: no reading was valid. Latencies in µs, questions without a reply count as the
  time-out. How to read it: `benchmarks/README.md`.

{tables(readings)}
{profile}"""
