"""Tell the service manager how we are: the notification protocol of systemd (``sd_notify(3)``).

Without ``NOTIFY_SOCKET`` in the environment nothing happens.
"""

import os
import socket
import time


def ready(status: str) -> None:
    """Lookups are answered."""
    _tell("READY=1", f"STATUS={status}")


def reloading() -> None:
    """A reload begins; :func:`ready` ends it."""
    _tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """No new clients are taken."""
    _tell("STOPPING=1")


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
