"""The rows: what each asks a subject, and what is read from it.

Limitations: one subject runs at a time, on a machine whose other work is seen but not stopped.
"""

import os
import socket
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import processes
from benchmarks.figures import Fault, Shares, faults, late
from benchmarks.generator import Generator, Load, Measured
from benchmarks.internet import BULK_ZONE, HOT_NAMES, OTHER_ZONES, ZONES, Internet
from benchmarks.processes import Process
from benchmarks.subjects import PORT, Kind, Place, Running, Subject, running

START_SECONDS: Final = 20.0
STARTS: Final = 3  # a round, of which the median counts
# In cores: the clock of /proc/stat has ticks of 10 ms, and a start takes some tens of them.
START_FOREIGN_MAX: Final = 0.5
SETTLE_SECONDS: Final = 0.3
OUTSTANDING: Final = 128
WARM_OUTSTANDING: Final = 48
WARM_PASSES: Final = 3  # at most: a subject that drops questions needs more than one
WARM_SHARE: Final = 0.995
MIX_EVERY: Final = 10
PIPELINES: Final = 32  # connections with several questions outstanding on each
LOW: Final = 0.30  # of its own capacity
MEMORY_SECONDS_MAX: Final = 150.0
SAMPLE_STRIDE: Final = 200  # one name in so many is asked again, whether it is still known
LATENCY_FIRST: Final = 1 << 30  # names of the open loop, apart from those of the closed
WINDOW_FIRST_STEP: Final = 1 << 22  # and those of one window of it from those of the next
LOW_WINDOW_SECONDS: Final = 0.5
CUSTOMER: Final = "www.host01.net"

