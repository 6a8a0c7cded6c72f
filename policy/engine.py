"""The word of a whole policy: rules and response policy zones in order, under modes and guards.

Responsible for the order in which the makers of decisions are asked, and for what becomes of the
effect that the first match asks for:

- the mode of the question (:mod:`policy.modes`) may hold it back;
- an answer that DNSSEC proves is never replaced by something false, unless the client's view has
  agreed. When signatures are checked, a rule that would do so waits for the result. An answer of
  which the status is not known (*indeterminate*, as all are while signatures are not checked)
  counts as not proven;
- what is held back is named in ``would``, so that it can be counted.

Limitations: a maker of decisions names its rule or zone in each decision that matched.
"""

from collections.abc import Mapping, Sequence
from typing import final

from policy.decision import (
    NEVER,
    NOTHING,
    PLAIN,
    Action,
    Asked,
    Decision,
    Facts,
    Hit,
    Names,
    Ranges,
    Rulebook,
    Selection,
    Silent,
    Way,
)
from policy.evaluate import AsOf, Index, no_as
from policy.inputs import Mode
from policy.modes import Modes
from policy.rules import FORGING, Rule, Ruleset, ZonePlace
from resolver.model import Address, Security
from resolver.names import Name

CLOSING = (Way.DOMESTIC_ONLY, Way.MIRROR_ONLY)


@final
class Engine:
    """A rulebook made of others. ``views``: by the number of a client's class, its view;
    ``clients``: likewise the class that response policy zones see."""

    def __init__(
        self,
        index: Index,
        books: Sequence[Rulebook],
        modes: Modes,
        views: Sequence[int],
        consenting: frozenset[int],
        validating: bool,
        clients: Sequence[int] = (),
    ) -> None:
        self._clients = tuple(clients)
        self._index = index  # of all rules, wherever zones stand between them
        self._books = tuple(books)
        self._modes = modes
        self._views = tuple(views)
        self._consenting = consenting
        self._validating = validating

    def on_question(self, asked: Asked) -> Decision:
        """Before any work."""
        asked = self._seen(asked)
        until = NEVER
        hits: tuple[Hit, ...] = ()
        for book in self._books:
            found = book.on_question(asked)
            hits += found.hits
            until = min(until, found.until)
            if found.waits:
                pending = found.pending or self._matches_later(asked, book)
                return self._waiting(asked, until)._replace(pending=pending)
            if found.rule:
                if found.action in FORGING and self._guarded(asked.view):
                    return self._waiting(asked, until)._replace(pending=True)
                return self._under_mode(asked, found, until)._replace(hits=hits)
        return NOTHING if until == NEVER and not hits else Decision(until=until, hits=hits)

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        """With the result."""
        until = self.on_question(asked).until
        asked = self._seen(asked)
        hits: tuple[Hit, ...] = ()
        for book in self._books:
            found = book.on_answer(asked, facts)
            hits += found.hits
            until = min(until, found.until)
            if found.rule:
                proven = facts.security is Security.SECURE
                if found.action in FORGING and proven and asked.view not in self._consenting:
                    return _held_back(found, until)._replace(hits=hits)
                return self._under_mode(asked, found, until)._replace(hits=hits)
        return NOTHING if until == NEVER and not hits else Decision(until=until, hits=hits)

    def _matches_later(self, asked: Asked, waiting: Rulebook) -> bool:
        """Whether a book after one that waits has a match on the question."""
        after = False
        for book in self._books:
            if after:
                found = book.on_question(asked)
                if found.pending or found.action is not Action.NONE:
                    return True
            after = after or book is waiting
        return False

    def _seen(self, asked: Asked) -> Asked:
        """With the number of the view in place of that of the class."""
        number = asked.view
        view = self._views[number] if 0 <= number < len(self._views) else 0
        client = self._clients[number] if 0 <= number < len(self._clients) else 0
        if view == number and client == 0:
            return asked
        return Asked(view, asked.name, asked.rtype, asked.wall, client)

    def _guarded(self, view: int) -> bool:
        return self._validating and view not in self._consenting

    def _waiting(self, asked: Asked, until: float) -> Decision:
        """Work has to be done to decide; how, is the word of the first rule on that."""
        choice = self._index.choice(asked)
        until = min(until, choice.until)
        if choice.rule:
            choice = self._under_mode(asked, choice, until)
        return Decision(Action.NONE, choice.selection, "", (), choice.ede, until, True)

    def _under_mode(self, asked: Asked, found: Decision, until: float) -> Decision:
        mode = self._modes.of(asked.name, asked.view)
        if mode is Mode.OBSERVE:
            return _held_back(found, until)
        closing = found.action is Action.NONE and found.selection.way in CLOSING
        if closing and not self._modes.closes(asked.name, asked.view):
            return _held_back(found, until)
        return Decision(found.action, found.selection, found.rule, found.records, found.ede, until)

    def uniform(self, zone: Name) -> Selection | None:
        """The one selection for a zone."""
        for book in self._books:
            if book.uniform(zone) is None:
                return None
        selection = self._index.uniform(zone)
        if selection is None or selection == PLAIN:
            return selection
        if self._modes.differ() or selection.way in CLOSING:
            return None
        return PLAIN if self._modes.general is Mode.OBSERVE else selection

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        """Names that rules and zones speak of."""
        found: set[tuple[Name, bool]] = set()
        for book in self._books:
            found.update(book.concerned())
        return sorted(found)

    def concerned_tables(self) -> Sequence[Names]:
        """Those of all books."""
        found: list[Names] = []
        for book in self._books:
            found += book.concerned_tables()
        return found

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        """Whether some book may match on these servers."""
        return any(book.concerned_servers(names, addresses, countries) for book in self._books)

    def concerns_servers(self) -> bool:
        """Whether some book matches on servers."""
        return any(book.concerns_servers() for book in self._books)

    def concerned_ranges(self) -> Sequence[Ranges]:
        """Those of all books."""
        found: list[Ranges] = []
        for book in self._books:
            found += book.concerned_ranges()
        return found

    def concerns_answers(self) -> bool:
        """Whether some book matches on answers."""
        return any(book.concerns_answers() for book in self._books)


