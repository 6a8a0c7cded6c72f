"""Adapter for the resolver of this project: what a scenario sets, in our configuration.

A scenario that asks for something not in these tables is skipped with the reason. Add a line
whenever the resolver learns a setting.
"""

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from tests.scenarios.adapters.base import Adapter, Context, Plan, Unsupported

# Neutral setting -> path in the YAML document.
SWITCHES: dict[str, tuple[str, str]] = {
    "qname_minimisation": ("resolution", "qname_minimisation"),
    "ipv4": ("resolution", "ipv4"),
    "ipv6": ("resolution", "ipv6"),
}
SECONDS: dict[str, tuple[str, str]] = {
    "cache_max_ttl": ("cache", "ttl_max"),
    "cache_max_negative_ttl": ("cache", "ttl_negative_max"),
    "serve_stale_max_age": ("cache", "serve_stale"),
}
# What we always do; a scenario that wants it otherwise is skipped.
ALWAYS: dict[str, tuple[object, ...]] = {
    "qname_minimisation_strict": (True, False),  # below
    "harden_glue": (True,),
    "harden_unverified_glue": (True,),
    "harden_dnssec_stripped": (True,),
    "harden_referral_path": (False,),
    "harden_unknown_additional": (True,),
    "minimal_responses": (True, False),  # NS sets in AUTHORITY are not compared (relaxed)
    "rrset_roundrobin": (False,),
    "extended_errors": (True, False),
    "aggressive_nsec": (False,),
    "cache_min_ttl": ("0",),
    "prefetch": (False,),
    "prefetch_key": (False,),
    "serve_stale": (True, False),  # below
    "serve_stale_reply_ttl": ("30",),
    "serve_stale_client_timeout_ms": ("1800",),
    "extended_errors_stale": (True,),
    "serve_original_ttl": (False,),
    "tcp_upstream": (False,),
    "hide_identity": (True,),
    "hide_version": (True,),
    "hide_trust_anchor": (True,),
    "do_not_query_localhost": (True, False),  # never_ask, below
}
KNOWN_MODULES = {"validator", "iterator"}
FEATURES = {
    "auth_zones": "zones served with authority",
    "rpz": "response policy zones",
    "views": "views",
    "stubs": "stub zones",
    "forwards": "forwarding",
}


class Inland(Adapter):
    """Writes a configuration and starts ``inland serve -c FILE``."""

    name = "inland"
    command: ClassVar[list[str]] = [str(Path(sys.executable).with_name("inland"))]
    ready_seconds = 15.0

    def prepare(self, ctx: Context) -> Plan:
        path = ctx.directory / "inland.yaml"
        # JSON is YAML as well.
        path.write_text(json.dumps(self.document(ctx), indent=2) + "\n", encoding="utf-8")
        # The resolver reads CONFORMANCE_CLOCK itself, ten times a second.
        argv = [*ctx.command, "serve", "-c", str(path)]
        return Plan(argv, preload_clock=False, clock_lag=0.15)

    def document(self, ctx: Context) -> dict[str, Any]:
        """The whole configuration. Raises ``Unsupported``."""
        wanted = ctx.settings
        missing = self.missing(ctx)
        if missing:
            raise Unsupported("no setting for " + ", ".join(missing))
        document: dict[str, Any] = {
            "home": ["XA"],
            "listen": {"dns": [f"{ctx.address4}:{ctx.port}", f"[{ctx.address6}]:{ctx.port}"]},
            # Nothing but the scenario's own traffic.
            "resolution": {"prime": False, "case_randomisation": False, "workers": 1},
            "dnssec": {"validate": wanted.validate},
            "border": {"mode": "observe", "registry": False, "privacy": "relaxed"},
            "local": {"special_use": False},
            "cache": {"answers": "16MiB", "records": "16MiB", "serve_stale": None},
            "metrics": {"listen": None},
            "log": {"level": "debug"},
        }
        if wanted.root_hints:
            hints = ctx.directory / "root.hints"
            hints.write_text(hints_text(wanted.root_hints), encoding="utf-8")
            document["resolution"]["root_hints"] = str(hints)
        if wanted.trust_anchors:
            anchors = ctx.directory / "root.anchors"
            anchors.write_text("\n".join(wanted.trust_anchors) + "\n", encoding="utf-8")
            document["dnssec"]["trust_anchors"] = str(anchors)
        if wanted.options.get("do_not_query_localhost") is False:
            document["resolution"]["never_ask"] = []
        if wanted.options.get("qname_minimisation_strict"):
            document["border"]["privacy"] = "strict"  # nothing is known to be domestic
        if wanted.options.get("serve_stale"):
            document["cache"]["serve_stale"] = "1d"
        for name, value in wanted.options.items():
            if name == "serve_stale_max_age" and not wanted.options.get("serve_stale"):
                continue
            if name in SWITCHES:
                section, key = SWITCHES[name]
                document[section][key] = value
            elif name in SECONDS:
                section, key = SECONDS[name]
                document[section][key] = f"{value}s"
        return document

    @staticmethod
    def missing(ctx: Context) -> list[str]:
        """What the scenario sets and we have no word for."""
        wanted = ctx.settings
        out = set(wanted.extra) | set(wanted.lists)
        out |= {words for name, words in FEATURES.items() if getattr(wanted, name)}
        out |= {f"module {module}" for module in set(wanted.modules) - KNOWN_MODULES}
        for name, value in wanted.options.items():
            if name not in SWITCHES and name not in SECONDS and value not in ALWAYS.get(name, ()):
                out.add(f"{name}={value}")
        return sorted(out)


def hints_text(hints: list[tuple[str, str]]) -> str:
    """Root hints in the form of named.root."""
    lines = []
    for name, address in hints:
        kind = "AAAA" if ":" in address else "A"
        lines += [f". 3600000 NS {name}.", f"{name}. 3600000 {kind} {address}"]
    return "\n".join(dict.fromkeys(lines)) + "\n"
