"""How to start each resolver in the simulated Internet, with one thread and an empty cache."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PORT = 5301


@dataclass(frozen=True, slots=True)
class Peer:
    """A resolver: its name, its program, and what writes its configuration (gives arguments)."""

    name: str
    program: str
    arguments: Callable[[Path, Path], list[str]]

    def found(self) -> str | None:
        """The program's path, when it is installed."""
        return shutil.which(self.program)


def _inland(run: Path, hints: Path) -> list[str]:
    document = {
        "home": ["XA"],
        "listen": {"dns": [f"127.0.0.1:{PORT}"]},
        "resolution": {
            "root_hints": str(hints),
            "never_ask": [],
            "ipv6": False,
            "workers": 1,
        },
        "border": {"registry": False, "domestic": ["127.10.0.0/16"]},
        "local": {"special_use": False},
        "dnssec": {"validate": False},
        "cache": {"answers": "1GiB", "records": "1GiB"},
        "metrics": {"listen": None},
        "log": {"level": "error"},
    }
    (run / "inland.yaml").write_text(json.dumps(document))
    return ["serve", "-c", str(run / "inland.yaml")]


def _unbound(run: Path, hints: Path) -> list[str]:
    (run / "unbound.conf").write_text(f"""
server:
    num-threads: 1
    interface: 127.0.0.1@{PORT}
    so-rcvbuf: 2m
    so-sndbuf: 2m
    do-ip6: no
    do-daemonize: no
    do-not-query-localhost: no
    username: ""
    chroot: ""
    directory: "{run}"
    pidfile: "{run}/unbound.pid"
    use-syslog: no
    verbosity: 0
    root-hints: "{hints}"
    msg-cache-size: 1g
    rrset-cache-size: 1g
    outgoing-range: 8192
    num-queries-per-thread: 4096
    minimal-responses: yes
    module-config: "iterator"
remote-control:
    control-enable: no
""")
    return ["-d", "-c", str(run / "unbound.conf")]


def _kresd(run: Path, hints: Path) -> list[str]:
    (run / "kresd.conf").write_text(f"""
net.ipv6 = false
net.listen('127.0.0.1', {PORT}, {{ kind = 'dns' }})
option('ALLOW_LOCAL', true)
modules = {{ 'hints > iterate' }}
hints.root_file('{hints}')
for _, name in ipairs({{ 'priming', 'detect_time_skew', 'detect_time_jump', 'ta_update',
                        'ta_signal_query' }}) do modules.unload(name) end
cache.open(1000 * MB, 'lmdb://{run}/cache')
trust_anchors.remove('.')
log_level('crit')
""")
    return ["-n", "-c", str(run / "kresd.conf"), str(run)]


PEERS = {
    peer.name: peer
    for peer in (
        Peer("inland", str(Path(sys.executable).with_name("inland")), _inland),
        Peer("unbound", "unbound", _unbound),
        Peer("kresd", "kresd", _kresd),
    )
}
