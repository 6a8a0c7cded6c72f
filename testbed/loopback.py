"""The backend without privileges: the whole world on loopback addresses, one process of ours.

Start it as a context manager or with :meth:`Loopback.start` and :meth:`Loopback.stop`. The server
process ends with us, since it watches its standard input.

Limitations: Linux, where all of 127.0.0.0/8 is local; see ``serve.py`` for the rest.
"""

import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from testbed.remote import BackendError, Remote
from testbed.truth import State
from testbed.world import AddressPlan, World, make_world

__all__ = ["BackendError", "Loopback"]

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0


class Loopback:
    """A running world on loopback. All methods block for a moment only."""

    def __init__(self, world: str | World, port: int = 0, speed: float = 1.0) -> None:
        named = f"{world.name}:{world.seed}" if isinstance(world, World) else world
        self.world = make_world(named)
        self.port = port
        self.speed = speed
        self.state = State()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._remote: Remote | None = None

    @property
    def plan(self) -> AddressPlan:
        """Where the addresses of the world lie."""
        return self.world.plan

    @property
    def pid(self) -> int | None:
        """The server process."""
        return self._process.pid if self._process else None

    @property
    def folder(self) -> Path:
        """A place for files of this run; gone after :meth:`stop`."""
        assert self._folder is not None, "not started"
        return Path(self._folder.name)

    def start(self) -> Self:
        """Start the server process and wait until it answers.

        Raises:
            BackendError: it ended instead (port taken, for one); its own words are in the error.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="inland-world-")
        path = self.folder / "control"
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "testbed.serve",
                "--world", f"{self.world.name}:{self.world.seed}",
                "--port", str(self.port), "--speed", str(self.speed), "--control", str(path),
            ],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # Ctrl-C at a terminal is for us; the server ends when we close its input.
            start_new_session=True,
        )  # fmt: skip
        try:
            assert self._process.stdout is not None
            if not select.select([self._process.stdout], [], [], START_SECONDS)[0]:
                raise BackendError(f"the world did not start within {START_SECONDS:.0f} s")
            line = self._process.stdout.readline()
            if not line:
                assert self._process.stderr is not None
                raise BackendError(self._process.stderr.read().decode(errors="replace").strip())
            self.port = int(json.loads(line)["port"])
            self._remote = Remote(path)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server process; more calls do nothing."""
        if self._remote is not None:
            self._remote.close()
            self._remote = None
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin and process.stdout and process.stderr
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
            process.stderr.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def command(self, name: str, **more: Any) -> dict[str, Any]:
        """One command of the control socket.

        Raises:
            BackendError: the command was refused or the server is gone.
        """
        if self._remote is None:
            raise BackendError("the world is not running")
        return self._remote.command(name, **more)

    def cut(self) -> None:
        """Let nothing pass the border; questions to servers abroad are counted, not answered."""
        self.command("cut")
        self.state = State(True, self.state.down)

    def restore(self) -> None:
        """Open the border again."""
        self.command("restore")
        self.state = State(False, self.state.down)

    def loss(self, rate: float) -> None:
        """Lose this share of datagrams, each way, after they were counted."""
        self.command("loss", rate=rate)

    def down(self, addresses: Iterable[str]) -> None:
        """Make servers silent."""
        gone = sorted(addresses)
        self.command("down", addresses=gone)
        self.state = State(self.state.cut, self.state.down | set(gone))

    def up(self, addresses: Iterable[str]) -> None:
        """Let silenced servers speak again."""
        back = sorted(addresses)
        self.command("up", addresses=back)
        self.state = State(self.state.cut, self.state.down - set(back))

    def stats(self) -> dict[str, Any]:
        """Counts: ``addresses`` → udp, tcp, answered, connections; ``roles``; ``kernel_drops``."""
        return self.command("stats")

    def roles(self) -> list[tuple[str, str, int]]:
        """Questions by ``(address, zone in whose role it was asked, count)``."""
        return [(address, zone, count) for address, zone, count in self.stats()["roles"]]

    def log(self) -> list[list[Any]]:
        """Entries since the last call: time, address, name, type, zone, transport."""
        entries: list[list[Any]] = self.command("log")["entries"]
        return entries

    def messages(self) -> list[tuple[str, bytes]]:
        """Address and octets of each question since the last call; of many the last 20,000."""
        told: list[tuple[str, str]] = self.command("messages")["messages"]
        return [(address, bytes.fromhex(wire)) for address, wire in told]

    def reset(self) -> None:
        """Set counts and log to nothing."""
        self.command("reset")
