"""Rules as ``inland check`` and ``inland policy`` look at them.

Responsible for telling a policy file from a configuration, and for what the linter is told of the
surroundings of rules.

Limitations: the server takes rules that the linter calls errors: an order may be to cut. Of a
policy file alone nothing is known of home: the list ``domestic`` is empty, and whether forwarders
are in home is not looked at.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from policy.border import Policy
from policy.lint import Grounds, Remark, lint
from policy.rule_load import load_rules
from policy.rule_make import Around
from policy.rules import Ruleset
from resolver.config import Config
from resolver.config_lines import read_tree
from resolver.errors import WHOLE_FILE, ConfigError, Finding
from resolver.rules_of import VALIDATING


def remarks_on(config: Config, policy: Policy) -> list[Remark]:
    """Remarks on the rules in force and on those in the shadow, those that differ."""
    prefixes = tuple(entry.prefix for entry in config.border.domestic)
    grounds = Grounds(policy.domestic_zones, prefixes, policy.home, VALIDATING, time.time())
    found = []
    for ruleset in (policy.ruleset, policy.shadow_ruleset):
        if ruleset is not None:
            found += lint(ruleset, grounds)
    return list(dict.fromkeys(found))


def is_policy_file(path: Path) -> bool:
    """Whether a file holds rules, and is not a configuration that names some.

    Raises:
        ConfigError: it cannot be read, or is not YAML.
    """
    try:
        value = read_tree(path.read_bytes(), str(path)).value
    except (OSError, ValueError) as error:
        words = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(str(path), [Finding(WHOLE_FILE, words)]) from error
    if not isinstance(value, dict) or "home" in value or "pack" in value:
        return False
    return "rules" in value or "version" in value


def rules_alone(files: Sequence[Path]) -> Ruleset:
    """Policy files without a configuration around them.

    Raises:
        ConfigError: all that is wrong with them.
    """
    return load_rules(files, Around(has_as_numbers=True))


def remarks_alone(ruleset: Ruleset) -> list[Remark]:
    """Remarks on rules of which the surroundings are not known."""
    return lint(ruleset, Grounds(None, (), frozenset(), VALIDATING, time.time()))
