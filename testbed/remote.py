"""The other end of a serving process's control socket: one JSON line there, one back.

Limitations: one command at a time; for a moment it blocks.
"""

import json
import socket
from pathlib import Path
from typing import Any, Final

CONTROL_SECONDS: Final = 30.0


class BackendError(Exception):
    """A backend that did not start, or a command that it refused."""


class Remote:
    """A connection to ``testbed.serve``."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(CONTROL_SECONDS)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def command(self, name: str, **more: Any) -> dict[str, Any]:
        """Give one command and wait for its answer.

        Raises:
            BackendError: the command was refused or the process has ended.
        """
        try:
            self._socket.sendall(json.dumps({"command": name, **more}).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise BackendError(f"the world does not answer: {error}") from error
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the world has ended"}
        if not answer.get("ok"):
            raise BackendError(str(answer.get("error")))
        return answer

    def close(self) -> None:
        """Hang up; the process lives on."""
        self._lines.close()
        self._socket.close()