def word_of(found: Decision) -> str:
    """The effect of a decision as a label value: an action, or a way of choosing servers."""
    return found.selection.way.value if found.action is Action.NONE else found.action.value


def _held_back(found: Decision, until: float) -> Decision:
    return Decision(Action.NONE, PLAIN, found.rule, (), None, until, False, word_of(found))


def engine_of(
    ruleset: Ruleset,
    zones: Mapping[str, Rulebook],
    views: Sequence[int],
    validating: bool,
    as_of: AsOf = no_as,
    clients: Sequence[int] = (),
) -> Rulebook:
    """The rulebook of a policy. ``zones``: response policy zones by name, in order; one that has
    no place among the rules is asked after them. ``views``: by class of clients, the view of this
    policy, and ``clients``: the class that zones see. ``validating``: whether signatures are
    checked.

    Raises ``KeyError`` for a place of a zone that is not among ``zones``.
    """
    index = Index(ruleset.rules, as_of)
    placed = [item.zone for item in ruleset.items if isinstance(item, ZonePlace)]
    books: list[Rulebook] = []
    run: list[Rule] = []
    for item in ruleset.items:
        if isinstance(item, Rule):
            run.append(item)
            continue
        if run:
            books.append(Index(run, as_of))
            run = []
        books.append(zones[item.zone])
    if run:
        books.append(Index(run, as_of) if placed else index)
    books += (book for name, book in zones.items() if name not in placed)
    if not books:
        return Silent()
    consenting = frozenset(
        number for number, view in enumerate(ruleset.views, 1) if view.rewrite_secure
    )
    return Engine(index, books, ruleset.modes, views, consenting, validating, clients)
