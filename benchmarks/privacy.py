"""What the privacy rule costs: processor time of ``border.privacy`` strict over relaxed.

    python -m benchmarks.privacy [--rounds 9] [--questions 4000] [--instructions]

Two resolvers stand side by side in a small simulated country on loopback, one of each kind, and
are asked in turns: names in their caches (hot), and names that plans carry out, of a zone at home
and of one abroad. Told is the ratio of processor time (user and system) for each good answer, the
median over rounds with the range. ``--instructions`` counts instructions of user space instead,
with callgrind: slow, and exact to the work of timers beside.

Limitations: the servers of the country are written in Python, so rates say nothing; one client.
"""

import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import dns.message

from benchmarks.processes import cpu_seconds, end
from testbed.control import Loopback, configuration
from testbed.model import Fault, World

KINDS: Final = ("strict", "relaxed")
UNDER_WAY: Final = 16
START_SECONDS: Final = 300.0
REPLY_SECONDS: Final = 20.0
HOT_TIMES: Final = 8
"""A cached answer costs so little that more of them make a reading."""

CALLGRIND: Final = ("valgrind", "--tool=callgrind", "--instr-atstart=no")


TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


class Subject:
    """A running resolver with one value of the key."""

    def __init__(self, kind: str, world: Loopback, folder: Path, counted: bool) -> None:
        self.kind, self.counted = kind, counted
        self.told = folder / f"{kind}.callgrind"
        self._log = folder / f"{kind}.log"
        config = configuration(world.world, world)
        config["border"] |= {"privacy": kind}
        config |= {
            "listen": {"dns": ["127.0.0.1:0"]},
            "metrics": {"listen": None},
            "control": {"socket": str(folder / f"{kind}.socket")},
        }
        self._control = folder / f"{kind}.socket"
        file = folder / f"{kind}.yaml"
        file.write_text(json.dumps(config))
        before = (*CALLGRIND, f"--callgrind-out-file={self.told}") if counted else ()
        words = [*before, sys.executable, "-m", "resolver.cli", "serve", "-c", str(file)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(words, stderr=log, stdout=log)
        self.port = self._ready()

    def _ready(self) -> int:
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends and self.process.poll() is None:
            found = re.search(r"ready:.*?127\.0\.0\.1:(\d+)", self._log.read_text())
            if found:
                return int(found[1])
            time.sleep(0.1)
        raise SystemExit(f"{self.kind} did not start:\n{self._log.read_text()}")

    def cost(self, questions: Sequence[bytes]) -> float:
        """Microseconds (or instructions) for each answer."""
        if not self.counted:
            before = cpu_seconds([self.process])
            ask(self.port, questions)
            return (cpu_seconds([self.process]) - before) / len(questions) * 1e6
        self._tell("--instr=on")
        self._tell("--zero")
        ask(self.port, questions)
        self._tell("--dump")
        self._tell("--instr=off")
        ends = time.monotonic() + REPLY_SECONDS
        while time.monotonic() < ends:
            dumps = sorted(self.told.parent.glob(f"{self.told.name}*"), key=_written)
            if dumps and (found := TOTAL.search(dumps[-1].read_text())):
                return int(found[1]) / len(questions)
            time.sleep(0.2)
        raise SystemExit("callgrind told no sum")

    def _tell(self, word: str) -> None:
        words = ["callgrind_control", word, str(self.process.pid)]
        subprocess.run(words, check=True, capture_output=True)


def _written(file: Path) -> float:
    return file.stat().st_mtime


def ask(port: int, questions: Sequence[bytes]) -> None:
    """Ask all, some at a time, and wait for the replies. Ends the program when one fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(REPLY_SECONDS)
        for at in range(len(questions) + UNDER_WAY):
            if at < len(questions):
                client.send(questions[at])
            if at >= UNDER_WAY:
                reply = client.recv(65535)
                if reply[3] & 15 not in (0, 3):
                    raise SystemExit(f"a question failed with RCODE {reply[3] & 15}")


def below(zone: str, first: int, count: int) -> list[bytes]:
    """Questions for names that nobody has asked for yet."""
    made = []
    for number in range(first, first + count):
        query = dns.message.make_query(f"n{number}.{zone}", "A")
        query.id = number & 0xFFFF
        made.append(query.to_wire())
    return made


def healthy(world: World, home: bool) -> str:
    """A zone whose servers are all well and on one side of the border, below a TLD."""
    for zone, delegation in world.delegations.items():
        servers = [world.servers[address] for _, address in delegation.all()]
        sides = {server.domestic for server in servers}
        well = all(server.fault is Fault.NONE and zone in server.zones for server in servers)
        if sides == {home} and well and zone.count(".") >= 2:
            return zone
    raise SystemExit("no such zone in the world")


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print one line for each row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.privacy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--questions", type=int, default=2_000)
    parser.add_argument("--instructions", action="store_true")
    args = parser.parse_args(words)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = stack.enter_context(Loopback("small", speed=100.0))
        subjects = []
        for kind in KINDS:
            subjects.append(Subject(kind, world, folder, args.instructions))
            stack.callback(end, subjects[-1].process)
        home, abroad = healthy(world.world, True), healthy(world.world, False)
        hot = below(home, 0, args.questions // 10) * 10 * HOT_TIMES
        first = len(hot)
        for subject in subjects:
            for zone in (home, abroad):
                ask(subject.port, below(zone, 0, args.questions))  # caches, plans
        unit = "instructions" if args.instructions else "µs"
        print(f"{'':16}{'strict':>10}{'relaxed':>10} {unit}, strict over relaxed")
        for row in ("hot", "planned, home", "planned, abroad"):
            readings: dict[str, list[float]] = {kind: [] for kind in KINDS}
            for number in range(args.rounds):
                first += args.questions
                zone = abroad if "abroad" in row else home
                questions = hot if row == "hot" else below(zone, first, args.questions)
                for subject in subjects if number % 2 else reversed(subjects):
                    readings[subject.kind].append(subject.cost(questions))
            print(line(row, readings))
    return 0


def line(row: str, readings: dict[str, list[float]]) -> str:
    """One row: the medians, and the median of the ratios with their range."""
    pairs = zip(readings["strict"], readings["relaxed"], strict=True)
    ratios = [strict / relaxed for strict, relaxed in pairs]
    medians = [statistics.median(readings[kind]) for kind in KINDS]
    shown = "".join(f"{value:>10,.1f}" for value in medians)
    middle = statistics.median(ratios)
    return f"{row:16}{shown} {middle:.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


if __name__ == "__main__":
    sys.exit(main())
