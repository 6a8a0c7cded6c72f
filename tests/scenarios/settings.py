"""Resolver settings a scenario asks for, in neutral terms.

Adapters translate a Settings object into the configuration of their
resolver. Whatever has no neutral name ends up in ``extra`` so that an
adapter can refuse the scenario instead of silently ignoring a demand.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.scenarios.clock import parse_date
from tests.scenarios.script import Clause, Scenario, to_bool

# Tuning, logging and test-build options: no visible demand on the answers.
IRRELEVANT = {
    "verbosity",
    "log-time-ascii",
    "log-servfail",
    "log-queries",
    "rpz-log",
    "rpz-log-name",
    "val-log-level",
    "trust-anchor-signaling",
    "target-fetch-policy",
    "fake-sha1",
    "fake-dsa",
    "msg-cache-size",
    "msg-cache-slabs",
    "rrset-cache-size",
    "num-queries-per-thread",
    "directory",
    "username",
    "chroot",
    "use-syslog",
    "num-threads",
    "iter-scrub-promiscuous",
}

# name in testbound files -> neutral boolean option
BOOLEANS = {
    "qname-minimisation": "qname_minimisation",
    "qname-minimisation-strict": "qname_minimisation_strict",
    "query-minimization": "qname_minimisation",
    "minimal-responses": "minimal_responses",
    "rrset-roundrobin": "rrset_roundrobin",
    "do-ip4": "ipv4",
    "do-ip6": "ipv6",
    "harden-glue": "harden_glue",
    "harden-unverified-glue": "harden_unverified_glue",
    "harden-dnssec-stripped": "harden_dnssec_stripped",
    "harden-below-nxdomain": "harden_below_nxdomain",
    "harden-referral-path": "harden_referral_path",
    "harden-algo-downgrade": "harden_algo_downgrade",
    "harden-unknown-additional": "harden_unknown_additional",
    "do-not-query-localhost": "do_not_query_localhost",
    "aggressive-nsec": "aggressive_nsec",
    "serve-expired": "serve_stale",
    "serve-expired-ttl-reset": "serve_stale_ttl_reset",
    "serve-original-ttl": "serve_original_ttl",
    "prefetch": "prefetch",
    "prefetch-key": "prefetch_key",
    "ede": "extended_errors",
    "ede-serve-expired": "extended_errors_stale",
    "hide-identity": "hide_identity",
    "hide-version": "hide_version",
    "hide-trustanchor": "hide_trust_anchor",
    "disable-edns-do": "disable_edns_do",
    "edns-tcp-keepalive": "edns_tcp_keepalive",
    "answer-cookie": "answer_cookie",
    "dns-error-reporting": "error_reporting",
    "tcp-upstream": "tcp_upstream",
    "dns64-synthall": "dns64_synthesise_all",
    "do-nat64": "nat64",
    "zonemd-permissive-mode": "zonemd_permissive",
    "client-subnet-always-forward": "ecs_always_forward",
}
# -> neutral option holding a number or text
SCALARS = {
    "cache-max-ttl": "cache_max_ttl",
    "cache-min-ttl": "cache_min_ttl",
    "cache-max-negative-ttl": "cache_max_negative_ttl",
    "cache-min-negative-ttl": "cache_min_negative_ttl",
    "serve-expired-ttl": "serve_stale_max_age",
    "serve-expired-reply-ttl": "serve_stale_reply_ttl",
    "serve-expired-client-timeout": "serve_stale_client_timeout_ms",
    "dns64-prefix": "dns64_prefix",
    "nat64-prefix": "nat64_prefix",
    "identity": "identity",
    "version": "version",
    "nsid": "nsid",
    "discard-timeout": "discard_timeout_ms",
    "outbound-msg-retry": "outbound_retries",
    "edns-tcp-keepalive-timeout": "edns_tcp_keepalive_timeout_ms",
    "cookie-secret": "cookie_secret",
    "max-query-restarts": "max_query_restarts",
    "max-global-quota": "max_global_quota",
    "val-nsec3-keysize-iterations": "nsec3_max_iterations",
    "val-max-restart": "val_max_restart",
    "edns-client-string-opcode": "edns_client_string_opcode",
    "iter-scrub-ns": "iter_scrub_ns",
    "max-client-subnet-ipv4": "ecs_max_ipv4",
    "max-client-subnet-ipv6": "ecs_max_ipv6",
    "min-client-subnet-ipv4": "ecs_min_ipv4",
    "min-client-subnet-ipv6": "ecs_min_ipv6",
    "max-ecs-tree-size-ipv4": "ecs_max_tree_ipv4",
    "max-ecs-tree-size-ipv6": "ecs_max_tree_ipv6",
}
# -> neutral option holding a list, one item per occurrence
LISTS = {
    "local-zone": "local_zones",
    "local-data": "local_data",
    "local-zone-tag": "local_zone_tags",
    "local-zone-override": "local_zone_overrides",
    "access-control": "access_control",
    "access-control-tag": "access_control_tags",
    "access-control-tag-action": "access_control_tag_actions",
    "access-control-tag-data": "access_control_tag_data",
    "access-control-view": "access_control_views",
    "define-tag": "tags",
    "private-address": "private_addresses",
    "private-domain": "private_domains",
    "response-ip": "response_ip",
    "response-ip-data": "response_ip_data",
    "domain-insecure": "negative_trust_anchors",
    "edns-client-string": "edns_client_strings",
    "do-not-query-address": "do_not_query_addresses",
    "dns64-ignore-aaaa": "dns64_ignore_aaaa",
    "send-client-subnet": "ecs_send_to",
    "client-subnet-zone": "ecs_zones",
}


@dataclass
class Upstream:
    zone: str
    addresses: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    first: bool = False
    prime: bool = False
    no_cache: bool = False
    tcp: bool = False


@dataclass
class Settings:
    root_hints: list[tuple[str, str]] = field(default_factory=list)
    stubs: list[Upstream] = field(default_factory=list)
    forwards: list[Upstream] = field(default_factory=list)
    trust_anchors: list[str] = field(default_factory=list)
    validate: bool = False
    modules: list[str] = field(default_factory=lambda: ["validator", "iterator"])
    options: dict[str, object] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    auth_zones: list[Clause] = field(default_factory=list)
    rpz: list[Clause] = field(default_factory=list)
    views: list[Clause] = field(default_factory=list)
    start: float | None = None
    extra: list[str] = field(default_factory=list)

    def used(self) -> set[str]:
        """Neutral names of everything this scenario sets."""
        names = set(self.options) | set(self.lists)
        for attr in ("stubs", "forwards", "auth_zones", "rpz", "views"):
            if getattr(self, attr):
                names.add(attr)
        if self.trust_anchors:
            names.add("trust_anchors")
        return names


def of(scn: Scenario, qmin_default: bool = True) -> Settings:
    return of_flat(scn, qmin_default) if scn.dialect == "deckard" else of_nested(scn)


def of_flat(scn: Scenario, qmin_default: bool) -> Settings:
    out = Settings()
    name, address = "k.root-servers.net", None
    features: dict[str, str] = {}
    out.options["qname_minimisation"] = qmin_default
    for key, raw in scn.flat:
        value = raw.strip("\"'")
        if key == "stub-addr":
            address = value
        elif key == "stub-name":
            name = value.rstrip(".")
        elif key == "forward-addr":
            out.forwards.append(Upstream(".", [value]))
        elif key == "trust-anchor":
            out.trust_anchors.append(value)
        elif key in ("val-override-date", "val-override-timestamp"):
            out.start = parse_date(value)
        elif key in ("features", "feature-list"):
            parts = raw.split(";") if key == "features" else [raw]
            features.update(
                (p.partition("=")[0].strip(), p.partition("=")[2].strip())
                for p in parts
                if p.strip()
            )
        elif key == "force-ipv6":
            pass
        elif key in BOOLEANS:
            out.options[BOOLEANS[key]] = to_bool(value)
        elif key in LISTS:
            out.lists.setdefault(LISTS[key], []).append(value)
        else:
            out.extra.append(key)
    apply_features(out, features)
    if address:
        out.root_hints.append((name, address))
    out.validate = bool(out.trust_anchors)
    return out


def apply_features(out: Settings, pairs: dict[str, str]) -> None:
    """Settings only one resolver knew; those with a common meaning are kept."""
    if "min_ttl" in pairs:
        out.options["cache_min_ttl"] = pairs.pop("min_ttl")
    if "max_ttl" in pairs:
        out.options["cache_max_ttl"] = pairs.pop("max_ttl")
    if "dns64_prefix" in pairs:
        out.options["dns64_prefix"] = pairs.pop("dns64_prefix").split("/")[0] + "/96"
        out.modules.insert(0, "dns64")
    if "static_hint_name" in pairs and "static_hint_addr" in pairs:
        addr = pairs.pop("static_hint_addr")
        kind = "AAAA" if ":" in addr else "A"
        out.lists.setdefault("local_data", []).append(
            f"{pairs.pop('static_hint_name')} {kind} {addr}"
        )
    out.extra += [f"feature {k}" for k in pairs]


def of_nested(scn: Scenario) -> Settings:
    out = Settings()
    for clause in scn.clauses:
        if clause.name == "server":
            for key, value in clause.items:
                server_item(out, key, value)
        elif clause.name in ("stub-zone", "forward-zone"):
            kind = clause.name.split("-")[0]
            up = Upstream(
                clause.get("name", "."),
                clause.all(f"{kind}-addr"),
                clause.all(f"{kind}-host"),
                to_bool(clause.get(f"{kind}-first", "no")),
                to_bool(clause.get("stub-prime", "no")),
                to_bool(clause.get(f"{kind}-no-cache", "no")),
                to_bool(clause.get(f"{kind}-tcp-upstream", "no")),
            )
            if kind == "forward":
                out.forwards.append(up)
            elif up.zone == "." and up.addresses:
                out.root_hints += [("k.root-servers.net", a) for a in up.addresses]
            else:
                out.stubs.append(up)
        elif clause.name == "auth-zone":
            out.auth_zones.append(clause)
        elif clause.name == "rpz":
            out.rpz.append(clause)
        elif clause.name == "view":
            out.views.append(clause)
        elif clause.items:
            out.extra.append(clause.name)
    if scn.autotrust:
        out.extra.append("auto-trust-anchor-file")
    if scn.command_line:
        out.extra.append("COMMANDLINE")
    out.validate = bool(out.trust_anchors) and "validator" in out.modules
    return out


def server_item(out: Settings, key: str, value: str) -> None:
    if key in IRRELEVANT:
        return
    if key == "trust-anchor":
        out.trust_anchors.append(value)
    elif key == "val-override-date":
        out.start = parse_date(value)
    elif key == "module-config":
        out.modules = value.split()
    elif key in BOOLEANS:
        out.options[BOOLEANS[key]] = to_bool(value)
    elif key in SCALARS:
        out.options[SCALARS[key]] = value
    elif key == "access-control" and admits_local(value):
        pass  # the runner's clients are local and let in anyway
    elif key in LISTS:
        out.lists.setdefault(LISTS[key], []).append(value)
    else:
        out.extra.append(key)


def admits_local(rule: str) -> bool:
    block, _, action = rule.partition(" ")
    return action.strip() in ("allow", "allow_snoop") and block in (
        "127.0.0.1",
        "127.0.0.1/32",
        "127.0.0.0/8",
        "0.0.0.0/0",
        "::1",
        "::/0",
    )
