"""What policy did with an answer, as a small number that native counts hits by.

An answer in native's cache carries a tag; a lookup that Python answers is counted under the same.
So what a rule did to how many lookups is known, cached or not, and so is what the shadow policy
would have done. Bounded: past the bound what is new is counted by its action alone.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, final

from policy.decision import Action, Way
from resolver.limits_views import RULE_LABEL_MAX, TAGS_MAX

OVERFLOW = "overflow"
"""In the place of rules once the table is full."""


class Effect(NamedTuple):
    """What a policy does with a lookup: the rule, and its effect in one word."""

    rule: str
    action: str
    held: bool = False
    """The policy's mode held it back: it is counted, and was not done."""


NO_EFFECT: Final = Effect("", Action.NONE.value)
NO_SHADOW: Final = Effect("", "")
"""Of the shadow, when there is none."""

ACTIONS = tuple(dict.fromkeys([*(a.value for a in Action), *(w.value for w in Way)]))
"""All words for an effect: of answers that are altered, and of how servers are chosen."""


class Mark(NamedTuple):
    """What the live policy did, and what the shadow would have done."""

    live: Effect
    shadow: Effect


@final
class Tags:
    """Numbers of marks, for the life of the process; 0 is that of no effect at all."""

    def __init__(self, most: int = TAGS_MAX) -> None:
        self._numbers: dict[Mark, int] = {}
        self._marks: list[Mark] = [Mark(NO_EFFECT, NO_EFFECT)]
        self._most = most - (2 * len(ACTIONS) + 5) ** 2
        """The rest of the numbers is for marks without rules."""

    def number(self, live: Effect, shadow: Effect = NO_SHADOW) -> int:
        """The number of a mark, made when new."""
        if live == NO_EFFECT and not shadow.rule:
            return 0
        mark = Mark(_short(live), _short(shadow))
        number = self._numbers.get(mark)
        if number is None and len(self._marks) >= self._most:
            mark = Mark(_ruleless(live), _ruleless(shadow))
            number = self._numbers.get(mark)
        if number is None:
            number = self._numbers[mark] = len(self._marks)
            self._marks.append(mark)
        return number

    def marks(self, counts: Iterable[tuple[int, int]]) -> Iterator[tuple[Mark, int]]:
        """Counts by number, as counts by mark. Numbers that were never given out are left out."""
        for number, count in counts:
            if 0 < number < len(self._marks):
                yield self._marks[number], count


def _short(effect: Effect) -> Effect:
    if len(effect.rule) <= RULE_LABEL_MAX:
        return effect
    return effect._replace(rule=effect.rule[:RULE_LABEL_MAX])


def _ruleless(effect: Effect) -> Effect:
    return effect if not effect.rule else effect._replace(rule=OVERFLOW)
