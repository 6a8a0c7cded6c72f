"""Watches what servers abroad are shown in virtual time, and holds it against the border's rule."""

from resolver.model import Ask, Message, Outcome, Question, Rcode, Type, Verdict
from resolver.names import Name, label_count, suffix, to_text
from tests.virtual import Internet


class Witness:
    """Stands at the door of an Internet from now on.

    The rule is written again here: a server that is not at home is shown the labels of the zone
    it is asked for and one; each further label only when a server has said of the name above that
    it is there and is no cut.
    """

    def __init__(self, net: Internet) -> None:
        self.abroad: list[Ask] = []
        self.wrong: list[str] = []
        self._held: set[Name] = set()
        fate = net.door._fate

        def watched(ask: Ask) -> tuple[float, Outcome]:
            self._see(ask)
            delay, outcome = fate(ask)
            if outcome.message is not None and _holds(outcome.message):
                self._held.add(ask.question.name)
            return delay, outcome

        net.door._fate = watched  # type: ignore[method-assign]

    def _see(self, ask: Ask) -> None:
        if ask.label.verdict is Verdict.DOMESTIC:
            return
        self.abroad.append(ask)
        name = ask.question.name
        count = label_count(name)
        if count > ask.needed and suffix(name, count - 1) not in self._held:
            self.wrong.append(
                f"{to_text(name)} shown to {ask.address!r}, {ask.needed} labels needed"
            )

    @property
    def names(self) -> list[str]:
        """What was shown abroad, in order."""
        return [to_text(ask.question.name) for ask in self.abroad]

    @property
    def questions(self) -> list[Question]:
        """The same with types."""
        return [ask.question for ask in self.abroad]


def _holds(message: Message) -> bool:
    """Whether a reply says that the name is there, in the zone of who says so."""
    if message.answer:  # the rcode is that of an alias's target
        return True
    types = {rrset.rtype for rrset in message.authority}
    return message.rcode == Rcode.NOERROR and (Type.SOA in types or Type.NS not in types)
