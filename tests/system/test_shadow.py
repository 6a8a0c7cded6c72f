"""The shadow's counts on a running server are what happens when it is in force, hits and all."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.serving import Serving, query
from tests.system.test_serve_policy import rule

SETTLE_SECONDS = 30.0


@pytest.fixture(scope="module")
def world() -> Iterator[Loopback]:
    """The small world, its slow servers less so."""
    with Loopback("small", speed=30) as running:
        yield running


@pytest.fixture
def questions(world: Loopback) -> list[tuple[str, str]]:
    """Every third question of the world that can be answered, aliases among them. Not those that
    clients ask once more over TCP when the answer is not blocked."""
    found = [
        (question.name, question.rtype)
        for question, expected in Truth(world.world).questions()
        if expected.rcode != 2 and question.tag != "tcp"
    ]
    return found[::3]


def policies(world: Loopback) -> tuple[dict[str, Any], dict[str, Any]]:
    """One that blocks by name, and one to be tried that wants to know what is there."""
    zones = sorted(z for z in world.world.zones if z not in (".", "xa.", "comx."))
    live = [rule(0, "xa", {"block": "nxdomain"}), rule(1, "comx", {"block": "nodata"})]
    live[0]["match"] = {"suffix": zones[::2]}
    live[1]["match"] = {"suffix": zones[1::4], "type": ["A", "TXT"]}
    tried = [
        rule(2, "xa", {"block": "refused"}, answer_country=["XB", "XC"]),
        rule(3, "comx", {"block": "nxdomain"}, server_country=["XB"]),
        rule(4, zones[5], {"block": "nodata"}),
        rule(5, "xa", "pass"),
    ]
    return {"version": 1, "mode": "prefer", "rules": live}, {
        "version": 1,
        "mode": "prefer",
        "rules": tried,
    }


def write(folder: Path, name: str, policy: dict[str, Any]) -> str:
    """A policy file."""
    file = folder / name
    file.write_text(json.dumps(policy))
    return str(file)


def ask(serving: Serving, questions: list[tuple[str, str]]) -> None:
    """Each three times: the later ones are mostly hits of native's cache."""
    for _ in range(3):
        for name, rtype in questions:
            query(serving, name, rtype)


def counts(serving: Serving, metric: str, word: str) -> Counter[tuple[str, str]]:
    """Lookups by rule and effect."""
    found: Counter[tuple[str, str]] = Counter()
    for (name, labels), value in serving.metrics().items():
        has = dict(labels)
        if name == metric and has[word] != "none" and has["rule"] != "none":
            found[has["rule"], has[word]] += int(value)
    return found


def test_with_lookups_of_its_own_the_shadow_counts_what_happens_when_it_is_live(
    world: Loopback, tmp_path: Path, questions: list[tuple[str, str]]
) -> None:
    live, tried = policies(world)
    files = write(tmp_path, "live.yaml", live), write(tmp_path, "tried.yaml", tried)
    keys = {"files": [files[0]], "shadow": [files[1]], "shadow_lookups": 1000}
    with Serving(world, tmp_path, policy=keys) as serving:
        ask(serving, questions)
        end = time.monotonic() + SETTLE_SECONDS
        while serving.ask_control("status")["lookups"] and time.monotonic() < end:
            time.sleep(0.2)
        shadow = counts(serving, "inland_policy_shadow_total", "shadow")
        assert serving.total("inland_shadow_lookups_total", result="decided") > 10
        assert serving.total("inland_shadow_lookups_total", result="refused") == 0
        assert serving.total("inland_exchanges_total", purpose="shadow") > 10
        assert serving.total("inland_lookups_total", transport="internal") > 10
        assert serving.ask_control("status")["needless_escapes"] == 0
    (tmp_path / "counters").unlink()
    with Serving(world, tmp_path, policy={"files": [files[1]]}) as serving:
        ask(serving, questions)
        done = counts(serving, "inland_policy_actions_total", "action")
    assert {effect for _, effect in shadow} == {"refused", "nxdomain", "nodata", "pass"}
    assert shadow == done


def test_without_them_a_blocked_name_is_asked_of_nobody(world: Loopback, tmp_path: Path) -> None:
    live, tried = policies(world)
    zone = live["rules"][0]["match"]["suffix"][0]
    tried["rules"] = [rule(2, zone, {"block": "refused"}, answer_country=["XB", "XC"])]
    files = write(tmp_path, "live.yaml", live), write(tmp_path, "tried.yaml", tried)
    with Serving(world, tmp_path, policy={"files": [files[0]], "shadow": [files[1]]}) as serving:
        query(serving, f"www.{zone}")
        query(serving, f"www.{zone}")
        undecided = serving.total("inland_policy_shadow_total", shadow="undecided")
        assert (undecided, serving.total("inland_exchanges_total")) == (2, 0)
