"""How much of a name each zone is shown: QNAME minimisation (RFC 9156).

A zone's server is asked for one label more than it is known to serve, with type A, until the
whole name and the real type are due. Limits on the number of steps are those of the RFC's
section 2.3. The relaxed way: a step that ends in NXDOMAIN or an error is followed by the whole
question once, since servers exist that answer wrongly for empty non-terminals.
"""

from resolver import limits
from resolver.model import Question, Type
from resolver.names import Name, label_count, suffix


class Minimiser:
    """The steps for one question; ``shown`` counts labels that the next step may show."""

    __slots__ = ("_labels", "_question", "_steps", "_whole", "shown")

    def __init__(self, question: Question, enabled: bool) -> None:
        self._question = question
        self._labels = label_count(question.name)
        self._steps = 0
        self._whole = not enabled
        self.shown = 0

    def question(self, zone: Name) -> Question:
        """What to ask a server of ``zone`` now."""
        if self._whole:
            return self._question
        self.shown = max(self.shown, label_count(zone) + 1)
        if self.shown >= self._labels:
            return self._question
        return Question(suffix(self._question.name, self.shown), Type.A)

    def is_whole(self, question: Question) -> bool:
        """Whether ``question`` is the whole question and not a step towards it."""
        return question == self._question

    def show_more(self) -> None:
        """The step found no cut: show more labels in the next one."""
        self._steps += 1
        left = self._labels - self.shown
        if self._steps >= limits.MINIMISE_COUNT_MAX:
            self._whole = True
        elif self._steps < limits.MINIMISE_ONE_LABEL:
            self.shown += 1
        else:
            rest = limits.MINIMISE_COUNT_MAX - self._steps
            self.shown += max(1, left // rest)

    def show_all(self) -> None:
        """The step failed: ask the whole question from here on."""
        self._whole = True
