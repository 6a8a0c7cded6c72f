"""Proof of instances: what is in force, its ends, and questions of our own that renew it.

Responsible for the one :class:`policy.proof.Proofs` of a resolver: it stands where the
configuration says, hears every reply through the core, is looked through every other second for
what ends, and (with ``border.verify: probe``) asks servers once more, for purpose ``verification``
and through the door, before a proof of theirs ends or when it is in doubt. Asked are only addresses
that lookups use and that have answered sooner than they could from abroad. RFC 5001 (NSID).

Limitations: a doubted address may stand abroad by now, and such a question to it leaves home. It is
counted under the verdict held then, which is unknown.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from typing import Any, final

import trio

from policy.border import Policy
from policy.identities import knowledge
from policy.identity import Site, decode
from policy.proof import Proofs
from policy.verdict import Proof
from resolver import limits_proof as limits
from resolver.core import Core
from resolver.counters import Clock
from resolver.model import Address, Purpose
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
        self.checks = 0
        """Questions of our own so far."""
        self.proofs = core.proofs = Proofs(clock.now, _site)

    def stand(self, policy: Policy, verify: str) -> Policy:
        """Judge by this policy's place from now on; the policy with what is proven. ``verify`` is
        ``border.verify``."""
        self.proofs.stand(policy.place if verify != "off" else None, policy.home)
        self._probes = verify == "probe"
        if self.proofs.place is None:
            return policy  # what it says of an address holds as long as it does
        return replace(policy, findings=self.proofs.published)

    async def run(self, ask: Callable[[Probe], None]) -> None:
        """Look for what ends, and ask; ends by cancellation."""
        while True:
            await trio.sleep(limits.PROOF_TICK_SECONDS)
            self.tick(ask)

    def tick(self, ask: Callable[[Probe], None]) -> None:
        """One look."""
        now, core = self._clock.now(), self._core
        for address in self.proofs.expire(now):
            core.planner.asked_otherwise(address)
        if not self._probes:
            return
        for address, zone in islice(self.proofs.due(now), limits.CHECKS_PER_TICK):
            standing = core.policy.standing(address)
            if standing.never or core.servers.get(address).held:
                continue
            label = core.policy.label(address, Purpose.VERIFICATION, domestic_known=False)
            self.checks += 1
            ask(Probe(zone, None, address, label, standing.tier))

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
