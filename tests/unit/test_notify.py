"""The watchdog of the service manager, in virtual time."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from resolver import notify


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the manager is told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield bound


def told(manager: socket.socket, seconds: float) -> list[bytes]:
    """What the manager hears in so many virtual seconds."""

    async def run() -> None:
        with trio.move_on_after(seconds):
            await notify.watchdog()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    heard = []
    while True:
        try:
            heard.append(manager.recv(4096))
        except BlockingIOError:
            return heard


def test_it_is_fed_twice_in_each_span(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert told(manager, 61) == [b"WATCHDOG=1"] * 5


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},  # that of another process
    ],
)
def test_without_one_nothing_is_said(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert told(manager, 61) == []
