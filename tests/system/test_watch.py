"""``inland serve`` follows a delegation served by Knot DNS, which is changed while both run."""

import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest

from testbed.control import Loopback
from tests.system.mirror_serving import Nowhere
from tests.system.primaries import Primary, need
from tests.system.serving import Serving, inland

ROOT, XA = "127.11.251.1", "127.11.251.2"
FIRST, SECOND, ABROAD = "127.11.251.3", "127.11.251.4", "127.12.251.3"
TTL = 10
DIGEST = "ab" * 32


class Country:
    """A root, ``xa`` and ``shop.xa``, each zone on Knot DNS; ``shop.xa`` on three addresses."""

    def __init__(self, folder: Path, port: int) -> None:
        self._serial = 0
        self._root, self._xa = (Primary("knot", folder, z, a, port) for z, a in
                                ((".", ROOT), ("xa.", XA)))  # fmt: skip
        self._shops = [Primary("knot", folder, "shop.xa.", a, port)
                       for a in (FIRST, SECOND, ABROAD)]  # fmt: skip
        self.published = 0.0

    def publish(self, servers: dict[str, str], tag: int | None) -> None:
        """Delegate ``shop.xa`` to these from now on, at parent and zone; ``tag``: of its DS."""
        self._serial += 1
        names = [f"shop.xa. {TTL} IN NS {server}" for server in servers]
        hosts = [f"{server} {TTL} IN A {at}" for server, at in servers.items()]
        ds = [] if tag is None else [f"shop.xa. {TTL} IN DS {tag} 8 2 {DIGEST}"]
        self._root.publish(self._zone(".", [
            ". 60 IN NS ns.root.", f"ns.root. 60 IN A {ROOT}",
            "xa. 60 IN NS ns.xa.", f"ns.xa. 60 IN A {XA}",
        ]))  # fmt: skip
        own = ["xa. 60 IN NS ns.xa.", f"ns.xa. 60 IN A {XA}"]
        self._xa.publish(self._zone("xa.", [*own, *names, *hosts, *ds]))
        inside = [line for line in hosts if ".shop.xa. " in line]
        for shop in self._shops:
            shop.publish(self._zone("shop.xa.", [*names, *inside]))
        self.published = time.time()

    def _zone(self, apex: str, lines: list[str]) -> str:
        soa = f"{apex} 60 IN SOA ns.xa. host.xa. {self._serial} 60 60 600 {TTL}"
        return "\n".join([soa, *lines]) + "\n"

    def stop(self) -> None:
        """End all servers."""
        for server in (self._root, self._xa, *self._shops):
            server.stop()

    def __exit__(self, *_: object) -> None:
        self.stop()


@pytest.fixture
def country(nowhere: Nowhere, tmp_path: Path, closing: list[Any]) -> Country:
    need("knot")
    made = Country(tmp_path, nowhere.port)
    closing.append(made)
    return made


def watching(nowhere: Nowhere, folder: Path) -> Serving:
    hints = folder / "hints"
    hints.write_text(f". 3600 IN NS ns.root.\nns.root. 3600 IN A {ROOT}\n")
    serving = Serving(cast(Loopback, nowhere), folder)
    serving.base["resolution"]["root_hints"] = str(hints)
    serving.configure(border={"zones": ["shop.xa"]}, watch={"gap": "1s"})
    serving.program = (
        sys.executable, "-m", "tests.system.recorded", str(folder / "records"),
    )  # fmt: skip
    return serving


def recorded(folder: Path, kind: str) -> list[dict[str, Any]]:
    file = folder / "records"
    lines = file.read_text().splitlines() if file.exists() else []
    return [found for found in map(json.loads, lines) if found["kind"] == kind]


def told(serving: Serving, country: Country, folder: Path, kind: str) -> dict[str, Any]:
    """Wait for a change; it must be in the log, the metrics and the records. The record."""
    serving.wait_for(f"watch: shop.xa.: {kind}:")
    ends = time.monotonic() + 10
    while not recorded(folder, kind):  # records are gathered for a moment
        assert time.monotonic() < ends, f"no record of {kind}"
        time.sleep(0.05)
    assert serving.total("inland_watch_changes_total", kind=kind) >= 1
    assert serving.total("inland_watch_zone_changes_total", zone="shop.xa.") >= 1
    record = recorded(folder, kind)[0]
    print(f"{kind}: {record['time'] - country.published:.1f} s after the change, TTL {TTL} s")
    return record


TWO = {"ns1.shop.xa.": FIRST, "ns2.shop.xa.": SECOND}


def test_changes_of_a_running_delegation_are_told(
    nowhere: Nowhere, country: Country, tmp_path: Path
) -> None:
    country.publish(TWO, tag=1)
    with watching(nowhere, tmp_path) as serving:
        zones = serving.ask_control("watch", look=True)["zones"]
        assert {zone: facts["state"] for zone, facts in zones.items()} == {
            "shop.xa.": "followed", "xa.": "followed",
        }  # fmt: skip
        assert zones["shop.xa."]["verdicts"] == {"domestic": 2, "foreign": 0, "unknown": 0}
        assert serving.total("inland_watch_zones", state="followed") == 2

        country.publish({"ns1.shop.xa.": FIRST}, tag=1)
        shrunk = told(serving, country, tmp_path, "shrunk")
        assert shrunk["generation"] == serving.ask_control("status")["generation"]

        country.publish({"ns1.shop.xa.": FIRST}, tag=2)
        changed = told(serving, country, tmp_path, "ds_changed")
        assert (changed["before"]["ds"], changed["after"]["ds"]) == (
            [f"00010802{DIGEST}"], [f"00020802{DIGEST}"],
        )  # fmt: skip

        country.publish({"ns1.shop.xa.": ABROAD}, tag=2)
        moved = told(serving, country, tmp_path, "moved_abroad")
        assert moved["after"]["addresses"] == {"ns1.shop.xa.": [ABROAD]}

        country.publish({"ns1.other.xa.": ABROAD}, tag=2)
        told(serving, country, tmp_path, "operator_changed")

        shown = inland("control", "watch", "shop.xa", "--socket", str(serving.socket)).stdout
        assert "moved_abroad: at home were" in shown
        assert "operators" in shown
        serving.ask_control("reload")
        assert serving.ask_control("watch", zone="shop.xa")["zones"]["shop.xa."]["changes"]
        labels = {"purpose": "verification"}
        assert serving.total("inland_exchanges_total", **labels) > 10
        assert serving.total("inland_needless_escapes_total") == 0
        assert serving.total("inland_faults_total") == 0
        assert serving.end() == 0


def test_a_change_during_a_restart_is_told(
    nowhere: Nowhere, country: Country, tmp_path: Path
) -> None:
    country.publish(TWO, tag=1)
    with watching(nowhere, tmp_path) as serving:
        serving.ask_control("watch", look=True)
        serving.end()
    country.publish(TWO, tag=None)
    with watching(nowhere, tmp_path) as serving:
        told(serving, country, tmp_path, "ds_removed")
        state = serving.ask_control("watch", zone="shop.xa")["zones"]["shop.xa."]
        assert state["changes"][-1]["kind"] == "ds_removed"
