"""Put rules in force over a policy of the border.

Responsible for the rulebooks of a policy and of its shadow, for the classes of clients that both
tell apart, and for the generation: it changes when a rule, a view, or a source that rules ask does.

Limitations: a change of the shadow changes the generation only when it changes the classes. The
number under which answers are kept always does, since they tell what the shadow would have done.
"""

import hashlib
import json
from dataclasses import replace

from policy.border import Policy
from policy.decision import Rulebook
from policy.engine import engine_of
from policy.evaluate import no_as
from policy.rpz_set import NO_ZONES, ZoneSet
from policy.rules import Ruleset
from policy.views import ClientClass, classes_of


def governed(
    policy: Policy,
    rules: Ruleset,
    shadow: Ruleset | None,
    validating: bool,
    zones: ZoneSet = NO_ZONES,
) -> Policy:
    """The policy with rules in force, and with response policy zones, which are those of the shadow
    too. ``policy`` may have rules and other zones already: these take their place."""
    ground = policy.ground or policy.generation
    classes = classes_of(rules.views, shadow.views if shadow is not None else (), zones)
    as_of = policy.as_numbers.of if policy.as_numbers is not None else no_as
    clients = [0, *(one.zoned for one in classes)]

    def engine(ruleset: Ruleset, views: list[int]) -> Rulebook:
        books = zones.books(ruleset.placed)
        return engine_of(ruleset, books, views, validating, as_of, clients)

    book = engine(rules, [0, *(one.view for one in classes)])
    shade = engine(shadow, [0, *(one.shadow for one in classes)]) if shadow is not None else None
    generation = _generation(policy, ground, rules, classes, zones)
    return replace(
        policy,
        rules=book,
        shadow=shade,
        views=classes,
        ruleset=rules,
        shadow_ruleset=shadow,
        ground=ground,
        generation=generation,
        generation_number=_number(generation, shadow),
    )


def with_zones(policy: Policy, zones: ZoneSet, validating: bool) -> Policy:
    """The policy with these response policy zones in place of those that it has; all else is as it
    was."""
    rules = policy.ruleset or Ruleset()
    return governed(policy, rules, policy.shadow_ruleset, validating, zones)


def _generation(
    policy: Policy,
    ground: str,
    rules: Ruleset,
    classes: tuple[ClientClass, ...],
    zones: ZoneSet,
) -> str:
    content = [
        ground,
        rules.digest(),
        policy.as_numbers.identity if policy.as_numbers is not None else "",
        [[list(map(str, one.clients)), one.view] for one in classes],
        zones.digest,
    ]
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _number(generation: str, shadow: Ruleset | None) -> int:
    if shadow is not None:
        generation = hashlib.sha256(f"{generation} {shadow.digest()}".encode()).hexdigest()
    return int(generation[:16], 16) >> 1
