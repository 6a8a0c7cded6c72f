"""What becomes of a lookup under the rules in force, and what would become of it under the shadow.

Pure. A lookup is a :class:`Case`: it begins with the name asked for, and goes on with each name on
the chain of aliases that rules may say something of, as response policy zones do. At each stage the
live rules and the shadow are asked; the first stage at which the live ones alter or pass the answer
decides, and what only chooses servers holds for the work of its stage. Rules that need a result are
asked when the whole answer is there.

RFC 8914 (what clients are told), RFC 2308 (denials of our own carry a SOA).

Limitations: of a lookup that the live rules answer without a resolution, rules of the shadow that
need a result stay undecided here (:mod:`resolver.shadow_trials` may find out).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

from policy.border import Policy
from policy.decision import (
    NOTHING,
    Action,
    Asked,
    Decision,
    Facts,
    Hit,
    Rulebook,
    Selection,
    ServerFact,
    Silent,
    Way,
)
from resolver.compose import addresses_in
from resolver.concern import Concern
from resolver.core import Core
from resolver.forge import ALTERING, altered, merged, with_reason
from resolver.limits_views import FACT_ADDRESSES_MAX, SERVER_FACTS_MAX, STAGES_MAX
from resolver.model import (
    Address,
    Books,
    Question,
    Rcode,
    Result,
    RRset,
    Security,
    Type,
    Verdict,
)
from resolver.names import ROOT, Name, ancestors, from_wire
from resolver.selection import is_closed, settled
from resolver.tags import NO_EFFECT, NO_SHADOW, Effect, Tags

SILENT, STREAM = 1, 2
"""How native gives an answer: not at all, or over streams only."""

UNDECIDED = "undecided"
"""Effect of the shadow where only a resolution that was not made could tell."""


class Stage(NamedTuple):
    """A name on the way, and what both policies say of it before any work."""

    asked: Asked
    live: Decision
    shadow: Decision


@dataclass(slots=True, eq=False)
class Case:
    """One lookup as policy sees it."""

    view: int
    question: Question
    stages: list[Stage] = field(default_factory=list)
    answer: tuple[RRset, ...] = ()  # aliases so far
    made: Decision | None = None  # what has made the answer, or passed it
    told: tuple[tuple[int, str], ...] = ()  # what clients are told of an alias that rules made
    books: Books = field(default_factory=Books)  # of the stages before the last
    facts: Facts | None = None  # what the resolution found, where rules want to know

    def total(self, books: Books) -> Books:
        """All that was spent, with the books of the last stage."""
        return merged(self.books, books)

    def aside(self) -> "Case":
        """The same lookup for an answer that is shown while it goes on."""
        return Case(self.view, self.question, self.stages[:1])

    @property
    def link(self) -> Question:
        """What is asked now."""
        return Question(self.stages[-1].asked.name, self.question.rtype)

    @property
    def selection(self) -> Selection:
        """How servers are chosen for that."""
        return settled(self.stages[-1].live.selection)

    @property
    def over_streams(self) -> bool:
        """Whether UDP clients are told to come back by TCP."""
        return self.stages[0].live.action is Action.TRUNCATE


class Ruling(NamedTuple):
    """What clients get in the end. ``until``: wall time at which it ends."""

    result: Result
    live: Effect
    tag: int
    manner: int
    until: float
    hits: tuple[Hit, ...] = ()  # in response policy zones
    shadow: Effect = NO_SHADOW


@final
class Decider:
    """Asks the rules of one policy, and its shadow. Implements :class:`resolver.core.Deciding`."""

    def __init__(
        self, core: Core, policy: Policy, tags: Tags, rules: Rulebook, shadow: Rulebook | None
    ) -> None:
        self.core = core
        self._policy = policy
        self._rules = rules
        self._shadow = shadow
        self._tags = tags
        self._books = (rules,) if shadow is None else (rules, shadow)
        self.concern = Concern(self._books)
        self._answers_matter = any(book.concerns_answers() for book in self._books)
        self.servers_matter = any(book.concerns_servers() for book in self._books)
        self._wall = 0.0  # of the last question

    def of_shadow(self) -> "Decider | None":
        """Who decides as if the shadow were in force; ``None`` without one."""
        if self._shadow is None:
            return None
        return Decider(self.core, self._policy, self._tags, self._shadow, None)

    def decided(self, ruling: Ruling, would: Ruling) -> Ruling:
        """A ruling of the policy in force, with what the shadow would have done."""
        until = min(ruling.until, would.until)
        tag = self._tags.number(ruling.live, would.live)
        return ruling._replace(shadow=would.live, tag=tag, until=until)

    def concerns(self, name: Name) -> bool:
        """Whether a name on a chain of aliases is a stage of its own."""
        return self.concern.holds(name)

    def beside(self, question: Question, selection: Selection) -> Selection:
        """How the address of a name server is looked up for a lookup under ``selection``."""
        if is_closed(selection) or not self.concern.holds(question.name):
            return selection
        asked = Asked(0, question.name, question.rtype, self._wall)
        own = settled(self._rules.on_question(asked).selection)
        return own if own.way in (Way.DOMESTIC_ONLY, Way.MIRROR_ONLY) else selection

    def explains(self, view: int) -> bool:
        """Whether clients of a view are told route and reason."""
        classes = self._policy.views
        return 0 < view <= len(classes) and classes[view - 1].explain

    # --- a lookup --------------------------------------------------------------------------------

    def open(self, view: int, question: Question, wall: float) -> Case:
        """A lookup begins."""
        case = Case(view, question)
        self._add_stage(case, question.name, wall)
        return case

    def _add_stage(self, case: Case, name: Name, wall: float) -> None:
        self._wall = wall
        asked = Asked(case.view, name, case.question.rtype, wall)
        shadow = NOTHING if self._shadow is None else self._shadow.on_question(asked)
        case.stages.append(Stage(asked, self._rules.on_question(asked), shadow))

    def at_once(self, case: Case) -> Result | None:
        """The answer that needs no work, if the rules have one for the last stage."""
        live = case.stages[-1].live
        if case.made is not None or live.waits:
            return None
        if any([stage.live.pending for stage in case.stages]):  # noqa: C419 - compiled
            return None  # what is nearer to the question goes first
        if live.action is Action.PASS:
            case.made = live
        if live.action not in ALTERING:
            return None
        case.made = live
        return altered(live, case.link, case.answer)

    def go_on(self, case: Case, result: Result, books: Books) -> bool:
        """A stage has ended at an alias: on to its target. False when the chain is too long or
        comes back to a name."""
        target = result.onward
        assert target is not None
        case.books = merged(case.books, books)
        case.answer += result.answer
        case.told += result.ede
        seen = [stage.asked.name for stage in case.stages]
        if target in seen or len(seen) >= STAGES_MAX:
            return False
        self._add_stage(case, target, case.stages[0].asked.wall)
        return True

    def judge(self, case: Case, result: Result, now: float) -> Result:
        """The rules' word on what came of the last stage, with the aliases before it. The result
        may lead ``onward`` once more."""
        last = case.stages[-1].live
        if case.made is last and last.action in ALTERING:
            return result
        if result.rcode == Rcode.SERVFAIL and is_closed(last.selection):
            result = with_reason(result, last)
        if case.answer:
            answer, ede = (*case.answer, *result.answer), (*case.told, *result.ede)
            result = result._replace(answer=answer, ede=ede)
        live_waits = any(stage.live.waits for stage in case.stages)
        if live_waits or any(stage.shadow.waits for stage in case.stages):
            case.facts = self._facts(case, result, now)
        # A failure is told as without rules: the aliases that led to it are not an answer.
        found = result if result.rcode != Rcode.SERVFAIL else result._replace(answer=())
        if case.made is not None or not live_waits:
            return found
        final, at = self._final(case, live=True)
        if final.action is Action.NONE:
            return found
        case.made = final
        if final.action not in ALTERING:
            return found
        asked = case.stages[at].asked
        done = altered(final, Question(asked.name, asked.rtype), _before(result.answer, asked.name))
        if done.onward is not None:
            case.answer = ()  # it is in the result
        return done

    def ruling(self, case: Case, result: Result) -> Ruling:
        """What is given, and what it is counted under; after :meth:`judge`, if there was work."""
        if case.made is not None:
            final, until = case.made, case.made.until
        else:
            final, _ = self._final(case, live=True)
            until = final.until
        shadow = NO_SHADOW
        if self._shadow is not None:
            shade = at_once_of([stage.shadow for stage in case.stages])
            if shade is None:
                shade, _ = self._final(case, live=False)
            shadow = effect_of(shade)
            until = min(until, shade.until)
        for stage in case.stages:
            until = min(until, stage.live.until, stage.shadow.until)
        live = effect_of(final)
        manner = 0
        if final.action is Action.DROP:
            manner = SILENT
        elif case.over_streams or final.action is Action.TRUNCATE:
            manner = STREAM
        tag = self._tags.number(live, shadow)
        return Ruling(result, live, tag, manner, until, final.hits, shadow)

    def _final(self, case: Case, *, live: bool) -> tuple[Decision, int]:
        """The decision of one policy with what was found, and its stage. Without a resolution one
        that waits for it stays as it is."""
        book = self._rules if live else self._shadow
        assert book is not None
        first, first_at = NOTHING, 0
        for at, stage in enumerate(case.stages):
            decision = stage.live if live else stage.shadow
            if decision.waits:
                if case.facts is None:
                    return decision, at
                decision = book.on_answer(stage.asked, case.facts)
            if decision.action is not Action.NONE:
                return decision._replace(hits=(*first.hits, *decision.hits)), at
            if decision.rule and not first.rule:
                first, first_at = decision, at
            elif not first.rule and (decision.until < first.until or decision.hits):
                until, hits = min(decision.until, first.until), (*first.hits, *decision.hits)
                first = first._replace(until=until, hits=hits)
        return first, first_at

    def _facts(self, case: Case, result: Result, now: float) -> Facts:
        locate = self._policy.locate
        addresses = addresses_in(result.answer)[:FACT_ADDRESSES_MAX]
        located = tuple([(address, locate(address).country) for address in addresses])
        names = [case.question.name]
        names += [from_wire(r.rdatas[0]) for r in result.answer if r.rtype == Type.CNAME]
        servers = tuple(self._servers(names, now))
        security = result.security if result.security is not None else Security.INDETERMINATE
        return Facts(result.rcode, result.answer, located, servers, security)

    def _servers(self, names: Sequence[Name], now: float) -> list[ServerFact]:
        """The name servers of the cuts above these names, the root's apart."""
        found: list[ServerFact] = []
        seen: set[Name] = set()
        for name in names:
            for zone in ancestors(name):
                if zone == ROOT or zone in seen:
                    break
                seen.add(zone)
                self._servers_of(zone, now, found)
                if len(found) >= SERVER_FACTS_MAX:
                    return found[:SERVER_FACTS_MAX]
        return found

    def _servers_of(self, zone: Name, now: float, found: list[ServerFact]) -> None:
        cut = self.core.cuts.get(zone, now)
        if cut is None:
            return
        standing = self._policy.standing
        names = cut.names()
        cached = self.core.records.addresses(names, now)
        for name, more in zip(names, cached, strict=True):
            known = dict.fromkeys((*cut.addresses.get(name, ()), *map(Address, more)))
            for address in known:
                at = standing(address)
                found.append(ServerFact(zone, name, address, at.verdict, at.country))
            if not known:
                found.append(ServerFact(zone, name, None, Verdict.UNKNOWN, "none"))

    # --- plans -----------------------------------------------------------------------------------

    def planned(
        self, zone: Name, names: Sequence[Name], addresses: Sequence[Address]
    ) -> tuple[Selection, int] | None:
        """What holds for whatever is asked below a cut; see :class:`resolver.core.Deciding`."""
        if self._answers_matter:
            return None
        selection = self._rules.uniform(zone)
        if selection is None or selection.way in (Way.MIRROR_ONLY, Way.FORWARD):
            return None
        standing = self._policy.standing
        countries = [standing(address).country for address in addresses]
        for book in self._books:
            if book.uniform(zone) is None or book.concerned_servers(names, addresses, countries):
                return None
        # What holds for all of them holds for the name of the zone.
        asked = Asked(0, zone, Type.A, self._wall)
        if settled(self._rules.on_question(asked).selection) != settled(selection):
            return None
        live = _unmatched(self._rules, asked)
        shadow = NOTHING if self._shadow is None else _unmatched(self._shadow, asked)
        if live.action is not Action.NONE or shadow.action is not Action.NONE:
            return None
        shade = NO_SHADOW if self._shadow is None else effect_of(shadow)
        return settled(selection), self._tags.number(effect_of(live), shade)


