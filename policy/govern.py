"""Put rules in force over a policy of the border.

Responsible for the rulebooks of a policy and of its shadow, for the classes of clients that both
tell apart, and for the generation: it changes when a rule, a view, or a source that rules ask does.

Limitations: a change of the shadow changes the generation only when it changes the classes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from policy.border import Policy
from policy.decision import Rulebook
from policy.engine import engine_of
from policy.evaluate import no_as
from policy.rules import Ruleset
from policy.views import ClientClass, classes_of


def governed(
    policy: Policy,
    rules: Ruleset,
    shadow: Ruleset | None,
    zones: Mapping[str, Rulebook],
    shadow_zones: Mapping[str, Rulebook],
    validating: bool,
) -> Policy:
    """The policy with rules in force. ``zones``: response policy zones, see
    :func:`policy.engine.engine_of`; what identifies their content is for the caller to add to the
    generation."""
    classes = classes_of(rules.views, shadow.views if shadow is not None else ())
    as_of = policy.as_numbers.of if policy.as_numbers is not None else no_as
    book = engine_of(rules, zones, [0, *(one.view for one in classes)], validating, as_of)
    shade = None
    if shadow is not None:
        views = [0, *(one.shadow for one in classes)]
        shade = engine_of(shadow, shadow_zones, views, validating, as_of)
    generation = _generation(policy, rules, classes)
    return replace(
        policy,
        rules=book,
        shadow=shade,
        views=classes,
        ruleset=rules,
        shadow_ruleset=shadow,
        generation=generation,
        generation_number=int(generation[:16], 16) >> 1,
    )


def _generation(policy: Policy, rules: Ruleset, classes: tuple[ClientClass, ...]) -> str:
    content = [
        policy.generation,
        rules.digest(),
        policy.as_numbers.identity if policy.as_numbers is not None else "",
        [[list(map(str, one.clients)), one.view] for one in classes],
    ]
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
