"""The control socket: who may use it, what it bounds, and what its client is told."""

import json
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import outcome
import pytest
import trio

from resolver import limits
from resolver.control import ControlServer, request
from resolver.errors import ConfigError, ControlError, Finding, StateError


async def echo(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"told": dict(told)}


async def refuse(told: Mapping[str, Any]) -> dict[str, Any]:
    raise ConfigError("inland.yaml", [Finding("border.mode", "unknown mode", 7)])


COMMANDS = {"echo": echo, "refuse": refuse}


def converse(path: Path, client: Callable[[], Any]) -> Any:
    """Serve on ``path`` while ``client`` runs in a thread; what it returned."""

    async def run() -> Any:
        server = ControlServer(path, COMMANDS)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                # Captured, since a nursery would wrap what the client raises.
                told = await trio.to_thread.run_sync(outcome.capture, client)
                nursery.cancel_scope.cancel()
        return told.unwrap()

    return trio.run(run)


def raw(path: Path, data: bytes) -> bytes:
    """Send octets, then read until the server closes or a line is complete."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(path))
        try:
            client.sendall(data)
            with client.makefile("rb") as lines:
                return lines.readline()
        except ConnectionError:
            return b""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "control"


def test_a_request_gets_its_reply(path: Path) -> None:
    reply = converse(path, lambda: request(path, {"command": "echo", "name": "in."}))
    assert reply == {"told": {"command": "echo", "name": "in."}}


def test_only_the_owner_may_use_the_socket(path: Path) -> None:
    mode = converse(path, lambda: path.stat().st_mode)
    assert stat.S_IMODE(mode) == 0o600


def test_the_socket_is_gone_afterwards(path: Path) -> None:
    converse(path, lambda: None)
    assert not path.exists()


def test_a_refusal_says_why_and_exits_with_one(path: Path) -> None:
    with pytest.raises(ControlError, match=r"line 7: border\.mode: unknown mode") as caught:
        converse(path, lambda: request(path, {"command": "refuse"}))
    assert caught.value.exit_code == 1


def test_an_unknown_command_names_the_known_ones(path: Path) -> None:
    with pytest.raises(ControlError, match="echo, refuse"):
        converse(path, lambda: request(path, {"command": "reboot"}))


def test_without_a_server_the_exit_code_is_three(path: Path) -> None:
    with pytest.raises(ControlError, match="no server can be reached") as caught:
        request(path, {"command": "echo"})
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("data", [b"\n", b"{\n", b"[]\n", b"7\n", b"\xff\xfe\n", b"null\n"])
def test_what_is_no_request_is_answered_with_an_error(path: Path, data: bytes) -> None:
    reply = json.loads(converse(path, lambda: raw(path, data)))
    assert reply["ok"] is False
    assert reply["error"]


def test_deep_nesting_is_an_error_and_not_a_crash(path: Path) -> None:
    def client() -> Any:
        first = raw(path, b"[" * 50_000 + b"\n")
        return first, request(path, {"command": "echo"})

    first, second = converse(path, client)
    assert json.loads(first)["ok"] is False
    assert second["told"] == {"command": "echo"}


def test_a_line_without_end_is_cut_off(path: Path) -> None:
    reply = converse(path, lambda: raw(path, b"x" * (3 * limits.CONTROL_LINE_MAX)))
    assert not reply or json.loads(reply)["error"] == "the request is too long"


def test_connections_are_bounded_and_come_back(path: Path) -> None:
    def client() -> Any:
        idle = []
        for _ in range(limits.CONTROL_CONNECTIONS_MAX):
            idle.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            idle[-1].connect(str(path))
            idle[-1].sendall(b'{"command": "echo"}\n')
            assert idle[-1].recv(4096)
        refused = raw(path, b'{"command": "echo"}\n')
        for one in idle:
            one.close()
        while not (reply := raw(path, b'{"command": "echo"}\n')):
            pass
        return refused, reply

    refused, reply = converse(path, client)
    assert refused == b""
    assert json.loads(reply)["ok"] is True


def test_several_requests_on_one_connection(path: Path) -> None:
    def client() -> list[bytes]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.settimeout(10)
            one.connect(str(path))
            one.sendall(b'{"command": "echo"}\n{"command": "no"}\n')
            with one.makefile("rb") as lines:
                return [lines.readline(), lines.readline()]

    first, second = (json.loads(line) for line in converse(path, client))
    assert (first["ok"], second["ok"]) == (True, False)


def test_the_socket_of_a_dead_server_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
        dead.listen()
    assert converse(path, lambda: request(path, {"command": "echo"}))


def test_a_live_server_keeps_its_socket(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as alive:
        alive.bind(str(path))
        alive.listen()
        with pytest.raises(StateError, match="a running server holds"):
            converse(path, lambda: None)
        assert path.exists()


def test_another_file_is_not_removed(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(StateError, match="is not a socket"):
        converse(path, lambda: None)
    assert path.read_text() == "precious"
