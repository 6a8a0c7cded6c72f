"""``inland serve`` on loopback with a place: replies prove servers domestic, and it shows."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.serving import Serving, inland, query

PLACE = {"at": [50, 10], "uncertainty": "0km", "border": "3000km"}  # 19.9 ms strict, 29.2 ms fibre
NOTHING_STATED = {"domestic": [], "foreign": [], "registry": False, "place": PLACE}
SECONDS = 30.0


def ask_until_proven(serving: Serving, world: Loopback) -> list[str]:
    """Ask names of the world until a server is proven; the addresses of all that are."""
    names = [q.name for q, _ in Truth(world.world).questions() if q.tag == "positive"]
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        for name in names[:8]:
            query(serving, name)
        serving.ask_control("flush", all=True)
        found = [host for host in sorted(world.world.servers) if is_proven(serving, host)]
        if found:
            return found
    raise AssertionError(f"no server was proven:\n{serving.log}")


def is_proven(serving: Serving, host: str) -> bool:
    """Whether the server has a proof in force."""
    finding = serving.ask_control("where", address=host)["finding"]
    return finding is not None and finding["kind"] == "proof"


def explained(serving: Serving, world: Loopback, host: str) -> dict[str, Any]:
    """The exchange with a server in a lookup of the running resolver, as ``explain`` shows it."""
    names = [q.name for q, _ in Truth(world.world).questions() if q.tag == "positive"]
    for name in names[:8]:
        told = serving.ask_control("explain", name=name, type=1, anew=True)
        if any(exchange["address"] == host for exchange in told["exchanges"]):
            words = ("explain", name, "--socket", str(serving.socket), "--anew", "--json")
            shown = json.loads(inland(*words).stdout)
            assert shown["name"] == told["name"]
            rows = [e for e in told["exchanges"] if e["address"] == host]
            return dict(rows[0])
    raise AssertionError(f"no lookup asks {host}")


@pytest.mark.parametrize("plans", [False, True])
def test_servers_that_answer_at_once_are_proven(
    world: Loopback, tmp_path: Path, plans: bool
) -> None:
    serving = Serving(world, tmp_path)
    serving.configure(border=NOTHING_STATED, resolution={"plans": plans})
    with serving:
        found = ask_until_proven(serving, world)
        assert {world.world.servers[host].country for host in found} == {"XA"}
        assert serving.total("inland_proofs", grade="strict") >= 1
        host = found[0]
        ends = time.monotonic() + SECONDS
        while not serving.total("inland_exchanges_total", verdict="domestic", country="XA"):
            assert time.monotonic() < ends
            ask_until_proven(serving, world)
        told = inland("where", host, "-c", str(serving.file), "--json")
        (row,) = json.loads(told.stdout)
        assert (row["verdict"], row["grade"]) == ("domestic", "proof")
        assert row["proof"]["identities"][0]["state"] == "proven"
        (row,) = json.loads(inland("where", host, "--socket", str(serving.socket), "--json").stdout)
        assert (row["verdict"], row["grade"], row["tier"]) == ("domestic", "proof", 0)
        assert row["proof"]["identities"][0]["state"] == "proven"
        row = explained(serving, world, host)
        assert (row["verdict"], row["grade"], row["tier"]) == ("domestic", "proof", 0)
        shown = inland("where", host, "-c", str(serving.file)).stdout
        assert "proxy" in shown
        # Another place proves nothing of what this one did.
        serving.configure(border=NOTHING_STATED | {"place": PLACE | {"border": "11km"}})
        serving.ask_control("reload")
        assert serving.ask_control("where", address=host)["finding"] is None
        assert "hardly any server" in serving.ask_control("where", address=host)["here"]


def test_without_a_place_nothing_is_proven(world: Loopback, tmp_path: Path) -> None:
    serving = Serving(world, tmp_path)
    serving.configure(border=NOTHING_STATED | {"place": None})
    with serving:
        for _ in range(3):
            query(serving, "www.example.xa")
        assert serving.total("inland_proofs") == 0
        assert serving.ask_control("where", address="127.0.0.1")["here"] == "no border.place"
