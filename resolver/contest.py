"""Whom to ask next: the servers of one zone in one lookup, by tier and speed.

A tier is exhausted when each of its servers has failed in this lookup or is held down, or when
patience has run out. Before a later tier is used, name servers without addresses are looked up,
so that a domestic server without glue is found. No server of a later tier is asked to find out
how it does.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, cast, final

from policy.decision import NEVER, PLAIN, Selection
from resolver import limits_servers
from resolver.delegation import Delegation
from resolver.model import Address, Label, Purpose, Standing, Type, Verdict
from resolver.names import ROOT, Name, ancestors
from resolver.selection import labelled, selected
from resolver.servers import Server

if TYPE_CHECKING:
    from resolver.core import Core


class Step(Enum):
    """What to do when there is nobody to ask right now."""

    WAIT = auto()  # asks are under way; wait for the next news
    RESOLVE = auto()  # look up addresses of the cut's names first
    PROBE = auto()  # only held-down servers are left: wait for their probes
    OVER = auto()  # nothing is left


@final
class Candidate:
    """One address of the zone in this lookup."""

    __slots__ = ("address", "claimed", "failed", "name", "server", "tier", "tries", "waiting")

    def __init__(
        self, address: Address, name: Name, tier: int, server: Server, claimed: bool = False
    ) -> None:
        self.address = address
        self.name = name
        self.tier = tier
        self.server = server
        self.claimed = claimed  # says that it is in home
        self.tries = 0
        self.waiting = 0  # asks sent and neither answered nor given up
        self.failed = False

    @property
    def spent(self) -> bool:
        """Whether no further try is due."""
        return self.failed or self.tries >= limits_servers.TRIES_PER_SERVER

    @property
    def held(self) -> bool:
        """Whether the server is held down."""
        return self.server.held


class Contest:
    """The state of one visit to one zone."""

    def __init__(
        self, core: "Core", cut: Delegation, now: float, selection: Selection = PLAIN
    ) -> None:
        self.core = core
        self.selection = selection
        self.cut = cut
        self.candidates: dict[Address, Candidate] = {}
        self.tier = 0
        self.began: dict[int, float] = {}  # when a tier was first looked at
        self.domestic_known = False
        self._resolved = False
        self._policy = core.policy
        self.gather(now)

    def gather(self, now: float) -> None:
        """Take in the addresses now known for the cut's names."""
        core, candidates = self.core, self.candidates
        lengths, is_plain = core.settings.address_lengths, self.selection is PLAIN
        for name, addresses in self._addresses(self.cut.names(), now):
            for address in addresses:
                if address in candidates or len(address) not in lengths:
                    continue
                standing = core.policy.standing(address)
                if not is_plain:
                    standing = selected(self.selection, standing, address)
                verdict, _, tier, never, claimed = standing
                if never:
                    continue
                if len(candidates) >= limits_servers.ADDRESSES_PER_ZONE:
                    return
                server = core.servers.get(address)
                server.age(now)
                candidate = Candidate(address, name, tier, server, claimed)
                candidate.failed = core.servers.is_lame(address, self.cut.zone, now)
                candidates[address] = candidate
                if verdict is Verdict.DOMESTIC:
                    self.domestic_known = True
                # Patience with a tier starts again for a server that was not known before.
                self.began.pop(tier, None)

    def _standing(self, address: Address) -> Standing:
        standing = self.core.policy.standing(address)
        if self.selection is PLAIN:
            return standing
        return selected(self.selection, standing, address)

    def label(self, address: Address, purpose: Purpose) -> Label:
        """What an exchange with a server is counted under."""
        label = self.core.policy.label(address, purpose, self.domestic_known)
        return label if self.selection is PLAIN else labelled(self.selection, label)

    def _weigh_again(self) -> None:
        """The policy was replaced: what is asked from here on follows the new one."""
        self._policy = self.core.policy
        allowed = self.core.usable(self.candidates)
        self.domestic_known = False
        for address, candidate in self.candidates.items():
            verdict, _, candidate.tier, never, candidate.claimed = self._standing(address)
            candidate.failed |= never or address not in allowed
            if verdict is Verdict.DOMESTIC:
                self.domestic_known = True

    def _addresses(
        self, names: tuple[Name, ...], now: float
    ) -> list[tuple[Name, Sequence[Address]]]:
        """The addresses of each name: those of the cut, then those among the records."""
        own = self.cut.addresses
        cached = cast("Sequence[Sequence[Address]]", self.core.records.addresses(names, now))
        known: list[tuple[Name, Sequence[Address]]] = []
        for at, name in enumerate(names):
            found = cached[at]
            if name in own:
                found = own[name] + tuple(found) if found else own[name]
            known.append((name, found))
        return known

    def unresolved(self, now: float) -> tuple[Name, ...]:
        """Names of the cut with no address known and none looked up lately."""
        names = tuple([n for n in self.cut.names() if not self.cut.is_resolved(n, now)])
        missing = [name for name, addresses in self._addresses(names, now) if not addresses]
        return tuple(missing[: limits_servers.GLUELESS_PER_STEP])

    def known_until(self, now: float) -> float:
        """When what these candidates were gathered from ends, at the earliest: records with
        addresses that the cut does not hold itself, the memory that a name has none."""
        ends = [self.cut.expires]
        passed_over = [c.server.passed_over_until for c in self.candidates.values()]
        ends += [until for until in passed_over if until > now]
        for name in self.cut.names():
            own = self.cut.addresses.get(name, ())
            if not own and self.cut.is_resolved(name, now):
                ends.append(self.cut.resolved[name])
            for rtype in (Type.A, Type.AAAA):
                cached = self.core.records.get(name, rtype, now)
                records = None if cached is None else cached.rrset
                if records is not None and not set(records.rdatas) <= set(map(bytes, own)):
                    ends.append(now + records.ttl)
        return min(ends)

    def opening(self, now: float) -> list[Candidate]:
        """Whom a lookup that begins now would choose from; none when it would do something else
        first, or when one of the first tier is held down or lame."""
        first = min((c.tier for c in self.candidates.values()), default=0)
        live = self._of_tier(first)
        if any(c.failed or c.held for c in live) or (first > 0 and self.unresolved(now)):
            return []
        return _first_asked(live, now)

    def wait(self, chosen: Candidate, now: float) -> float:
        """Seconds to wait for a reply to the next try. While nothing is known of how fast a server
        at home is, another one there is asked soon: the first may be slow, and nobody is asked
        abroad to find out."""
        server = chosen.server
        if chosen.tier > 0 or chosen.tries > 0 or server.srtt is not None:
            return server.wait(chosen.tries)
        others = [
            c
            for c in self._of_tier(0)
            if c is not chosen and c.tries == 0 and not (c.failed or c.held)
        ]
        soon = [c for c in others if c.server.passed_over_until <= now]
        return limits_servers.WAIT_HOME if soon else server.wait(0)

    def next(self, now: float) -> Candidate | Step:
        """The server to ask now, or what to do instead."""
        if self._policy is not self.core.policy:
            self._weigh_again()
        for tier in sorted({c.tier for c in self.candidates.values()}):
            if tier > 0 and self._has_grown(now):
                return self.next(now)
            if tier > 0 and not self._resolved and self.unresolved(now):
                return Step.RESOLVE
            self.tier = tier
            self.began.setdefault(tier, now)
            if now >= self.patience_ends():
                continue
            live = [c for c in self._of_tier(tier) if not c.failed and not c.server.held]
            if due := [c for c in live if not c.spent]:
                return self._pick(due, now)
            if any(c.waiting for c in live):
                return Step.WAIT
        return self._last(now)

    def _last(self, now: float) -> Candidate | Step:
        """Every tier is exhausted: what is left, with patience binding no more."""
        if self._has_grown(now):
            return self.next(now)
        if not self._resolved and self.unresolved(now):
            return Step.RESOLVE
        left = [c for c in self.candidates.values() if not c.spent and not c.held]
        if left:
            first = min(c.tier for c in left)
            return self._pick([c for c in left if c.tier == first], now)
        if any(c.waiting and not c.failed for c in self.candidates.values()):
            return Step.WAIT
        if self.held_all():
            return Step.PROBE
        return Step.OVER

    def _has_grown(self, now: float) -> bool:
        """Whether addresses have become known meanwhile, by the work of other lookups."""
        before = len(self.candidates)
        self.gather(now)
        return len(self.candidates) > before

    def resolved(self, now: float, every: bool) -> None:
        """The names have been looked up, every one or those that came first: take in what was
        found."""
        self._resolved = every
        self.gather(now)

    def patience_ends(self) -> float:
        """When the current tier is given up for a later one."""
        return self.began[self.tier] + self.core.policy.patience

    def wake_at(self, wait: float, now: float) -> float:
        """When to stop waiting for news: after ``wait``, or when patience with this tier ends."""
        ends = self.patience_ends() if self.tier in self.began else now
        return min(now + wait, ends) if now < ends else now + wait

    def held(self) -> list[Candidate]:
        """Held-down servers whose probe this lookup has cause to want: those of earlier tiers
        than the last one looked at, and domestic ones always."""
        return [c for c in self.held_all() if c.tier == 0 or c.tier < self.tier]

    def held_all(self) -> list[Candidate]:
        """Held-down servers of every tier: for when nothing else is left."""
        return [c for c in self.candidates.values() if c.server.held and not c.failed]

    def is_needless(self, chosen: Candidate, now: float) -> bool:
        """The resolver's own check, made apart from the choice: an earlier tier has a server that
        has not failed and still has tries or a reply due, and patience with it has not run out."""
        for other in self.candidates.values():
            if other.tier >= chosen.tier or other.failed or other.held:
                continue
            patience_left = now < self.began.get(other.tier, now) + self.core.policy.patience
            if patience_left and (other.waiting or not other.spent):
                return True
        return False

    def _of_tier(self, tier: int) -> list[Candidate]:
        return [c for c in self.candidates.values() if c.tier == tier]

    def _pick(self, due: list[Candidate], now: float) -> Candidate:
        fewest = min([c.tries for c in due])
        fresh = _first_asked([c for c in due if c.tries == fewest], now)
        if len(fresh) == 1:
            return fresh[0]
        scores = [c.server.score() for c in fresh]
        farthest = min(scores) + limits_servers.FARTHER_SECONDS
        near = [(c, score) for c, score in zip(fresh, scores, strict=True) if score <= farthest]
        if len(near) == 1:
            return near[0][0]
        random = self.core.chance.random
        if random() * limits_servers.EXPLORE_ONE_IN < 1:
            return near[int(random() * len(near))][0]
        best, least = near[0][0], NEVER
        for candidate, score in near:
            jittered = score * (0.85 + 0.3 * random())
            if jittered < least:
                best, least = candidate, jittered
        return best


def _first_asked(candidates: list[Candidate], now: float) -> list[Candidate]:
    """Of one tier, those that say they are in home, if there are such; and of these, those that
    were not passed over lately."""
    first = [c for c in candidates if c.claimed] or candidates
    return [c for c in first if c.server.passed_over_until <= now] or first


def on_the_way(core: "Core", cut: Delegation, now: float) -> tuple[list[Name], list[Address]]:
    """Names and addresses of the name servers of a cut and of those known above it, the root's
    apart: what rules may match on for a name below."""
    names: dict[Name, None] = {}
    addresses: dict[Address, None] = {}
    for zone in ancestors(cut.zone):
        above = cut if zone == cut.zone else core.cuts.get(zone, now)
        if zone == ROOT or above is None:
            continue
        for name, found in zip(
            above.names(), core.records.addresses(above.names(), now), strict=True
        ):
            names[name] = None
            for address in (*above.addresses.get(name, ()), *found):
                addresses[Address(address)] = None
    return list(names), list(addresses)