Figures = dict[str, float]
Found = tuple[Figures, tuple[Fault, ...]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all rows share: the simulated Internet, programs, cores, lengths in seconds."""

    folder: Path
    internet: Internet
    load: Path
    floor: Path
    authorities: tuple[Process, ...]
    seconds: float
    latency_seconds: float
    flood_seconds: float
    names: int  # of the memory row
    workers: int = 1

    @property
    def pinned(self) -> bool:
        return self.workers == 1 and len(os.sched_getaffinity(0)) > 1

    @property
    def own_cores(self) -> frozenset[int] | None:
        return frozenset({0}) if self.pinned else None

    @property
    def other_cores(self) -> frozenset[int] | None:
        return frozenset({1}) if self.pinned else None

    @property
    def generators(self) -> int:
        return 1 if self.pinned else max(1, min(self.workers, os.cpu_count() or 1))

    def generator(self) -> Generator:
        return Generator(self.load, self.other_cores)

    def place(self, subject: Subject) -> Place:
        return Place(
            self.folder / "run" / subject.name, self.internet.hints, self.floor, self.workers,
            self.own_cores, self.other_cores,
        )  # fmt: skip


def wait_answer(subject: Running, seconds: float = START_SECONDS) -> None:
    """Until it gives an address for a customer's name. Raises ``RuntimeError``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (status := subject.ended()) is not None:
            raise RuntimeError(f"ended at start with status {status}: {_last_words(subject)}")
        reply = asked(CUSTOMER, "127.0.0.1", PORT)
        if reply is None:
            time.sleep(0.001)
        elif reply[3] & 15 == 0 and reply[7]:
            return
    raise RuntimeError(f"no answer within {seconds:.0f} s: {_last_words(subject)}")


def asked(name: str, address: str, port: int) -> bytes | None:
    """One question for an address record, and the reply if there is one within half a second."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        client.connect((address, port))
        try:
            client.send(query)
            return client.recv(4096)
        except OSError:
            return None


def _last_words(subject: Running) -> str:
    lines = (subject.folder / "log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def questions(bench: Bench, row: str) -> Load:
    """The load of a row, without its loop and length."""
    hot = bench.internet.questions("hot")
    sockets = 4 if bench.pinned else 32  # many, so that the kernel spreads them evenly
    match row:
        case "hot":
            return Load(file=hot, sockets=sockets)
        case "tcp":
            return Load(file=hot, sockets=OUTSTANDING, stream=True)
        case "pipelined":
            return Load(file=hot, sockets=PIPELINES, stream=True)
        case "miss":
            return Load(zone=BULK_ZONE, sockets=sockets)
        case "mix":
            return Load(file=hot, zone=BULK_ZONE, every=MIX_EVERY, sockets=sockets)
    raise AssertionError(row)


def warm(bench: Bench, name: str, count: int, stream: bool = False) -> None:
    """Ask for a set of names until nearly all are answered."""
    load = Load(
        file=bench.internet.questions(name), questions=count, outstanding=WARM_OUTSTANDING,
        sockets=16, stream=stream, seconds=60.0,
    )  # fmt: skip
    for _ in range(WARM_PASSES):
        (found,) = bench.generator().run(load)
        if found.answered >= WARM_SHARE:
            return
    raise RuntimeError(f"answered only {found.answered:.1%} of {name} when it was warmed")


def prepare(bench: Bench, row: str) -> None:
    """Fill caches as the row wants them; packet caches of a thread need a pass each."""
    warm(bench, "warm", 2)
    if row in ("hot", "tcp", "pipelined", "mix"):
        for _ in range(2 * bench.workers):
            warm(bench, "hotset", HOT_NAMES, stream=row in ("tcp", "pipelined"))
    if row == "flood":
        warm(bench, "hotset", HOT_NAMES)
        warm(bench, "otherset", OTHER_ZONES)


@dataclass(frozen=True, slots=True)
class Watched:
    """What was measured while a load ran."""

    measured: Measured
    spent: float  # the subject's processor seconds
    exchanges: float  # upstream, for each reply
    shares: Shares
    soft: float  # cores of ksoftirqd
    dropped: int  # datagrams for which a socket had no room, anybody's


def watch(bench: Bench, subject: Running, work: Callable[[], list[Measured]]) -> list[Watched]:
    """Run loads and see who was busy meanwhile; one entry for each load."""
    before, own = processes.machine(), processes.cpu_seconds(subject.charged)
    behind = processes.cpu_seconds(subject.behind)
    served, self_time = processes.cpu_seconds(bench.authorities), time.process_time()
    udp = processes.datagrams()
    found = work()
    spent = processes.cpu_seconds(subject.charged) - own
    behind = processes.cpu_seconds(subject.behind) - behind
    served = processes.cpu_seconds(bench.authorities) - served
    after = processes.machine()
    udp_after = processes.datagrams()
    arrived = udp_after.arrived - udp.arrived
    dropped = udp_after.dropped - udp.dropped
    soft = after.soft - before.soft
    known = spent + behind + served + soft + time.process_time() - self_time
    known += sum(one.whole for one in found)
    length = after.at - before.at
    replies = sum(one.done for one in found)
    datagrams = sum(one.sent + one.done for one in found)
    asking = max(one.asking for one in found)  # not the wait for what was lost
    cores = float(os.cpu_count() or 1)
    shares = Shares(
        subject=spent / asking,
        subject_cores=1.0 if bench.pinned else min(float(bench.workers), cores),
        generator=sum(one.cpu for one in found) / asking,
        generators=sum(one.generators for one in found),
        authorities=(served + behind) / asking,
        other_cores=1.0 if bench.pinned else cores,
        foreign=max(0.0, after.all - before.all - known) / length,
        foreign_own=max(0.0, after.busy[0] - before.busy[0] - spent) / length
        if bench.pinned else 0.0,
        pinned=bench.pinned,
    )  # fmt: skip
    exchanges = max(0.0, arrived - datagrams) / 2 / max(replies, 1)
    return [Watched(one, spent, exchanges, shares, soft / length, dropped) for one in found]


def saturated(bench: Bench, subject: Running, load: Load) -> tuple[Watched, Figures]:
    """A closed loop, and the figures that every such row has."""
    (seen,) = watch(bench, subject, lambda: [bench.generator().spread(load, bench.generators)])
    found = seen.measured
    if not found.done:
        raise RuntimeError("no question was answered")
    return seen, {
        "cpu_us": seen.spent / max(found.good, 1) * 1e6,
        "qps": found.rate,
        "answered": found.answered,
        "lost": float(found.lost),
        "dropped": float(seen.dropped),
        "exchanges": seen.exchanges,
        "busy_subject": seen.shares.subject,
        "busy_generator": seen.shares.generator,
        "busy_authorities": seen.shares.authorities,
        "foreign": seen.shares.foreign,
        "foreign_own": seen.shares.foreign_own,
        "soft": seen.soft,
    }


def loaded(bench: Bench, subject: Subject, row: str) -> Found:
    """hot, tcp, pipelined, miss, mix: capacity in a closed loop, latency in an open one."""
    with running(subject, bench.place(subject), row) as server:
        wait_answer(server)
        if subject.kind is not Kind.FLOOR:
            prepare(bench, row)
        time.sleep(SETTLE_SECONDS)
        load = questions(bench, row)
        full = replace(load, outstanding=OUTSTANDING, seconds=bench.seconds)
        seen, figures = saturated(bench, server, full)
        wrong = list(faults(seen.shares))
        if bench.latency_seconds:
            rate = figures["qps"]
            low = replace(load, rate=LOW * rate, first=LATENCY_FIRST)
            full = replace(load, rate=rate, first=LATENCY_FIRST * 2)
            figures |= _latency(bench, low, "30", LOW_WINDOW_SECONDS)
            figures |= _latency(bench, full, "sat", bench.latency_seconds)
            if late(figures["late_30"], figures["p99_30"]):
                wrong.append(Fault.LATE)
        return figures, tuple(wrong)


def _latency(bench: Bench, load: Load, name: str, window: float) -> Figures:
    """An open loop in windows of so many seconds: the percentiles of the median window, and the
    p99 of the worst one."""
    firsts = [
        load.first + number * WINDOW_FIRST_STEP
        for number in range(max(1, round(bench.latency_seconds / window)))
    ]
    windows = [
        bench.generator().spread(
            replace(load, first=first, seconds=window, urgent=True), bench.generators
        )
        for first in firsts
    ]
    p99 = [one.percentile(0.99) for one in windows]
    return {
        f"p50_{name}": statistics.median(one.percentile(0.5) for one in windows),
        f"p99_{name}": statistics.median(p99),
        f"worst_{name}": max(p99),
        f"answered_{name}": sum(one.good for one in windows) / sum(one.sent for one in windows),
        f"late_{name}": statistics.median(one.late_percentile(0.99) for one in windows),
    }


def cold(bench: Bench, subject: Subject, row: str) -> Found:
    """A question for each zone, nothing known of it: a referral and an answer; some need more."""
    with running(subject, bench.place(subject), row) as server:
        wait_answer(server)
        time.sleep(SETTLE_SECONDS)
        load = Load(
            file=bench.internet.questions("cold"), questions=ZONES, outstanding=OUTSTANDING,
            seconds=MEMORY_SECONDS_MAX,
        )  # fmt: skip
        (seen,) = watch(bench, server, lambda: bench.generator().run(load))
        found = seen.measured
        return {
            "cpu_us": seen.spent / max(found.good, 1) * 1e6,
            "qps": found.rate,
            "answered": found.answered,
            "exchanges": seen.exchanges,
            "busy_subject": seen.shares.subject,
            "foreign": seen.shares.foreign,
        }, faults(seen.shares)


def start(bench: Bench, subject: Subject, row: str) -> Found:
    """From the start of the program to the first answer, which needs the root."""
    milliseconds, processor, foreign = [], [], []
    for _ in range(STARTS):
        before, served = processes.machine(), processes.cpu_seconds(bench.authorities)
        own = time.process_time()
        with running(subject, bench.place(subject), row) as server:
            wait_answer(server)
            after, spent = processes.machine(), processes.cpu_seconds(server.charged)
        known = spent + processes.cpu_seconds(bench.authorities) - served
        known += time.process_time() - own
        milliseconds.append((after.at - before.at) * 1e3)
        processor.append(spent * 1e3)
        foreign.append(max(0.0, after.all - before.all - known) / (after.at - before.at))
    others = statistics.median(foreign)
    return {
        "start_ms": statistics.median(milliseconds),
        "start_cpu_ms": statistics.median(processor),
        "foreign": others,
    }, (Fault.FOREIGN,) if others > START_FOREIGN_MAX else ()


def memory(bench: Bench, subject: Subject, row: str) -> Found:
    """What a cached name takes, from the growth while so many are asked, each once.

    A sample is asked again, so that a subject that forgets does not look small: bytes are for each
    name that was *answered and is still known*.
    """
    with running(subject, bench.place(subject), row) as server:
        wait_answer(server)
        prepare(bench, row)
        time.sleep(SETTLE_SECONDS)
        empty = processes.memory(server.charged, server.folder)
        load = Load(
            zone=BULK_ZONE, questions=bench.names, outstanding=OUTSTANDING, sockets=8,
            seconds=MEMORY_SECONDS_MAX,
        )  # fmt: skip
        (found,) = bench.generator().run(load)
        full = processes.memory(server.charged, server.folder)
        sample = replace(
            load, questions=max(1, found.sent // SAMPLE_STRIDE), stride=SAMPLE_STRIDE, seconds=20.0
        )
        (again,) = watch(bench, server, lambda: bench.generator().run(sample))
        known = found.good * max(0.0, 1 - again.exchanges)
        return {
            "bytes_name": (full.all - empty.all) / max(known, 1.0),
            "names": known,
            "asked": float(found.sent),
            "own_mib": full.own / 2**20,
            "mapped_mib": full.mapped / 2**20,
            "fill_seconds": found.seconds,
        }, ()
