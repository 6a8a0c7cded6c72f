"""A response policy zone of a million names: reading, compiling, looking up, changing; beside
peers.

``python -m benchmarks.policy_zones [--entries N] [--peers]``. Memory of peers is what their
resident set grows by when the zone is configured; ours is what native says it holds, and the
growth likewise.

Limitations: names are made up, of the lengths that blocklists have; peers are measured once.
"""

import argparse
import gc
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from policy.decision import Asked
from policy.rpz import PolicyZones
from policy.rpz_table import compile_zone
from policy.rpz_zone import PolicyZone, Terms
from resolver.mirrors.policy_file import ZoneFiles
from resolver.names import from_text, wildcard

ZONE = "million.rpz"
WAIT_SECONDS = 300.0

_UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    module-config: "respip iterator"
{rpz}
remote-control:
    control-enable: no
"""
_NAMED = """
options {{ directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion yes;
  dnssec-validation no; notify no; {response} }};
controls {{ }};
{zone}
"""
_RECURSOR = """
local-address=127.0.0.1:{port}
socket-dir={folder}
dnssec=off
threads=1
lua-config-file={folder}/policy.lua
daemon=no
"""


def make_text(entries: int, chance: random.Random) -> bytes:
    """A zone file: half names, half wildcards of them."""
    lines = ["$TTL 300", "@ SOA localhost. admin.localhost. 1 3600 600 86400 60", "@ NS localhost."]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
    for at in range(entries // 2):
        middle = "".join(chance.choices(letters, k=chance.randint(4, 14)))
        name = f"x{middle}{at:x}.{chance.choice(('com', 'net', 'xyz', 'top', 'info', 'co.in'))}"
        lines += [f"{name} CNAME .", f"*.{name} CNAME ."]
    return ("\n".join(lines) + "\n").encode()


def resident(pid: int | str = "self") -> int:
    """Octets of a process in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def ours(text: bytes, chance: random.Random) -> None:
    """All rows of our own."""
    apex = from_text(ZONE)
    began = time.perf_counter()
    copy = ZoneFiles().read(apex, text)
    data = copy.data
    print(f"{'read the zone file':48} {time.perf_counter() - began:9.3f} s")
    gc.collect()
    before = resident()
    began = time.perf_counter()
    compiled = compile_zone(apex, 1, data)
    print(f"{'compile':48} {time.perf_counter() - began:9.3f} s")
    count, _, size = compiled.native.names.sizes()
    print(f"{'table of names, octets an entry':48} {size / count:9.1f}")
    print(
        f"{'resident growth by compiling, octets an entry':48} {(resident() - before) / count:9.1f}"
    )
    print(f"{'copy of the zone, octets an entry':48} {copy.size / count:9.1f}")
    changed = text + b"".join(b"new%d.example CNAME .\n" % at for at in range(10))
    newer = ZoneFiles().read(apex, changed).data
    began = time.perf_counter()
    compile_zone(apex, 2, newer, compiled)
    print(f"{'compile a version with ten names more':48} {time.perf_counter() - began:9.3f} s")
    lookups(compiled.native.names.find, text, chance)
    rules = PolicyZones([PolicyZone(Terms("million", apex), compiled.content)])
    names = [from_text(f"host{at}.not-listed{at}.com") for at in range(100_000)]
    asked = [Asked(0, name, 1, 0.0) for name in names]
    began = time.perf_counter()
    for one in asked:
        rules.on_question(one)
    each = (time.perf_counter() - began) / len(asked)
    print(f"{'a miss held against it (interpreted), µs':48} {each * 1e6:9.2f}")


def lookups(find: Callable[[bytes], object], text: bytes, chance: random.Random) -> None:
    """Look-ups from Python, with what the call itself costs."""
    owners = [line.split()[0].decode() for line in chance.sample(text.splitlines()[3:], 100_000)]
    for what, names in (
        ("listed", [from_text(owner.removeprefix("*.")) for owner in owners]),
        ("below a wildcard", [wildcard(from_text(owner.removeprefix("*."))) for owner in owners]),
        ("not listed", [from_text(f"www.{at}.none.example") for at in range(100_000)]),
    ):
        began = time.perf_counter_ns()
        for name in names:
            find(name)
        each = (time.perf_counter_ns() - began) / len(names)
        print(f"{f'look-up of a name {what}, ns (from Python)':48} {each:9.0f}")


def peer(kind: str, folder: Path, loaded: bool, port: int) -> list[str]:
    """Write the configuration of a peer; its command."""
    words = {"folder": folder, "port": port}
    file = folder / f"{kind}.conf"
    if kind == "unbound":
        rpz = f'rpz:\n    name: {ZONE}\n    zonefile: "{folder}/zone"' if loaded else ""
        file.write_text(_UNBOUND.format(rpz=rpz, **words))
        return ["unbound", "-d", "-c", str(file)]
    if kind == "named":
        response = f'response-policy {{ zone "{ZONE}"; }};' if loaded else ""
        zone = f'zone "{ZONE}" {{ type primary; file "{folder}/zone"; }};' if loaded else ""
        file.write_text(_NAMED.format(response=response, zone=zone, **words))
        return ["named", "-g", "-n", "1", "-c", str(file)]
    (folder / "recursor.conf").write_text(_RECURSOR.format(**words))
    lua = f'rpzFile("{folder}/zone", {{}})\n' if loaded else ""
    (folder / "policy.lua").write_text(lua)
    return ["pdns_recursor", f"--config-dir={folder}"]


def beside(kind: str, text: bytes, entries: int) -> None:
    """How much a peer grows by the zone."""
    if shutil.which(kind) is None:
        print(f"{kind} is not installed")
        return
    grown = []
    for loaded in (False, True):
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            folder.chmod(0o777)
            (folder / "zone").write_bytes(f"$ORIGIN {ZONE}.\n".encode() + text)
            began = time.perf_counter()
            process = subprocess.Popen(
                peer(kind, folder, loaded, 5391),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                grown.append(settled(process))
            finally:
                process.terminate()
                process.wait()
            took = time.perf_counter() - began
    each = (grown[1] - grown[0]) / entries
    print(f"{kind + ': resident growth, octets an entry':48} {each:9.1f}   ({took:.0f} s)")


def settled(process: "subprocess.Popen[bytes]") -> int:
    """Resident size once it has stopped growing and its processor time stands still."""
    last, since = (0, 0), time.monotonic()
    ends = since + WAIT_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        now = (int(fields[11]) + int(fields[12]), resident(process.pid) >> 20)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 3:
            break
        time.sleep(0.25)
    return resident(process.pid)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--peers", action="store_true", help="measure memory of peers too")
    words = parser.parse_args()
    chance = random.Random(1)
    text = make_text(words.entries, chance)
    print(f"{words.entries:,} entries, {len(text) >> 20} MiB of text")
    ours(text, chance)
    if words.peers:
        for kind in ("unbound", "named", "pdns_recursor"):
            beside(kind, text, words.entries)


if __name__ == "__main__":
    main()
