"""``make bench``: Inland beside other resolvers and the kernel's floor, in one run.

    python -m benchmarks [--quick] [--rows hot,miss] [--peers inland,unbound] [--rounds 5]
    python -m benchmarks --profile [--rows hot,miss]
    python -m benchmarks --table FILE.jsonl

Runs in a network namespace of its own, which goes with the last process in it; needs root, Knot
DNS and a C compiler. What the rows mean and how to read the result: benchmarks/README.md.
"""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from subprocess import run as call
from typing import NoReturn

from rich.console import Console

from benchmarks import profiling, report
from benchmarks.run import ROWS, Plan, run
from benchmarks.subjects import FLOOR, INLAND, ROOT, SUBJECTS, chosen

QUICK_ROWS, QUICK_PEERS = "hot,miss,mix", "inland,unbound,knot-resolver,floor"
NEEDED = ("knotd", "cc", "ip", "unshare", "taskset", "setpriv")
INSIDE = "INLAND_BENCH_INSIDE"


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for, with defaults of the full or the quick run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="less of all, under three minutes")
    parser.add_argument("--profile", action="store_true", help="only say where the time goes")
    parser.add_argument("--table", type=Path, help="only print the tables of an earlier run")
    parser.add_argument("--rows", help=f"of {','.join(ROWS)}")
    parser.add_argument("--peers", help=f"of {','.join(SUBJECTS)}")
    parser.add_argument("--workers", help="numbers of threads; default 1, 2 and one a core")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--flood-rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of a closed loop")
    parser.add_argument("--latency-seconds", type=float, help="of an open loop; 0: none")
    parser.add_argument("--flood-seconds", type=float)
    parser.add_argument("--names", type=int, default=1_000_000, help="of the memory row")
    parser.add_argument("--out", type=Path, help="directory of results")
    return parser.parse_args(words)


def plan(args: argparse.Namespace) -> Plan:
    """Fill in what was not said. Raises ``ValueError`` for an unknown row or subject."""
    quick = args.quick

    def either(given: float | None, short: float, full: float) -> float:
        return given if given is not None else short if quick else full

    rows = (args.rows or (QUICK_ROWS if quick else ",".join(ROWS))).split(",")
    if unknown := set(rows) - set(ROWS):
        raise ValueError(f"no row {', '.join(sorted(unknown))}: {', '.join(ROWS)}")
    workers = args.workers or ("1" if quick else f"1,2,{os.cpu_count() or 1}")
    return Plan(
        rows=tuple(rows),
        subjects=tuple(
            chosen((args.peers or (QUICK_PEERS if quick else ",".join(SUBJECTS))).split(","))
        ),
        workers=tuple(sorted({int(number) for number in workers.split(",")})),
        rounds=int(either(args.rounds, 2, 5)),
        flood_rounds=int(either(args.flood_rounds, 1, 2)),
        seconds=either(args.seconds, 2.0, 5.0),
        latency_seconds=either(args.latency_seconds, 0.7, 3.0),
        flood_seconds=either(args.flood_seconds, 10.0, 60.0),
        names=args.names,
    )


def main(words: Sequence[str] | None = None) -> int:
    """Exit status: 0 measured, 1 a subject failed or a bad argument, 2 something is missing."""
    args, console = arguments(words), Console(stderr=True)
    if args.table:
        print(report.tables(report.read(args.table)))
        return 0
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.getuid():
        console.print(f"bench: needs root and {' '.join(missing) or 'nothing else'}")
        return 2
    if INSIDE not in os.environ:
        enter_namespace(sys.argv[1:] if words is None else words)
    call(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10240 65000")
    # Ctrl-C and a polite end both unwind: every process that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        wanted = plan(args)
    except ValueError as error:
        console.print(f"bench: {error}")
        return 1
    if args.profile:
        return profiling.main(wanted, folder(args), console)
    return measure(wanted, folder(args), console)


def enter_namespace(words: Sequence[str]) -> NoReturn:
    """Become the same program in a network namespace of its own."""
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", "benchmarks", *words])


def folder(args: argparse.Namespace) -> Path:
    """Where results go: those of a full run are kept with the sources."""
    where = args.out or (ROOT / ".run/bench" if args.quick else ROOT / "benchmarks/results")
    where.mkdir(parents=True, exist_ok=True)
    return Path(where)


def unused(out: Path, day: str) -> str:
    """The day, with a number when there is a run of that day already."""
    number, name = 1, day
    while (out / f"{name}.jsonl").exists():
        number += 1
        name = f"{day}-{number}"
    return name


def measure(wanted: Plan, out: Path, console: Console) -> int:
    """Run, then write and print the tables."""
    absent = [subject.name for subject in wanted.subjects if not subject.found()]
    if absent:
        console.print(f"bench: not installed, left out: {', '.join(absent)}")
        there = tuple(subject for subject in wanted.subjects if subject.found())
        wanted = replace(wanted, subjects=there)
    if not {INLAND, FLOOR} & set(wanted.subjects):
        console.print("bench: neither inland nor the floor takes part: no ratios")
    steps = len(list(wanted.steps()))
    console.print(f"bench: {steps} measurements, about {wanted.estimate() / 60:.0f} minutes")
    day = datetime.now(UTC).date().isoformat()
    named = out / unused(out, day)
    readings = run(wanted, named.with_suffix(".jsonl"), console)
    text = report.document(readings, wanted, day, profiling.kept(out))
    named.with_suffix(".md").write_text(text)
    print(report.tables(readings))
    console.print(f"bench: written to {named}.md and .jsonl")
    return int(any(reading.error for reading in readings))


if __name__ == "__main__":
    sys.exit(main())
