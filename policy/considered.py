"""Why a question meets the decision that it does: each rule that was held against it.

Responsible for the same walk that the evaluator makes, told step by step.

Limitations: response policy zones have a step only where they matched; they are walked elsewhere.
"""

from collections.abc import Iterator
from typing import NamedTuple

from policy.decision import NEVER, Asked, Facts
from policy.evaluate import AsOf, Index, Ready, no_as
from policy.rules import Rule, Ruleset
from policy.words import moment


class Step(NamedTuple):
    """One rule that may match the name, what came of it, and whether it decided."""

    rule: Rule
    outcome: str
    decides: bool


def considered(
    ruleset: Ruleset, asked: Asked, facts: Facts | None = None, as_of: AsOf = no_as
) -> list[Step]:
    """The rules for a name in order, up to the one that decides. ``asked.view`` is the number of a
    view of this policy. Without ``facts`` rules that need a result stay open."""
    index = Index(ruleset.rules, as_of)
    return list(_steps(index, asked, facts))


def _steps(index: Index, asked: Asked, facts: Facts | None) -> Iterator[Step]:
    for ready in index.candidates(asked.name):
        outcome = _outside(ready, asked)
        if not outcome and ready.needs_result:
            if facts is None:
                yield Step(ready.rule, "only the result can tell", False)
                continue
            if not ready.fits(facts):
                outcome = "the result is not what it asks for"
        yield Step(ready.rule, outcome or "matches", not outcome)
        if not outcome:
            return


def _outside(ready: Ready, asked: Asked) -> str:
    """Why a rule has nothing to say on a question; empty: it has."""
    match, rule = ready.rule.match, ready.rule
    if match.types and asked.rtype not in match.types:
        return "another type"
    if match.views and asked.view not in match.views:
        return "another view"
    in_force, change = ready.at(asked.wall)
    if in_force:
        return ""
    if asked.wall >= rule.ends:
        return f"over since {moment(rule.ends)}"
    if asked.wall < rule.begins:
        return f"begins {moment(rule.begins)}"
    return "outside its hours" + (f" until {moment(change)}" if change < NEVER else "")
