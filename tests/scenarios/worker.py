"""Runs one scenario in this process (which gets its own network namespace).

``python -m tests.scenarios.worker JSON`` prints the result as a line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from shutil import rmtree
from typing import Any

import dns.rdatatype

from tests.scenarios import netns, settings
from tests.scenarios.adapters import ADAPTERS, Context, Unsupported
from tests.scenarios.clock import Clock, find_faketime
from tests.scenarios.outcome import Failed, Skipped
from tests.scenarios.parse import load
from tests.scenarios.play import Player
from tests.scenarios.script import ParseError, Scenario
from tests.scenarios.tidy import tidy

ADDRESS4, ADDRESS6, PORT = "127.0.0.1", "::1", 5300
DSA = {3, 6}
UNDRIVABLE = {"INFRA_RTT", "FLUSH_MESSAGE", "EXPIRE_MESSAGE", "CHECK_AUTOTRUST", "ERROR"}


def undrivable(scn: Scenario) -> str | None:
    """Why no resolver can be driven through this scenario over a network, if so."""
    blocked = sorted(scn.kinds() & UNDRIVABLE)
    if blocked:
        return "needs steps inside the resolver: " + ", ".join(blocked)
    if "${timeout" in scn.text or "${$timeout" in scn.text:
        return "needs the resolver's own timer list"
    words = [e.unsupported for r in scn.ranges for e in r.entries if e.unsupported]
    words += [s.entry.unsupported for s in scn.steps if s.entry and s.entry.unsupported]
    return "uses " + ", ".join(sorted(set(words))) if words else None


def fake_crypto(scn: Scenario) -> bool:
    """Does the scenario carry DSA signatures, which only a test build 'verifies'?"""
    return any(
        rec.rdtype == dns.rdatatype.RRSIG and int(getattr(rec.rdata, "algorithm", 0)) in DSA
        for rng in scn.ranges
        for entry in rng.entries
        for pkt in entry.packets
        for section in pkt.sections.values()
        for rec in section
    )


def needs_clock(scn: Scenario, start: float | None) -> bool:
    return start is not None or "TIME_PASSES" in scn.kinds()


def wait_ready(proc: subprocess.Popen[bytes], address: str, seconds: float) -> None:
    """The resolver is ready once it accepts a TCP connection."""
    limit = time.monotonic() + seconds
    while True:
        if proc.poll() is not None:
            raise Failed(f"the resolver exited with status {proc.returncode} at start")
        try:
            with socket.create_connection((address, PORT), timeout=1.0):
                return
        except OSError:
            if time.monotonic() > limit:
                raise Failed(f"not ready after {seconds:.0f} s (no TCP connection)") from None
        time.sleep(0.02)


def stop(proc: subprocess.Popen[bytes]) -> None:
    if proc.poll() is None:
        proc.terminate()
        try:
            proc.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGKILL)
            proc.wait(3)


def run(path: Path, opts: dict[str, Any]) -> dict[str, Any]:
    """Returns {status, reason, seconds, ...}; status is pass, fail or skip."""
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="rpl-", dir=opts.get("scratch")))
    result = {"status": "fail", "reason": "", "undefined": [], "upstream": 0}
    try:
        result.update(play(path, opts, directory))
    except (Skipped, Unsupported, ParseError) as exc:
        result.update(status="skip", reason=str(exc))
    except Failed as exc:
        result.update(status="fail", reason=str(exc))
    except Exception as exc:  # a defect of the runner; keep going
        result.update(status="fail", reason=f"runner error: {exc!r}")
        (directory / "traceback").write_text(traceback.format_exc(), encoding="utf-8")
    result["seconds"] = round(time.monotonic() - began, 2)
    if opts.get("keep") == "all" or (opts.get("keep") == "failed" and result["status"] == "fail"):
        result["directory"] = str(directory)
    else:
        rmtree(directory, ignore_errors=True)
    return result


def read(path: Path, opts: dict[str, Any]) -> Scenario:
    """The scenario as it is to be played. Raises ``Skipped``."""
    scn = load(path, opts.get("dialect"))
    why = undrivable(scn)
    if why:
        raise Skipped(why)
    if opts.get("tidy"):
        tidy(scn)  # before re-signing, which looks for signatures beside their sets
    if opts.get("resign") and fake_crypto(scn):
        # Only now: it loads the signature libraries, which few scenarios need.
        from tests.scenarios.resign import CannotResign, resign

        try:
            resign(scn)
        except CannotResign as exc:
            raise Skipped(f"cannot be re-signed: {exc}") from exc
    return scn


def play(path: Path, opts: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Set the stage (namespace, clock, configuration, simulated servers), then walk the steps."""
    scn = read(path, opts)
    wanted = settings.of(scn, opts.get("qmin", True))
    netns.enter()
    adapter = ADAPTERS[opts["adapter"]]()
    if wanted.validate and fake_crypto(scn) and not adapter.accepts_fake_crypto:
        raise Skipped("its DSA signatures only pass in a test build (fake-sha1)")
    command = opts.get("command") or adapter.command
    ctx = Context(directory, ADDRESS4, ADDRESS6, PORT, scn, wanted, list(command))
    plan = adapter.prepare(ctx)
    clock_wanted = needs_clock(scn, wanted.start) and plan.preload_clock
    clock = Clock(directory, wanted.start, opts.get("shim"), find_faketime())
    if clock_wanted and not clock.works:
        raise Skipped("needs a C compiler (for clock.c) or libfaketime")
    env = dict(os.environ)
    env.update(plan.environment)
    if clock_wanted:
        env.update(clock.environment())
    env["CONFORMANCE_CLOCK"] = str(clock.path)
    with (
        (directory / "server.log").open("wb") as log,
        (directory / "play.log").open("w", encoding="utf-8", errors="replace") as plog,
    ):
        player = Player(
            scn,
            clock,
            ADDRESS4,
            ADDRESS6,
            PORT,
            timeout=opts.get("timeout", 10.0),
            log=plog,
            truncate=not opts.get("no_truncate"),
            relaxed=bool(opts.get("relaxed")),
            improvise=not opts.get("no_improvise"),
            root_hints=wanted.root_hints,
            answer_file=lambda name: adapter.temp_file(ctx, name),
        )
        player.clock_lag = plan.clock_lag
        player.prefer6 = wanted.options.get("ipv4") is False
        player.open_servers()
        proc = subprocess.Popen(
            plan.argv,
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_ready(proc, ADDRESS6 if player.prefer6 else ADDRESS4, adapter.ready_seconds)
            player.alive = lambda: proc.poll() is None
            player.play()
            status, reason = "pass", ""
        except Failed as exc:
            status, reason = "fail", str(exc)
        finally:
            stop(proc)
            player.close()
    if status == "pass" and opts.get("strict") and player.undefined:
        status, reason = "fail", f"asked {len(player.undefined)} questions outside the scenario"
    return {
        "status": status,
        "reason": reason,
        "undefined": player.undefined[:20],
        "upstream": player.upstream_count,
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(run(Path(given.pop("path")), given)))
