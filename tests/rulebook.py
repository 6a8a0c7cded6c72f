"""A small rulebook for tests: lines in order, the first that matches speaks.

What the language of rules can say is tried elsewhere; this one shows what the core makes of it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

from policy.border import Policy
from policy.decision import (
    NEVER,
    NOTHING,
    PLAIN,
    Asked,
    Decision,
    Facts,
    Names,
    Ranges,
    Selection,
)
from policy.views import ClientClass
from resolver.model import Address, RRset
from resolver.names import Name, is_subdomain
from tests.virtual_servers import name, rrset


class Line(NamedTuple):
    """One rule: for a name and all below, perhaps of some views; ``needs``: of the result."""

    zone: Name
    decision: Decision
    views: frozenset[int] = frozenset()
    needs: Callable[[Facts], bool] | None = None

    def fits(self, asked: Asked) -> bool:
        """Whether name and view do."""
        return is_subdomain(asked.name, self.zone) and (not self.views or asked.view in self.views)


class Book:
    """Implements :class:`policy.decision.Rulebook`; counts how often it was asked."""

    def __init__(self, *lines: Line, steady: Selection = PLAIN) -> None:
        self.lines = lines
        self.steady = steady
        self.questions = 0

    def on_question(self, asked: Asked) -> Decision:
        """Before any work."""
        self.questions += 1
        for line in self.lines:
            if line.fits(asked):
                if line.needs is not None:
                    return Decision(selection=line.decision.selection, waits=True)
                return _owned(line.decision, asked)
        return NOTHING._replace(selection=self.steady)

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        """With the result."""
        for line in self.lines:
            if line.fits(asked) and (line.needs is None or line.needs(facts)):
                return _owned(line.decision, asked)
        return NOTHING

    def uniform(self, zone: Name) -> Selection | None:
        """The steady one: all other names are concerned."""
        return self.steady

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        """All names of the lines."""
        return [(line.zone, True) for line in self.lines]

    def concerned_tables(self) -> Sequence[Names]:
        """None."""
        return ()

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        """None is."""
        return False

    def concerns_answers(self) -> bool:
        """None for all names."""
        return False

    def concerns_servers(self) -> bool:
        """None does."""
        return False

    def concerned_ranges(self) -> Sequence[Ranges]:
        """None."""
        return ()


def _owned(decision: Decision, asked: Asked) -> Decision:
    """With the records at the name that was asked for."""
    if not decision.records:
        return decision
    records = tuple(found._replace(name=asked.name) for found in decision.records)
    return decision._replace(records=records)


def line(
    zone: str,
    rule: str,
    action: object = None,
    *records: str,
    selection: Selection = PLAIN,
    views: Sequence[int] = (),
    needs: Callable[[Facts], bool] | None = None,
    ede: tuple[int, str] | None = None,
    until: float = NEVER,
) -> Line:
    """Shorthand: ``records`` as :func:`tests.virtual_servers.rrset` reads them."""
    found: tuple[RRset, ...] = tuple(map(rrset, records))
    decision = Decision(
        selection=selection._replace(rule=rule) if selection is not PLAIN else PLAIN,
        rule=rule,
        records=found,
        ede=ede,
        until=until,
    )
    if action is not None:
        decision = decision._replace(action=action)  # type: ignore[arg-type]
    return Line(name(zone), decision, frozenset(views), needs)


def ruled(
    policy: Policy,
    rules: Book,
    shadow: Book | None = None,
    classes: tuple[ClientClass, ...] = (),
    number: int = 1,
) -> Policy:
    """A policy with rules, and a generation of its own."""
    return dataclasses.replace(
        policy,
        rules=rules,
        shadow=shadow,
        views=classes,
        generation=f"{number:064x}",
        generation_number=number,
    )
