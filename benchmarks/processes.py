"""Processes of a run, and what the kernel says of their time and memory.

Every process gets a signal when the harness ends, however that happens (``PR_SET_PDEATHSIG``), and
is ended by its own id. Processor time is user and system time of all threads in nanoseconds
(``schedstat``, proc(5)); on loopback the sender's system call carries a packet all the way into
the receiver's socket, so each side pays for what it sends.

Limitations: threads that end during a measurement take their time with them; none of the subjects
has such. Work that the kernel put off to ``ksoftirqd`` is nobody's: it is told apart.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

END_SECONDS: Final = 10.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
PROC: Final = Path("/proc")
MAPPING: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")  # the head of an entry in smaps

Process = subprocess.Popen[bytes]


def bound(cores: Iterable[int] | None) -> list[str]:
    """Words in front of a command: it ends with us, and stays on some cores."""
    words = ["setpriv", "--pdeathsig", "KILL"]
    if cores is not None:
        words += ["taskset", "-c", ",".join(map(str, sorted(cores)))]
    return words


@contextmanager
def process(
    command: Sequence[str],
    log: Path,
    cores: Iterable[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """A process on some cores (none named: all), ended at the end."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [*bound(cores), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        yield started
    finally:
        end(started)


def end(started: Process) -> None:
    """Ask it to end, then make it."""
    if started.poll() is None:
        started.terminate()
    try:
        started.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


def cpu_seconds(processes: Iterable[Process]) -> float:
    """Time of all threads of some processes; nothing for those that have ended."""
    return sum(_task_seconds(started.pid) for started in processes)


def _task_seconds(pid: int) -> float:
    total = 0
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass  # ended meanwhile: what was read counts
    return total / 1e9


def pin(processes: Iterable[Process], cores: Iterable[int]) -> None:
    """Move all threads of running processes to some cores."""
    wanted = set(cores)
    for started in processes:
        for task in (PROC / str(started.pid) / "task").iterdir():
            os.sched_setaffinity(int(task.name), wanted)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds, in bytes."""

    own: int  # anonymous and shared memory
    mapped: int  # resident pages of files below its directory (a cache in a memory map)

    @property
    def all(self) -> int:
        return self.own + self.mapped


def memory(processes: Iterable[Process], folder: Path) -> Memory:
    """Resident memory (``RssAnon``, ``RssShmem``, and ``smaps`` for its files; proc(5)).

    The size of a mapped file says nothing: Knot Resolver allocates all of it at its start.
    """
    own = mapped = 0
    for started in processes:
        for line in (PROC / str(started.pid) / "status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:")):
                own += int(line.split()[1]) * 1024
        ours = False
        for line in (PROC / str(started.pid) / "smaps").read_text().splitlines():
            if line.startswith("Rss:"):
                mapped += int(line.split()[1]) * 1024 * ours
            elif MAPPING.match(line):
                ours = f" {folder}/" in line
    return Memory(own, mapped)


@dataclass(frozen=True, slots=True)
class Machine:
    """Time that the machine was not idle since it started, in seconds."""

    at: float  # a monotonic clock
    busy: tuple[float, ...]  # each core
    soft: float  # all ksoftirqd

    @property
    def all(self) -> float:
        return sum(self.busy)


def machine() -> Machine:
    """Counters of now. Time stolen by a hypervisor is busy too: it was not ours."""
    busy = []
    for line in (PROC / "stat").read_text().splitlines():
        if line.startswith("cpu") and line[3].isdigit():
            user, nice, system, _idle, _wait, irq, soft, steal = map(int, line.split()[1:9])
            busy.append((user + nice + system + irq + soft + steal) / TICKS)
    return Machine(time.monotonic(), tuple(busy), sum(map(_task_seconds, KSOFTIRQD)))


def _ksoftirqd() -> tuple[int, ...]:
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "comm").read_text().startswith("ksoftirqd"):
                    found.append(int(folder.name))
            except OSError:
                continue  # ended meanwhile
    return tuple(found)


KSOFTIRQD: Final = _ksoftirqd()


@dataclass(frozen=True, slots=True)
class Datagrams:
    """UDP datagrams of this network namespace since it was made."""

    arrived: int
    dropped: int  # of those, because a socket's buffer was full


def datagrams() -> Datagrams:
    """Counters of now (``/proc/net/snmp``)."""
    rows = [
        line.split()
        for line in (PROC / "net/snmp").read_text().splitlines()
        if line.startswith("Udp:")
    ]
    found = dict(zip(rows[0][1:], map(int, rows[1][1:]), strict=True))
    return Datagrams(found["InDatagrams"] + found["RcvbufErrors"], found["RcvbufErrors"])
