"""A resolver that mirrors ``shop.`` from primaries of the tests', and ways to look at it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from testbed.control import Loopback, make_world
from tests.ports import free_port
from tests.system.liar import Liar
from tests.system.primaries import KEY_NAME, Primary, need, secret_file
from tests.system.serving import Serving


class Nowhere:
    """A world that nobody serves: what a mirror does not answer fails."""

    def __init__(self, folder: Path) -> None:
        self.world = make_world("small")
        self.folder = folder
        self.port = free_port()


AT_HOME, ABROAD = "127.11.250.1", "127.12.250.1"
WAIT_SECONDS = 30.0
BOTH = pytest.mark.parametrize("kind", ["knot", "nsd"])


def until(true: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < ends, f"no {what}"
        time.sleep(0.05)


def held(serving: Serving, zone: str = "shop.") -> dict[str, Any]:
    found: dict[str, Any] = serving.ask_control("status")["mirrors"][zone]
    return found


def look(serving: Serving, zone: str = "shop.", **more: Any) -> dict[str, Any]:
    return serving.ask_control("mirror", zone=zone, **more)


def exchanges(serving: Serving, **labels: str) -> float:
    return serving.total("inland_exchanges_total", purpose="mirror_refresh", **labels)


def primary(nowhere: Nowhere, folder: Path, kind: str, closing: list[Any], **more: Any) -> Primary:
    need(kind)
    address = more.pop("address", AT_HOME)
    made = Primary(kind, folder, "shop.", address, nowhere.port, **more)
    closing.append(made)
    return made


def mirroring(
    nowhere: Nowhere,
    folder: Path,
    closing: list[Any],
    primaries: list[Any],
    secret: str | None = None,
    port: int = 0,
    **terms: Any,
) -> Serving:
    """A resolver that mirrors ``shop.``, and has looked at its sources."""
    entry = {"zone": "shop.", "primaries": primaries, **terms}
    keys = [{"name": KEY_NAME, "secret_file": str(secret_file(folder, secret))}]
    mirrors = {"zones": [entry], "keys": keys}
    listen = {"dns": [f"127.0.0.1:{port}"]}
    serving = Serving(cast(Loopback, nowhere), folder, mirrors=mirrors, listen=listen)
    closing.append(serving)
    serving.start()
    serving.wait_for("mirror of shop.:")
    return serving


def liar(nowhere: Nowhere, closing: list[Any], *args: Any, address: str = AT_HOME) -> Liar:
    made = Liar(address, nowhere.port, "shop.", *args)
    closing.append(made)
    return made


MANY = "".join(f"n{number}.shop. 300 IN A 11.1.1.1\n" for number in range(100))
