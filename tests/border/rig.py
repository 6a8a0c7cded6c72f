"""A resolver in a namespace with a real border, clients beside it, and the books of both sides.

The nftables counters stand in the resolver's namespace and at the border; they count every packet
of the resolver, on any port. The resolver's own books are read from its counters file, so they can
be read after ``kill -9`` too.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from resolver.control import request
from resolver.counters import read_counters
from testbed.control import configuration
from testbed.netns import Netns, Unavailable, require

ROOT = Path(__file__).parents[2]
INLAND = "from resolver.cli import main; main()"
PORT = 5300
START_SECONDS = 20.0
SIDES = ("domestic", "foreign", "other")
SETTLE_SECONDS = 20.0
"""After the clients have left: the longest lookup, then the longest exchange."""


def netns_or_skip(world: str, authority: str = "dnslib") -> Netns:
    """A backend that is not started yet; skips with the reason where it cannot run."""
    try:
        require(authority)
    except Unavailable as missing:
        pytest.skip(str(missing))
    return Netns(world, authority)


@dataclass(frozen=True)
class Totals:
    """Packets or questions, by side of the border. ``other``: to neither range."""

    udp_domestic: int
    udp_foreign: int
    udp_other: int
    tcp_questions: int
    connections: int
    intended: int


class Rig:
    """A running resolver against a running world. ``ports``: the kernel's range of source ports, by
    default what ``deploy/`` sets; with Linux's own, 32768 to 60999, the resolver chooses."""

    def __init__(self, net: Netns, folder: Path, ports: str = "10240 65535", **more: Any) -> None:
        setting = f"net.ipv4.ip_local_port_range={ports}"
        assert net.exec_in(["sysctl", "-q", "-w", setting]).wait(10) == 0
        self.net = net
        self.folder = folder
        self.counters = folder / "counters"
        self.config = configuration(net.world, net) | {
            "listen": {"dns": [f"127.0.0.1:{PORT}"]},
            "metrics": {"listen": None},
            "control": {"socket": str(folder / "control.sock")},
            "state": {"directory": str(folder)},
            **more,
        }
        self.file = folder / "inland.yaml"
        self.write()
        self.plan = folder
        self._process: subprocess.Popen[bytes] | None = None

    def write(self) -> None:
        """Write the configuration as it now stands."""
        self.file.write_text(json.dumps(self.config))

    def __enter__(self) -> Self:
        self._log = (self.folder / "log").open("wb")
        self._process = self.net.exec_in(
            [sys.executable, "-c", INLAND, "serve", "-c", str(self.file)],
            cwd=ROOT,
            stderr=self._log,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self.wait_for(lambda: b"ready" in self.log(), START_SECONDS, "the ready line")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        self._log.close()

    def log(self) -> bytes:
        """What the resolver has said."""
        return (self.folder / "log").read_bytes()

    def wait_for(self, true: Any, seconds: float, what: str) -> None:
        """Poll until ``true()``; fails with the resolver's log."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"no {what}: {self.log().decode()[-2000:]}"
            assert self._process is None or self._process.poll() is None, self.log().decode()
            time.sleep(0.05)

    def kill(self) -> None:
        """End the resolver as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def reload(self) -> None:
        """Ask for a reload by signal."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def status(self) -> dict[str, Any]:
        """What ``inland control status`` says."""
        return self.command("status")

    def command(self, name: str, **more: Any) -> dict[str, Any]:
        """One command over the control socket."""
        return request(self.folder / "control.sock", {"command": name, **more}, 120.0)

    def ask(
        self,
        questions: Sequence[tuple[str, str]],
        *,
        clients: int = 50,
        cancel: float = 0.0,
        stream: float = 0.3,
        repeat: int = 1,
        seconds: float = 5.0,
        seed: int = 1,
    ) -> "subprocess.Popen[bytes]":
        """Let a crowd of clients ask; they run until they are done."""
        self.plan = plan = self.folder / f"plan{time.monotonic_ns()}.json"
        plan.write_text(
            json.dumps(
                {
                    "server": ["127.0.0.1", PORT],
                    "questions": list(questions),
                    "clients": clients,
                    "cancel": cancel,
                    "stream": stream,
                    "repeat": repeat,
                    "seconds": seconds,
                    "seed": seed,
                }
            )
        )
        return self.net.exec_in(
            [sys.executable, "-m", "tests.border.load", str(plan)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def told(self) -> list[tuple[int, int, bytes | None]]:
        """What the last crowd was told: index of the question, tries, reply."""
        rows = json.loads(Path(f"{self.plan}.out").read_text())
        return [(i, tries, None if r is None else bytes.fromhex(r)) for i, tries, r in rows]

    def settle(self) -> None:
        """Wait until nothing is sent any more."""
        end = time.monotonic() + SETTLE_SECONDS
        last, since = -1, time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < 4.0:
            total = sum(row.intended for row in read_counters(self.counters).exchanges)
            if total != last:
                last, since = total, time.monotonic()
            time.sleep(0.2)

    def books(self) -> Totals:
        """The resolver's own books."""
        rows = read_counters(self.counters).exchanges
        udp = [row for row in rows if row.transport == "udp"]
        tcp = [row for row in rows if row.transport == "tcp"]
        domestic = sum(row.sent for row in udp if row.verdict == "domestic")
        foreign = sum(row.sent for row in udp if row.verdict == "foreign")
        return Totals(
            domestic,
            foreign,
            sum(row.sent for row in udp) - domestic - foreign,
            sum(row.sent for row in tcp),
            sum(row.connections for row in tcp),
            sum(row.intended for row in udp),
        )

    def border(self, hook: str = "resolver") -> Totals:
        """What the counters of the kernel saw, at the resolver's exit or at the border."""
        seen = self.net.counters()[hook]
        home, abroad, other = (seen[f"udp_{side}"]["packets"] for side in SIDES)
        connections = sum(seen[f"syn_{side}"]["packets"] for side in SIDES)
        questions = self.net.questions()["tcp"]
        return Totals(home, abroad, other, questions, connections, home + abroad + other)
