"""Whether random names make series: the set of series before and after millions of them, and how
long scrapes take, at rest and meanwhile.

    python -m benchmarks.series [--names 10000000] [--seconds 900]

Each name is new, below a zone that has none of them, so each is a miss: one exchange with an
authoritative server of the simulated Internet (``benchmarks/internet.py``), and one answer. Exit
status 1: there are other series than before, or a scrape took over 50 ms.

Limitations: one zone and one client; a scrape is timed from outside, so it is as slow as the
machine is busy: generator, servers and resolver share its cores. Needs what ``make bench`` needs.
"""

import argparse
import re
import sys
import threading
import time
from statistics import median
from typing import Final
from urllib.request import urlopen

from benchmarks.generator import Load, Measured
from benchmarks.internet import FLOOD_ZONE
from benchmarks.own import in_a_namespace, internet, resolver
from benchmarks.rows import Bench
from benchmarks.subjects import PORT

URL: Final = "http://127.0.0.1:9153/metrics"
SCRAPES: Final = 100
GAP_SECONDS: Final = 0.2
TOLERATED_SECONDS: Final = 0.05


def scrape() -> tuple[float, frozenset[str]]:
    """Seconds, and the series: names with labels, without values."""
    began = time.perf_counter()
    with urlopen(URL, timeout=10) as reply:
        text = reply.read().decode()
    took = time.perf_counter() - began
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return took, frozenset(re.sub(r" \S+$", "", line) for line in lines)


def scrapes(until: threading.Event | None = None) -> list[float]:
    """The seconds of many, one after the other; or of all until an event."""
    found: list[float] = []
    while (not until.is_set()) if until is not None else len(found) < SCRAPES:
        found.append(scrape()[0])
        time.sleep(GAP_SECONDS if until is None else 2 * GAP_SECONDS)
    return found


def told(what: str, seconds: list[float]) -> None:
    """Print the spread of scrapes."""
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    print(
        f"{what}: {len(ordered)} scrapes, median {median(ordered) * 1e3:.1f} ms, "
        f"p99 {late * 1e3:.1f} ms, most {ordered[-1] * 1e3:.1f} ms",
        flush=True,
    )


def load(bench: Bench, names: int, seconds: float, seed: int) -> Measured:
    """So many new names, or as many as fit into the time."""
    one = Load(zone=FLOOD_ZONE, outstanding=96, questions=names, seconds=seconds, seed=seed)
    return bench.generator().run(one)[0]


def measure(bench: Bench, names: int, seconds: float) -> int:
    """Exit status."""
    exporter = {"listen": "127.0.0.1:9153"}
    with resolver(bench, PORT, f"first.{FLOOD_ZONE}", metrics=exporter):
        load(bench, 20_000, 60, 1)  # series of what any lookup does
        before = scrape()[1]
        rest = scrapes()
        told("at rest, before", rest)
        done, under_load = threading.Event(), list[float]()
        reader = threading.Thread(target=lambda: under_load.extend(scrapes(done)))
        reader.start()
        try:
            measured = load(bench, names, seconds, 2)
        finally:
            done.set()
            reader.join()
        print(
            f"{measured.done:,} names answered of {measured.sent:,} in {measured.seconds:.0f} s"
            f" ({measured.rate:,.0f} a second), by code {measured.rcodes}"
        )
        told("meanwhile", under_load)
        after = scrape()[1]
        later = scrapes()
        told("at rest, after", later)
    print(f"series: {len(before)} before, {len(after)} after")
    for line in sorted(before ^ after):
        print(("only before: " if line in before else "only after: ") + line)
    return int(before != after or max(rest + later) > TOLERATED_SECONDS)


def main() -> int:
    """Run in a network namespace of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--names", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=900.0)
    words = parser.parse_args()
    in_a_namespace("benchmarks.series")
    with internet() as bench:
        return measure(bench, words.names, words.seconds)


if __name__ == "__main__":
    sys.exit(main())
