"""``make bench``: the cached and the missing path under load, beside peers that are installed.

    python -m benchmarks [--tests hot,miss,cold] [--peers inland,unbound,kresd] [--seconds 5]

The figure to look at is µs/q: processor time (user and system, all threads) of the resolver for
each answered question. Runs in a network namespace of its own; needs root, Knot DNS, a C compiler.
Tests: ``hot`` answers from the cache; ``miss`` one exchange each, delegation known; ``cold``
nothing known. With two cores and more the resolver has core 0, all else core 1.

Limitations: closed loop, so queues in front of the resolver do not show; one thread each.
"""

import argparse
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.internet import LEVELS, Internet, make
from benchmarks.peers import PEERS, PORT, Peer

HERE = Path(__file__).resolve().parent
SERVER_CORES, OTHER_CORES = ({0}, {1}) if (os.cpu_count() or 1) > 1 else ({0}, {0})
START_SECONDS = 20.0
OUTSTANDING = 128
SOCKETS = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 measured, 1 a resolver failed, 2 something needed is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--tests", default="hot,miss,cold")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    missing = [
        name for name in ("knotd", "cc", "ip", "unshare", "taskset") if shutil.which(name) is None
    ]
    if missing or os.getuid():
        print(f"bench: needs root and {' '.join(missing) or 'nothing else'}", file=sys.stderr)
        return 2
    if not args.inside:
        given = list(argv) if argv is not None else sys.argv[1:]
        return subprocess.run(
            ["unshare", "--net", sys.executable, "-m", "benchmarks", *given, "--inside"],
            check=False,
        ).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    peers = [PEERS[name] for name in args.peers.split(",")]
    for peer in peers:
        if peer.found() is None:
            print(f"bench: {peer.name} is not installed, left out", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as folder:
        found = [peer for peer in peers if peer.found()]
        return measure(Path(folder), found, args.tests.split(","), args.seconds, args.rounds)


def measure(folder: Path, peers: list[Peer], tests: list[str], seconds: float, rounds: int) -> int:
    """Run all tests, rounds outermost so that a busy moment of the machine strikes all alike."""
    internet = make(folder / "internet")
    load = folder / "load"
    subprocess.run(["cc", "-O2", "-o", load, HERE / "load.c"], check=True)
    figures: dict[tuple[str, str], list[dict[str, float]]] = {}
    failed = False
    with ExitStack() as servers:
        for level in LEVELS:
            servers.enter_context(
                process(
                    ["knotd", "-c", str(internet.knot(level))], folder / "knot.log", OTHER_CORES
                )
            )
        for number in range(rounds):
            for test in tests:
                for peer in peers:
                    try:
                        found = one(folder, internet, peer, test, load, seconds)
                    except RuntimeError as error:
                        print(f"bench: {peer.name} {test}: {error}", file=sys.stderr)
                        failed = True
                        continue
                    figures.setdefault((test, peer.name), []).append(found)
                    print(f"round {number + 1} {test:5} {peer.name:8} {line(found)}", flush=True)
    print(f"\nmedians of {rounds} rounds, {seconds:g} s each, one thread a resolver:")
    for (test, name), runs in figures.items():
        print(
            f"{test:5} {name:8} {line({k: statistics.median(r[k] for r in runs) for k in runs[0]})}"
        )
    return int(failed)


def line(found: dict[str, float]) -> str:
    return (
        f"{found['us']:7.2f} µs/q  {found['qps']:9.0f} q/s  p50 {found['p50']:7.0f} µs"
        f"  p99 {found['p99']:7.0f} µs  lost {found['lost']:.0f}  not NOERROR {found['bad']:.0f}"
    )


def one(
    folder: Path, internet: Internet, peer: Peer, test: str, load: Path, seconds: float
) -> dict[str, float]:
    """One test of one resolver. Raises ``RuntimeError`` when it does not answer."""
    run = folder / "run" / peer.name
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    command = [str(peer.found()), *peer.arguments(run, internet.hints)]
    with process(command, run / "log", SERVER_CORES) as server:
        wait_answer(server, "www.host01.net")

        def ask(questions: str, *more: str) -> str:
            generator = subprocess.run(
                [*on(OTHER_CORES), str(load), "-p", str(PORT),
                 "-d", str(internet.questions(questions)), *more],
                capture_output=True, text=True, check=True, timeout=seconds + 120,
            )  # fmt: skip
            return generator.stdout

        if test == "hot":
            for _ in range(2):
                ask("hotset", "-1", "-q", "50", "-c", "8")
        elif test == "miss":
            ask("warm", "-1", "-q", "1", "-c", "1")
        before = processor_seconds(server.pid)
        length = ("-1",) if test == "cold" else ("-l", f"{seconds:g}")
        once = ("-1",) if test == "miss" else ()
        text = ask(test, *length, *once, "-q", str(OUTSTANDING), "-c", str(SOCKETS))
        spent = processor_seconds(server.pid) - before
    done = number(r"Queries completed:\s+(\d+)", text)
    if not done:
        raise RuntimeError("no question was answered")
    return {
        "us": spent / done * 1e6,
        "qps": number(r"Queries per second:\s+([\d.]+)", text),
        "p50": number(r"p50 us:\s+(\d+)", text),
        "p99": number(r"p99 us:\s+(\d+)", text),
        "lost": number(r"Queries lost:\s+(\d+)", text),
        "bad": done - number(r"NOERROR (\d+)", text),
    }


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else 0.0


@contextmanager
def process(command: list[str], log: Path, cores: set[int]) -> Iterator[subprocess.Popen[bytes]]:
    """A process on some cores, ended at the end."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [*on(cores), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )  # fmt: skip
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def on(cores: set[int]) -> list[str]:
    """The words in front of a command that keep it on some cores."""
    return ["taskset", "-c", ",".join(map(str, sorted(cores)))]


def processor_seconds(pid: int) -> float:
    """User and system time of all threads (nanoseconds in schedstat, proc(5))."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def wait_answer(server: subprocess.Popen[bytes], name: str) -> None:
    """Until the resolver gives an address for ``name``. Raises ``RuntimeError``."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"ended at start with status {server.returncode}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            client.connect(("127.0.0.1", PORT))
            try:
                client.send(query)
                reply = client.recv(4096)
            except OSError:
                time.sleep(0.02)
                continue
        if reply[3] & 15 == 0 and reply[7]:
            return
    raise RuntimeError(f"no answer within {START_SECONDS:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
