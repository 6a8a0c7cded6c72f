"""Run .rpl scenarios against a DNS resolver.

    python -m tests.scenarios [--adapter unbound] [--suite deckard=DIR] [--list FILE] [NAME ...]

A suite is a directory of .rpl files under a short name; a scenario is called
SUITE/FILE-WITHOUT-SUFFIX. NAME may be a scenario name or a shell pattern. Without --suite, the
suites of the shared folder are used. Output: one line per scenario and a summary. Exit status 1
when any failed.
"""

import argparse
import json
import shlex
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.scenarios.runner import DIALECTS, collect, run_all, shared


def parse_args(argv: list[str]) -> argparse.Namespace:
    title = (__doc__ or "").split("\n", 1)[0]
    ap = argparse.ArgumentParser(prog="python -m tests.scenarios", description=title)
    ap.add_argument("names", nargs="*", help="scenario names or patterns (default: all)")
    ap.add_argument("--suite", action="append", default=[], metavar="NAME=DIR")
    ap.add_argument("--list", action="append", default=[], help="file of scenario names")
    ap.add_argument("--adapter", default="inland")
    ap.add_argument("--command", help="how to start the resolver (default: the adapter's)")
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--timeout", type=float, default=10.0, help="seconds to wait for an answer")
    ap.add_argument(
        "--qmin",
        choices=("on", "off", "both"),
        default="on",
        help="QNAME minimisation where a deckard scenario leaves it open",
    )
    ap.add_argument(
        "--strict",
        action="store_true",
        help="fail when the resolver asks anything the scenario does not answer",
    )
    ap.add_argument(
        "--no-improvise",
        action="store_true",
        help="SERVFAIL for upstream questions the scenario does not answer, "
        "instead of a plausible referral or empty answer",
    )
    ap.add_argument(
        "--tidy",
        action="store_true",
        help="repair scripted replies (AA flag, place of signatures); see tidy.py",
    )
    ap.add_argument(
        "--relaxed",
        action="store_true",
        help="do not compare NS sets in AUTHORITY, nor ADDITIONAL, of answers",
    )
    ap.add_argument(
        "--keep",
        choices=("none", "failed", "all"),
        default="none",
        help="keep working directories (logs, configuration)",
    )
    ap.add_argument("--scratch", help="directory for working directories")
    ap.add_argument("--json", help="write results to this file")
    ap.add_argument(
        "--no-truncate",
        action="store_true",
        help="send oversized UDP replies as they are instead of setting TC",
    )
    ap.add_argument(
        "--resign",
        action="store_true",
        help="replace DSA keys and signatures by ones that can be verified",
    )
    ap.add_argument(
        "--faketime",
        action="store_true",
        help="move the clock with libfaketime instead of clock.c",
    )
    ap.add_argument("--limit", type=float, default=120.0, help="seconds per scenario")
    return ap.parse_args(argv)


def main(argv: list[str]) -> int:
    args = parse_args(argv)
    suites = [(name, Path(where)) for name, _, where in (s.partition("=") for s in args.suite)]
    folder = shared()
    if not suites and folder:
        suites = [(name, folder / name) for name in DIALECTS]
    listed = [ln.split("#")[0].strip() for file in args.list for ln in read_lines(file)]
    scenarios = collect(suites, filter(None, [*args.names, *listed]))
    if not scenarios:
        print("no scenarios found (INLAND_SHARED names the folder)", file=sys.stderr)
        return 2
    passed_on = ("adapter", "timeout", "strict", "resign", "relaxed", "keep", "scratch", "tidy")
    options = {name: getattr(args, name) for name in (*passed_on, "no_truncate", "no_improvise")}
    options["command"] = shlex.split(args.command) if args.command else None
    if args.faketime:
        options["shim"] = None
    began = time.monotonic()
    results = {}
    for label, result in run_all(
        scenarios, options, qmin=args.qmin, jobs=args.jobs, limit=args.limit
    ):
        results[label] = result
        print(result.line(label), flush=True)
    count = Counter(result.status for result in results.values())
    print(
        f"{len(results)} scenarios: {count['pass']} passed, {count['fail']} failed, "
        f"{count['skip']} skipped in {time.monotonic() - began:.1f} s"
    )
    if args.json:
        plain = {label: asdict(result) for label, result in results.items()}
        Path(args.json).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return 1 if count["fail"] else 0


def read_lines(file: str) -> list[str]:
    return Path(file).read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
