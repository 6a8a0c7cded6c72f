"""Stale answers (RFC 8767) from a running resolver, whose authoritative server is a real one that
ends, stands still, and comes back."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import pytest

from testbed import knot
from testbed.control import Loopback
from tests.ports import free_port
from tests.system.serving import Serving, query

ADDRESS = "127.53.87.67"
NAME = "www.stale.xa."
TTL = 60
ROOT_ZONE = f"""\
. 86400 IN SOA a.root. nobody. 1 3600 1200 604800 60
. 86400 IN NS a.root.
a.root. 86400 IN A {ADDRESS}
stale.xa. 86400 IN NS ns.stale.xa.
ns.stale.xa. 86400 IN A {ADDRESS}
"""
ZONE = f"""\
stale.xa. 3600 IN SOA ns.stale.xa. nobody. 1 3600 1200 604800 60
stale.xa. 86400 IN NS ns.stale.xa.
ns.stale.xa. 86400 IN A {ADDRESS}
{NAME} {TTL} IN A 192.0.2.1
"""
LOOK_SECONDS = 0.05
WAIT_SECONDS = 20.0


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(LOOK_SECONDS)


def run(words: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as out:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


class Authority:
    """knotd with the root and one zone, to be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.starts = 0
        self.zones = folder / "zones"
        self.zones.mkdir()
        (self.zones / knot.file_name(".")).write_text(ROOT_ZONE)
        (self.zones / knot.file_name("stale.xa.")).write_text(ZONE)
        self.running: knot.Knot | None = None

    def start(self) -> None:
        self.starts += 1
        place = self.folder / str(self.starts)
        zones = (".", "stale.xa.")
        self.running = knot.start(zones, [ADDRESS], place, self.zones, run, self.port)
        wait_for(self.running.started, "knotd")

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None

    def signal(self, number: int) -> None:
        assert self.running is not None
        self.running.process.send_signal(number)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    if not knot.installed():
        pytest.skip("Knot DNS is not installed")
    found = Authority(tmp_path)
    found.start()
    try:
        yield found
    finally:
        if found.running is not None:
            found.signal(signal.SIGCONT)
        found.stop()


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("CONFORMANCE_CLOCK", str(clock))
    return clock


def keys(authority: Authority, tmp_path: Path, **more: Any) -> dict[str, Any]:
    hints = tmp_path / "own.hints"
    hints.write_text(f". 3600000 NS a.root.\na.root. 3600000 A {ADDRESS}\n")
    own = {"root_hints": str(hints), "upstream_port": authority.port}
    return {"resolution": own, **more}


def errors(reply: dns.message.Message) -> list[int]:
    return [int(o.code) for o in reply.options if isinstance(o, dns.edns.EDEOption)]


def is_stale(reply: dns.message.Message) -> bool:
    if errors(reply) != [3]:
        return False
    assert reply.rcode() == dns.rcode.NOERROR
    assert [(r.ttl, [str(item) for item in r]) for r in reply.answer] == [(30, ["192.0.2.1"])]
    return True


def test_the_answer_outlives_its_server_and_is_fresh_when_that_comes_back(
    world: Loopback, tmp_path: Path, authority: Authority, clock: Path
) -> None:
    with Serving(world, tmp_path, **keys(authority, tmp_path)) as serving:
        first = query(serving, NAME)
        assert (errors(first), first.answer[0].ttl) == ([], TTL)
        authority.stop()
        clock.write_text(str(TTL + 1))
        wait_for(lambda: is_stale(query(serving, NAME)), "the end of the TTL")
        told, misses = (
            serving.total(name) for name in ("inland_stale_answers_total", "inland_misses_total")
        )
        assert told >= 1
        assert is_stale(query(serving, NAME))
        assert serving.total("inland_stale_answers_total") == told + 1
        assert serving.total("inland_misses_total") == misses, "a ready reply until the recheck"
        # Nothing made under another policy is served, stale or not: it is composed again.
        serving.configure(**keys(authority, tmp_path, border={"patience": "1s"}))
        assert serving.ask_control("reload")["changed"] is True
        assert is_stale(query(serving, NAME))
        assert serving.total("inland_misses_total") == misses + 1
        missing = query(serving, "never-asked.stale.xa.")
        assert missing.rcode() == dns.rcode.SERVFAIL
        authority.start()
        clock.write_text(str(TTL + 40))
        wait_for(lambda: not is_stale(query(serving, NAME)), "the server to be found")
        fresh = query(serving, NAME)
        assert (fresh.rcode(), errors(fresh)) == (dns.rcode.NOERROR, [])
        assert fresh.answer[0].ttl > 30
        assert serving.total("inland_faults_total") == 0


def test_a_client_of_a_silent_server_is_answered_in_time_and_the_lookup_goes_on(
    world: Loopback, tmp_path: Path, authority: Authority, clock: Path
) -> None:
    with Serving(world, tmp_path, **keys(authority, tmp_path)) as serving:
        query(serving, NAME)
        authority.signal(signal.SIGSTOP)
        clock.write_text(str(TTL + 1))
        began = time.monotonic()

        def late() -> bool:
            nonlocal began
            began = time.monotonic()
            return is_stale(query(serving, NAME))

        wait_for(late, "the end of the TTL")
        assert 1.5 < time.monotonic() - began < 4
        authority.signal(signal.SIGCONT)
        wait_for(lambda: not is_stale(query(serving, NAME)), "the lookup that goes on")
        # Every exchange is some lookup's: the client's, or the work that went on without it.
        books = serving.total("inland_lookups_total", transport="udp", route="local")
        assert books < serving.total("inland_lookups_total", transport="udp")
        assert serving.total("inland_faults_total") == 0


def test_switched_off_a_client_gets_the_error(
    world: Loopback, tmp_path: Path, authority: Authority, clock: Path
) -> None:
    off = keys(authority, tmp_path, cache={"serve_stale": None})
    with Serving(world, tmp_path, **off) as serving:
        query(serving, NAME)
        authority.stop()
        clock.write_text(str(TTL + 1))
        failed = lambda: query(serving, NAME).rcode() == dns.rcode.SERVFAIL  # noqa: E731
        wait_for(failed, "the end of the TTL")
        assert serving.total("inland_stale_answers_total") == 0
