"""The configuration: one YAML file read into frozen typed classes.

Responsible for the keys, their defaults, bounds and help (the descriptions here are the reference
from which ``config/inland.yaml`` and ``config/schema.json`` are made), and for reporting all
that is wrong in a file at once, each with its path and line. Defaults are written as an operator
would write them.

Limitations: files that the configuration names are read later, by those who use them; relative
paths are taken from the directory of the configuration file.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, ValidationError

from resolver.config_base import Section, key
from resolver.config_border import BorderSection
from resolver.config_checks import cross_check, describe
from resolver.config_lines import Tree, path_text, read_tree
from resolver.config_mirrors import MirrorsSection
from resolver.config_packs import PacksSection, check_home
from resolver.config_policy import PolicySection
from resolver.config_units import (
    GIB,
    MIB,
    BuiltinOrPath,
    Country,
    Endpoint,
    HostName,
    Listen,
    OptionalListen,
    OptionalPath,
    Prefix,
    Switch,
    WhereZone,
    Word,
    choice,
    duration,
    integer,
    size,
    zone_text,
)
from resolver.config_watch import WatchSection
from resolver.errors import WHOLE_FILE, ConfigError, Finding
from resolver.local import is_private

SIZE = size(MIB, 1024 * GIB)


class ListenSection(Section):
    """Where clients are answered."""

    dns: tuple[Listen, ...] = key(
        ["127.0.0.1:5300", "[::1]:5300"], "addresses for DNS over UDP and TCP; port 0: any"
    )
    tcp_connections: Annotated[int, integer(1, 1_000_000)] = key(
        4096, "TCP connections of clients open at once"
    )
    tcp_connections_per_client: Annotated[int, integer(1, 1_000_000)] = key(
        1024, "those of one IPv4 address or IPv6 network (/64)"
    )


class AccessSection(Section):
    """Who may ask."""

    allow: tuple[Prefix, ...] = key(
        ["127.0.0.0/8", "::1/128"], "clients that are answered; others get REFUSED"
    )


class ResolutionSection(Section):
    """How questions are resolved."""

    root_hints: BuiltinOrPath = key(
        "builtin", "names and addresses of the root servers: builtin, or a file like named.root"
    )
    prime: Switch = key(True, "ask a root server for the current root servers (RFC 9609)")
    qname_minimisation: Switch = key(
        True, "show servers only what they need (RFC 9156); for those abroad see border.privacy"
    )
    case_randomisation: Switch = key(True, "mix letter case in questions against forged replies")
    upstream_port: Annotated[int, integer(1, 65535)] = key(
        53, "port of authoritative servers; another one only in testbeds"
    )
    ipv4: Switch = key(True, "ask servers over IPv4")
    ipv6: Switch = key(True, "ask servers over IPv6")
    plans: Switch = key(
        True, "let native carry out what has been decided for a zone, without asking Python again"
    )
    workers: Annotated[int | None, integer(1, 256, auto=True)] = key(
        "auto", "threads of the packet path; auto: one a core"
    )
    never_ask: tuple[Prefix, ...] = key(
        [
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "::ffff:0:0/96",
            "fe80::/10",
            "ff00::/8",
        ],
        "addresses that are never asked, whatever a referral says; [] in testbeds",
    )


class DnssecSection(Section):
    """Validation."""

    validate_: Switch = Field(
        True, alias="validate", description="check signatures (accepted; not done yet)"
    )
    trust_anchors: BuiltinOrPath = key("builtin", "keys of the root: builtin, or a file")


class CacheSection(Section):
    """What is remembered, bounded in memory."""

    answers: Annotated[int, SIZE] = key("256MiB", "memory for replies ready to send")
    records: Annotated[int, SIZE] = key("256MiB", "memory for records from servers")
    ttl_max: Annotated[float, duration("1s", "7d")] = key("1d", "longest life of records")
    ttl_negative_max: Annotated[float, duration("1s", "1d")] = key(
        "3h", "longest life of what does not exist (RFC 2308 section 5)"
    )
    serve_stale: Annotated[float | None, duration("1s", "7d", off=True)] = key(
        "1d",
        "longest use of expired records when servers fail or are slow (RFC 8767); null: none",
    )


class LocalSection(Section):
    """What is answered without asking anyone."""

    special_use: Switch = key(
        True, "answer special-use names and private reverse zones here (RFC 6761, 6303, 8880)"
    )
    where: WhereZone = key(
        "where.inland.internal",
        "zone below which views with explain: true are told what is known of a name"
        " (docs/policy.md); empty for all others; null: none",
    )


class LimitsSection(Section):
    """Bounds on work in progress."""

    lookups: Annotated[int, integer(1, 1_000_000)] = key(
        20_000, "lookups under way at once; clients beyond get SERVFAIL"
    )
    exchanges: Annotated[int, integer(1, 1_000_000)] = key(
        16_384, "exchanges with upstream servers under way at once"
    )


class MetricsSection(Section):
    """The exporter for Prometheus."""

    listen: OptionalListen = key("127.0.0.1:9153", "where /metrics is served; null: nowhere")
    names: tuple[HostName, ...] = key(
        [],
        "host names that requests may be for, beside localhost and the address that is listened on"
        " (any address, where it is a wildcard); empty: any name, except on loopback",
    )
    page: Switch = key(True, "serve a page for people at /, which names the zones that cost most")
    web_config: OptionalPath = key(
        None,
        "file with TLS and users, in the form of Prometheus's exporter-toolkit; null: plain HTTP"
        " for all who can connect",
    )


class ControlSection(Section):
    """The local socket for inland control."""

    socket: OptionalPath = key(None, "path of the socket; null: none")


class StateSection(Section):
    """What is kept on disk."""

    directory: OptionalPath = key(
        None,
        "directory for what survives a restart: counters, last good files, mirrors, what is"
        " known of watched delegations; null: nothing is kept",
    )


class LogSection(Section):
    """Messages on standard error."""

    level: Annotated[str, choice("debug", "info", "warning", "error")] = key(
        "info", "least level that is written"
    )


def _some(codes: tuple[str, ...]) -> tuple[str, ...]:
    if not codes:
        raise ValueError("expected at least one country code")
    return codes


def _part(section: type[Section]) -> Any:
    return Field(default_factory=dict, description=(section.__doc__ or "").rstrip("."))


class Config(Section):
    """A whole configuration. Sections and keys that are left out have their defaults."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["home"]}, {"required": ["pack"]}]}
    )

    home: Annotated[tuple[Country, ...], AfterValidator(_some)] = Field(
        (),
        validate_default=False,  # empty when a pack says it
        description="country codes inside the border; one country or a region",
        json_schema_extra={"minItems": 1},
    )
    pack: Word | None = key(
        None, "in place of home: a country pack, such as IN, for home, its zones and its cities"
    )
    listen: ListenSection = _part(ListenSection)
    access: AccessSection = _part(AccessSection)
    resolution: ResolutionSection = _part(ResolutionSection)
    dnssec: DnssecSection = _part(DnssecSection)
    border: BorderSection = _part(BorderSection)
    policy: PolicySection = _part(PolicySection)
    packs: PacksSection = _part(PacksSection)
    mirrors: MirrorsSection = _part(MirrorsSection)
    watch: WatchSection = _part(WatchSection)
    cache: CacheSection = _part(CacheSection)
    local: LocalSection = _part(LocalSection)
    limits: LimitsSection = _part(LimitsSection)
    metrics: MetricsSection = _part(MetricsSection)
    control: ControlSection = _part(ControlSection)
    state: StateSection = _part(StateSection)
    log: LogSection = _part(LogSection)

    _source: str = PrivateAttr("(defaults)")
    _tree: Tree = PrivateAttr(default_factory=Tree)

    @property
    def source(self) -> str:
        """The file that it came from, for messages."""
        return self._source

    def with_lines(self, findings: list[Finding]) -> ConfigError:
        """The findings of a later stage as one error, with source and lines added."""
        lines = {path_text(path): line for path, line in self._tree.lines.items()}
        return ConfigError(
            self._source,
            [
                f if f.source else Finding(f.path, f.message, f.line or lines.get(f.path))
                for f in findings
            ],
        )


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: all that is wrong with it, in the order of lines.
    """
    source = str(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ConfigError(source, [Finding(WHOLE_FILE, f"cannot be read: {words}")]) from error
    return parse(data, source, path.absolute().parent)


def parse(data: bytes, source: str = "(text)", base: Path | None = None) -> Config:
    """Read the text of a configuration; ``base`` is where relative paths start.

    Raises:
        ConfigError: all that is wrong with it, in the order of lines.
    """
    tree = read_tree(data, source)
    value = {} if tree.value is None else tree.value
    findings = list(tree.findings)
    config: Config | None = None
    if isinstance(value, dict):
        config = _validate(value, tree, findings, base or Path())
    else:
        findings.append(Finding(WHOLE_FILE, "expected keys such as home: [IN]", tree.line(())))
    if findings or config is None:
        raise ConfigError(source, sorted(findings, key=lambda found: (found.line or 0, found.path)))
    config._source = source
    config._tree = tree
    return config


def _validate(
    value: Mapping[str, object], tree: Tree, findings: list[Finding], base: Path
) -> Config | None:
    config = None
    try:
        config = Config.model_validate(value, context=base)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            path, message = describe(error, Config)
            if error["type"] == "value_error" and path not in tree.lines:
                path = path[:-1]  # the short form of an entry has no key of its own
            findings.append(Finding(path_text(path), message, tree.line(path)))
    findings += (
        Finding(path_text(path), message, tree.line(path))
        for check in (cross_check, check_home)
        for path, message in check(value)
    )
    return config


def warnings(config: Config) -> list[str]:
    """What an operator should know although the configuration is valid."""
    out = []
    if config.dnssec.validate_:
        out.append(
            "dnssec.validate: signatures are not checked yet; answers are marked as not validated"
        )
    if not config.access.allow:
        out.append("access.allow: empty, so every client is refused")
    out += (
        f"access.allow: {network} opens the resolver to everyone"
        for network in config.access.allow
        if network.prefixlen == 0
    )
    border = config.border
    if not any(
        (
            border.registry,
            border.registry_files,
            border.geofeeds,
            border.databases,
            border.tor_geoip,
            border.domestic,
            border.interfaces,
        )
    ):
        out.append("border: nothing tells which addresses are domestic; none will be")
    if config.state.directory is None:
        out.append("state.directory: not set, so counters do not survive a crash")
    where = config.local.where
    if where is not None and not is_private(where):
        out.append(
            f"local.where: {zone_text(where)} is not below a name for private use, such as"
            " internal; what others have there cannot be looked up here"
        )
    metrics = config.metrics
    if metrics.listen and metrics.page and not (_is_local(metrics.listen) or metrics.web_config):
        out.append(
            "metrics.listen: the page, which names zones, is open to all who can connect; set"
            " metrics.web_config, or metrics.page to false"
        )
    mirrors = config.mirrors
    kept = mirrors.directory or config.state.directory
    if (mirrors.root or mirrors.zones) and kept is None:
        out.append("mirrors.directory: not set, so mirrors start empty after a restart")
    return out


def _is_local(endpoint: Endpoint) -> bool:
    """Whether only this machine can connect to it."""
    return ip_address(endpoint.host).is_loopback
