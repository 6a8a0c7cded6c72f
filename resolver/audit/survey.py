"""Finds out what names depend on: from the root down, every cut, every name server, both NS sets.

Pure, and driven like a scheduler: :meth:`Survey.advance` says what to send, outcomes are handed to
:meth:`Survey.deliver`. It works by rules over growing facts, so that circles of name servers
without glue end when nothing moves any more, as the least fixed point does.

For each cut one asks the servers above for NS (what the parent says, RFC 1034 section 4.2.1), and
each server at home of the zone for its own NS set, which also shows whether it serves. Servers of
a later tier are asked only when none of the earlier serves, so an audit keeps to the border as
lookups do. Each question shows a zone one label more than it knows (RFC 9156).

Limitations: where every server of a zone serves the zone below as well, what the parent's zone
says is hidden behind it and the child's set stands for it.
"""

from collections.abc import Iterable
from typing import final

from resolver import local
from resolver.audit.bounds import AUDIT_DEPTH_MAX, AUDIT_IN_FLIGHT
from resolver.audit.closure import Closure, Path, Server, Site, Standing, Zone
from resolver.audit.cuts import CutSearch, Hear, first_target, serves_already
from resolver.audit.facts import TIERS, Cut, Then, Walk, ZoneFacts
from resolver.audit.post import Post
from resolver.core import Core
from resolver.delegation import glue_for, targets
from resolver.limits_servers import ADDRESSES_PER_ZONE, SERVER_NAMES_MAX
from resolver.model import Address, Ask, Message, Outcome, Purpose, Question, RRset, Type, Verdict
from resolver.names import ROOT, Name, is_subdomain, label_count, suffix
from resolver.response import (
    Broken,
    Lame,
    Meaning,
    Negative,
    Positive,
    Referral,
    TooLong,
)


