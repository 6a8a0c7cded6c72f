"""A running ``inland serve`` for system tests, and the ways to look at it from outside."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import dns.flags
import dns.message
import dns.query
from prometheus_client.parser import text_string_to_metric_families

from resolver.control import request
from testbed.control import Loopback, configuration
from testbed.truth import Truth

READY_SECONDS = 30.0
END_SECONDS = 20.0
INLAND = (sys.executable, "-m", "resolver.cli")
ROOT = Path(__file__).resolve().parents[2]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged key by key."""
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, dict) else value
    return out


class Serving:
    """``inland serve`` in a world, on free ports. Standard error is kept in :attr:`log`."""

    def __init__(self, world: Loopback, folder: Path, **keys: Any) -> None:
        self.world = world
        self.folder = folder
        self.file = folder / "inland.yaml"
        self.socket = folder / "control"
        self.base: dict[str, Any] = merged(
            configuration(world.world, world),
            {
                "listen": {"dns": ["127.0.0.1:0"]},
                "metrics": {"listen": "127.0.0.1:0"},
                "control": {"socket": str(self.socket)},
                "state": {"directory": str(folder)},
            },
        )
        self.configure(**keys)
        self.program: tuple[str, ...] = INLAND
        self.log = ""
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, **keys: Any) -> None:
        """Write the configuration file with these keys over the usual ones."""
        self.file.write_text(json.dumps(merged(self.base, keys), indent=2) + "\n")

    def start(self, *words: str) -> Self:
        """Start and wait for the ready line; ``words`` instead of the configuration file."""
        self.process = subprocess.Popen(
            [*self.program, "serve", *(words or ("-c", str(self.file)))],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.wait_for("inland: ready:")
        return self

    def wait_for(self, text: str) -> None:
        """Read standard error until ``text`` has come."""
        assert self.process is not None
        assert self.process.stderr is not None
        ends = time.monotonic() + READY_SECONDS
        stream = self.process.stderr.fileno()
        while text not in self.log:
            left = ends - time.monotonic()
            assert left > 0, f"no {text!r} in:\n{self.log}"
            if select.select([stream], [], [], left)[0]:
                data = os.read(stream, 65536)
                assert data, f"ended without {text!r}:\n{self.log}"
                self.log += data.decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status. The rest of standard error goes to :attr:`log`."""
        assert self.process is not None
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=END_SECONDS)
        self.log += rest.decode()
        status = self.process.returncode
        self.process = None
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate(timeout=END_SECONDS)
            self.process = None

    def ask_control(self, command: str, **more: Any) -> dict[str, Any]:
        """One command over the control socket."""
        return request(self.socket, {"command": command, **more})

    @property
    def port(self) -> int:
        """The port of DNS."""
        listening = self.ask_control("status")["listening"][0]
        return int(listening.rpartition(":")[2])

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """All samples of a scrape."""
        with urlopen(self.ask_control("status")["metrics"], timeout=10) as reply:
            text = reply.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """Sum over the samples of a metric that have these labels."""
        return sum(
            value
            for (found, has), value in self.metrics().items()
            if found == name and set(labels.items()) <= has
        )


def inland(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end."""
    return subprocess.run(
        [*INLAND, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def query(
    serving: Serving,
    name: str,
    rtype: str = "A",
    *,
    tcp: bool = False,
    do: bool = False,
    flags: int = dns.flags.RD,
    rclass: str = "IN",
) -> dns.message.Message:
    """One question, repeated over TCP when the reply is truncated."""
    asked = dns.message.make_query(name, rtype, rclass, use_edns=0, want_dnssec=do, flags=flags)
    if tcp:
        return dns.query.tcp(asked, "127.0.0.1", 15, serving.port)
    reply, _ = dns.query.udp_with_fallback(asked, "127.0.0.1", 15, serving.port)
    return reply


def tagged(world: Loopback, tag: str, rtype: str | None = None) -> str:
    """A name of the world whose question tries this."""
    return next(
        question.name
        for question, expected in Truth(world.world).questions()
        if question.tag == tag and rtype in (None, question.rtype) and expected.rcode in (0, 3)
    )
