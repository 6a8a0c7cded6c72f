"""The linter of rules as ``inland check`` shows it.

Responsible for what the linter is told of the configuration, and for remarks as plain values.

Limitations: the server takes rules that the linter calls errors: an order may be to cut.
"""

import time

from policy.border import Policy
from policy.lint import Grounds, Remark, lint
from resolver.config import Config
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
