"""A native door with its counters, and shorthand to ask through it, for tests."""

import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resolver import names
from resolver._native import Clock, Counters, Door

NAME = names.from_text("www.example.in.")
NONE, TIMEOUT, UNREACHABLE, MALFORMED, CASE, CLOSED, NOT_SENT = range(7)
FIELDS = (
    "intended", "sent", "replies", "octets_sent", "octets_received", "connections",
    "labels", "beyond",
)  # fmt: skip


def open_files() -> int:
    """Descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Rig:
    """A door with its counters, and shorthand to ask through it."""

    def __init__(self, port: int, **settings: Any) -> None:
        self.counters = Counters(None, 8)
        self.slot = self.counters.slot("test")
        values: dict[str, Any] = {
            "workers": 2,
            "in_flight_max": 1000,
            "linger": 5.0,
            "tcp_idle": 5.0,
        }
        values |= settings
        self.door = Door(Clock(), self.counters, port, **values)
        self._ticket = 0

    def ask(self, address: bytes, count: int = 1, timeout: float = 5.0, **flags: bool) -> list[int]:
        """Submit asks in one batch; their tickets."""
        tickets = list(range(self._ticket, self._ticket + count))
        self._ticket += count
        tcp, edns, case = (
            flags.get("tcp", False),
            flags.get("edns", True),
            flags.get("case", True),
        )
        self.door.submit(
            [(t, address, NAME, 1, self.slot, timeout, tcp, edns, case, 2) for t in tickets]
        )
        return tickets

    def outcomes(self, count: int) -> dict[int, tuple[int, Any, float, int]]:
        """Wait for so many outcomes."""
        found: dict[int, tuple[int, Any, float, int]] = {}
        while len(found) < count:
            assert select.select([self.door.fileno()], [], [], 10)[0], f"only {len(found)} came"
            for ticket, failure, message, rtt, octets in self.door.take(count - len(found)):
                assert ticket not in found
                found[ticket] = (failure, message, rtt, octets)
        return found

    def one(self, address: bytes, **how: Any) -> tuple[int, Any, float, int]:
        """One ask and its outcome."""
        self.ask(address, **how)
        return next(iter(self.outcomes(1).values()))

    def books(self) -> dict[str, int]:
        """Counters of the slot."""
        row = next(row for row in self.counters.slots() if row[0] == "test")
        return dict(zip(FIELDS, row[1:], strict=True))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for what no descriptor tells."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)


Rigs = Callable[..., Rig]
