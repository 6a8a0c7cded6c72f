"""A popular answer is had anew before it ends, and the work counts as nobody's lookup."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.control import Loopback
from tests.system.serving import Serving, query, tagged

LOOK_SECONDS = 0.05
WAIT_SECONDS = 15.0


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(LOOK_SECONDS)


def test_a_popular_answer_near_its_end_is_refreshed_once(
    world: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("CONFORMANCE_CLOCK", str(clock))
    with Serving(world, tmp_path) as serving:
        name = tagged(world, "positive", "A")
        ttl = query(serving, name).answer[0].ttl
        assert ttl > 20, "the world's TTLs are long enough to be refreshed"
        query(serving, name)  # a hit: now it is popular
        clock.write_text(str(ttl * 0.95))
        wait_for(lambda: query(serving, name).answer[0].ttl < ttl * 0.1, "the clock to move")
        wait_for(lambda: query(serving, name).answer[0].ttl > ttl * 0.9, "the refresh")
        assert serving.total("inland_exchanges_total", purpose="refresh") == 1
        assert serving.total("inland_lookups_total", transport="internal") == 1
        misses = serving.total("inland_misses_total")
        query(serving, name)
        assert serving.total("inland_misses_total") == misses == 1
