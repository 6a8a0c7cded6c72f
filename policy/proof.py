"""Whether the instance behind an address is proven to stand in home, by the speed of light.

Responsible for judging round trips: an address is proven domestic when the least of at least three
valid ones, with the clock's error, is below the bound of the place (:mod:`policy.place`), in vacuum
(grade ``strict``) or in fibre (grade ``fibre``). A proof is bound to the identity seen (NSID of RFC
5001, or none), ends after a quarter of an hour unless it is renewed, and rests when a reply is too
slow or shows an identity that is not proven. A large round trip proves nothing: what rests is of
unknown place, not foreign. Claims that would need faster than light are rejected and counted.

Limitations: a proxy on the path answers for whatever server it likes (its reply is from inside,
what it says may not be); a machine that stood still between question and reply measures too
little; between a change of route and the first reply over it the proof still stands.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import final

from policy.findings import Published
from policy.identity import Site, letter_of
from policy.instance import GRADES, Bounds, Event, Instance, State, at_most_ms
from policy.place import Place
from policy.verdict import NO_COUNTRY, Claim, Proof
from resolver import limits, limits_proof
from resolver.model import Address
from resolver.names import ROOT, Name

Decode = Callable[[Address, bytes], Site | None]
"""What an identity says, for the operator of an address (:func:`policy.identity.decode`)."""


@dataclass(slots=True)
class Behind:
    """What is known of one address: its identities, and a zone that it serves."""

    seen: float
    zone: Name = ROOT
    instances: OrderedDict[bytes, Instance] = field(default_factory=OrderedDict)
    shown: tuple[str, str] | None = None  # kind and country of what is published
    check_at: float = 0.0
    check_gap: float = limits_proof.CHECK_FIRST

    def latest(self) -> tuple[bytes, Instance]:
        """The identity seen last; one of which nothing is known before the first reply."""
        return next(reversed(self.instances.items()), (b"", Instance()))

    def proven(self) -> bool:
        """Whether every identity that may answer is proven."""
        instances = self.instances.values()
        return bool(instances) and all(it.state is State.PROVEN for it in instances)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of an identity, to be shown. Times in seconds, round trips in ms."""

    identity: str  # "none seen" without one
    state: str
    grade: str
    least_rtt_ms: float
    samples: int
    expires_in: float  # 0 when nothing is proven
    claim: str | None  # the country it says it is in
    rejected: bool


def readable(identity: bytes) -> str:
    """An identity as text: as it is when printable ASCII, else in hex."""
    if not identity:
        return "none seen"
    text = identity.decode("latin-1")
    return text if text.isascii() and text.isprintable() else identity.hex()


