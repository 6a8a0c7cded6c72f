"""Mirrors of real primaries, Knot DNS and NSD: transfers, differences, signatures, refusals."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import dns.rcode
import pytest

from testbed.control import Loopback, make_world
from tests.signed_zones import SHOP, text_of
from tests.system.primaries import KEY_NAME, Primary, need, secret_file
from tests.system.serving import Serving, query


class Nowhere:
    """A world that nobody serves: what a mirror does not answer fails."""

    def __init__(self, folder: Path) -> None:
        self.world = make_world("small")
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]


@pytest.fixture
def nowhere(tmp_path: Path) -> Nowhere:
    return Nowhere(tmp_path)


AT_HOME, ABROAD = "127.11.250.1", "127.12.250.1"
WAIT_SECONDS = 30.0
BOTH = pytest.mark.parametrize("kind", ["knot", "nsd"])


@pytest.fixture
def closing() -> Iterator[list[Any]]:
    """Things that are stopped at the end."""
    made: list[Any] = []
    yield made
    for thing in reversed(made):
        thing.__exit__(None, None, None)


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
    nowhere: Nowhere, folder: Path, closing: list[Any], primaries: list[Any], **terms: Any
) -> Serving:
    """A resolver that mirrors ``shop.``, and has looked at its sources."""
    entry = {"zone": "shop.", "primaries": primaries, **terms}
    keys = [{"name": KEY_NAME, "secret_file": str(secret_file(folder))}]
    serving = Serving(cast(Loopback, nowhere), folder, mirrors={"zones": [entry], "keys": keys})
    closing.append(serving)
    serving.start()
    serving.wait_for("mirror of shop.:")
    return serving


@BOTH
def test_a_zone_comes_whole_and_then_by_differences(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str
) -> None:
    server = primary(nowhere, tmp_path, kind, closing)
    server.publish(text_of(SHOP))
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    assert held(serving)["serial"] == 1
    reply = query(serving, "www.shop.")
    assert [rrset.to_text() for rrset in reply.answer] == ["www.shop. 300 IN A 11.9.9.9"]
    assert query(serving, "no.such.shop.").rcode() == dns.rcode.NXDOMAIN
    assert exchanges(serving, transport="udp") == exchanges(serving, transport="tcp") == 1
    assert exchanges(serving, verdict="domestic", reason="none") == 2
    assert serving.total("inland_lookups_total", transport="internal", route="domestic") == 1
    assert serving.total("inland_lookups_total", transport="udp", route="local") == 2

    changed = text_of(SHOP, 2).replace("11.9.9.9", "11.9.9.1") + "new.shop. 60 IN A 11.9.9.2\n"
    server.publish(changed)
    until(lambda: look(serving)["serial"] == 2, "serial 2")
    assert "IXFR" in server.words() or kind == "nsd"
    assert query(serving, "new.shop.").answer[0].to_text() == "new.shop. 60 IN A 11.9.9.2"
    assert serving.total("inland_mirror_records", zone="shop.") == changed.count(" IN ")
    assert serving.total("inland_mirror_looks_total", result="updated") == 2
    assert serving.total("inland_needless_escapes_total") == 0
