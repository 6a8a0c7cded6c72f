"""From the configuration to the rules in force, and to those in the shadow.

Responsible for what the rest of the configuration tells of the surroundings of rules: domestic
zones, the general mode, files of AS numbers, and whether forwarders are in home.

Limitations: signatures are not checked yet, so every answer counts as one of unknown status.
"""

from pathlib import Path

from policy.border import Policy
from policy.govern import governed
from policy.modes import Modes
from policy.rule_load import load_rules
from policy.rule_make import Around
from policy.rules import Ruleset
from resolver.config import Config
from resolver.errors import ConfigError, Finding
from resolver.pack_of import Ground

VALIDATING = False
"""Whether signatures are checked."""


def around_of(config: Config, ground: Ground, policy: Policy | None) -> Around:
    """What rules are held against. Without a ``policy`` (its evidence cannot be used) nothing is
    said of addresses."""
    return Around(
        domestic=policy.domestic_zones if policy is not None else frozenset(ground.zones),
        general=ground.mode,
        has_as_numbers=bool(config.border.as_numbers),
        verdict=policy.verdict if policy is not None else None,
        zones=frozenset(entry.called for entry in config.policy.rpz),
    )


def with_rules(config: Config, ground: Ground, policy: Policy | None) -> Policy | None:
    """The policy with the rules that the configuration names in force.

    Raises:
        ConfigError: all that is wrong with any policy file, shadow included.
    """
    section = config.policy
    if not section.files and section.shadow is None and not section.rpz:
        return policy
    around = around_of(config, ground, policy)
    findings: list[Finding] = []

    def loaded(files: tuple[Path, ...]) -> Ruleset:
        try:
            return load_rules(files, around)
        except ConfigError as error:
            findings.extend(error.findings)
            return Ruleset()

    rules = loaded(section.files) if section.files else Ruleset(modes=Modes(ground.mode))
    shadow = loaded(section.shadow) if section.shadow is not None else None
    if findings:
        raise ConfigError(config.source, list(dict.fromkeys(findings)))
    if policy is None:
        return None
    return governed(policy, rules, shadow, VALIDATING)
