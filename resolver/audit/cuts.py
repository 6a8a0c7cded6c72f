"""Is a name delegated? One zone's servers are asked for its NS, and the replies read.

A referral is the parent's word (RFC 1034 section 4.2.1). A server that serves the zone below as
well answers with the child's set instead: then the others are asked, and where all do so the
child's set stands for the parent's.
"""

from collections.abc import Callable
from typing import Protocol, final

from resolver.audit.closure import Standing
from resolver.audit.facts import Cut, Then, ZoneFacts
from resolver.delegation import glue_for, targets
from resolver.model import Address, Message, Question, RRset, Type
from resolver.names import Name, from_wire
from resolver.response import Meaning, Negative, Positive, Referral, synthesise

Hear = Callable[[Meaning, Message, Address], None]
"""Told a usable reply and who sent it."""


class Asking(Protocol):
    """What a search needs of the survey."""

    def ask_of(
        self,
        facts: ZoneFacts,
        question: Question,
        hear: Hear,
        fail: Then,
        skip: tuple[Address, ...] = (),
    ) -> None:
        """Ask the servers of a zone until one can answer."""

    def learn(
        self,
        apex: Name,
        parent: Name,
        names: tuple[Name, ...],
        glue: dict[Name, tuple[Address, ...]],
        depth: int,
        served_by: Address | None = None,
    ) -> ZoneFacts:
        """Take up a zone. ``served_by``: the server above that serves it too."""


@final
class CutSearch:
    """The search for one cut."""

    def __init__(
        self,
        survey: Asking,
        above: ZoneFacts,
        name: Name,
        depth: int,
        answered: Callable[[Cut], None],
        fail: Then,
    ) -> None:
        self._survey = survey
        self._above = above
        self._name = name
        self._depth = depth
        self._answered = answered
        self._fail = fail
        self._asked: tuple[Address, ...] = ()
        self._hidden: tuple[RRset, Message, Address] | None = None

    def begin(self) -> None:
        """Ask the next server."""
        question = Question(self._name, Type.NS)
        self._survey.ask_of(self._above, question, self._hear, self._exhausted, self._asked)

    def _hear(self, meaning: Meaning, message: Message, address: Address) -> None:
        chain: tuple[RRset, ...] = getattr(meaning, "chain", ())
        match meaning:
            case Referral(ns, _) if ns.name == self._name:
                self._learn(ns, message, self._above.apex)
                self._answered(Cut.ZONE)
            case Positive(_, records) if not chain and records[0].name == self._name:
                self._hidden = self._hidden or (records[0], message, address)
                self._asked = (*self._asked, address)
                self.begin()
            case Negative(_, _, nxdomain, _, _) if not chain:
                self._answered(Cut.DENIED if nxdomain else Cut.NONE)
            case _:
                # A CNAME says nothing of names below it, a DNAME all.
                alias = bool(chain) and chain[0].rtype == Type.CNAME
                self._answered(Cut.NONE if alias else Cut.END)

    def _exhausted(self) -> None:
        if self._hidden is None:
            self._fail()
            return
        ns, message, address = self._hidden
        self._learn(ns, message, self._name, address)
        self._answered(Cut.ZONE)

    def _learn(
        self, ns: RRset, message: Message, bailiwick: Name, served_by: Address | None = None
    ) -> None:
        names = targets(ns)
        glue = glue_for(names, message, bailiwick)
        self._survey.learn(self._name, self._above.apex, names, glue, self._depth, served_by)


def serves_already(facts: ZoneFacts, address: Address) -> None:
    """Note a server that was seen to answer for a zone before it was asked as its server."""
    facts.hidden = True
    facts.standing[address] = Standing.SERVES


def first_target(chain: tuple[RRset, ...], name: Name) -> Name | None:
    """Where the first link of a chain leads from ``name``: one step, since further ones may lie in
    other zones. A DNAME stands for a CNAME of each name below it (RFC 6672 section 2.3)."""
    first = chain[0] if chain else None
    if first is not None and first.rtype == Type.DNAME:
        first = synthesise(first, name)
    return from_wire(first.rdatas[0]) if first is not None else None
