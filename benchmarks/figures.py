"""The arithmetic of a run: what spoils a reading, medians, ratios to the best peer and the floor.

A *reading* is one row, of one subject, in one round. Ratios are taken within a round, between
readings made minutes apart at most, and the median is taken of the ratios: a machine that is slow
for a while strikes both sides.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

SUBJECT: Final = "inland"
FLOOR: Final = "floor"

FOREIGN_CORES_MAX: Final = 0.10  # time of strangers, in cores: beyond, nothing is to be believed
FOREIGN_OWN_CORE_MAX: Final = 0.05  # the same on the subject's own core, where it hurts more
BUSY: Final = 0.90  # of its cores: at its limit
LATE_MICROSECONDS_MAX: Final = 2000.0  # of the open loop behind its schedule, 99th percentile
LATE_SHARE_OF_P99: Final = 0.5  # a generator that late makes a good part of the latency itself


class Fault(StrEnum):
    """Why a reading is not what it says."""

    FOREIGN = "foreign"  # other processes took processor time: spoils everything
    GENERATOR = "generator"  # the generator was the bottleneck
    AUTHORITIES = "authorities"  # the authoritative servers were
    IDLE = "idle"  # nobody was at its limit: the subject waited for something
    LATE = "late"  # the open loop could not keep its schedule


# What a fault other than FOREIGN spoils. Processor time for each answer stands when the subject
# was not at its limit; it is then a little high, since fewer packets share a system call.
SPOILS: Final = {
    Fault.GENERATOR: ("qps", "_sat", "_cached", "_new"),
    Fault.AUTHORITIES: ("qps", "_sat", "_cached", "_new"),
    Fault.IDLE: ("qps", "_sat"),
    Fault.LATE: ("_30", "_cached", "_new"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One row, of one subject, in one round."""

    row: str
    subject: str
    workers: int
    round: int
    figures: dict[str, float] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    error: str = ""

    def valid(self, figure: str) -> bool:
        """Whether this figure may be used."""
        if self.error or figure not in self.figures or Fault.FOREIGN in self.faults:
            return False
        return not any(figure.endswith(SPOILS[fault]) for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Shares:
    """Busy cores of each party during a measurement, and how many they could use."""

    subject: float
    subject_cores: float
    generator: float
    generators: int
    authorities: float
    other_cores: float  # of generator and authorities together
    foreign: float
    foreign_own: float  # on the subject's core; 0 where nothing is pinned
    pinned: bool


def faults(shares: Shares, saturating: bool = True) -> tuple[Fault, ...]:
    """What was wrong, from who was busy."""
    found = []
    if shares.foreign > FOREIGN_CORES_MAX or shares.foreign_own > FOREIGN_OWN_CORE_MAX:
        found.append(Fault.FOREIGN)
    if saturating:
        found += _bottleneck(shares)
    return tuple(found)


def _bottleneck(shares: Shares) -> list[Fault]:
    """Who held the subject back, when it was not itself at its limit."""
    if shares.subject >= BUSY * shares.subject_cores:
        return []
    others = shares.generator + shares.authorities
    if not shares.pinned and others + shares.subject >= BUSY * shares.other_cores:
        # All share all cores and all are in use: the machine is the limit, as it is for a server
        # that shares one. A single thread that is full is still a bottleneck of its own.
        return [Fault.GENERATOR] if shares.generator >= BUSY * shares.generators else []
    full = shares.generator >= BUSY * shares.generators or (
        shares.pinned and others >= BUSY * shares.other_cores
    )
    if not full:
        return [Fault.IDLE]
    return [Fault.GENERATOR if shares.generator >= shares.authorities else Fault.AUTHORITIES]


def late(p99_late: float, p99: float) -> bool:
    """Whether an open loop's own delay (µs) makes its latencies (µs) worthless."""
    return p99_late > LATE_MICROSECONDS_MAX and p99_late > LATE_SHARE_OF_P99 * p99


def values(readings: Iterable[Reading], row: str, workers: int, subject: str,
           figure: str) -> dict[int, float]:  # fmt: skip
    """Valid values by round."""
    return {
        reading.round: reading.figures[figure]
        for reading in readings
        if (reading.row, reading.workers, reading.subject) == (row, workers, subject)
        and reading.valid(figure)
    }


def forgiven(readings: Iterable[Reading]) -> list[Reading]:
    """The same without their faults, for what is shown in brackets."""
    return [replace(reading, faults=()) for reading in readings]


def median(readings: Iterable[Reading], row: str, workers: int, subject: str,
           figure: str) -> float | None:  # fmt: skip
    """Over the rounds with a valid value; nothing when there is none."""
    found = values(readings, row, workers, subject, figure)
    return statistics.median(found.values()) if found else None


def best_peer(
    readings: Sequence[Reading], row: str, workers: int, figure: str, highest: bool = False
) -> str | None:
    """The peer with the best median: least, or highest. Neither our subject nor the floor."""
    medians = {
        subject: found
        for subject in sorted({reading.subject for reading in readings} - {SUBJECT, FLOOR})
        if (found := median(readings, row, workers, subject, figure)) is not None
    }
    if not medians:
        return None
    return (max if highest else min)(medians, key=lambda subject: medians[subject])


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours to another's, within each round: median, least and greatest."""

    to: str
    median: float
    least: float
    greatest: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}–{self.greatest:.2f}) × {self.to}"


