"""Control adapter: NLnet Labs Unbound."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import ClassVar

from tests.scenarios.adapters.base import Adapter, Context, Plan, Unsupported

# Options a released Unbound may lack whose absence does not change the outcome.
HARMLESS_IF_ABSENT = {
    "iter-scrub-promiscuous",
    "max-global-quota",
    "iter-scrub-ns",
    "iter-scrub-cname",
    "max-query-restarts",
    "harden-unverified-glue",
    "val-max-restart",
    "rrset-roundrobin",
    "log-time-ascii",
    "log-servfail",
    "rpz-log",
    "discard-timeout",
}
LOCAL_DEFAULTS = [
    "test.",
    "invalid.",
    "onion.",
    "localhost.",
    "127.in-addr.arpa.",
    "10.in-addr.arpa.",
    "168.192.in-addr.arpa.",
    "254.169.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "d.f.ip6.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
] + [f"{n}.172.in-addr.arpa." for n in range(16, 32)]


def yn(value: object) -> str:
    return "yes" if value else "no"


class Unbound(Adapter):
    name = "unbound"
    command: ClassVar[list[str]] = ["unbound"]
    accepts_fake_crypto = True

    def prepare(self, ctx: Context) -> Plan:
        files = self.write_temp_files(ctx)
        if ctx.scenario.dialect == "deckard":
            lines = self.from_settings(ctx)
        else:
            lines = self.verbatim(ctx, files)
        lines += [
            "server:",
            f"  interface: {ctx.address4}@{ctx.port}",
            f"  interface: {ctx.address6}@{ctx.port}",
            "  do-daemonize: no",
            '  chroot: ""',
            '  username: ""',
            '  pidfile: ""',
            f'  directory: "{ctx.directory}"',
            "  use-syslog: no",
            '  logfile: ""',
            "  verbosity: 3",
            "  num-threads: 1",
            "remote-control:",
            "  control-enable: no",
        ]
        conf = ctx.directory / "unbound.conf"
        dropped = self.write_checked(conf, lines, self.checker(ctx.command[0]))
        serious = sorted(dropped - HARMLESS_IF_ABSENT)
        if serious:
            raise Unsupported("this Unbound version has no " + ", ".join(serious))
        return Plan([*ctx.command, "-d", "-c", str(conf)])

    @staticmethod
    def verbatim(ctx: Context, files: dict[str, str]) -> list[str]:
        out = []
        for line in ctx.scenario.config_lines:
            m = re.search(r'"@TEMPFILE@([^"]+)"', line)
            if m:
                path = files.get(m[1], str(ctx.directory / f"file.{m[1]}"))
                line = line.replace(m[0], f'"{path}"')
            out.append(line)
        for name, text in ctx.scenario.autotrust.items():
            anchors = ctx.directory / f"autotrust.{name}"
            anchors.write_text(text, encoding="utf-8")
            out += ["server:", f'  auto-trust-anchor-file: "{anchors}"']
        return out

    @staticmethod
    def from_settings(ctx: Context) -> list[str]:
        s, o = ctx.settings, ctx.settings.options
        if s.extra:
            raise Unsupported("no equivalent of " + ", ".join(sorted(set(s.extra))))
        hints = ctx.directory / "hints.zone"
        out = [
            "server:",
            "  trust-anchor-signaling: no",
            '  target-fetch-policy: "0 0 0 0 0"',
            "  edns-buffer-size: 4096",
            "  max-udp-size: 4096",
            "  unblock-lan-zones: yes",
            f'  module-config: "{" ".join(s.modules)}"',
            "  minimal-responses: no",
            "  rrset-roundrobin: no",
            "  access-control: 0.0.0.0/0 allow",
            "  access-control: ::/0 allow",
            f"  qname-minimisation: {yn(o.get('qname_minimisation', True))}",
            f"  do-ip4: {yn(o.get('ipv4', True))}",
            f"  do-ip6: {yn(o.get('ipv6', True))}",
            f"  harden-glue: {yn(o.get('harden_glue', True))}",
            f"  do-not-query-localhost: {yn(o.get('do_not_query_localhost', True))}",
            f'  root-hints: "{hints}"',
        ]
        out += [f'  local-zone: "{z}" nodefault' for z in LOCAL_DEFAULTS]
        out += [f'  trust-anchor: "{t}"' for t in s.trust_anchors]
        out += [f'  domain-insecure: "{d}"' for d in s.lists.get("negative_trust_anchors", [])]
        out += [f'  local-data: "{d}"' for d in s.lists.get("local_data", [])]
        for name, key in (
            ("cache_min_ttl", "cache-min-ttl"),
            ("cache_max_ttl", "cache-max-ttl"),
            ("dns64_prefix", "dns64-prefix"),
        ):
            if name in o:
                out.append(f"  {key}: {o[name]}")
        for fwd in s.forwards:
            out += ["forward-zone:", f'  name: "{fwd.zone}"']
            out += [f"  forward-addr: {a}" for a in fwd.addresses]
        zone = []
        for name, addr in s.root_hints:
            kind = "AAAA" if ":" in addr else "A"
            zone += [f". 3600000 NS {name}.", f"{name}. 3600000 {kind} {addr}"]
        hints.write_text("\n".join(zone) + "\n", encoding="utf-8")
        return out

    @staticmethod
    def checker(binary: str) -> str:
        """The configuration checker that belongs to this binary."""
        beside = Path(binary).parent / "unbound-checkconf"
        return str(beside) if "/" in binary and beside.exists() else "unbound-checkconf"

    @staticmethod
    def write_checked(conf: Path, lines: list[str], checker: str) -> set[str]:
        """Write the file, leaving out lines this version does not know."""
        dropped: set[str] = set()
        for _ in range(20):
            conf.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
            run = subprocess.run([checker, str(conf)], capture_output=True, text=True, check=False)
            bad = re.findall(re.escape(str(conf)) + r":(\d+): error: (.*)", run.stderr + run.stdout)
            bad = [(int(n), text) for n, text in bad if "read " not in text]
            if not bad:
                return dropped
            at = bad[0][0] - 1
            # an unknown keyword is reported on its own line or on the next one
            while at > 0 and (at >= len(lines) or not lines[at].strip()):
                at -= 1
            m = re.match(r"\s*([a-z0-9-]+):", lines[at])
            dropped.add(m[1] if m else lines[at].strip())
            lines[at] = "# " + lines[at]
        raise Unsupported("configuration does not parse")

    def temp_file(self, ctx: Context, name: str) -> str | None:
        path = ctx.directory / f"file.{name}"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
