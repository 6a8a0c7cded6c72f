"""Tell the service manager how we are: the notification protocol of systemd (``sd_notify(3)``).

Without ``NOTIFY_SOCKET`` in the environment nothing happens.
"""

import os
import socket
import time

import trio


def ready(status: str) -> None:
    """Lookups are answered."""
    _tell("READY=1", f"STATUS={status}")


def reloading() -> None:
    """A reload begins; :func:`ready` ends it."""
    _tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """No new clients are taken."""
    _tell("STOPPING=1")


async def watchdog() -> None:
    """Say that the loop turns, twice in each span of ``WatchdogSec=``, until cancelled; at once an
    end where the manager has no watchdog for this process. A loop that hangs says nothing, and is
    started anew."""
    span = _watchdog_seconds()
    while span > 0:
        _tell("WATCHDOG=1")
        await trio.sleep(span / 2)


def _watchdog_seconds() -> float:
    """The span of ``sd_watchdog_enabled(3)``; 0: none for us."""
    told, whose = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not told.isdecimal() or whose not in ("", str(os.getpid())):
        return 0.0
    return int(told) / 1e6


def _tell(*lines: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):  # an abstract address
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto("\n".join(lines).encode(), path)
        except OSError:
            return  # a manager that does not listen must not stop a resolver
