"""Hold questions and results against rules, fast.

Responsible for the index of a list of rules and for the first rule that matches. A look-up walks
from the name upwards to the nearest name that any rule speaks of; there stands, ready made, the
list of all rules that may match, in order. So the work of a miss is bounded by the labels of its
name and by ``RULES_AT_ONCE_MAX``, however many rules there are.

What modes, views and DNSSEC make of the effect is not decided here but in :mod:`policy.engine`.

Limitations: server and answer criteria are walked one by one, for the few rules that have them.
"""

from collections.abc import Callable, Sequence
from typing import final

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
    Way,
)
from policy.prefixes import PrefixTable
from policy.rules import Match, Rule
from resolver.model import Address, RRset, Type
from resolver.names import ROOT, Name, ancestors, parent

AsOf = Callable[[Address], int]
"""The autonomous system of an address; 0: not known."""


def no_as(address: Address) -> int:
    """Without a file of AS numbers none is known."""
    del address
    return 0


@final
class Servers:
    """What a rule asks of name servers: one server has to fit in every way."""

    __slots__ = ("_as_of", "countries", "names", "numbers", "prefixes")

    def __init__(self, match: Match, as_of: AsOf) -> None:
        self._as_of = as_of
        self.countries = match.server_countries
        self.numbers = match.server_as
        self.names = frozenset(match.server_names)
        self.prefixes: PrefixTable[bool] | None = None
        if match.server_addresses:
            self.prefixes = PrefixTable((prefix, True) for prefix in set(match.server_addresses))

    def named(self, name: Name) -> bool:
        """Whether the name of a server fits."""
        return not self.names or any(zone in self.names for zone in ancestors(name))

    def placed(self, address: Address | None, country: str | None) -> bool:
        """Whether address and country of a server fit; ``country`` of ``None`` may be any."""
        if self.countries and country is not None and country not in self.countries:
            return False
        if self.prefixes is not None and (address is None or self.prefixes.match(address) is None):
            return False
        return not self.numbers or (address is not None and self._as_of(address) in self.numbers)


@final
class Ready:
    """A rule made ready: what is asked first stands first."""

    __slots__ = (
        "_answer_countries", "_begins", "_ends", "_first", "_securities", "_servers", "_types",
        "_views", "_window", "decision", "is_choice", "is_steady", "needs_result", "number", "rule",
    )  # fmt: skip

    def __init__(self, number: int, rule: Rule, as_of: AsOf) -> None:
        match = rule.match
        self.number = number
        self.rule = rule
        self._types = match.types
        self._views = match.views
        self._begins = rule.begins
        self._ends = rule.ends
        self._window = match.window
        self._first = self._begins  # when it is in force for the first time
        if self._window is not None and self._begins > -NEVER:
            is_open, change = self._window.at(self._begins)
            self._first = self._begins if is_open else change
        self._servers = Servers(match, as_of) if match.of_servers else None
        self._answer_countries = match.answer_countries
        self._securities = match.securities
        self.needs_result = match.of_result
        self.is_choice = rule.effect.way is not None
        timeless = rule.begins == -NEVER and rule.ends == NEVER and match.window is None
        self.is_steady = self.is_choice and timeless and not (match.types or match.views)
        self.decision = _decision(rule)

    def about(self, asked: Asked) -> bool:
        """Whether view and type fit."""
        if self._types and asked.rtype not in self._types:
            return False
        return not self._views or asked.view in self._views

    def at(self, wall: float) -> tuple[bool, float]:
        """Whether the rule is in force, and when that changes."""
        if wall >= self._ends:
            return False, NEVER
        if wall < self._first:
            return False, self._first if self._first < self._ends else NEVER
        if self._window is None:
            return True, self._ends
        is_open, change = self._window.at(wall)
        if is_open:
            return True, min(change, self._ends)
        return False, change if change < self._ends else NEVER

    def fits(self, facts: Facts) -> bool:
        """Whether what was found is what it asks for."""
        if self._securities and facts.security not in self._securities:
            return False
        if self._answer_countries:
            found = False
            for _, country in facts.addresses:
                if country in self._answer_countries:
                    found = True
                    break
            if not found:
                return False
        servers = self._servers
        if servers is None:
            return True
        for server in facts.servers:
            if servers.named(server.name) and servers.placed(server.address, server.country):
                return True
        return False

    def may_fit(
        self, names: Sequence[Name], addresses: Sequence[Address], countries: Sequence[str] | None
    ) -> bool:
        """Whether some of these name servers may be one that it asks for; which of the names has
        which of the addresses is not known."""
        servers = self._servers
        if servers is None:
            return False
        named = False
        for name in names:
            if servers.named(name):
                named = True
                break
        if not named and names:
            return False
        for at, address in enumerate(addresses):
            if servers.placed(address, countries[at] if countries is not None else None):
                return True
        return not addresses

    def told(self, asked: Asked, until: float) -> Decision:
        """Its effect on a question."""
        ready = self.decision
        records = ready.records
        if records:
            records = _records_for(records, asked)
        return Decision(ready.action, ready.selection, ready.rule, records, ready.ede, until)


