"""The control socket: what an operator may ask of the running server, on this machine only.

A Unix socket with mode 0600; one JSON object a line in, one a line out. A request is
``{"command": "flush", "name": "example.in.", "subtree": true}``, a reply ``{"ok": true, …}`` or
``{"ok": false, "error": "…"}``. Commands: ``status``, ``flush``, ``reload``, ``mirror``, ``where``,
``watch``. Lines,
connections and silence are bounded.
"""

import errno
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, final

import trio

from resolver.errors import ControlError, InlandError, StateError
from resolver.limits import CONTROL_CONNECTIONS_MAX, CONTROL_IDLE_SECONDS, CONTROL_LINE_MAX

Command = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Takes the request, returns what the reply holds beside ``ok``. Raises ``InlandError``."""


@final
class ControlServer:
    """The listening end.

    Raises:
        StateError: the path cannot be used, or a live server holds it.
    """

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._socket = trio.socket.from_stdlib_socket(_bind(path))
        self._inode = path.stat().st_ino
        self._connections = 0

    async def run(self) -> None:
        """Serve until cancelled; the socket file is removed then."""
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    client, _ = await self._socket.accept()
                    nursery.start_soon(self._serve, client)
        finally:
            self._socket.close()
            if self._path.exists() and self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def _serve(self, client: trio.socket.SocketType) -> None:
        with client:
            if self._connections >= CONTROL_CONNECTIONS_MAX:
                return
            self._connections += 1
            try:
                await self._converse(client)
            except (OSError, trio.TooSlowError):
                pass  # the client has gone or does not listen; there is no one to tell
            finally:
                self._connections -= 1

    async def _converse(self, client: trio.socket.SocketType) -> None:
        pending = b""
        while True:
            with trio.move_on_after(CONTROL_IDLE_SECONDS):
                while b"\n" not in pending:
                    if len(pending) > CONTROL_LINE_MAX:
                        await _send(client, {"ok": False, "error": "the request is too long"})
                        return
                    data = await client.recv(CONTROL_LINE_MAX)
                    if not data:
                        return
                    pending += data
            if b"\n" not in pending:
                return
            line, pending = pending.split(b"\n", 1)
            await _send(client, await self._answer(line))

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"ok": False, "error": "not a line of JSON"}
        if not isinstance(request, dict):
            return {"ok": False, "error": "not a JSON object"}
        command = self._commands.get(str(request.get("command")))
        if command is None:
            known = ", ".join(sorted(self._commands))
            return {"ok": False, "error": f"unknown command; known are: {known}"}
        try:
            return {"ok": True} | await command(request)
        except InlandError as error:
            return {"ok": False, "error": str(error)}


async def _send(client: trio.socket.SocketType, reply: dict[str, Any]) -> None:
    data = memoryview(json.dumps(reply).encode() + b"\n")
    while data:
        with trio.fail_after(CONTROL_IDLE_SECONDS):
            data = data[await client.send(data) :]


def _bind(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_room(path)
        mask = os.umask(0o177)  # the file must never exist with a wider mode
        try:
            listening.bind(str(path))
        finally:
            os.umask(mask)
        listening.listen(CONTROL_CONNECTIONS_MAX)
    except OSError as error:
        listening.close()
        why = error.strerror or str(error)
        raise StateError(f"control.socket: cannot listen on {path}: {why}") from error
    except StateError:
        listening.close()
        raise
    return listening


def _make_room(path: Path) -> None:
    """Remove the socket of a server that has died; refuse that of a live one, or another file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise StateError(f"control.socket: {path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            if error.errno != errno.EAGAIN:  # its backlog is full: it lives
                raise
            raise StateError(f"control.socket: a running server holds {path}") from error
        else:
            raise StateError(f"control.socket: a running server holds {path}")


def request(path: Path, command: Mapping[str, Any], timeout: float = 60.0) -> dict[str, Any]:
    """Ask the running server; the reply without ``ok``. Blocks for ``timeout`` seconds at most.

    Raises:
        ControlError: no server there, no permission, no reply, or it said no (why in the text;
            ``exit_code`` is 1 when it was reached and said no).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(str(path))
            client.sendall(json.dumps(command).encode() + b"\n")
            with client.makefile("rb") as replies:
                line = replies.readline()
        except TimeoutError:
            raise ControlError(f"the server on {path} did not reply in {timeout:g} s") from None
        except OSError as error:
            why = error.strerror or str(error)
            raise ControlError(f"no server can be reached on {path}: {why}") from error
    if not line:
        raise ControlError(f"the server on {path} closed the connection without a reply")
    reply: dict[str, Any] = json.loads(line)
    if not reply.pop("ok", False):
        refused = ControlError(str(reply.get("error", "the server refused the command")))
        refused.exit_code = 1
        raise refused
    return reply
