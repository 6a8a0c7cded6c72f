"""The flood: random names under one zone at twice what the subject can resolve, beside clients.

Three open loops at the same time, each from addresses of its own: the flood; clients that ask
names that are cached; clients that ask new names in other zones, whose delegations are known.

Limitations: the capacity is measured just before, for a few seconds; all flooding clients are on
64 addresses, as behind a few open forwarders.
"""

import time
from dataclasses import replace
from typing import Final

from benchmarks.figures import Fault, faults, late
from benchmarks.generator import Load, Measured
from benchmarks.internet import FLOOD_ZONE, OTHER_NAMES
from benchmarks.rows import (
    OUTSTANDING,
    SETTLE_SECONDS,
    Bench,
    Found,
    prepare,
    questions,
    saturated,
    wait_answer,
    watch,
)
from benchmarks.subjects import Subject, running

CAPACITY_SECONDS: Final = 3.0
TIMES_CAPACITY: Final = 2.0
CACHED_RATE: Final = 1000.0
NEW_RATE: Final = 100.0
TIMEOUT_SECONDS: Final = 5.0  # that a stub resolver waits (resolv.conf(5))
FLOODERS, FLOOD_SOURCE = 64, "127.40.0.1"
CLIENTS, CACHED_SOURCE, NEW_SOURCE = 16, "127.41.0.1", "127.42.0.1"
NXDOMAIN: Final = "3"


def flood(bench: Bench, subject: Subject, row: str) -> Found:
    """Answered shares and p99 of each class of clients."""
    with running(subject, bench.place(subject), row) as server:
        wait_answer(server)
        prepare(bench, row)
        time.sleep(SETTLE_SECONDS)
        capacity, before = saturated(
            bench,
            server,
            replace(questions(bench, "miss"), outstanding=OUTSTANDING, seconds=CAPACITY_SECONDS),
        )
        time.sleep(SETTLE_SECONDS)
        rate = TIMES_CAPACITY * before["qps"]
        seconds, ask = bench.flood_seconds, bench.internet.questions
        loads = (
            Load(zone=FLOOD_ZONE, rate=rate, sockets=FLOODERS, source=FLOOD_SOURCE,
                 seconds=seconds, timeout=TIMEOUT_SECONDS),
            Load(file=ask("hot"), rate=CACHED_RATE, sockets=CLIENTS, source=CACHED_SOURCE,
                 seconds=seconds, timeout=TIMEOUT_SECONDS, urgent=True),
            Load(file=ask("others"), rate=NEW_RATE, sockets=CLIENTS, source=NEW_SOURCE,
                 seconds=min(seconds, OTHER_NAMES / NEW_RATE), timeout=TIMEOUT_SECONDS,
                 urgent=True),
        )  # fmt: skip
        flooded, cached, new = watch(bench, server, lambda: bench.generator().run(*loads))
        wrong = list(faults(flooded.shares, saturating=False))
        if Fault.FOREIGN in faults(capacity.shares) and Fault.FOREIGN not in wrong:
            wrong.append(Fault.FOREIGN)
        if _short(flooded.measured, rate * seconds):
            wrong.append(Fault.GENERATOR)
        if late(cached.measured.late_percentile(0.99), cached.measured.percentile(0.99)):
            wrong.append(Fault.LATE)
        return {
            "capacity": before["qps"],
            "flood_qps": flooded.measured.sent / seconds,
            "answered_flood": flooded.measured.rcodes.get(NXDOMAIN, 0)
            / max(flooded.measured.sent, 1),
            **_figures("cached", cached.measured),
            **_figures("new", new.measured),
            "dropped": flooded.dropped / sum(one.measured.sent for one in (flooded, cached, new)),
            "exchanges": flooded.exchanges,
            "busy_subject": flooded.shares.subject,
            "busy_generator": flooded.shares.generator,
            "busy_authorities": flooded.shares.authorities,
            "foreign": flooded.shares.foreign,
        }, tuple(wrong)


def _figures(name: str, measured: Measured) -> dict[str, float]:
    return {
        f"answered_{name}": measured.answered,
        f"p50_{name}": measured.percentile(0.5),
        f"p99_{name}": measured.percentile(0.99),
        f"servfail_{name}": measured.rcodes.get("2", 0) / max(measured.sent, 1),
    }


def _short(measured: Measured, wanted: float) -> bool:
    """Whether the flood was much smaller than it was meant to be."""
    return measured.sent < 0.95 * wanted
