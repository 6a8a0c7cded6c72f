"""Real primaries for tests of mirrors: Knot DNS and NSD, each with one zone on one address."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

KEY_NAME = "transfer.test."
SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0LWtleS1vbmx5LWZvci1pdA=="
START_SECONDS = 20.0

_KNOT = """
server:
    rundir: {folder}
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: {folder}/control
log:
  - target: stderr
    any: info
database:
    storage: {folder}
key:
  - id: {key}
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: mirror
    address: {notify}
    via: {address}
    {remote_key}
acl:
  - id: transfer
    address: 0.0.0.0/0
    action: transfer
    {acl_key}
zone:
  - domain: {zone}
    storage: {folder}
    file: zone
    zonefile-load: difference
    journal-content: changes
    semantic-checks: off
    acl: transfer
    {notify_line}
"""

_NSD = """
server:
    ip-address: {address}@{port}
    server-count: 1
    username: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/pid"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    verbosity: 2
remote-control:
    control-enable: yes
    control-interface: "{folder}/control"
key:
    name: {key}
    algorithm: hmac-sha256
    secret: "{secret}"
zone:
    name: {zone}
    zonefile: zone
    provide-xfr: 0.0.0.0/0 {acl_key}
    create-ixfr: yes
    store-ixfr: yes
    outgoing-interface: {address}
    {notify_line}
"""


class Primary:
    """A running server; ``kind`` is ``knot`` or ``nsd``; ``prefix`` is put before its commands."""

    def __init__(
        self,
        kind: str,
        folder: Path,
        zone: str,
        address: str,
        port: int,
        *,
        keyed: bool = False,
        notify: int | None = None,
        notify_host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        self.prefix = list(prefix)
        self.kind, self.zone, self.address, self.port = kind, zone, address, port
        self.folder = folder / f"{kind}-{address}"
        self.folder.mkdir()
        knot = kind == "knot"
        notify_to = f"{notify_host}@{notify or 1}"
        words = {
            "folder": self.folder, "address": address, "port": port, "zone": zone,
            "key": KEY_NAME, "secret": SECRET, "notify": notify_to,
            "remote_key": f"key: {KEY_NAME}" if keyed else "",
        }  # fmt: skip
        if knot:
            words["acl_key"] = f"key: {KEY_NAME}" if keyed else ""
            words["notify_line"] = "notify: mirror" if notify else ""
        else:
            words["acl_key"] = KEY_NAME if keyed else "NOKEY"
            line = f"notify: {notify_to} {words['acl_key']}"
            words["notify_line"] = line if notify else ""
        self.file = self.folder / "config"
        self.file.write_text((_KNOT if knot else _NSD).format(**words))
        self.process: subprocess.Popen[bytes] | None = None

    def publish(self, text: str) -> None:
        """Serve this version from now on."""
        (self.folder / "zone").write_text(text)
        if self.process is None:
            self._start()
        elif self.kind == "knot":
            self._control("zone-reload", self.zone)
        else:
            self._control("reload", self.zone)

    def _start(self) -> None:
        program = {"knot": ["knotd", "-c"], "nsd": ["nsd", "-d", "-c"]}[self.kind]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *program, str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        ends = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < ends, self.words()
            time.sleep(0.05)

    def _answers(self) -> bool:
        asked = subprocess.run(
            [*self.prefix, "kdig", f"@{self.address}", "-p", str(self.port), self.zone, "SOA",
             "+time=1", "+retry=0"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return "status: NOERROR" in asked.stdout

    def _control(self, *words: str) -> None:
        command = {
            "knot": ["knotc", "-s", str(self.folder / "control")],
            "nsd": ["nsd-control", "-c", str(self.file)],
        }[self.kind]
        subprocess.run([*command, *words], capture_output=True, check=True, timeout=20)

    def words(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """End it; more calls do nothing."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def need(kind: str) -> None:
    """Skip where the program is not installed."""
    for program in ({"knot": "knotd", "nsd": "nsd"}[kind], "kdig"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if kind == "nsd" and os.geteuid() != 0:
        pytest.skip("nsd is started as root here")


def secret_file(folder: Path, secret: str | None = None) -> Path:
    """The secret of the key, as the configuration wants it."""
    path = folder / "secret"
    path.write_text((secret or SECRET) + "\n")
    return path
