"""Control adapter: Knot Resolver 5 (configured from neutral settings only)."""

from __future__ import annotations

from typing import ClassVar

from tests.scenarios.adapters.base import Adapter, Context, Plan, Unsupported

KNOWN = {
    "qname_minimisation",
    "ipv4",
    "ipv6",
    "harden_glue",
    "do_not_query_localhost",
    "cache_min_ttl",
    "cache_max_ttl",
    "dns64_prefix",
    "minimal_responses",
    "rrset_roundrobin",
    "extended_errors",
    "aggressive_nsec",
}
KNOWN_LISTS = {"negative_trust_anchors"}


def lua(value: object) -> str:
    return "true" if value else "false"


class Kresd(Adapter):
    name = "kresd"
    command: ClassVar[list[str]] = ["kresd"]

    def prepare(self, ctx: Context) -> Plan:
        s, o = ctx.settings, ctx.settings.options
        missing = sorted(
            set(s.extra)
            | (set(o) - KNOWN)
            | (set(s.lists) - KNOWN_LISTS)
            | {n for n in ("auth_zones", "rpz", "views") if getattr(s, n)}
            | (set(s.modules) - {"validator", "iterator", "dns64"})
        )
        if missing:
            raise Unsupported("no setting for " + ", ".join(missing))
        out = [
            f"net.listen({{'{ctx.address4}', '{ctx.address6}'}}, {ctx.port})",
            "net.bufsize(4096)",
            "cache.size = 10*MB",
            "modules = {'policy', 'hints'}",
            "for _, m in ipairs({'ta_update', 'ta_signal_query', 'priming', 'detect_time_skew',"
            " 'detect_time_jump'}) do"
            " if modules.list and _G[m] ~= nil then modules.unload(m) end end",
            f"option('NO_MINIMIZE', {lua(not o.get('qname_minimisation', True))})",
            f"option('ALLOW_LOCAL', {lua(not o.get('do_not_query_localhost', True))})",
            f"mode('{'normal' if o.get('harden_glue', True) else 'permissive'}')",
            f"net.ipv4 = {lua(o.get('ipv4', True))}",
            f"net.ipv6 = {lua(o.get('ipv6', True))}",
            "policy.add(policy.all(policy.DEBUG_ALWAYS))",
            "policy.add(policy.suffix(policy.PASS, {todname('test.')}))",
            "trust_anchors.remove('.')",
        ]
        if s.root_hints:
            name = s.root_hints[0][0]
            addresses = ", ".join(f"'{a}'" for _, a in s.root_hints)
            out.append(f"hints.root({{['{name}.'] = {{{addresses}}}}})")
        for group, kind in ((s.stubs, "STUB"), (s.forwards, "FORWARD")):
            for zone in group:
                if zone.hosts or zone.first:
                    raise Unsupported("stub or forward by name")
                where = ", ".join(f"'{a}'" for a in zone.addresses)
                out.append(
                    f"policy.add(policy.suffix(policy.{kind}({{{where}}}), "
                    f"{{todname('{zone.zone}')}}))"
                )
        if s.validate:
            anchors: dict[str, list[str]] = {}
            for text in s.trust_anchors:
                anchors.setdefault(text.split()[0].lower(), []).append(text)
            for n, lines in enumerate(anchors.values()):
                path = ctx.directory / f"anchor{n}"
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
                out.append(f"trust_anchors.add_file('{path}', true)")
        insecure = ", ".join(f"'{d}'" for d in s.lists.get("negative_trust_anchors", []))
        if insecure:
            out.append(f"trust_anchors.set_insecure({{{insecure}}})")
        if "cache_min_ttl" in o:
            out.append(f"cache.min_ttl({o['cache_min_ttl']})")
        if "cache_max_ttl" in o:
            out.append(f"cache.max_ttl({o['cache_max_ttl']})")
        if "dns64" in s.modules:
            prefix = str(o.get("dns64_prefix", "64:ff9b::/96")).split("/")[0]
            out += ["modules.load('dns64')", f"dns64.config('{prefix}')"]
        conf = ctx.directory / "kresd.conf"
        conf.write_text("\n".join(out) + "\n", encoding="utf-8")
        return Plan([*ctx.command, "-n", "-c", str(conf), str(ctx.directory)])
