"""Puts a policy in force, whole: the core, plans, what is served, and lookups under way.

All of it is one step between two turns of the driver, so nobody sees half of a policy. The order
matters to native's threads, which do not wait: plans of the old policy end before answers of the
new one can be stored, and nothing is served from the answer cache while the generation of its
answers and that of the clients' views differ (``docs/decisions/``, 0022).
"""

from typing import final

from policy.border import Policy
from policy.decision import PLAIN, Selection
from resolver.carry import NativePlans
from resolver.core import Core, CoreSettings
from resolver.decide import Decider, decider_of
from resolver.lookups import Done, Lookup
from resolver.model import Books, Purpose, Question, Result
from resolver.plan import Planner
from resolver.resolve import Driver
from resolver.serve import Service
from resolver.tags import Tags


@final
class InForce:
    """What decides now. ``tags`` are those of the process, whatever policy is in force."""

    def __init__(self, core: Core, policy: Policy) -> None:
        self._core = core
        self.tags = Tags()
        self.decider = self._follow(policy)
        """Who asks the rules; ``None`` without any."""

    def _follow(self, policy: Policy) -> Decider | None:
        """The core follows this policy from now on."""
        self._core.policy = policy
        decider = self._core.decider = decider_of(self._core, policy, self.tags)
        return decider

    def plan_with(self, plans: NativePlans, policy: Policy) -> None:
        """Plans are made from now on, and published here."""
        plans.set_policy(policy, self.decider.concern if self.decider is not None else None)
        self._core.planner = Planner(plans)

    def swap(
        self, policy: Policy, settings: CoreSettings, plans: NativePlans | None, service: Service
    ) -> None:
        """Another policy, and settings."""
        self._core.settings = settings
        decider = self.decider = self._follow(policy)
        self._core.planner.restart()
        if plans is not None:
            plans.set_policy(policy, decider.concern if decider is not None else None)
        service.set_policy(policy, decider)


@final
class OwnWork:
    """Lookups of our own, such as those of the watch: they may ask no more than clients may, and
    end when another policy wants them done otherwise."""

    def __init__(self, core: Core, driver: Driver) -> None:
        self._core = core
        self._driver = driver
        self._under_way: dict[Lookup, tuple[Question, Selection]] = {}

    def lookup(self, question: Question, done: Done, purpose: Purpose) -> None:
        """Begin one (see :meth:`resolver.resolve.Driver.lookup`)."""
        selection = self._selection(question)
        begun: list[Lookup | None] = []

        def ended(result: Result, books: Books) -> None:
            if begun and begun[0] is not None:
                self._under_way.pop(begun[0], None)
            done(result, books)

        lookup = self._driver.lookup(question, ended, purpose, selection=selection)
        begun.append(lookup)
        if lookup is not None and not lookup.over:
            self._under_way[lookup] = question, selection

    def follow(self) -> None:
        """Another policy is in force."""
        for lookup, (question, selection) in list(self._under_way.items()):
            if self._selection(question) != selection:
                self._driver.leave(lookup, question, selection)

    def _selection(self, question: Question) -> Selection:
        decider = self._core.decider
        return PLAIN if decider is None else decider.beside(question, PLAIN)
