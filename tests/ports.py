"""Ports for the servers of a test, which nobody takes before the server does.

Not those that the kernel would choose: tests run side by side, and resolvers send from random ports
(RFC 5452 section 9.2), any from 1024 up.
"""

import os
import random
import socket

_LOW = range(520, 1024)
_OTHERS = range(20_000, 30_000)  # for those who may not have low ones
_held: list[socket.socket] = []
"""One for each port that was given, as a lock: all processes of a machine see these names."""


def free_port() -> int:
    """A port of loopback that nobody has over UDP or TCP, and that no other test is given."""
    wanted = _LOW if os.geteuid() == 0 else _OTHERS
    for port in random.sample(wanted, len(wanted)):
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0inland-tests-{port}")
            _try(port)
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port
    raise AssertionError("all ports are taken")


def _try(port: int) -> None:
    """Bind to it in all ways. Raises ``OSError`` where somebody has it."""
    for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            with socket.socket(family, kind) as tried:
                tried.bind((address, port))
