"""Plans: what a lookup below a zone cut would do first, written down for native to repeat.

A plan holds for one cut, for a few seconds: the live servers of the first tier, with what an
exchange with each is counted under and how long its reply is waited for. It exists only while a
lookup that begins now would send one question over UDP to one of them and to nobody else; in any
other state of the cut there is none, and Python does the work. Every other known cut is a barrier,
so that no plan of a zone further up speaks for it.

RFC 9156 (with minimisation, and wherever servers abroad are asked under ``border.privacy``, a plan
speaks for names at most one label below its zone).

A plan of a zone that must be validated carries its proven keys, and ends with the first of them.

Limitations: a plan is made only where policy treats all views alike.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

from policy.decision import PLAIN
from resolver import limits, limits_servers, local
from resolver.board import NoPlans, Plans
from resolver.contest import Candidate, Contest, on_the_way
from resolver.delegation import Delegation
from resolver.model import (
    Address,
    Ask,
    Label,
    Outcome,
    Purpose,
    Question,
    Transport,
    Type,
    Verdict,
)
from resolver.names import ROOT, Name, ancestors, is_subdomain, label_count
from resolver.proven import Proven, first_end, usable
from resolver.wishes import Tried

if TYPE_CHECKING:
    from resolver.core import Core


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a plan: whom to ask, how, and what the exchange is counted under."""

    address: Address
    name: Name
    tier: int
    label: Label
    wait: float  # seconds until the exchange is given back
    edns: bool
    score: float  # order among the servers, least first
    nsid: bool = False  # ask for its identity
    is_usual: bool = True  # the wait; not when it is short because another can be asked


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision about a cut. ``number`` tells it from all others of this process."""

    number: int
    zone: Name
    any_depth: bool
    randomise_case: bool
    names: tuple[Name, ...]  # name servers of the cut
    own_set: tuple[Name, ...]  # the zone's own NS set as far as seen; another one is Python's
    servers: tuple[Server, ...]
    made: float
    expires: float
    until: float  # end of the cut itself: it stays a barrier when the plan has ended
    tag: int = 0  # what policy has to do with its lookups (:mod:`resolver.tags`)
    above: tuple[Name, ...] | None = None  # name servers of cuts above, where policy asks for them
    tier: tuple[Address, ...] = ()  # with those that were passed over lately
    proven: Proven = None  # answers are verified by these keys

    def tried(self, server: int, question: Question) -> Tried:
        """An exchange under this plan as the books keep it."""
        chosen = self.servers[server]
        ask = Ask(
            chosen.address,
            question,
            chosen.label,
            limits_servers.EXCHANGE_SECONDS,
            Transport.UDP,
            chosen.edns,
            self.randomise_case,
            chosen.nsid,
            needed=label_count(self.zone) + 1,
        )
        return Tried(ask, self.zone, chosen.name, chosen.tier)


@dataclass(frozen=True, slots=True)
class Punt:
    """An exchange under a plan that was not plain: a lookup begins with it instead of sending.

    ``outcome`` is ``None`` when the wait (``is_usual``) is over without a reply."""

    question: Question
    tried: Tried
    outcome: Outcome | None
    sent: float
    is_usual: bool = True


@final
class Planner:
    """Makes, renews and withdraws plans. Those that were replaced are known for a while longer,
    since exchanges under them may still end."""

    def __init__(self, port: Plans) -> None:
        self.port = port
        self.on = not isinstance(port, NoPlans)
        self._number = 0
        self._plans: OrderedDict[int, Plan] = OrderedDict()
        self._current: dict[Name, Plan] = {}
        self._asked: OrderedDict[Name, None] = OrderedDict()  # zones with one answer so far
        self._by_server: dict[Address, set[Name]] = {}
        self._by_name: dict[Name, set[Name]] = {}
        self._below: dict[Name, set[Name]] = {}  # zones whose plan depends on cuts above it
        self._doubtful: set[Name] = set()  # zones whose plan is to be made anew this turn

    def __len__(self) -> int:
        """Plans that are remembered."""
        return len(self._plans)

    def get(self, number: int) -> Plan | None:
        """A plan that was published not long ago."""
        return self._plans.get(number)

    def current(self, zone: Name) -> Plan | None:
        """The plan of a cut that was published last and not withdrawn."""
        return self._current.get(zone)

    def answered(self, core: "Core", cut: Delegation, now: float) -> None:
        """A server of this cut gave a whole answer: a second one makes a plan worth its while."""
        if not self.on or core.cuts.get(cut.zone, now) is not cut:
            return  # learnt anew or flushed since this lookup has begun
        plan = self._current.get(cut.zone)
        if plan is not None:
            if now < plan.made + limits.PLAN_RENEW_SECONDS:
                return
        elif cut.zone not in self._asked:
            self._asked[cut.zone] = None
            if len(self._asked) > limits.DELEGATIONS_MAX:
                self._asked.popitem(last=False)
            return
        self._publish(core, cut, now)

    def renew(self, core: "Core", plan: Plan, now: float) -> None:
        """A plan is in use: make it anew before it ends."""
        if self._current.get(plan.zone) is not plan:
            return
        if now >= plan.made + limits.PLAN_RENEW_SECONDS:
            cut = core.cuts.get(plan.zone, now)
            if cut is not None:
                self._publish(core, cut, now)

    def barred(self, cut: Delegation) -> None:
        """A cut was learnt (anew): what was planned for it is void."""
        if self.on:
            self._drop(cut.zone)
            self.port.bar(cut.zone, cut.expires)
            for zone in tuple(self._below.get(cut.zone, ())):
                self.changed(zone)

    def struck(self, core: "Core", zone: Name, address: Address) -> None:
        """A server failed in this zone. One that is held down is out of all plans."""
        if not self.on:
            return
        zones = {zone}
        if core.servers.get(address).held:
            zones |= self._by_server.get(address, set())
        for each in zones:
            self.changed(each)

    def asked_otherwise(self, address: Address) -> None:
        """A server is asked in another way from now on, in whatever zone."""
        for zone in tuple(self._by_server.get(address, ())):
            self.changed(zone)

    def changed(self, zone: Name) -> None:
        """Something else is known of a cut than when its plan was made."""
        if zone in self._current:
            self._doubtful.add(zone)

    def settle(self, core: "Core", now: float) -> None:
        """Make anew what is doubtful, at the end of each turn: a plan is replaced, not taken
        away, since a flood under its zone would be Python's meanwhile."""
        while self._doubtful:
            zone = self._doubtful.pop()
            plan = self._current.get(zone)
            if plan is None:
                continue
            cut = core.cuts.get(zone, now)
            if cut is not None:
                self._publish(core, cut, now)
            else:
                self._drop(zone)
                self.port.bar(zone, plan.until)

    def located(self, name: Name) -> None:
        """Addresses of a name were learnt, or are known no more: plans of the zones that it
        serves may be made otherwise now."""
        for zone in tuple(self._by_name.get(name, ())):
            self.changed(zone)

    def forget(self, name: Name, subtree: bool) -> None:
        """Cuts were flushed, or one was pushed out; and addresses of name servers with them."""
        if not self.on:
            return
        if subtree:
            for server in [n for n in self._by_name if is_subdomain(n, name)]:
                self.located(server)
            for zone in [z for z in self._current if is_subdomain(z, name)]:
                self._drop(zone)
        else:
            self.located(name)
            self._drop(name)
        self.port.forget(name, subtree)

    def restart(self) -> None:
        """Another policy or other settings: nothing that was planned holds."""
        self._current.clear()
        self._by_server.clear()
        self._by_name.clear()
        self._below.clear()
        self._doubtful.clear()

    def failed(self, question: Question, until: float, now: float) -> None:
        """A question failed (RFC 9520)."""
        if self.on:
            self.port.leave(question, until, now)

    def _publish(self, core: "Core", cut: Delegation, now: float) -> None:
        self._drop(cut.zone)
        self._number += 1
        plan = make(core, cut, self._number, now)
        if plan is None:
            self.port.bar(cut.zone, cut.expires)
            return
        while self._plans and (
            next(iter(self._plans.values())).expires + limits.LOOKUP_SECONDS < now
            or len(self._plans) >= limits.PLANS_MAX
        ):
            self._drop_if_current(self._plans.popitem(last=False)[1])
        self._plans[plan.number] = plan
        self._current[cut.zone] = plan
        for address in plan.tier:
            self._by_server.setdefault(address, set()).add(cut.zone)
        for zone in ancestors(plan.zone) if plan.above is not None else ():
            self._below.setdefault(zone, set()).add(plan.zone)
        for name in (*plan.names, *(plan.above or ())):
            self._by_name.setdefault(name, set()).add(cut.zone)
            for rtype in (Type.A, Type.AAAA):  # what they tell may move the cut to another tier
                self.port.leave(Question(name, rtype), plan.expires, now)
        self.port.publish(plan)

    def _drop_if_current(self, plan: Plan) -> None:
        if self._current.get(plan.zone) is plan:
            self._drop(plan.zone)

    def _drop(self, zone: Name) -> Plan | None:
        plan = self._current.pop(zone, None)
        if plan is not None:
            for address in plan.tier:
                _discard(self._by_server, address, zone)
            for name in (*plan.names, *(plan.above or ())):
                _discard(self._by_name, name, zone)
            for above in ancestors(zone) if plan.above is not None else ():
                _discard(self._below, above, zone)
        return plan