@final
class Proofs:
    """Judges round trips, and publishes proofs and claims as they come and go.

    Not for use by several threads at once. ``clock``: seconds, as ``now`` everywhere.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        decode: Decode = lambda address, identity: None,
        life: float = limits_proof.PROOF_SECONDS,
    ) -> None:
        self.published = Published(clock)
        self.rejected = 0
        """Claims that would need faster than light."""
        self.bounds = Bounds(0.0, 0.0)
        self.place: Place | None = None
        self._decode = decode
        self._life = life
        self._home: frozenset[str] = frozenset()
        self._behind: OrderedDict[Address, Behind] = OrderedDict()

    def stand(self, place: Place | None, home: frozenset[str]) -> None:
        """Judge from this place from now on; what another one proved is void."""
        if (place, home) == (self.place, self._home):
            return
        for address in self._behind:
            self.published.withdraw(address)
        self._behind.clear()
        self.place, self._home = place, home
        self.bounds = Bounds.of(place) if place is not None else Bounds(0.0, 0.0)

    def wants_identity(self, address: Address) -> bool:
        """Whether this address should be asked for its NSID: it has answered sooner than it could
        from abroad, or it belongs to an operator whose identities can be read."""
        if self.place is None:
            return False
        return address in self._behind or letter_of(address) is not None

    def heard(
        self, address: Address, rtt: float, identity: bytes | None, now: float, zone: Name = ROOT
    ) -> bool:
        """A valid reply: matched, to a first try, over a datagram. ``rtt`` in seconds; ``identity``
        empty: asked for and not given, ``None``: not asked for, so that the reply proves nothing.

        Returns whether the address is to be treated otherwise from now on.
        """
        if self.place is None:
            return False
        behind = self._behind.get(address)
        if behind is None:
            if self.bounds.grade(rtt) is None and not identity:
                return False
            behind = self._behind[address] = Behind(now, zone)
            if len(self._behind) > limits_proof.PROVED_MAX:
                self.published.withdraw(self._behind.popitem(last=False)[0])
            if identity is None:
                return True
        self._behind.move_to_end(address)
        behind.zone, behind.seen = zone, now
        if identity is None:
            return False
        identity = identity[: limits.IDENTITY_OCTETS_MAX]
        instance = behind.instances.get(identity)
        if instance is None:
            instance = behind.instances[identity] = Instance(site=self._decode(address, identity))
            if len(behind.instances) > limits_proof.IDENTITIES_PER_ADDRESS:
                behind.instances.popitem(last=False)
        behind.instances.move_to_end(identity)
        instance.hear(rtt, self.bounds, now, self._life)
        self._check_claim(instance)
        for other in list(behind.instances):
            if other != identity:
                self._pass(behind, other, now)
        return self._publish(address, behind, now)

    def _pass(self, behind: Behind, identity: bytes, now: float) -> None:
        """A reply of another identity: one that is not seen any more is forgotten."""
        instance = behind.instances[identity]
        instance.unseen += 1
        if (
            instance.unseen >= limits_proof.IDENTITY_UNSEEN
            and now >= instance.seen + limits_proof.IDENTITY_SECONDS
        ):
            del behind.instances[identity]

    def _check_claim(self, instance: Instance) -> None:
        site, place = instance.site, self.place
        if site is None or site.at is None or place is None or instance.rejected:
            return
        if at_most_ms(instance.least) < place.least_rtt_ms(site.at):
            instance.rejected = True
            self.rejected += 1

    def expire(self, now: float) -> list[Address]:
        """End what is over by ``now``; the addresses that stand otherwise."""
        changed = []
        for address, behind in list(self._behind.items()):
            for instance in behind.instances.values():
                # A tick early: nothing that was decided by a proof goes on after it.
                if instance.expires <= now + limits_proof.PROOF_TICK_SECONDS:
                    instance.step(Event.EXPIRED, now, self._life, self.bounds)
            if self._publish(address, behind, now):
                changed.append(address)
            if behind.seen <= now - self._life:
                del self._behind[address]
                self.published.withdraw(address)
        return changed

    def due(self, now: float) -> Iterator[tuple[Address, Name]]:
        """Addresses to be checked by a question of our own now: in doubt, about to end, or near
        enough but not heard often enough. Each is put off, longer each time."""
        for address, behind in self._behind.items():
            if now >= behind.check_at and self._wants_check(behind, now):
                behind.check_at = now + behind.check_gap
                behind.check_gap = min(2 * behind.check_gap, limits_proof.CHECK_MAX)
                yield address, behind.zone

    def _wants_check(self, behind: Behind, now: float) -> bool:
        instance = behind.latest()[1]
        if instance.state is State.PROVEN:
            return instance.expires <= now + self._life / 3
        if instance.state is State.DOUBTED or not behind.instances:
            return True
        return self.bounds.grade(instance.least) is not None

    def _publish(self, address: Address, behind: Behind, now: float) -> bool:
        """Put in force what follows from the state; whether that is something else."""
        finding = self._finding(behind)
        before, behind.shown = behind.shown, None
        if finding is None:
            self.published.withdraw(address)
            return before is not None
        behind.shown = type(finding).__name__, finding.country
        if isinstance(finding, Proof):
            behind.check_gap = limits_proof.CHECK_FIRST
        known = self.published.of(address)
        # Verdicts are remembered by what is published, so it is not made anew at each reply.
        if (
            behind.shown != before
            or known is None
            or known.detail != finding.detail
            or known.expires < now + self._life / 2
        ):
            self.published.publish(address, finding)
        return behind.shown != before

    def _finding(self, behind: Behind) -> Proof | Claim | None:
        identity, instance = behind.latest()
        words = f"identity {readable(identity)}"
        claim = instance.site if instance.site and not instance.rejected else None
        country = claim.country if claim and claim.country in self._home else NO_COUNTRY
        if behind.proven():
            if country == NO_COUNTRY and len(self._home) == 1:
                country = next(iter(self._home))
            grade = max((it.grade for it in behind.instances.values()), key=GRADES.index)
            bound = self.bounds.strict if grade == "strict" else self.bounds.fibre
            expires = min(it.expires for it in behind.instances.values())
            return Proof(country, f"{words}; grade {grade}, bound {bound:.3g} ms", expires, grade)
        if instance.state is State.DOUBTED:
            words += "; proven before, but the last replies are too slow for a proof"
        elif claim is None or country == NO_COUNTRY:
            return None
        else:
            words += f"; {claim.how} of {claim.operator}: {claim.town or claim.country}"
        return Claim(country, words, instance.seen + self._life)

    def proven(self) -> dict[str, int]:
        """Proofs in force, by grade."""
        counts = dict.fromkeys(GRADES, 0)
        for address in tuple(self._behind):  # asked by the thread of a scrape, too
            finding = self.published.of(address)
            if isinstance(finding, Proof):
                counts[finding.grade] += 1
        return counts

    def shown(self, address: Address, now: float) -> list[Shown]:
        """What is known of an address, the identity seen last first."""
        behind = self._behind.get(address)
        if behind is None:
            return []
        return [
            Shown(
                readable(identity),
                it.state.value,
                it.grade if it.state is State.PROVEN else "none",
                round(it.least * 1000, 3),
                len(it.samples),
                round(max(0.0, it.expires - now), 1) if it.state is State.PROVEN else 0.0,
                it.site.country if it.site else None,
                it.rejected,
            )
            for identity, it in reversed(behind.instances.items())
        ]
