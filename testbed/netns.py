"""The backend with a real border: network namespaces, Knot DNS, and nftables that count.

Four namespaces of ours: the resolver's, the border router's, home's and abroad's. Every packet of
the resolver's namespace is counted twice by counters that are not ours: as the kernel lets it out,
and as it reaches the border. Loss and cuts strike behind both.

Needs root, iproute2, nftables and, for Knot DNS, the package ``knot``; :class:`Unavailable` says
what is missing. Limitations: IPv4; loss strikes UDP and is not seeded; latency only where the
kernel has netem (slow servers are slow anyway); ICMP is counted as a whole.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from testbed import knot, nft
from testbed.model import AddressPlan, Fault, World
from testbed.remote import BackendError, Remote
from testbed.truth import State
from testbed.world import make_world

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.05
PREFIX: Final = "inland"
PLACES: Final = ("resolver", "border", "home", "abroad")
LATENCY_MS: Final = {"home": 3, "abroad": 60}
RESOLVER_ADDRESS: Final = "11.250.0.2"
# One line a link: place, its interface and address; place, its interface and address.
LINKS: Final = (
    ("resolver", "up0", RESOLVER_ADDRESS, "border", "resolver0", "11.250.0.1"),
    ("border", "home0", "11.250.1.1", "home", "up0", "11.250.1.2"),
    ("border", "abroad0", "12.250.1.1", "abroad", "up0", "12.250.1.2"),
)
ROUTES: Final = (
    ("resolver", "default via 11.250.0.1"),
    ("border", "11.0.0.0/8 via 11.250.1.2"),
    ("border", "12.0.0.0/8 via 12.250.1.2"),
    ("home", "default via 11.250.1.1"),
    ("abroad", "default via 12.250.1.1"),
    # Any-IP: every address of these is local, without being configured one by one.
    ("home", "local 11.0.0.0/16 dev lo"),
    ("abroad", "local 12.0.0.0/13 dev lo"),
)


class Unavailable(Exception):
    """This machine cannot carry the backend; the text says what is missing."""


def require(authority: str = "knot") -> None:
    """Raise :class:`Unavailable` unless everything that the backend needs is here."""
    if os.geteuid() != 0:
        raise Unavailable("network namespaces need root")
    for program, package in (("ip", "iproute2"), ("nft", "nftables")):
        if not shutil.which(program):
            raise Unavailable(f"no {program}: install the package {package}")
    if authority == "knot" and not knot.installed():
        raise Unavailable("no knotd: install the package knot")
    probe = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    if probe.returncode:
        raise Unavailable(f"no network namespaces here: {probe.stderr.decode().strip()}")


class Netns:
    """A running world in network namespaces.

    Args:
        world: ``NAME`` or ``NAME:SEED``.
        authority: ``knot``, or ``dnslib`` to serve everything from the embedded servers.
        speed: divides the latency of embedded servers, the slow ones of Knot's worlds among them.
    """

    port = 53

    def __init__(self, world: str, authority: str = "knot", speed: float = 1.0) -> None:
        assert authority in ("knot", "dnslib")
        self.world: World = make_world(world, plan=AddressPlan.NETNS)
        self.authority = authority
        self.speed = speed
        self.state = State()
        self.latency = False  # whether netem delays what passes the links
        self.knots: list[knot.Knot] = []
        self._name = f"{PREFIX}-{os.getpid()}-{id(self) & 0xFFFF:x}"
        self._embedded: list[subprocess.Popen[bytes]] = []
        self._remotes: list[Remote] = []
        self._watch: Remote | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._made: list[str] = []

    @property
    def folder(self) -> Path:
        """A place for files of this run; gone after :meth:`stop`."""
        assert self._folder is not None, "not started"
        return Path(self._folder.name)

    def place(self, name: str) -> str:
        """The network namespace of ``resolver``, ``border``, ``home`` or ``abroad``."""
        return f"{self._name}-{name}"

    def start(self) -> Self:
        """Build everything and wait until every server answers.

        Raises:
            Unavailable: this machine cannot carry it.
            BackendError: something did not start.
        """
        require(self.authority)
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix="inland-netns-")
        try:
            self._connect()
            self._count()
            self._serve()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all processes and remove all namespaces; more calls do nothing."""
        for remote in (*self._remotes, self._watch):
            if remote is not None:
                remote.close()
        for process in self._embedded:
            assert process.stdin is not None
            process.stdin.close()
        for server in self.knots:
            server.process.terminate()
        for process in [*self._embedded, *(server.process for server in self.knots)]:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._watch, self._remotes, self._embedded, self.knots = None, [], [], []
        for place in self._made:
            subprocess.run(["ip", "netns", "delete", place], capture_output=True, check=False)
        self._made = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def exec_in(
        self, args: Sequence[str], place: str = "resolver", **options: Any
    ) -> "subprocess.Popen[Any]":
        """Run a program in a namespace, the resolver's by default; ``options`` as for ``Popen``."""
        return subprocess.Popen(["ip", "netns", "exec", self.place(place), *args], **options)

    def cut(self) -> None:
        """Let nothing pass to or from abroad; packets are counted before."""
        self._nft("border", nft.CUT)
        self.state = State(True, self.state.down)

    def restore(self) -> None:
        """Open the border again."""
        self._nft("border", nft.RESTORE)
        self.state = State(False, self.state.down)

    def loss(self, rate: float) -> None:
        """Lose this share of UDP datagrams, each way, on the far side of all counters."""
        for place in ("home", "abroad"):
            self._nft(place, nft.loss(rate))

    def down(self, addresses: Iterable[str]) -> None:
        """Make servers silent, on the far side of all counters."""
        gone = sorted(addresses)
        for place in ("home", "abroad"):
            self._nft(place, nft.silence("add", gone))
        self.state = State(self.state.cut, self.state.down | set(gone))

    def up(self, addresses: Iterable[str]) -> None:
        """Let servers that were made silent speak again."""
        back = sorted(self.state.down & set(addresses))
        for place in ("home", "abroad"):
            self._nft(place, nft.silence("delete", back))
        self.state = State(self.state.cut, self.state.down - set(back))

    def counters(self) -> dict[str, dict[str, Any]]:
        """What nftables counted since the start or the last :meth:`reset`.

        ``resolver`` (as the kernel lets packets out) and ``border`` (as they reach it), each with
        ``udp_domestic``, ``udp_foreign``, ``udp_other`` and the same of ``tcp`` (packets), ``syn``
        (connections tried) and ``icmp_any``, as ``{packets, bytes}``; ``udp_to`` and ``syn_to``
        give packets by destination.
        """
        return {place: nft.read(self._nft(place, None)) for place in ("resolver", "border")}

    def roles(self) -> list[tuple[str, str, int]]:
        """Questions seen at the border by UDP: ``(address, zone in whose role, count)``.

        Raises:
            BackendError: the kernel could not show the watcher every packet.
        """
        assert self._watch is not None, "not started"
        seen = self._watch.command("stats")
        if seen["missed"]:
            raise BackendError(f"the watcher at the border missed {seen['missed']} packets")
        return [(address, zone, count) for address, zone, count in seen["roles"]]

    def reset(self) -> None:
        """Set all counters to nothing."""
        assert self._watch is not None, "not started"
        self._watch.command("reset")
        for place in ("resolver", "border"):
            self._nft(place, nft.RESET)

    def questions(self) -> dict[str, int]:
        """Questions that all servers have received since the start, by ``udp`` and ``tcp``."""
        total = {"udp": 0, "tcp": 0}
        for remote in self._remotes:
            for tally in remote.command("stats")["addresses"].values():
                total["udp"] += tally["udp"]
                total["tcp"] += tally["tcp"]
        for server in self.knots:
            for protocol, count in server.questions().items():
                total[protocol] += count
        return total

    def _connect(self) -> None:
        for name in PLACES:
            _run("ip", "netns", "add", self.place(name))
            self._made.append(self.place(name))
            _run("ip", "-n", self.place(name), "link", "set", "lo", "up")
        for left, left_if, left_address, right, right_if, right_address in LINKS:
            _run(
                *("ip", "link", "add", left_if, "netns", self.place(left), "type", "veth"),
                *("peer", "name", right_if, "netns", self.place(right)),
            )
            for name, interface, address in (
                (left, left_if, left_address),
                (right, right_if, right_address),
            ):
                place = self.place(name)
                _run("ip", "-n", place, "address", "add", f"{address}/30", "dev", interface)
                _run("ip", "-n", place, "link", "set", interface, "up")
        for name, route in ROUTES:
            _run("ip", "-n", self.place(name), "route", "add", *route.split())
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        _run("ip", "netns", "exec", self.place("border"), "sh", "-c", forward)
        # Not every kernel has netem; a world without latency is still a world.
        self.latency = all(
            subprocess.run(
                [
                    *("tc", "-n", self.place(name), "qdisc", "add", "dev", "up0", "root"),
                    *("netem", "limit", "10000", "delay", f"{delay}ms"),
                ],
                capture_output=True,
                check=False,
            ).returncode
            == 0
            for name, delay in LATENCY_MS.items()
        )

    def _count(self) -> None:
        self._nft("resolver", nft.books("output", 300))
        self._nft("border", nft.books("prerouting", -400, "resolver0") + nft.BORDER)
        dead = [s.address for s in self.world.servers.values() if s.fault is Fault.DEAD]
        for name in ("home", "abroad"):
            self._nft(name, nft.far_side(dead))

    def _nft(self, place: str, script: str | None) -> str:
        """Feed a script to nft in a namespace, or list its rules as JSON."""
        args = ["-j", "list", "ruleset"] if script is None else ["-f", "-"]
        return _run("ip", "netns", "exec", self.place(place), "nft", *args, told=script)

    def _serve(self) -> None:
        self._watch = self._helper("testbed.watch", "border", ["--interface", "resolver0"])
        zones = self.folder / "zones"
        knot.write_zones(self.world, zones)
        for name in ("home", "abroad"):
            servers = [s for s in self.world.servers.values() if s.domestic == (name == "home")]
            embedded = [
                s.address
                for s in servers
                if s.fault is not Fault.DEAD
                and (self.authority == "dnslib" or s.fault is not Fault.NONE)
            ]
            self._embed(name, embedded)
            if self.authority == "knot":
                for number, (held, addresses) in enumerate(knot.groups(servers)):
                    folder = self.folder / f"{name}-{number}"
                    started = knot.start(held, addresses, folder, zones, self._runner(name))
                    self.knots.append(started)
        until = time.monotonic() + START_SECONDS
        while not all(server.started() for server in self.knots):
            if time.monotonic() > until:
                raise BackendError(f"Knot DNS did not start within {START_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)

    def _runner(self, name: str) -> knot.Run:
        def run(args: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
            with log.open("wb") as words:
                return self.exec_in(
                    args, name, stdin=subprocess.DEVNULL, stdout=words, stderr=words
                )

        return run

    def _embed(self, name: str, addresses: list[str]) -> None:
        options = ["--plan", "netns", "--port", "53", "--speed", str(self.speed)]
        options += ["--addresses", ",".join(addresses)]
        self._remotes.append(self._helper("testbed.serve", name, options))

    def _helper(self, module: str, place: str, options: Sequence[str]) -> Remote:
        """Start a process of our own in a namespace and wait for its ready line."""
        control, log = self.folder / f"{place}-control", self.folder / f"{place}.log"
        world = f"{self.world.name}:{self.world.seed}"
        command = [sys.executable, "-m", module, "--world", world, "--control", str(control)]
        with log.open("wb") as words:
            process = self.exec_in(
                [*command, *options],
                place,
                cwd=Path(__file__).parent.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
            )
        self._embedded.append(process)
        assert process.stdout is not None
        stdout: IO[bytes] = process.stdout
        with stdout:
            if not stdout.readline():
                raise BackendError(log.read_text().strip())
        return Remote(control)


def _run(*args: str, told: str | None = None) -> str:
    done = subprocess.run(args, input=told, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackendError(f"{' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def _sweep() -> None:
    """Remove what runs of ours left behind that were killed: their process is gone."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        place = line.split()[0]
        parts = place.split("-")
        if len(parts) != 4 or parts[0] != PREFIX or not parts[1].isdigit():
            continue
        if Path(f"/proc/{parts[1]}").exists():
            continue
        pids = subprocess.run(
            ["ip", "netns", "pids", place], capture_output=True, text=True, check=False
        )
        for pid in pids.stdout.split():
            os.kill(int(pid), 15)
        subprocess.run(["ip", "netns", "delete", place], capture_output=True, check=False)