def _discard(index: dict[Any, set[Name]], key: Any, zone: Name) -> None:
    zones = index.get(key)
    if zones is not None:
        zones.discard(zone)
        if not zones:
            del index[key]


def make(core: "Core", cut: Delegation, number: int, now: float) -> Plan | None:
    """The plan for a cut as things stand; ``None`` when a lookup would begin in another way."""
    if cut.zone == ROOT or cut.expires <= now or core.mirrors.is_above(cut.zone):
        return None
    served = core.settings.local_zones
    if cut.zone in _above(served) or local.zone_of(cut.zone, served) is not None:
        return None
    selection, tag = PLAIN, 0
    above = None
    if core.decider is not None:
        names, addresses = on_the_way(core, cut, now)
        ruled = core.decider.planned(cut.zone, names, addresses)
        if ruled is None:
            return None
        selection, tag = ruled
        if core.decider.servers_matter:
            own = set(cut.names())
            above = tuple([name for name in names if name not in own])
    contest = Contest(core, cut, now, selection)
    due = contest.opening(now)
    if not due:
        return None
    servers = tuple([_server(core, contest, candidate, now) for candidate in due])
    tier = [c.address for c in contest.candidates.values() if c.tier == due[0].tier]
    keys = core.trust.keys(cut.zone, now)
    ends = min(now + limits.PLAN_SECONDS, contest.known_until(now))
    if keys is not None:
        if not usable(keys) or not all(server.edns for server in servers):
            return None  # whatever came would be Python's
        ends = min(ends, first_end(keys))
    return Plan(
        number,
        cut.zone,
        not core.settings.qname_minimisation and _is_for_any_depth(core, servers),
        core.settings.randomise_case,
        cut.names(),
        cut.child,
        servers,
        now,
        ends,
        cut.expires,
        tag,
        above,
        tuple(tier),
        keys,
    )


def _is_for_any_depth(core: "Core", servers: tuple[Server, ...]) -> bool:
    """Whether names of any depth may be shown to these servers at once (``border.privacy``)."""
    if not core.settings.strict_abroad:
        return True
    return all(server.label.verdict is Verdict.DOMESTIC for server in servers)


def _server(core: "Core", contest: Contest, candidate: Candidate, now: float) -> Server:
    server = core.servers.get(candidate.address)
    wait = contest.wait(candidate, now)
    return Server(
        candidate.address,
        candidate.name,
        candidate.tier,
        contest.label(candidate.address, Purpose.ANSWER),
        min(wait, core.policy.patience),
        server.no_edns_until <= now,
        server.score(),
        core.proofs.wants_identity(candidate.address),
        wait >= server.wait(0),
    )


@lru_cache(maxsize=4)
def _above(served: frozenset[Name]) -> frozenset[Name]:
    """Zones that contain a locally served one: not all names below them are asked for."""
    return frozenset(name for zone in served for name in ancestors(zone))