@final
class Survey:
    """One audit of any number of names. Not for use by several threads at once."""

    def __init__(self, core: Core, in_flight_max: int = AUDIT_IN_FLIGHT) -> None:
        self._core = core
        self.post = Post(core, in_flight_max)
        self._zones: dict[Name, ZoneFacts] = {}
        self._cuts: dict[Name, Cut] = {}
        self._cut_waiting: dict[Name, list[Then]] = {}
        self._walks: dict[tuple[Name, int], Walk] = {}
        self._users: dict[Name, list[ZoneFacts]] = {}
        self._names: dict[Name, Walk] = {}
        self._types = [
            t for t, on in ((Type.A, core.settings.ipv4), (Type.AAAA, core.settings.ipv6)) if on
        ]
        hints = core.settings.hints
        self.learn(ROOT, ROOT, tuple(n for n, _ in hints), dict(hints), 0)

    # --- the outside --------------------------------------------------------------------------

    def add(self, name: Name, done: Then = lambda: None) -> None:
        """Audit a name; ``done`` is called once, when its way is known as far as it can be."""
        self._names[name] = self._walk(name, self._types[0], 0, done)

    def advance(self) -> list[tuple[int, Ask]]:
        """What to send now. Nothing, and nothing under way: the survey is over."""
        while self.post.idle and self._unstick():
            pass
        return self.post.advance()

    def deliver(self, ticket: int, outcome: Outcome) -> None:
        """The end of one exchange."""
        self.post.deliver(ticket, outcome)

    @property
    def over(self) -> bool:
        """Whether nothing more can be found out (ask after :meth:`advance`)."""
        return self.post.idle

    def paths(self) -> dict[Name, Path]:
        """The audited names, once the survey is over."""
        return {name: walk.path for name, walk in self._names.items() if walk.path is not None}

    def closure(self) -> Closure:
        """What was found, once the survey is over."""
        zones = {apex: self._zone(facts) for apex, facts in self._zones.items()}
        hosts: dict[Name, Path] = {}
        for (name, _), walk in self._walks.items():
            if name in self._users and walk.path is not None:
                old = hosts.get(name)
                if old is None or (old.stuck is not None and walk.path.stuck is None):
                    hosts[name] = walk.path
        return Closure(zones, hosts)

    def _zone(self, facts: ZoneFacts) -> Zone:
        servers = []
        for name in facts.names():
            inside = facts.hidden and is_subdomain(name, facts.apex)
            glued = name in facts.by_parent and (inside or bool(facts.glue.get(name)))
            sites = tuple(
                Site(a, *self._place(a), facts.standing.get(a, Standing.NOT_ASKED))
                for a in self._addresses(facts, name)
            )
            servers.append(Server(name, sites, glued, name in facts.by_parent, name in facts.child))
        return Zone(facts.apex, facts.parent, tuple(servers))

    # --- zones and their servers --------------------------------------------------------------

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
        names = names[:SERVER_NAMES_MAX]
        facts = self._zones[apex] = ZoneFacts(apex, parent, names, glue, depth)
        if served_by is not None:
            facts.verdicts[served_by] = self._place(served_by)[0]
            serves_already(facts, served_by)
            facts.child = dict.fromkeys(names)
        for name in names:
            self._use(facts, name, glue.get(name, ()))
        return facts

    def _use(self, facts: ZoneFacts, name: Name, found: Iterable[Address]) -> None:
        """Take up a name server of a zone: its addresses, looked up if none came with it."""
        found = tuple(found)
        if found:
            self._ask_at(facts, found)
            return
        if facts.depth >= AUDIT_DEPTH_MAX:
            return
        self._users.setdefault(name, []).append(facts)
        for rtype in self._types:
            facts.looking += 1
            self._walk(name, rtype, facts.depth + 1, lambda: self._looked_up(facts, name))

    def _looked_up(self, facts: ZoneFacts, name: Name) -> None:
        facts.looking -= 1
        self._ask_at(facts, self._addresses(facts, name))
        self._settle(facts)

    def _addresses(self, facts: ZoneFacts, name: Name) -> tuple[Address, ...]:
        known = facts.glue.get(name) if name in facts.by_parent else None
        known = known or facts.own.get(name)
        if known:
            return known
        walks = (self._walks.get((name, rtype)) for rtype in self._types)
        return tuple(a for walk in walks if walk is not None for a in walk.addresses)

    def _place(self, address: Address) -> tuple[Verdict, str]:
        """Verdict and country of an address."""
        label = self._core.policy.label(address, Purpose.VERIFICATION, False)
        return label.verdict, label.country

    def _ask_at(self, facts: ZoneFacts, addresses: Iterable[Address]) -> None:
        """Note addresses of a zone; those at home are asked at once."""
        for address in addresses:
            if address in facts.standing or len(facts.standing) >= ADDRESSES_PER_ZONE:
                continue
            facts.standing[address] = Standing.NOT_ASKED
            facts.verdicts[address] = self._place(address)[0]
            if TIERS[facts.verdicts[address]] == 0 and self._core.usable((address,)):
                self._check(facts, address)

    def _check(self, facts: ZoneFacts, address: Address) -> None:
        facts.asking += 1

        def hear(meaning: Meaning | None, message: Message) -> None:
            facts.asking -= 1
            facts.standing[address] = _standing(facts.apex, meaning)
            if facts.standing[address] is Standing.SERVES:
                if isinstance(meaning, Positive):
                    self._own_set(facts, meaning.records[0], message)
                waiting, facts.waiting = facts.waiting, []
                for then, _ in waiting:
                    then()
            self._settle(facts)

        question = Question(facts.apex, Type.NS)
        self.post.send(facts.apex, address, question, facts.domestic_known, hear)

    def _own_set(self, facts: ZoneFacts, ns: RRset, message: Message) -> None:
        names = targets(ns)[:SERVER_NAMES_MAX]
        found = glue_for(names, message, facts.apex)
        for name in names:
            if name not in facts.child:
                facts.child[name] = None
                if name not in facts.by_parent:
                    if found.get(name):
                        facts.own[name] = found[name]
                    self._use(facts, name, found.get(name, ()))

    def _when_served(self, facts: ZoneFacts, then: Then, fail: Then) -> None:
        """Do something once a server of the zone is known to answer, or when none does."""
        if facts.serving():
            then()
            return
        facts.waiting.append((then, fail))
        self._settle(facts)

    def _settle(self, facts: ZoneFacts) -> None:
        """When all that was asked of a zone is heard: the next tier, or the end."""
        if facts.asking or facts.looking or not facts.waiting or facts.serving():
            return
        if not self._escalate(facts):
            self._give_up(facts)

    def _escalate(self, facts: ZoneFacts) -> bool:
        """Ask the addresses of the next tier; false when there is none."""
        left = [
            a
            for a, s in facts.standing.items()
            if s is Standing.NOT_ASKED and self._core.usable((a,))
        ]
        if not left:
            return False
        tier = min(TIERS[facts.verdicts[a]] for a in left)
        for address in left:
            if TIERS[facts.verdicts[address]] == tier:
                self._check(facts, address)
        return True

    def _give_up(self, facts: ZoneFacts) -> None:
        facts.over = True
        waiting, facts.waiting = facts.waiting, []
        for _, fail in waiting:
            fail()

    def _unstick(self) -> bool:
        """Nothing moves: ask later tiers although names of servers are still looked for, else
        end what waits, for it waits in a circle. False when nothing waits."""
        stuck = [facts for facts in self._zones.values() if facts.waiting]
        escalated = [self._escalate(facts) for facts in stuck]  # all, not up to the first
        if any(escalated):
            return True
        for facts in stuck:
            self._give_up(facts)
        loops = [walk for walk in self._walks.values() if walk.path is None]
        for walk in loops if not stuck else ():
            if walk.path is None:
                self._end(walk, Path(walk.name, (walk.at,), outcome="loop"))
        return bool(stuck or loops)

    # --- walks down to a name -----------------------------------------------------------------

    def _walk(self, name: Name, rtype: int, depth: int, done: Then) -> Walk:
        """The walk to a name, begun or joined."""
        walk = self._walks.get((name, rtype))
        if walk is not None:
            if walk.path is not None:
                done()
            else:
                walk.done.append(done)
            return walk
        walk = self._walks[name, rtype] = Walk(name, rtype, depth, done=[done])
        if local.zone_of(name, self._core.settings.local_zones) is not None:
            self._end(walk, Path(name, (), outcome="local"))
        elif depth >= AUDIT_DEPTH_MAX:
            self._end(walk, Path(name, (), outcome="loop"))
        else:
            self._step(walk)
        return walk

    def _step(self, walk: Walk) -> None:
        """Go down as far as is known, then ask."""
        while walk.reached != walk.name:
            below = suffix(walk.name, label_count(walk.reached) + 1)
            match self._cuts.get(below):
                case Cut.ZONE:
                    walk.at = walk.reached = below
                case Cut.NONE:
                    walk.reached = below
                case Cut.END | Cut.DENIED | Cut.UNTOLD as end:
                    walk.end = end
                    break
                case _:
                    self._ask_cut(walk, below)
                    return
        self.ask_of(
            self._zones[walk.at],
            Question(walk.shown, walk.rtype),
            lambda meaning, message, _: self._ended(walk, meaning, message),
            lambda: self._stuck(walk),
            home_only=self._core.settings.strict_abroad and walk.is_far,
        )

    def _ask_cut(self, walk: Walk, below: Name) -> None:
        """Find out whether a name is delegated, once for all walks that come by."""
        waiting = self._cut_waiting.setdefault(below, [])
        waiting.append(lambda: self._step(walk))
        if below in self._cuts:
            return
        self._cuts[below] = Cut.ASKING
        facts = self._zones[walk.at]

        def answered(cut: Cut) -> None:
            self._cuts[below] = cut
            for then in self._cut_waiting.pop(below):
                then()

        def fail() -> None:
            # Servers that fail at NS may still answer the question itself; if none does, that ends.
            answered(Cut.UNTOLD)

        CutSearch(self, facts, below, walk.depth, answered, fail).begin()

    def ask_of(
        self,
        facts: ZoneFacts,
        question: Question,
        hear: Hear,
        fail: Then,
        skip: tuple[Address, ...] = (),
        home_only: bool = False,
    ) -> None:
        """Ask the servers that serve a zone, domestic ones first, until one can answer."""

        def go() -> None:
            left = [a for a in facts.serving(home_only) if a not in skip]
            if not left:
                fail()
                return
            address = left[0]

            def heard(meaning: Meaning | None, message: Message) -> None:
                if meaning is None or isinstance(meaning, Lame | Broken):
                    self.ask_of(facts, question, hear, fail, (*skip, address), home_only)
                else:
                    hear(meaning, message, address)

            self.post.send(facts.apex, address, question, facts.domestic_known, heard)

        self._when_served(facts, go, fail)

    def _ended(self, walk: Walk, meaning: Meaning, message: Message) -> None:
        """The zone's word on the name itself."""
        if isinstance(meaning, Referral):
            if meaning.ns.name not in self._zones:
                glue = glue_for(targets(meaning.ns), message, walk.at)
                self.learn(meaning.ns.name, walk.at, targets(meaning.ns), glue, walk.depth)
            self._cuts[meaning.ns.name] = Cut.ZONE
            walk.at = walk.reached = meaning.ns.name
            self._step(walk)
            return
        chain = getattr(meaning, "chain", ())
        target = first_target(chain, walk.name)
        if target is not None:
            walk.alias = target
            if target == walk.name:
                self._end(walk, Path(walk.name, (walk.at,), outcome="loop"))
                return
            onward = self._walk(target, walk.rtype, walk.depth + 1, lambda: self._follow(walk))
            assert onward.name == target
            return
        if isinstance(meaning, Positive):
            found = tuple(Address(r) for rrset in meaning.records for r in rrset.rdatas)
            walk.addresses = self._core.usable(found)
        nxdomain = isinstance(meaning, Negative) and meaning.nxdomain
        word = "answer" if isinstance(meaning, Positive) else "nodata"
        word = "too long" if isinstance(meaning, TooLong) else "nxdomain" if nxdomain else word
        self._end(walk, Path(walk.name, (walk.at,), outcome=word))

    def _follow(self, walk: Walk) -> None:
        """The walk to the target of an alias has ended."""
        assert walk.alias is not None
        onward = self._walks[walk.alias, walk.rtype].path
        if walk.path is None and onward is not None:
            zones = tuple(dict.fromkeys((walk.at, *onward.zones)))
            aliases = (walk.alias, *onward.aliases)
            self._end(walk, Path(walk.name, zones, aliases, onward.outcome, onward.stuck))

    def _stuck(self, walk: Walk) -> None:
        denied = walk.end is Cut.DENIED and walk.is_far
        outcome, stuck = ("nxdomain", None) if denied else ("unreachable", walk.at)
        self._end(walk, Path(walk.name, (walk.at,), outcome=outcome, stuck=stuck))

    def _end(self, walk: Walk, path: Path) -> None:
        walk.path = path
        done, walk.done = walk.done, []
        for then in done:
            then()


def _standing(apex: Name, meaning: Meaning | None) -> Standing:
    """What a reply to the question for the NS of ``apex`` shows."""
    match meaning:
        case None:
            return Standing.SILENT
        case Positive((), _):
            return Standing.SERVES
        case Negative((), _, False, soa, _) if soa is not None and soa.name == apex:
            return Standing.SERVES
        case _:
            return Standing.LAME
