"""Whom to ask next: the servers of one zone in one lookup, by tier and speed.

A tier is exhausted when each of its servers has failed in this lookup or is held down, or when
patience has run out. Before a later tier is used, name servers without addresses are looked up,
so that a domestic server without glue is found. No server of a later tier is asked to find out
how it does.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from resolver import limits
from resolver.delegation import Delegation
from resolver.model import Address, Type, Verdict
from resolver.names import Name

if TYPE_CHECKING:
    from resolver.core import Core


class Step(Enum):
    """What to do when there is nobody to ask right now."""

    WAIT = auto()  # asks are under way; wait for the next news
    RESOLVE = auto()  # look up addresses of the cut's names first
    PROBE = auto()  # only held-down servers are left: wait for their probes
    OVER = auto()  # nothing is left


@dataclass(slots=True)
class Candidate:
    """One address of the zone in this lookup."""

    address: Address
    name: Name
    tier: int
    tries: int = 0
    waiting: int = 0  # asks sent and neither answered nor given up
    failed: bool = False

    @property
    def spent(self) -> bool:
        """Whether no further try is due."""
        return self.failed or self.tries >= limits.TRIES_PER_SERVER


class Contest:
    """The state of one visit to one zone."""

    def __init__(self, core: "Core", cut: Delegation, now: float) -> None:
        self.core = core
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
        for name in self.cut.names():
            for address in self.core.usable(self._addresses(name, now)):
                if address in self.candidates:
                    continue
                if len(self.candidates) >= limits.ADDRESSES_PER_ZONE:
                    return
                candidate = Candidate(address, name, self.core.policy.tier(address))
                candidate.failed = self.core.servers.is_lame(address, self.cut.zone, now)
                self.candidates[address] = candidate
                if self.core.policy.verdict(address) is Verdict.DOMESTIC:
                    self.domestic_known = True
                # Patience with a tier starts again for a server that was not known before.
                self.began.pop(candidate.tier, None)

    def _weigh_again(self) -> None:
        """The policy was replaced: what is asked from here on follows the new one."""
        self._policy = self.core.policy
        allowed = self.core.usable(self.candidates)
        self.domestic_known = False
        for address, candidate in self.candidates.items():
            candidate.tier = self._policy.tier(address)
            candidate.failed |= address not in allowed
            if self._policy.verdict(address) is Verdict.DOMESTIC:
                self.domestic_known = True

    def _addresses(self, name: Name, now: float) -> tuple[Address, ...]:
        found = list(self.cut.addresses.get(name, ()))
        for rtype in (Type.A, Type.AAAA):
            cached = self.core.records.get(name, rtype, now)
            if cached is not None and cached.rrset is not None:
                found += [Address(r) for r in cached.rrset.rdatas if r not in found]
        return tuple(found)

    def unresolved(self, now: float) -> tuple[Name, ...]:
        """Names of the cut with no address known and none looked up lately."""
        return tuple(
            name
            for name in self.cut.names()
            if not self.cut.is_resolved(name, now) and not self._addresses(name, now)
        )[: limits.GLUELESS_PER_STEP]

    def opening(self, now: float) -> list[Candidate]:
        """Whom a lookup that begins now would choose from; none when it would do something else
        first, or when one of the first tier is held down or lame."""
        first = min((c.tier for c in self.candidates.values()), default=0)
        live = self._of_tier(first)
        if any(c.failed or self._held(c) for c in live) or (first > 0 and self.unresolved(now)):
            return []
        return live

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
            live = [c for c in self._of_tier(tier) if not c.failed and not self._held(c)]
            if due := [c for c in live if not c.spent]:
                return self._pick(due)
            if any(c.waiting for c in live):
                return Step.WAIT
        return self._last(now)

    def _last(self, now: float) -> Candidate | Step:
        """Every tier is exhausted: what is left, with patience binding no more."""
        if self._has_grown(now):
            return self.next(now)
        if not self._resolved and self.unresolved(now):
            return Step.RESOLVE
        left = [c for c in self.candidates.values() if not c.spent and not self._held(c)]
        if left:
            first = min(c.tier for c in left)
            return self._pick([c for c in left if c.tier == first])
        if any(c.waiting for c in self.candidates.values()):
            return Step.WAIT
        if self.held_all():
            return Step.PROBE
        return Step.OVER

    def _has_grown(self, now: float) -> bool:
        """Whether addresses have become known meanwhile, by the work of other lookups."""
        before = len(self.candidates)
        self.gather(now)
        return len(self.candidates) > before

    def resolved(self, now: float) -> None:
        """The names have been looked up: take in what was found."""
        self._resolved = True
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
        return [c for c in self.candidates.values() if not c.failed and self._held(c)]

    def is_needless(self, chosen: Candidate, now: float) -> bool:
        """The resolver's own check, made apart from the choice: an earlier tier has a server that
        has not failed and still has tries or a reply due, and patience with it has not run out."""
        for other in self.candidates.values():
            if other.tier >= chosen.tier or other.failed or self._held(other):
                continue
            patience_left = now < self.began.get(other.tier, now) + self.core.policy.patience
            if patience_left and (other.waiting or not other.spent):
                return True
        return False

    def _of_tier(self, tier: int) -> list[Candidate]:
        return [c for c in self.candidates.values() if c.tier == tier]

    def _held(self, candidate: Candidate) -> bool:
        return self.core.servers.get(candidate.address).held

    def _pick(self, due: list[Candidate]) -> Candidate:
        chance, servers = self.core.chance, self.core.servers
        fewest = min(c.tries for c in due)
        fresh = [c for c in due if c.tries == fewest]
        if len(fresh) > 1 and chance.randrange(limits.EXPLORE_ONE_IN) == 0:
            return fresh[chance.randrange(len(fresh))]
        return min(fresh, key=lambda c: servers.get(c.address).score() * chance.uniform(0.85, 1.15))