_NO_FACTS = Facts(Rcode.NOERROR, (), (), (), Security.INDETERMINATE)


def _unmatched(book: Rulebook, asked: Asked) -> Decision:
    """The word of a policy when nothing that is found matches: none of the servers does, and native
    leaves answers with addresses that do to Python."""
    decision = book.on_question(asked)
    return book.on_answer(asked, _NO_FACTS) if decision.waits else decision


def at_once_of(decisions: Iterable[Decision]) -> Decision | None:
    """The decision that would have been carried out, or have let pass, before any later work, stage
    by stage as :meth:`Decider.at_once` does it."""
    for decision in decisions:
        if decision.pending:
            return None
        if not decision.waits and (decision.action in ALTERING or decision.action is Action.PASS):
            return decision
    return None


def effect_of(decision: Decision) -> Effect:
    """What a decision is counted under."""
    if decision.waits:
        return Effect(decision.rule, UNDECIDED)
    if not decision.rule:
        return NO_EFFECT
    if decision.would:
        return Effect(decision.rule, decision.would, held=True)
    if decision.action is not Action.NONE:
        return Effect(decision.rule, decision.action.value)
    return Effect(decision.rule, decision.selection.way.value)


def decider_of(core: Core, policy: Policy, tags: Tags) -> Decider | None:
    """Who asks the rules of a policy; ``None`` when it has none, nor a shadow, nor anything to
    explain."""
    silent = isinstance(policy.rules, Silent) and policy.shadow is None
    if silent and not any(one.explain for one in policy.views):
        return None
    return Decider(core, policy, tags, policy.rules, policy.shadow)


def _before(answer: tuple[RRset, ...], name: Name) -> tuple[RRset, ...]:
    """The aliases of an answer that lead to a name."""
    for at, rrset in enumerate(answer):
        if rrset.name == name:
            return answer[:at]
    return answer if answer and answer[-1].rtype == Type.CNAME else ()
