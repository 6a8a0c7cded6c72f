"""From the configuration to the policy.

Responsible for handing the border's keys to ``policy/`` and for giving its findings their lines in
the file.

Limitations: everything is read anew at each call, so a reload sees new databases.
"""

import hashlib
from pathlib import Path

from policy.border import Policy
from policy.inputs import PolicyInputs, SourceFile, Stated
from policy.kept import LastGood
from policy.load import load_policy
from policy.verdict import NO_COUNTRY
from resolver.config import Config
from resolver.config_border import SourceEntry, StatedPrefix
from resolver.config_units import zone_text
from resolver.errors import ConfigError, Finding, SourceError
from resolver.hints import Hints, read_hints
from resolver.model import Verdict
from resolver.pack_of import Ground, ground_of, plain_ground
from resolver.rules_of import with_rules

TOR_GEOIP = (
    SourceFile(Path("/usr/share/tor/geoip"), "tor-geoip", optional=True),
    SourceFile(Path("/usr/share/tor/geoip6"), "tor-geoip6", optional=True),
)
"""Where Debian's tor-geoipdb puts its databases."""


def policy_of(config: Config, last: LastGood | None = None) -> tuple[Policy, Hints]:
    """The policy and the root hints that a configuration leads to. ``last`` knows the last good
    state of each file; left out, only what is on disk is known and no copy stands in.

    Raises:
        ConfigError: every file that it names and that cannot be used.
    """
    findings = []
    hints: Hints = ()
    try:
        hints = read_hints(config.resolution.root_hints)
    except SourceError as error:
        findings.append(Finding("resolution.root_hints", str(error)))
    ground = plain_ground(config)  # to go on with, so that what else is wrong is told too
    try:
        ground = ground_of(config)
    except ConfigError as error:
        findings += error.findings
    policy = None
    try:
        inputs = policy_inputs(config, hints, ground)
        policy = load_policy(inputs, config.source, _begun(config, last))
    except ConfigError as error:
        findings += error.findings
    try:
        policy = with_rules(config, ground, policy)
    except ConfigError as error:
        findings += error.findings
    if findings or policy is None:
        raise config.with_lines(findings)
    return policy, hints


def policy_inputs(config: Config, hints: Hints, ground: Ground) -> PolicyInputs:
    """What decides in a configuration. ``also`` names the keys that shape answers otherwise:
    answers made under other values must not be served."""
    border, where = config.border, config.local.where
    return PolicyInputs(
        home=ground.home,
        top_levels=ground.top_levels,
        place=ground.place,
        mode=ground.mode,
        patience=ground.patience,
        domestic=_stated(border.domestic),
        foreign=_stated(border.foreign),
        zones=ground.zones,
        interfaces=tuple((name, Verdict(side)) for name, side in border.interfaces.items()),
        never_ask=config.resolution.never_ask,
        registry=border.registry,
        registry_files=_files(border.registry_files),
        geofeeds=_files(border.geofeeds),
        databases=_files(border.databases) + (TOR_GEOIP if border.tor_geoip else ()),
        anycast=_files(border.anycast),
        as_numbers=_files(border.as_numbers),
        shrink_percent_max=border.shrink_percent_max,
        also={
            "border.privacy": border.privacy,
            "dnssec.validate": str(config.dnssec.validate_),
            "local.special_use": str(config.local.special_use),
            "local.where": zone_text(where) if where is not None else "none",
            "resolution.ipv4": str(config.resolution.ipv4),
            "resolution.ipv6": str(config.resolution.ipv6),
            "resolution.root_hints": hashlib.sha256(repr(hints).encode()).hexdigest(),
            "resolution.upstream_port": str(config.resolution.upstream_port),
        },
    )


def _stated(entries: tuple[StatedPrefix, ...]) -> tuple[Stated, ...]:
    return tuple(Stated(entry.prefix, entry.country or NO_COUNTRY) for entry in entries)


def _files(entries: tuple[SourceEntry, ...]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(entry.path, entry.name or entry.path.stem) for entry in entries)


def _begun(config: Config, last: LastGood | None) -> LastGood:
    if last is None:
        last = LastGood(stands_in=False)
    last.begin(config.state.directory)
    return last
