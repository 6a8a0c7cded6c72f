"""A keeper of mirrors in a virtual network, with a clock that tests move and a door to loopback."""

import socket
import time
from pathlib import Path
from typing import Any

from resolver.counters import Clock, Counters
from resolver.exchange import TransferDoor
from resolver.fetch import Fetch
from resolver.mirrors.keep import Keeper
from resolver.mirrors.round import Tools
from resolver.mirrors.wanted import Terms, Wanted
from resolver.mirrors.wire import Wire
from resolver.model import Books, Purpose, Question, Result
from tests.small_internet import internet
from tests.virtual_servers import name

OFF = Terms("off", "off")


class MirrorRig:
    """A keeper with what it works with; :meth:`advance` moves its clock."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self._offset = folder / "offset"
        self._offset.write_text("0")
        self.clock = Clock(str(self._offset))
        self.counters = Counters(None, 4)
        self.door = TransferDoor(
            self.clock, self.counters, port=port or free_port(), in_flight_max=64, linger=1.0
        )
        self.net = internet()
        self.core = self.net.scheduler.core
        self.told: list[tuple[Question, Purpose, Result, Books]] = []
        self.tools = Tools(self.core, Wire(self.door), Fetch(), self.clock.wall)
        self.keeper = self.fresh()

    def fresh(self) -> Keeper:
        """Another keeper over the same directory, as after a restart."""
        told = lambda *work: self.told.append(work)  # noqa: E731
        self.keeper = Keeper(self.tools, self.clock, self.folder / "mirrors", told)
        return self.keeper

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        before, seen = float(self._offset.read_text()), self.clock.now()
        self._offset.write_text(str(before + seconds))
        ends = time.monotonic() + 10
        while abs(self.clock.now() - seen - seconds) > abs(seconds) / 2:
            assert time.monotonic() < ends, "the clock does not see its file"

    def from_file(self, text: str, zone: str = "shop.", **more: Any) -> Wanted:
        """A zone whose source is a file with this text."""
        path = self.folder / "source"
        path.write_text(text)
        return Wanted(name(zone), (), more.pop("terms", OFF), file=path, **more)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
