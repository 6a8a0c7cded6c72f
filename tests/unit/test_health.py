"""Health: what answers, what is silent, and what is not on this machine are told apart."""

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import outcome
import pytest
import trio

from resolver.control import ControlServer
from resolver.errors import ControlError
from resolver.health import Health, State, examine
from tests.unit.listener_rig import ListenerRig

SHORT = 0.2  # seconds that a silent address is listened to


def found(path: Path, *addresses: str) -> Health:
    """What is said of a server that listens on these addresses."""

    async def status(request: Mapping[str, Any]) -> dict[str, Any]:
        return {"listening": list(addresses)}

    async def run() -> Health:
        server = ControlServer(path, {"status": status})
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                told = await trio.to_thread.run_sync(outcome.capture, examine, path, SHORT)
                nursery.cancel_scope.cancel()
        return told.unwrap()

    return trio.run(run)


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """An address where questions come in and nothing goes out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_listener_answers_without_any_lookup(
    tmp_path: Path, listeners: Callable[..., ListenerRig], host: str
) -> None:
    rig = listeners(host)
    at = f"[{host}]:{rig.address[1]}" if ":" in host else f"{host}:{rig.address[1]}"
    health = found(tmp_path / "control", at)
    assert health.addresses == {at: State.ANSWERS}
    assert health.good
    assert rig.listener.take(10) == []


def test_a_wildcard_is_asked_at_loopback(
    tmp_path: Path, listeners: Callable[..., ListenerRig]
) -> None:
    port = listeners("0.0.0.0").address[1]
    assert found(tmp_path / "control", f"0.0.0.0:{port}").good


def test_a_client_that_may_not_ask_still_hears_that_it_lives(
    tmp_path: Path, listeners: Callable[..., ListenerRig]
) -> None:
    rig = listeners("127.0.0.1", allow=["192.0.2.0/24"])
    assert found(tmp_path / "control", f"127.0.0.1:{rig.address[1]}").good


def test_one_silent_address_is_bad_health(
    tmp_path: Path, listeners: Callable[..., ListenerRig], mute: socket.socket
) -> None:
    live = f"127.0.0.1:{listeners('127.0.0.1').address[1]}"
    silent = f"127.0.0.1:{mute.getsockname()[1]}"
    health = found(tmp_path / "control", live, silent)
    assert health.addresses == {live: State.ANSWERS, silent: State.SILENT}
    assert not health.good
    assert mute.recv(4096)[2:4] == b"\0\0"  # a query with RD clear


def test_a_closed_port_is_silent(tmp_path: Path, mute: socket.socket) -> None:
    port = mute.getsockname()[1]
    mute.close()
    assert not found(tmp_path / "control", f"127.0.0.1:{port}").good


def test_noise_is_no_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        # The question itself, sent back, has its number but is no reply.
        address = f"127.0.0.1:{bound.getsockname()[1]}"

        async def echo() -> None:
            data, client = await trio.to_thread.run_sync(bound.recvfrom, 4096)
            bound.sendto(data, client)

        async def status(request: Mapping[str, Any]) -> dict[str, Any]:
            return {"listening": [address]}

        async def run() -> Health:
            server = ControlServer(tmp_path / "control", {"status": status})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                nursery.start_soon(echo)
                health = await trio.to_thread.run_sync(examine, tmp_path / "control", 5.0)
                nursery.cancel_scope.cancel()
            return health

        assert not trio.run(run).good


@pytest.mark.parametrize("address", ["192.0.2.53:53", "[2001:db8::53]:53"])
def test_an_address_of_another_machine_is_not_asked(tmp_path: Path, address: str) -> None:
    health = found(tmp_path / "control", address)
    assert health.addresses == {address: State.NOT_HERE}
    assert health.good


def test_without_a_server_there_is_no_health(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no server can be reached"):
        examine(tmp_path / "control", SHORT)
