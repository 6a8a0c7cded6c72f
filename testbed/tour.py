"""``make run``: a resolver on a simulated country, live lookups, a border report, then it serves.

Starts the world and the resolver as processes of their own, waits for the ready line, asks some
hundred questions twice (cold, then from the caches), prints the report of ``report.py``, and serves
until Ctrl-C, or for some seconds. On a terminal it shows progress and colour; in a pipe, lines.

Limitations: loopback only, where all servers are as near as their simulated latency says.
"""

import argparse
import json
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from testbed.clients import Asked, Heard, ask_all
from testbed.control import DEFAULT_WORLD, Loopback, configuration, start
from testbed.remote import BackendError
from testbed.report import Books, Phase, print_report, read_books
from testbed.truth import Truth

HOST: Final = "127.0.0.1"
DNS_PORT: Final = 5300
METRICS_PORT: Final = 9153
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 3.0  # for exchanges that no client waits for
PIPE_COLUMNS: Final = 100


class TourError(Exception):
    """Something that the tour needs did not start or has ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 after a clean end, 1 when something did not run or did not hold."""
    parser = argparse.ArgumentParser(
        prog="testbed.tour", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seconds", type=float, help="serve so long after the report, then end")
    parser.add_argument("--world", default=DEFAULT_WORLD, help="NAME or NAME:SEED")
    parser.add_argument("--lookups", type=int, default=400, help="questions, each asked twice")
    args = parser.parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell has made us ignore one
        signal.signal(number, signal.default_int_handler)
    held: list[bool] = []
    try:
        tour(console, args.world, args.lookups, args.seconds, held.append)
    except KeyboardInterrupt:
        console.print("\nStopped.")
    except (TourError, BackendError, ValueError) as error:
        console.print(f"tour: {error}", style="red", markup=False)
        return 1
    if not all(held):
        console.print("tour: not all held that must hold (NO in the report)", style="red")
    return 0 if all(held) else 1


def tour(
    console: Console,
    world_name: str,
    lookups: int,
    seconds: float | None,
    tell: Callable[[bool], None],
) -> None:
    """The whole of it. ``tell`` hears whether all held that must, once the report is there."""
    backend = start(world_name)
    try:
        world = backend.world
        console.print(
            f"World {world.name}:{world.seed} is up: {len(world.zones)} zones on"
            f" {len(world.servers)} name servers, UDP and TCP port {backend.port} on loopback."
        )
        with running_resolver(console, backend) as (process, dns_port, metrics_port):
            read = partial(_books, backend, metrics_port)
            questions = choose(backend, lookups)
            before, phases = read(), []
            for title in ("first time", "asked again"):
                heard = ask(console, title, dns_port, questions)
                after = read()
                phases.append(Phase(title, after.since(before), heard))
                before = after
            tell(print_report(console, world, phases, before))
            invite(console, backend, questions, dns_port, metrics_port)
            serve(console, process, seconds)
    finally:
        backend.stop()


@contextmanager
def running_resolver(
    console: Console, backend: Loopback
) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """``inland serve`` in the world: its process, its port for DNS and for metrics."""
    dns_port, metrics_port = free_port(DNS_PORT, True), free_port(METRICS_PORT, False)
    document = configuration(backend.world, backend) | {
        "listen": {"dns": [f"{HOST}:{dns_port}"]},
        "metrics": {"listen": f"{HOST}:{metrics_port}"},
        "control": {"socket": str(backend.folder / "inland.socket")},
        "state": {"directory": str(backend.folder)},
    }
    (backend.folder / "inland.yaml").write_text(json.dumps(document, indent=2) + "\n")
    log = backend.folder / "inland.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program(), "serve", "-c", str(backend.folder / "inland.yaml")],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            # Ctrl-C at a terminal is for us; the resolver is told to stop below.
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_ready(console, process, log)
        yield process, dns_port, metrics_port
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program() -> str:
    """The ``inland`` beside this Python."""
    return str(Path(sys.executable).with_name("inland"))


def free_port(wanted: int, datagrams: bool) -> int:
    """``wanted`` if nobody has it, else one that is free."""
    for port in (wanted, 0):
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                stream.bind((HOST, port))
                found = int(stream.getsockname()[1])
                if datagrams:
                    datagram.bind((HOST, found))
            except OSError:
                continue
            return found
    raise TourError("no free port on loopback")


def wait_ready(console: Console, process: subprocess.Popen[bytes], log: Path) -> None:
    """Show what the resolver says until it is ready. Raises ``TourError``."""
    deadline = time.monotonic() + READY_SECONDS
    shown = 0
    while time.monotonic() < deadline:
        lines = log.read_text(errors="replace").splitlines(keepends=True)
        complete = [line.rstrip() for line in lines if line.endswith("\n")]
        for line in complete[shown:]:
            console.print(f"  {line}", style="dim", markup=False, soft_wrap=True)
            if "ready:" in line:
                return
        shown = len(complete)
        if process.poll() is not None:
            raise TourError(f"the resolver ended at start with status {process.returncode}")
        time.sleep(0.05)
    raise TourError(f"the resolver was not ready within {READY_SECONDS:.0f} s")


def choose(backend: Loopback, count: int) -> list[Asked]:
    """A seeded choice of the world's questions, with their right answers."""
    questions = Truth(backend.world).questions()
    chance = random.Random(backend.world.seed)
    return chance.sample(questions, min(count, len(questions)))


def ask(console: Console, title: str, port: int, questions: Sequence[Asked]) -> list[Heard]:
    """Ask them all, with a progress bar on a terminal."""
    heard: list[Heard] = []
    began = time.monotonic()
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            task = progress.add_task(f"Lookups, {title}", total=len(questions))

            def done(one: Heard) -> None:
                heard.append(one)
                progress.advance(task)

            trio.run(ask_all, (HOST, port), questions, done)
    else:
        trio.run(ask_all, (HOST, port), questions, heard.append)
        console.print(f"Lookups, {title}: {len(heard)} in {time.monotonic() - began:.1f} s")
    return heard


def _books(backend: Loopback, metrics_port: int) -> Books:
    """Both counts, taken when no exchange is under way (or after :data:`SETTLE_SECONDS`)."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        books = read_books(scrape(metrics_port), backend.stats())
        balanced = books.total("inland_exchanges_total") == books.received.total()
        if balanced or time.monotonic() > deadline:
            return books
        time.sleep(0.1)


def scrape(port: int) -> str:
    """The text of ``/metrics``. Raises ``TourError``."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as reply:
            return str(reply.read().decode())
    except OSError as error:
        raise TourError(f"no metrics from the resolver: {error}") from error


def invite(
    console: Console, backend: Loopback, questions: Sequence[Asked], dns_port: int, metrics: int
) -> None:
    """What to try while it serves."""
    plain = [q for q, _ in questions if q.tag == "positive" and q.rtype == "A"]
    good = next((q for q in plain if q.name.endswith(".xa.")), questions[0][0])
    console.print("\nTry it, in another terminal", style="bold")
    for line in (
        f"dig @{HOST} -p {dns_port} {good.name} {good.rtype}",
        f".venv/bin/inland explain -c {backend.folder / 'inland.yaml'} {good.name} {good.rtype}",
        f"curl -s http://{HOST}:{metrics}/metrics | grep ^inland_",
        f"http://{HOST}:{metrics}/ in a browser: the same figures as a page",
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def serve(console: Console, process: subprocess.Popen[bytes], seconds: float | None) -> None:
    """Until the time is over, or Ctrl-C. Raises ``TourError`` when the resolver ends by itself."""
    told = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
    console.print(f"\nServing {told}.")
    sys.stdout.flush()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise TourError(f"the resolver ended with status {process.returncode}")


if __name__ == "__main__":
    sys.exit(main())
