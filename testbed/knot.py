"""A world's well servers as Knot DNS: zone files, configuration, and the processes that run them.

knotd answers from every zone it has on every address it has, so servers with the same set of zones
share a process and others do not. Faults that Knot cannot have are left to ``serve.py``.

Limitations: Knot DNS 3.2 or later as the package ``knot`` of Debian installs it; no signatures.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.model import Fault, Server, World
from testbed.remote import BackendError
from testbed.zones import Zone

STOP_SECONDS: Final = 5.0
STARTED: Final = "server started"
CONTROL_SECONDS: Final = 10

Run = Callable[[Sequence[str], Path], "subprocess.Popen[bytes]"]
"""Starts a program in a place of the caller's choice, with its words going to a file."""

CONFIGURATION: Final = """\
server:
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: 1232
    listen: [{listen}]
control:
    listen: {folder}/control
log:
  - target: stderr
    any: info
database:
    storage: {folder}
mod-stats:
  - id: count
    request-protocol: on
template:
  - id: default
    storage: {zones}
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
    global-module: mod-stats/count
zone:
"""


def zone_text(zone: Zone) -> str:
    """A zone as a master file (RFC 1035 section 5), every name absolute."""
    return "".join(
        f"{rrset.name} {rrset.ttl} IN {rrset.rtype} {rdata}\n"
        for rrset in zone.rrsets()
        for rdata in rrset.rdatas
    )


def file_name(zone: str) -> str:
    """The file that a zone stands in."""
    return ("root" if zone == "." else zone.rstrip(".")) + ".zone"


def write_zones(world: World, folder: Path) -> None:
    """All zones of a world as files; processes share them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, zone in world.zones.items():
        (folder / file_name(name)).write_text(zone_text(zone))


def groups(servers: Sequence[Server]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Well servers by the set of their zones: ``(zones, addresses)``."""
    found: dict[tuple[str, ...], list[str]] = {}
    for server in servers:
        if server.fault is Fault.NONE and server.zones:
            found.setdefault(tuple(sorted(server.zones)), []).append(server.address)
    return list(found.items())


@dataclass(slots=True)
class Knot:
    """One knotd."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def words(self) -> str:
        """What it has said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def started(self) -> bool:
        """Whether all its zones are loaded and it answers.

        Raises:
            BackendError: it has ended; its words are in the error.
        """
        if self.process.poll() is not None:
            raise BackendError(f"knotd ended: {self.words.strip()[-800:]}")
        return STARTED in self.words

    def questions(self) -> dict[str, int]:
        """Questions received so far, by ``udp`` and ``tcp``."""
        out = subprocess.run(
            ["knotc", "-s", str(self.folder / "control"), "stats", "mod-stats.request-protocol"],
            capture_output=True, text=True, check=True, timeout=CONTROL_SECONDS,
        ).stdout  # fmt: skip
        found = {"udp": 0, "tcp": 0}
        for protocol, count in re.findall(r"\[(udp|tcp)4\] = (\d+)", out):
            found[protocol] += int(count)
        return found

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def installed() -> bool:
    """Whether Knot DNS is here."""
    return bool(shutil.which("knotd") and shutil.which("knotc"))


def start(
    zones: Sequence[str],
    addresses: Sequence[str],
    folder: Path,
    zone_folder: Path,
    run: Run,
    port: int = 53,
) -> Knot:
    """Start one knotd; :meth:`Knot.started` tells when it answers."""
    folder.mkdir(parents=True)
    text = CONFIGURATION.format(
        folder=folder, zones=zone_folder, listen=", ".join(f"{a}@{port}" for a in addresses)
    )
    text += "".join(f"  - domain: {z}\n    file: {file_name(z)}\n" for z in zones)
    path = folder / "knot.conf"
    path.write_text(text)
    return Knot(folder, run(["knotd", "-c", str(path)], folder / "log"))