def ratio(
    readings: Sequence[Reading], row: str, workers: int, figure: str, to: str
) -> Ratio | None:
    """Over the rounds where both have a valid value; nothing when there is none."""
    ours = values(readings, row, workers, SUBJECT, figure)
    theirs = values(readings, row, workers, to, figure)
    found = [ours[number] / theirs[number] for number in ours if theirs.get(number)]
    if not found:
        return None
    return Ratio(to, statistics.median(found), min(found), max(found), len(found))


@dataclass(frozen=True, slots=True)
class Target:
    """What a row must show with one worker: a figure at most (or at least) so much."""

    row: str
    figure: str
    bound: float
    to: str = ""  # "peer", "floor", or "" for an absolute bound
    least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound


TARGETS: Final = (
    Target("hot", "cpu_us", 0.70, "peer"),
    Target("hot", "cpu_us", 1.25, "floor"),
    Target("hot", "p99_30", 1.0, "peer"),
    Target("miss", "cpu_us", 0.9, "peer"),
    Target("cold", "cpu_us", 2.0, "peer"),
    Target("mix", "cpu_us", 0.75, "peer"),
    Target("tcp", "cpu_us", 1.0, "peer"),
    Target("memory", "bytes_name", 400),
    Target("start", "start_ms", 400),
    Target("flood", "answered_cached", 0.995, least=True),
    Target("flood", "p99_cached", 20_000),
    Target("flood", "answered_new", 0.99, least=True),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A target and what was found: a ratio or a plain value; nothing when not measured."""

    target: Target
    text: str
    met: bool | None


def judge(readings: Sequence[Reading], target: Target) -> Judged:
    """Whether a target is met, with one worker; spoiled readings show but do not count."""
    found = _found(readings, target)
    if found is not None:
        return Judged(target, found[1], target.met(found[0]))
    spoiled = _found(forgiven(readings), target)
    return Judged(target, f"(spoiled: {spoiled[1]})" if spoiled else "not measured", None)


def _found(readings: Sequence[Reading], target: Target) -> tuple[float, str] | None:
    if not target.to:
        plain = median(readings, target.row, 1, SUBJECT, target.figure)
        return None if plain is None else (plain, f"{plain:,.4g}")
    peer = FLOOR if target.to == "floor" else best_peer(readings, target.row, 1, target.figure)
    against = ratio(readings, target.row, 1, target.figure, peer) if peer else None
    return None if against is None else (against.median, str(against))
