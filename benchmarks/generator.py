"""Run the load generator (``load.c``) and read what it measured.

Limitations: one thread a generator; rows with several workers start several.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from benchmarks.processes import bound
from benchmarks.subjects import HERE, PORT

TIMEOUT_SECONDS: Final = 2.0  # a question without a reply by then is lost
GRACE_SECONDS: Final = 30.0  # after which a generator that has not ended is ended
NOERROR: Final = "0"
URGENT: Final = ("nice", "-n", "-15")
FIRST_STEP: Final = 1 << 28  # names between the first of one generator and of the next

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask. Exactly one of ``outstanding`` (closed loop) and ``rate`` (open loop)."""

    file: Path | None = None
    zone: str | None = None  # new names below it
    every: int = 1  # with a file: one question of so many is a new name
    outstanding: int | None = None
    rate: float | None = None  # questions a second
    seconds: float | None = None
    questions: int | None = None
    sockets: int = 4
    stream: bool = False
    seed: int = 0
    first: int = 0
    stride: int = 1
    source: str | None = None  # first of the clients' addresses
    timeout: float = TIMEOUT_SECONDS
    urgent: bool = False  # goes before others on its core: it measures, they only load

    def words(self, program: Path) -> list[str]:
        """The command line."""
        words = [str(program), "-p", str(PORT), "-c", str(self.sockets), "-w", f"{self.timeout:g}"]
        for flag, value in (
            ("-d", self.file), ("-z", self.zone), ("-x", self.every), ("-q", self.outstanding),
            ("-r", self.rate), ("-l", self.seconds), ("-N", self.questions), ("-S", self.seed),
            ("-f", self.first), ("-k", self.stride), ("-b", self.source),
        ):  # fmt: skip
            if value is not None:
                words += [flag, f"{value:.6g}" if isinstance(value, float) else str(value)]
        return [*words, "-t"] if self.stream else words

    @property
    def longest(self) -> float:
        """Seconds after which it must have ended."""
        return (self.seconds or 300.0) + self.timeout + GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Measured:
    """What one or more generators saw."""

    sent: int
    done: int
    lost: int
    good: int  # NOERROR with an answer, or whatever the caller takes for one: see rcodes
    rcodes: dict[str, int]
    rate: float  # replies a second while questions were sent
    seconds: float  # until the last reply, or its time-out
    asking: float  # until the last question
    cpu: float  # of the generator while it asked, seconds
    whole: float  # and while it read its questions
    generators: int
    latency: dict[int, int]  # histogram
    late: dict[int, int]
    timeout: float = TIMEOUT_SECONDS

    @property
    def answered(self) -> float:
        """Share of the questions that got an answer without an error."""
        return self.good / self.sent if self.sent else 0.0

    def percentile(self, share: float) -> float:
        """Microseconds within which that share of the questions had a reply.

        A question without one counts as the time-out, so that losing questions cannot look fast.
        """
        return percentile(self.latency, share, self.sent, self.timeout * 1e6)

    def late_percentile(self, share: float) -> float:
        """Microseconds that an open loop was behind its schedule."""
        return percentile(self.late, share, sum(self.late.values()), 0.0)


def percentile(histogram: dict[int, int], share: float, total: int, beyond: float) -> float:
    """The upper edge (µs) of the bucket where ``share`` of ``total`` is reached, or ``beyond``."""
    wanted, seen = share * total, 0
    for bucket, count in sorted(histogram.items()):
        seen += count
        if seen >= wanted:
            octave, part = divmod(bucket + 1, 32)
            return float((1 + part / 32) * 2.0**octave / 1000)
    return beyond


def read(text: str, timeout: float = TIMEOUT_SECONDS) -> Measured:
    """One line of the generator. Raises ``ValueError`` when it is not one."""
    found = json.loads(text)
    rcodes = {str(key): int(value) for key, value in found["rcodes"].items()}
    return Measured(
        sent=found["sent"],
        done=found["done"],
        lost=found["lost"],
        good=rcodes.get(NOERROR, 0) - found["empty"],
        rcodes=rcodes,
        rate=found["rate"],
        seconds=found["seconds"],
        asking=found["asking"],
        cpu=found["cpu"],
        whole=found["whole"],
        timeout=timeout,
        generators=1,
        latency={int(bucket): int(count) for bucket, count in found["latency"]},
        late={int(bucket): int(count) for bucket, count in found["late"]},
    )


def together(parts: Sequence[Measured]) -> Measured:
    """What several generators saw at the same time, as one."""
    return Measured(
        sent=sum(part.sent for part in parts),
        done=sum(part.done for part in parts),
        lost=sum(part.lost for part in parts),
        good=sum(part.good for part in parts),
        rcodes=dict(_added(part.rcodes for part in parts)),
        rate=sum(part.rate for part in parts),
        seconds=max(part.seconds for part in parts),
        asking=max(part.asking for part in parts),
        cpu=sum(part.cpu for part in parts),
        whole=sum(part.whole for part in parts),
        timeout=max(part.timeout for part in parts),
        generators=sum(part.generators for part in parts),
        latency=dict(_added(part.latency for part in parts)),
        late=dict(_added(part.late for part in parts)),
    )


def _added(many: Iterable[dict[Key, int]]) -> Counter[Key]:
    total: Counter[Key] = Counter()
    for one in many:
        total.update(one)
    return total


@dataclass(frozen=True, slots=True)
class Generator:
    """The built generator, and the cores it may use (none named: all)."""

    program: Path
    cores: frozenset[int] | None

    def run(self, *loads: Load) -> list[Measured]:
        """Run loads at the same time. Raises ``RuntimeError`` when one fails."""
        started = [
            subprocess.Popen(
                [*bound(self.cores), *(URGENT if load.urgent else ()), *load.words(self.program)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for load in loads
        ]
        try:
            return [_result(one, load) for one, load in zip(started, loads, strict=True)]
        finally:
            for one in started:
                if one.poll() is None:
                    one.kill()
                    one.wait()

    def spread(self, load: Load, generators: int) -> Measured:
        """The same load from several generators, each with its part of it."""
        parts = [
            replace(
                load,
                first=load.first + number * FIRST_STEP,
                outstanding=load.outstanding and max(1, load.outstanding // generators),
                rate=load.rate and load.rate / generators,
            )
            for number in range(generators)
        ]
        return together(self.run(*parts))


def _result(started: subprocess.Popen[str], load: Load) -> Measured:
    try:
        text, errors = started.communicate(timeout=load.longest)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"the generator did not end within {load.longest:.0f} s") from None
    if started.returncode:
        raise RuntimeError(f"the generator failed: {errors.strip() or started.returncode}")
    return read(text, load.timeout)


def build(folder: Path) -> tuple[Path, Path]:
    """Compile the generator and the floor; gives their paths."""
    made = []
    for name in ("load", "floor"):
        target = folder / name
        subprocess.run(["cc", "-O2", "-o", target, HERE / f"{name}.c"], check=True)
        made.append(target)
    return made[0], made[1]
