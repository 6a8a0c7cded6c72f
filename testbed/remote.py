"""The control sockets of the testbed's processes, both ends: one JSON line there, one back.

Limitations: our end gives one command at a time and blocks for a moment.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
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


async def obey(path: Path, carry_out: Callable[[dict[str, Any]], dict[str, Any]]) -> asyncio.Server:
    """Take commands at a unix socket; what is wrong with one is said in its answer."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                try:
                    answer = carry_out(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    answer = {"ok": False, "error": repr(error)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(client, path=path)


async def until_input_ends() -> None:
    """Wait for the end of standard input: who started us has gone, or wants us to."""
    ended = asyncio.Event()
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            asyncio.get_running_loop().remove_reader(descriptor)
            ended.set()

    asyncio.get_running_loop().add_reader(descriptor, readable)
    await ended.wait()
