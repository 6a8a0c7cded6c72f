"""Run in a network namespace of its own by the tests: a world, a server of some make, all
questions.

``KIND FOLDER`` prints a JSON list with what was said to each row of :mod:`tests.system.rpz_world`.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.system import rpz_world
from tests.system.rpz_world import FIRST, ROWS, SECOND, Row

PORT = 5300
UNBOUND_ENDS_AT = tuple(
    f"{kind} CNAME rpz-{action}." for kind in ("nsdname", "nsip") for action in ("drop", "tcp-only")
)
"""Unbound 1.17.1 says nothing more, to anybody, after one of these."""
START_SECONDS = 30.0
INLAND = "from resolver.cli import main; main()"

_KNOT = """
server:
    rundir: {folder}
    listen: [ {listen} ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: {folder}
template:
  - id: default
    storage: {folder}
    file: "%s.zone"
    semantic-checks: off
    zonefile-sync: -1
zone:
{zones}
"""

_NAMED = """
options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion yes;
    allow-query {{ any; }};
    empty-zones-enable no;
    dnssec-validation no;
    notify no;
    qname-minimization off;
    minimal-responses yes;
    response-policy {{ zone "first.rpz"; zone "second.rpz"; }} qname-wait-recurse no;
}};
controls {{ }};
zone "." {{ type hint; file "{folder}/hints"; }};
zone "first.rpz" {{ type primary; file "{folder}/first.rpz"; }};
zone "second.rpz" {{ type primary; file "{folder}/second.rpz"; }};
"""

_UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    do-ip6: no
    do-daemonize: no
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
    root-hints: "{folder}/hints"
    qname-minimisation: no
    module-config: "respip iterator"
remote-control:
    control-enable: no
rpz:
    name: first.rpz
    zonefile: "{folder}/first.rpz"
rpz:
    name: second.rpz
    zonefile: "{folder}/second.rpz"
"""

_RECURSOR = """
local-address=127.0.0.1:{port}
allow-from=127.0.0.0/8
dont-query=
hint-file={folder}/hints
socket-dir={folder}
config-dir={folder}
dnssec=off
qname-minimization=no
lua-config-file={folder}/policy.lua
setuid=
setgid=
threads=1
daemon=no
disable-packetcache=yes
"""

_LUA = """
rpzFile("{folder}/first.rpz", {{ policyName = "first" }})
rpzFile("{folder}/second.rpz", {{ policyName = "second" }})
"""


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve_world(folder: Path, ends: ExitStack) -> None:
    for level, zones in rpz_world.zones().items():
        place = folder / level
        place.mkdir()
        for zone, text in zones.items():
            (place / f"{'.' if zone == '.' else zone + '.'}zone").write_text(text)
        listen = ", ".join(f"{address}@53" for address in rpz_world.addresses(level))
        files = {zone: "." if zone == "." else zone + "." for zone in zones}
        names = "\n".join(
            f'  - domain: "{zone}"\n    file: "{file}zone"' for zone, file in files.items()
        )
        config = place / "knot.conf"
        config.write_text(_KNOT.format(folder=place, listen=listen, zones=names))
        ends.enter_context(running(["knotd", "-c", str(config)], place / "log"))
        wait_for(level, 53, next(iter(zones)))


def wait_for(address: str, port: int, name: str) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            reply = dns.query.udp(dns.message.make_query(name, "SOA"), address, 0.5, port)
            if reply.rcode() == dns.rcode.NOERROR:
                return
        except (OSError, dns.exception.DNSException):
            pass
        time.sleep(0.05)
    raise SystemExit(f"{address}@{port} does not answer for {name}")


def start(kind: str, folder: Path) -> list[str]:
    """Write the configuration of a server; its command."""
    (folder / "hints").write_text(f". 3600000 NS ns.root.\nns.root. 3600000 A {rpz_world.ROOT}\n")
    first = [line for line in FIRST if "rpz-client-ip" in line] if "-clients" in kind else FIRST
    (folder / "first.rpz").write_text(rpz_world.policy(first))
    (folder / "second.rpz").write_text(rpz_world.policy(SECOND))
    words = {"folder": folder, "port": PORT}
    file = folder / f"{kind}.conf"
    if kind == "named":
        file.write_text(_NAMED.format(**words))
        return ["named", "-g", "-n", "1", "-c", str(file)]
    if kind == "unbound":
        file.write_text(_UNBOUND.format(**words))
        return ["unbound", "-d", "-c", str(file)]
    if kind == "pdns_recursor":
        (folder / "recursor.conf").write_text(_RECURSOR.format(**words))
        (folder / "policy.lua").write_text(_LUA.format(**words))
        return ["pdns_recursor", f"--config-dir={folder}"]
    owner = {"authority": {"kind": "operator", "name": "Test"}, "reference": "test"}
    rpz = [
        {"zone": name, "file": str(folder / name), **owner} for name in ("first.rpz", "second.rpz")
    ]
    config = {
        "home": ["XA"],
        "listen": {"dns": [f"127.0.0.1:{PORT}"]},
        "metrics": {"listen": None},
        "resolution": {"root_hints": str(folder / "hints"), "never_ask": [], "ipv6": False,
                       "prime": False},
        "policy": {"rpz": rpz},
        "log": {"level": "debug"},
    }  # fmt: skip
    file.write_text(json.dumps(config))
    return [sys.executable, "-c", INLAND, "serve", "-c", str(file)]


def say(row: Row) -> str:
    """What the server says, in one line."""
    query = dns.message.make_query(row.name, row.rtype)
    query.use_edns(0, payload=1232)
    try:
        reply = dns.query.udp(query, "127.0.0.1", 3.0, PORT, source=row.client)
    except dns.exception.Timeout:
        return "silent"
    if reply.flags & dns.flags.TC and not reply.answer:
        reply = dns.query.tcp(query, "127.0.0.1", 3.0, PORT, source=row.client)
        return "truncated, then " + in_words(reply)
    return in_words(reply)


def in_words(reply: dns.message.Message) -> str:
    lines = [
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {data.to_text()}"
        for rrset in reply.answer
        for data in rrset
    ]
    return " ".join([dns.rcode.to_text(reply.rcode()), *sorted(lines)])


PLANNED = [Row("others", f"a{at}.garden.org") for at in range(8)] + [
    Row("listed", "a8.garden.org", client="127.9.0.1"),
    Row("others", "a9.garden.org"),
]
"""Names below one cut, so that native answers most by a plan; one client is listed."""


def main(kind: str, folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with ExitStack() as ends:
        serve_world(folder, ends)
        rows = PLANNED if kind == "inland-clients" else ROWS
        place = folder / kind
        place.mkdir()
        log = place / "log"
        process = ends.enter_context(running(start(kind, place), log))
        try:
            wait_for("127.0.0.1", PORT, "shop.net")
            said = []
            for row in rows:
                skipped = kind == "unbound" and row.about in UNBOUND_ENDS_AT
                said.append("skipped" if skipped else say(row))
                print(row.about, said[-1], file=sys.stderr, flush=True)
            print(json.dumps(said))
        except (SystemExit, OSError) as error:
            text = log.read_text(errors="replace")[-3000:]
            raise SystemExit(f"{error}\n{process.poll()}\n{text}") from error


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    main(sys.argv[1], Path(sys.argv[2]))
