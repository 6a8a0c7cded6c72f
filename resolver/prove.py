"""Proof of instances: what is in force, its ends, and questions of our own that renew it.

Responsible for the one :class:`policy.proof.Proofs` of a resolver: it stands where the
configuration says, hears every reply through the core, is looked through every other second for
what ends, and (with ``border.verify: probe``) asks servers once more, for purpose ``verification``
and through the door, before a proof of theirs ends or when it is in doubt. Asked are only addresses
that lookups use and that have answered sooner than they could from abroad. RFC 5001 (NSID). With
``border.verify: mirrors`` it also asks the root servers of which the country pack lists instances
in home, before a lookup needs them: a few times in a round, until each is proven or found far.

Limitations: a doubted address may stand abroad by now, and a root server may answer from there; a
question to it leaves home. It is counted under the verdict held then, which is unknown.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from typing import Any, final

import trio

from policy.border import Policy
from policy.identities import knowledge
from policy.identity import Site, decode, letter_of
from policy.proof import Proofs
from policy.verdict import Proof
from resolver import limits_proof as limits
from resolver.core import Core
from resolver.counters import Clock
from resolver.model import Address, Purpose
from resolver.names import ROOT, Name
from resolver.wishes import Probe

PROXY = "a proxy on the path that answers for the server cannot be told from it"
"""The known limit, as it is shown."""


@final
class Prover:
    """Proofs of one core."""

    def __init__(self, core: Core, clock: Clock) -> None:
        self._core = core
        self._clock = clock
        self._probes = False
        self._letters: frozenset[str] = frozenset()
        self._tries: dict[Address, int] = {}  # root servers to ask: questions in this round
        self._round_ends = 0.0
        self.checks = 0
        """Questions of our own so far, to renew proofs."""
        self.pack_checks = 0
        """Those to root servers of the country pack."""
        self.proofs = core.proofs = Proofs(clock.now, _site)

    def stand(self, policy: Policy, verify: str, letters: frozenset[str] = frozenset()) -> Policy:
        """Judge by this policy's place from now on; the policy with what is proven. ``verify`` is
        ``border.verify``, ``letters`` are the root servers (lower case) with instances in home."""
        self.proofs.stand(policy.place if verify != "off" else None, policy.home)
        self._probes = verify in ("probe", "mirrors")
        asked = letters if verify == "mirrors" and policy.place is not None else frozenset()
        if asked != self._letters:
            self._letters, self._tries, self._round_ends = asked, {}, 0.0
        if self.proofs.place is None:
            return policy  # what it says of an address holds as long as it does
        return replace(policy, findings=self.proofs.published)

    async def run(self, ask: Callable[[Probe], None]) -> None:
        """Look for what ends, and ask; ends by cancellation."""
        while True:
            self.tick(ask)
            await trio.sleep(limits.PROOF_TICK_SECONDS)

    def tick(self, ask: Callable[[Probe], None]) -> None:
        """One look."""
        now, core = self._clock.now(), self._core
        for address in self.proofs.expire(now):
            core.planner.asked_otherwise(address)
        if not self._probes:
            return
        due = dict(islice(self.proofs.due(now), limits.CHECKS_PER_TICK))
        for address, zone in due.items():
            self.checks += self._ask(address, zone, ask)
        for address in self._of_pack(now):
            if address not in due:  # one question is under way at a time
                self.pack_checks += self._ask(address, ROOT, ask)

    def _ask(self, address: Address, zone: Name, ask: Callable[[Probe], None]) -> bool:
        core = self._core
        standing = core.policy.standing(address)
        if standing.never or core.servers.get(address).held:
            return False
        label = core.policy.label(address, Purpose.VERIFICATION, domestic_known=False)
        ask(Probe(zone, None, address, label, standing.tier))
        return True

    def _of_pack(self, now: float) -> list[Address]:
        """Root servers to ask now: those asked least in this round first."""
        if not self._letters:
            return []
        if now >= self._round_ends:
            self._round_ends = now + limits.PACK_ROUND_SECONDS
            known = [a for _, addresses in self._core.settings.hints for a in addresses]
            usable = self._core.usable(known)
            self._tries = {a: 0 for a in usable if letter_of(a) in self._letters}
        for address in [a for a in self._tries if self._is_settled(a, now)]:
            del self._tries[address]
        least = sorted(self._tries, key=lambda a: self._tries[a])
        chosen = least[: limits.PACK_CHECKS_PER_TICK]
        for address in chosen:
            self._tries[address] += 1
        return chosen

    def _is_settled(self, address: Address, now: float) -> bool:
        """Whether to ask a root server no more in this round: it is proven, or was asked often
        enough, or its least round trip is too long for any proof."""
        if self._tries[address] >= limits.PACK_TRIES:
            return True
        if isinstance(self.proofs.published.of(address), Proof):
            return True
        heard = self.proofs.shown(address, now)
        least = min([it.least_rtt_ms for it in heard], default=0.0)
        return least > 0 and self.proofs.bounds.grade(least / 1000) is None

    def shown(self, address: Address) -> dict[str, Any]:
        """What is known of an address, for people: what is in force, each identity with its least
        round trip, and what geography allows here."""
        now = self._clock.now()
        found = self.proofs.published.of(address)
        return {
            "finding": found
            and {
                "kind": "proof" if isinstance(found, Proof) else "claim",
                "country": found.country,
                "detail": found.detail,
                "expires_in": round(found.expires - now, 1),
            },
            "identities": [asdict(it) for it in self.proofs.shown(address, now)],
            "here": self.proofs.bounds.in_words() if self.proofs.place else "no border.place",
            "limit": PROXY,
        }


def _site(address: Address, identity: bytes) -> Site | None:
    return decode(address, identity, knowledge()) if identity else None