def _decision(rule: Rule) -> Decision:
    effect = rule.effect
    selection = PLAIN
    if effect.way is not None and effect.way is not Way.PREFER:
        # Ways that may leave a lookup without an answer tell the client which rule it was.
        name = "" if effect.way is Way.ANY else rule.name
        selection = Selection(effect.way, effect.forwarders, name)
    return Decision(effect.action, selection, rule.name, effect.records, rule.ede)


def _records_for(records: tuple[RRset, ...], asked: Asked) -> tuple[RRset, ...]:
    return tuple(
        [
            RRset(asked.name, rrset.rtype, rrset.ttl, rrset.rdatas)
            for rrset in records
            if asked.rtype in (rrset.rtype, Type.ANY)
        ]
    )


def _first_steady(candidates: Sequence[Ready]) -> Selection:
    for ready in candidates:
        if ready.is_steady:
            return ready.decision.selection
    return PLAIN


def _steady_at(zone: Name, steady: dict[Name, Selection], otherwise: Selection) -> Selection:
    for name in ancestors(zone):
        selection = steady.get(name)
        if selection is not None:
            return selection
    return otherwise


@final
class Index:
    """A list of rules with an index. A rulebook of raw effects: as if everything were enforced."""

    def __init__(self, rules: Sequence[Rule], as_of: AsOf = no_as) -> None:
        self.ready = tuple(Ready(number, rule, as_of) for number, rule in enumerate(rules))
        self._everywhere = tuple(r for r in self.ready if r.rule.match.all_names)
        exact: dict[Name, list[Ready]] = {}
        below: dict[Name, list[Ready]] = {}
        for ready in self.ready:
            for name in set(ready.rule.match.names):
                exact.setdefault(name, []).append(ready)
            for name in set(ready.rule.match.suffixes):
                below.setdefault(name, []).append(ready)
        shared: dict[tuple[int, ...], tuple[Ready, ...]] = {}
        self._below = {name: self._all(name, below, (), shared) for name in below}
        self._exact = {name: self._all(name, below, exact[name], shared) for name in exact}
        self._steady, self._steady_else, self._above = self._steady_choices(below)

    def _all(
        self,
        name: Name,
        below: dict[Name, list[Ready]],
        own: Sequence[Ready],
        shared: dict[tuple[int, ...], tuple[Ready, ...]],
    ) -> tuple[Ready, ...]:
        """Every rule that may match a name, in order, each once. Equal lists are one object."""
        found = {ready.number for ready in (*self._everywhere, *own)}
        for zone in ancestors(name):
            for ready in below.get(zone, ()):
                found.add(ready.number)
        key = tuple(sorted(found))
        if key not in shared:
            shared[key] = tuple(self.ready[number] for number in key)
        return shared[key]

    def _steady_choices(
        self, below: dict[Name, list[Ready]]
    ) -> tuple[dict[Name, Selection], Selection, frozenset[Name]]:
        """Selections that hold for every view, type and time: by suffix, for all other names, and
        the names above a suffix that has another selection than what surrounds it."""
        otherwise = _first_steady(self._everywhere)
        steady = {}
        for name, own in below.items():
            if any(ready.is_steady for ready in own):
                steady[name] = _first_steady(self._below[name])
        above: set[Name] = set()
        for name, selection in steady.items():
            if name != ROOT and selection != _steady_at(parent(name), steady, otherwise):
                above.update(ancestors(parent(name)))
        return steady, otherwise, frozenset(above)

    def candidates(self, name: Name) -> tuple[Ready, ...]:
        """The rules that may match a name, in order."""
        found = self._exact.get(name)
        if found is not None:
            return found
        below = self._below
        if below:
            while True:
                found = below.get(name)
                if found is not None:
                    return found
                if name == ROOT:
                    break
                name = Name(name[1 + name[0] :])
        return self._everywhere

    def at_once(self) -> tuple[int, tuple[Ready, ...]]:
        """The most rules that one lookup may be held against, and which these are."""
        longest = self._everywhere
        for lists in (self._below, self._exact):
            for found in lists.values():
                if len(found) > len(longest):
                    longest = found
        return len(longest), longest

    def on_question(self, asked: Asked) -> Decision:
        """The first rule that matches; ``waits`` when that takes a result."""
        wall, until = asked.wall, NEVER
        for ready in self.candidates(asked.name):
            if not ready.about(asked):
                continue
            in_force, change = ready.at(wall)
            until = min(until, change)
            if in_force:
                if ready.needs_result:
                    return Decision(until=until, waits=True)
                return ready.told(asked, until)
        return NOTHING if until == NEVER else Decision(until=until)

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        """The first rule that matches, now that the result is there."""
        wall, until = asked.wall, NEVER
        for ready in self.candidates(asked.name):
            if not ready.about(asked) or (ready.needs_result and not ready.fits(facts)):
                continue
            in_force, change = ready.at(wall)
            until = min(until, change)
            if in_force:
                return ready.told(asked, until)
        return NOTHING if until == NEVER else Decision(until=until)

    def choice(self, asked: Asked) -> Decision:
        """The first rule on how servers are chosen, whatever stands before it: what holds for work
        that is done to decide a rule."""
        wall, until = asked.wall, NEVER
        for ready in self.candidates(asked.name):
            if not ready.is_choice or not ready.about(asked):
                continue
            in_force, change = ready.at(wall)
            until = min(until, change)
            if in_force:
                return ready.told(asked, until)
        return NOTHING if until == NEVER else Decision(until=until)

    def uniform(self, zone: Name) -> Selection | None:
        """The selection of the rules that hold for every view, type and time."""
        if zone in self._above:
            return None
        return _steady_at(zone, self._steady, self._steady_else)

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        """Names of all rules but those of :meth:`uniform`, and those that ask for results only."""
        found = set()
        for ready in self.ready:
            match = ready.rule.match
            for name in match.names:
                found.add((name, False))
            if ready.is_steady:
                continue
            for name in match.suffixes:
                found.add((name, True))
            if match.all_names and not ready.needs_result:
                found.add((ROOT, True))
        return sorted(found)

    def concerned_tables(self) -> Sequence[Names]:
        """None: all are listed."""
        return ()

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        """Whether a rule for all names may match on these servers."""
        for ready in self._everywhere:
            if ready.rule.match.of_servers and ready.may_fit(names, addresses, countries):
                return True
        return False

    def concerns_servers(self) -> bool:
        """Whether a rule for all names asks for servers."""
        return any(ready.rule.match.of_servers for ready in self._everywhere)

    def concerned_ranges(self) -> Sequence[Ranges]:
        """None: rules ask for countries of addresses."""
        return ()

    def concerns_answers(self) -> bool:
        """Whether a rule for all names asks for an answer, and for no server."""
        for ready in self._everywhere:
            if ready.needs_result and not ready.rule.match.of_servers:
                return True
        return False
