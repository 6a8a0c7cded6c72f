"""A shadow policy beside the one in force: what would differ for a lookup, and by which rule.

Responsible for telling whether two decisions on one question lead to different ends for the client
or for the packets. Two rules with the same effect do not differ; what modes hold back is not done,
so it does not count.

Limitations: the shadow is given what the policy in force found. Where that policy answers without a
resolution, rules of the shadow that need a result stay undecided.
"""

from enum import Enum
from typing import NamedTuple

from policy.decision import Action, Asked, Decision, Facts, Rulebook
from policy.engine import word_of


class Kind(Enum):
    """How a lookup fares under the shadow. The values are label values of metrics."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDED = "undecided"  # only a resolution that was not made could tell


class Difference(NamedTuple):
    """What one lookup shows: effects as label values, and the rules that made them, if any."""

    kind: Kind
    live: str
    live_rule: str
    shadow: str
    shadow_rule: str


def compare(live: Decision, shadow: Decision) -> Difference:
    """Hold final decisions on the same question against each other."""
    kind = Kind.DIFFERENT
    if shadow.waits:
        kind = Kind.UNDECIDED
    elif _same_end(live, shadow):
        kind = Kind.SAME
    return Difference(kind, word_of(live), live.rule, word_of(shadow), shadow.rule)


def _same_end(one: Decision, other: Decision) -> bool:
    if _action(one) is not _action(other) or one.records != other.records:
        return False
    if _action(one) is not Action.NONE:
        return True
    return (one.selection.way, one.selection.forwarders) == (
        other.selection.way,
        other.selection.forwarders,
    )


def _action(decision: Decision) -> Action:
    """What is let through is as if nothing had matched."""
    return Action.NONE if decision.action is Action.PASS else decision.action


def shadow_of(rulebook: Rulebook, asked: Asked, facts: Facts | None) -> Decision:
    """The shadow's final decision. ``facts``: what a resolution found; ``None``: there was none."""
    found = rulebook.on_question(asked)
    if found.waits and facts is not None:
        return rulebook.on_answer(asked, facts)
    return found
