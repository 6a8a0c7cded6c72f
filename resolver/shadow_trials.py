"""Lookups for the shadow policy, where the one in force answers without a resolution.

A rule of the shadow that needs a result would stay undecided there. When the operator allows some
lookups a second for it, the question is looked up as it would be were the shadow in force: its
stages, its selection of servers (or that of the policy in force for the same name, where that
closes and the shadow's does not). The client has its answer long before; it is counted when it is
known what the shadow would have done, and the ready answer is kept only then, so that its hits are
counted alike. Exchanges have a purpose of their own, and each trial is a lookup without a client.

Limitations: beyond the allowance, and across a reload, clients are counted as undecided. So are
those that are sent to TCP before any work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from policy.decision import PLAIN, Action, Selection
from resolver.cache import AnswerKey
from resolver.counters import Clock
from resolver.decide import UNDECIDED, Case, Decider, Ruling
from resolver.failures import servfail
from resolver.forge import ALTERING
from resolver.lookups import Internal, Lookup
from resolver.model import Books, Ede, Purpose, Question, Result
from resolver.resolve import Driver
from resolver.tags import Effect
from resolver.tally import Tally


@dataclass(slots=True, eq=False)
class _Trial:
    """One lookup for the shadow. ``clients``: how many were answered and are not counted yet."""

    key: AnswerKey
    result: Result
    ruling: Ruling
    case: Case
    clients: int
    lookup: Lookup | None = None
    question: Question | None = None
    selection: Selection = PLAIN
    left: bool = False


def _is_open(case: Case, shadow: Effect) -> bool:
    """Whether only a resolution could tell what the shadow would have done: a rule in force has
    answered without one, and the shadow wants the result, or the name may lead on to others."""
    made = case.made
    if made is None or made.action not in ALTERING:
        return shadow.action == UNDECIDED
    if not any(stage.live is made for stage in case.stages):
        return False
    return shadow.held or shadow.action not in _ENDING


_ENDING = frozenset({Action.PASS.value, *(action.value for action in ALTERING)})
"""Effects that are the last word, whatever a name leads to."""

Keep = Callable[[AnswerKey, Result, Ruling], None]
"""Keeps a ready answer."""


@final
class Trials:
    """Those under way, under one policy and its shadow."""

    def __init__(
        self, driver: Driver, clock: Clock, tally: Tally, keep: Keep, internal: Internal
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._tally = tally
        self._keep = keep
        self._internal = internal
        self._live: Decider | None = None
        self._shade: Decider | None = None
        self._per_second = 0
        self._allowance = 0.0
        self._counted_at = clock.now()
        self._under_way: dict[AnswerKey, _Trial] = {}

    def follow(self, decider: Decider | None) -> None:
        """Another policy: what is under way ends, and stays undecided."""
        before, self._under_way = list(self._under_way.values()), {}
        for trial in before:
            trial.left = True
            self._tally.tagged(trial.ruling.tag, trial.clients)
            self._tally.trials["ended"] += 1
            if trial.lookup is not None and trial.question is not None:
                self._driver.leave(trial.lookup, trial.question, trial.selection)
        self._live, self._shade, self._per_second = decider, None, 0
        if decider is not None and (most := decider.core.settings.shadow_lookups):
            self._shade = decider.of_shadow()
            self._per_second = most if self._shade is not None else 0
        self._allowance = min(self._allowance, self._per_second) or self._per_second

    def take(
        self, key: AnswerKey, live: Case, clients: int, result: Result, ruling: Ruling
    ) -> bool:
        """Whether clients who get this answer are counted later, with what a trial finds, and the
        answer is kept then."""
        shade = self._shade
        if shade is None or not _is_open(live, ruling.shadow):
            return False
        trial = self._under_way.get(key)
        if trial is not None:
            trial.clients += clients
            return True
        if not self._allowed():
            self._tally.trials["refused"] += 1
            return False
        case = shade.open(key.view, key.question, self._clock.wall())
        trial = self._under_way[key] = _Trial(key, result, ruling, case, clients)
        self._step(trial, shade)
        return True

    def _allowed(self) -> bool:
        now = self._clock.now()
        more = (now - self._counted_at) * self._per_second
        self._allowance = min(float(self._per_second), self._allowance + more)
        self._counted_at = now
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    def _step(self, trial: _Trial, shade: Decider) -> None:
        """Look up the name that is to be asked for, or end without."""
        case = trial.case
        made = shade.at_once(case)
        if made is not None:
            self._ended(trial, shade, made, Books())
            return
        question, selection = case.link, case.selection
        if self._live is not None:
            selection = self._live.beside(question, selection)
        trial.question, trial.selection = question, selection

        def done(result: Result, books: Books) -> None:
            self._ended(trial, shade, result, books)

        lookup = self._driver.lookup(question, done, Purpose.SHADOW, selection=selection)
        if trial.question is question and lookup is not None and not lookup.over:
            trial.lookup = lookup

    def _ended(self, trial: _Trial, shade: Decider, result: Result, books: Books) -> None:
        """A stage has ended: on along the aliases, or to the count."""
        trial.lookup = None
        case = trial.case
        if trial.left:
            spent = case.total(books)
            if spent.exchanges:
                self._internal(trial.key.question, Purpose.SHADOW, result, spent)
            return
        shown = result.shown
        if result.onward is None:
            shown = shade.judge(case, shown, self._clock.now())
        if shown.onward is None:
            self._end(trial, shade, shown, case.total(books))
        elif shade.go_on(case, shown, books):
            self._step(trial, shade)
        else:
            loop = servfail(Ede.OTHER, "chain of aliases is too long or a loop")
            shown = shade.judge(case, loop, self._clock.now())
            self._end(trial, shade, shown if shown.onward is None else loop, case.books)

    def _end(self, trial: _Trial, shade: Decider, result: Result, books: Books) -> None:
        del self._under_way[trial.key]
        would = shade.ruling(trial.case, result)
        ruling = shade.decided(trial.ruling, would)
        self._tally.trials["decided"] += 1
        if ruling.tag:
            self._tally.tagged(ruling.tag, trial.clients)
        self._keep(trial.key, trial.result, ruling)
        self._internal(trial.key.question, Purpose.SHADOW, result, books)
