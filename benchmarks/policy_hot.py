"""What a large policy costs answers from the cache: a million names in a response policy zone,
1,000 rules and 3 views, beside the same resolver without any.

    python -m benchmarks.policy_hot [--entries 1000000] [--rules 1000] [--views 3] [--rounds 8]

Both run at once, on one core; the generator asks one after the other, the first by turns. Told is
processor time of the resolver for a good answer, and the ratio within each round. With the defaults
under four minutes. Run it when nothing else runs: the goal is a ratio of at most 1.05.

Limitations: one worker; clients of one view; no validation. Needs what ``make bench`` needs.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.generator import Load, read
from benchmarks.internet import BULK_ZONE, HOT_NAMES
from benchmarks.own import in_a_namespace, internet, resolver
from benchmarks.policy import policy
from benchmarks.policy_zones import ZONE, make_text
from benchmarks.processes import Process, cpu_seconds
from benchmarks.rows import Bench
from benchmarks.subjects import BACKEND, PORT

SECONDS: Final = 5.0
WARM_PASSES: Final = 4


def policy_keys(folder: Path, entries: int, rules: int, views: int) -> dict[str, Any]:
    """Write the policy; the keys that name it."""
    chance = random.Random(1)
    (folder / "zone").write_bytes(make_text(entries, chance))
    values = policy(chance, rules, views)
    values["views"][0]["clients"] = "127.0.0.0/8"  # where the generator is
    (folder / "rules.yaml").write_text(json.dumps(values))
    owner = {"kind": "operator", "name": "Benchmark"}
    rpz = {"zone": ZONE, "file": str(folder / "zone"), "authority": owner, "reference": "none"}
    return {"files": [str(folder / "rules.yaml")], "rpz": [rpz]}


def ask(bench: Bench, port: int, load: Load) -> int:
    """Good answers to a load."""
    words = load.words(bench.load)
    words[words.index("-p") + 1] = str(port)
    bound = ["taskset", "-c", "1"] if bench.pinned else []
    done = subprocess.run([*bound, *words], capture_output=True, text=True, check=True)
    return read(done.stdout).good


def reading(bench: Bench, subject: Process, port: int, seconds: float) -> float:
    """Microseconds of processor time for a good answer."""
    load = Load(file=bench.internet.questions("hot"), outstanding=128, seconds=seconds)
    before = cpu_seconds([subject])
    good = ask(bench, port, load)
    return (cpu_seconds([subject]) - before) / good * 1e6


def rounds(bench: Bench, subjects: dict[int, Process], count: int, seconds: float) -> None:
    """Readings by turns, and their ratios."""
    warm = Load(
        file=bench.internet.questions("hotset"), outstanding=48, questions=WARM_PASSES * HOT_NAMES
    )
    for port, subject in subjects.items():
        ask(bench, port, warm)
        reading(bench, subject, port, 1.0)
    ratios: list[float] = []
    for number in range(count):
        order = list(subjects)[:: 1 if number % 2 else -1]
        found = {port: reading(bench, subjects[port], port, seconds) for port in order}
        ratios.append(found[BACKEND] / found[PORT])
        print(
            f"round {number + 1}: without {found[PORT]:.2f} µs, with {found[BACKEND]:.2f} µs,"
            f" ratio {ratios[-1]:.3f}",
            flush=True,
        )
    print(f"ratio: median {median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


def main() -> int:
    """Run in a network namespace of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    words = parser.parse_args()
    in_a_namespace("benchmarks.policy_hot")
    with internet() as bench:
        keys = policy_keys(bench.folder, words.entries, words.rules, words.views)
        ready = f"ready.{BULK_ZONE}"
        with (
            resolver(bench, PORT, ready) as without,
            resolver(bench, BACKEND, ready, policy=keys) as with_policy,
        ):
            rounds(bench, {PORT: without, BACKEND: with_policy}, words.rounds, words.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
