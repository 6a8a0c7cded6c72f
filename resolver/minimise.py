"""How much of a name each zone is shown: QNAME minimisation (RFC 9156), and the border's privacy.

A zone's server is asked for one label more than it is known to serve, with type A, until the
whole name and the real type are due. A step has two questions. Servers at home are asked the
relaxed one: limits on the number of steps are those of the RFC's section 2.3, and a step that ends
in NXDOMAIN or an error is followed by the whole question once, since servers exist that answer
wrongly for empty non-terminals. Servers abroad, and of unknown place, are asked the strict one: a
label is shown only when the zone itself is known to hold the name above it, whatever failed.
:meth:`Shown.to` chooses between the two and is the border's whole privacy rule
(``docs/decisions/0017-strict-abroad.md``).

Limitations: where a server serves the zone below as well, no cut shows, and other servers of the
zone above may be shown one label of the zone below.
"""

from typing import final

from resolver import limits
from resolver.model import Question, Type, Verdict
from resolver.names import Name, label_count, suffix
from resolver.quick import new_question


@final
class Shown:
    """What the servers of one zone are shown of a name in one step. ``needed``: labels that any
    question to this zone shows, the zone's own and one."""

    __slots__ = ("abroad", "home", "needed")

    def __init__(self, home: Question, abroad: Question, needed: int) -> None:
        self.home = home
        self.abroad = abroad
        self.needed = needed

    def to(self, verdict: Verdict, strict: bool) -> Question:
        """What a server is asked; ``strict``: ``border.privacy``."""
        return self.abroad if strict and verdict is not Verdict.DOMESTIC else self.home


class Minimiser:
    """The steps for one question: how many labels the next one shows, at home and abroad."""

    __slots__ = ("_abroad", "_at_home", "_labels", "_question", "_steps", "_whole")

    def __init__(self, question: Question, enabled: bool) -> None:
        self._question = question
        self._labels = label_count(question.name)
        self._steps = 0
        self._whole = not enabled
        self._at_home = 0
        self._abroad = 0

    def step(self, zone: Name) -> Shown:
        """What to ask the servers of ``zone`` now."""
        needed = label_count(zone) + 1
        self._at_home = max(self._at_home, needed)
        self._abroad = max(self._abroad, needed)
        home = self._question if self._whole else self._part(self._at_home)
        same = self._abroad == self._at_home and not self._whole
        return Shown(home, home if same else self._part(self._abroad), needed)

    def _part(self, count: int) -> Question:
        if count >= self._labels:
            return self._question
        return new_question((suffix(self._question.name, count), Type.A))

    def is_whole(self, question: Question) -> bool:
        """Whether ``question`` is the whole question and not a step towards it."""
        return question == self._question

    def held(self, question: Question) -> None:
        """The zone itself holds this name, so one label more may be shown abroad, too."""
        if label_count(question.name) == self._abroad:
            self._abroad += 1

    def passed(self, question: Question) -> None:
        """A server has answered this step and has shown no cut: show more in the next one."""
        self.held(question)
        if label_count(question.name) >= self._at_home:
            self.show_more()

    def show_more(self) -> None:
        """Show more labels at home in the next step."""
        self._steps += 1
        left = self._labels - self._at_home
        if self._steps >= limits.MINIMISE_COUNT_MAX:
            self._whole = True
        elif self._steps < limits.MINIMISE_ONE_LABEL:
            self._at_home += 1
        else:
            rest = limits.MINIMISE_COUNT_MAX - self._steps
            self._at_home += max(1, left // rest)

    def show_all(self) -> None:
        """The step failed: ask the whole question from here on, at home."""
        self._whole = True


class Withheld:
    """How resolutions ended in which servers abroad were shown less than the whole name."""

    __slots__ = ("denied", "refused")

    def __init__(self) -> None:
        self.denied = 0
        """A name above does not exist, and what is below was not asked for."""

        self.refused = 0
        """Servers had no use for a part of the name, and were not shown the whole."""
