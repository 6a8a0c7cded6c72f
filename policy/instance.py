"""One identity behind an address: what its replies prove, as a state machine.

Responsible for the bounds of a place, for what a round trip says under them, and for the states of
a proof.

The states:

- *open*: nothing is proven. Three valid replies, the least of them below the bound and the last of
  them too, make a proof.
- *proven*: replies below the bound renew it. One that is not below puts it in doubt: with equal
  identities at two sites a slow reply may be all that shows another route.
- *doubted*: some replies below the bound in a row make a proof again, each time more.

Limitations: what is wrong with a measurement (a clock that stood still) shows only in other ones.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from policy.identity import Site
from policy.place import Place
from resolver import limits_proof

GRADES = ("strict", "fibre")
"""Best first."""


class State(Enum):
    """What is known of one identity of an address."""

    OPEN = "open"
    PROVEN = "proven"
    DOUBTED = "doubted"


class Event(Enum):
    """What a reply says, or that time has passed."""

    ENOUGH = "enough"  # below the bound, and with what came before it makes a proof
    NEAR = "near"  # below the bound, and more like it are needed
    FAR = "far"  # not below: proves nothing
    EXPIRED = "expired"


NEXT: dict[State, dict[Event, State]] = {
    State.OPEN: {
        Event.ENOUGH: State.PROVEN,
        Event.NEAR: State.OPEN,
        Event.FAR: State.OPEN,
        Event.EXPIRED: State.OPEN,
    },
    State.PROVEN: {
        Event.ENOUGH: State.PROVEN,
        Event.NEAR: State.PROVEN,  # it stands on what came before
        Event.FAR: State.DOUBTED,
        Event.EXPIRED: State.OPEN,
    },
    State.DOUBTED: {
        Event.ENOUGH: State.PROVEN,
        Event.NEAR: State.DOUBTED,
        Event.FAR: State.DOUBTED,
        Event.EXPIRED: State.OPEN,
    },
}
"""The whole machine."""


def at_most_ms(rtt: float) -> float:
    """A measured round trip (seconds) with the clock's error added, in milliseconds."""
    return rtt * 1000 * (1 + limits_proof.CLOCK_RATE_ERROR) + limits_proof.CLOCK_ERROR_MS


@dataclass(frozen=True, slots=True)
class Bounds:
    """Milliseconds below which a reply is from inside, by grade; 0: never."""

    strict: float
    fibre: float

    @classmethod
    def of(cls, place: Place) -> "Bounds":
        """Those of a place."""
        return cls(*(place.greatest_rtt_ms(grade) for grade in GRADES))

    def grade(self, rtt: float) -> str | None:
        """The best grade that a round trip (seconds) reaches."""
        ms = at_most_ms(rtt)
        return "strict" if ms < self.strict else "fibre" if ms < self.fibre else None

    def in_words(self) -> str:
        """What geography allows here."""
        if self.fibre <= 0:
            return "nothing can be proven from here: the border may be nearer than it is known"
        text = f"proven below {self.strict:.3g} ms (strict) or {self.fibre:.3g} ms (fibre)"
        if self.fibre < limits_proof.HARDLY_PROVABLE_MS:
            text += "; hardly any server answers so soon, the border is too near for a proof"
        return text


@dataclass(slots=True)
class Instance:
    """One identity seen behind an address."""

    state: State = State.OPEN
    grade: str = GRADES[-1]
    samples: deque[tuple[float, float]] = field(
        default_factory=lambda: deque(maxlen=limits_proof.PROOF_SAMPLES_KEPT)
    )
    """(when, round trip) of the last valid replies, seconds."""
    least: float = float("inf")
    run: int = 0  # replies below the bound since the last that was not
    need: int = limits_proof.PROOF_SAMPLES
    began: float = 0.0  # when the proof that stands was made
    expires: float = 0.0
    seen: float = 0.0
    unseen: int = 0  # replies of other identities since
    rejected: bool = False
    site: Site | None = None

    def hear(self, rtt: float, bounds: Bounds, now: float, life: float) -> None:
        """A valid reply of this identity."""
        self.seen, self.unseen = now, 0
        self.least = min(self.least, rtt)
        self.samples.append((now, rtt))
        while self.samples[0][0] <= now - life:
            self.samples.popleft()
        self.step(self._event(rtt, bounds), now, life, bounds)

    def step(self, event: Event, now: float, life: float, bounds: Bounds) -> None:
        """Go to the next state."""
        before, self.state = self.state, NEXT[self.state][event]
        if event is Event.ENOUGH:
            if before is not State.PROVEN:
                self.began = now
            elif now >= self.began + life:
                self.need = limits_proof.PROOF_SAMPLES  # it has been calm for long
            self.expires = now + life
            # Of the last reply, as it is with the proof: one that is too slow for the better grade
            # may be all that shows another route.
            self.grade = bounds.grade(self.samples[-1][1]) or self.grade
        elif before is State.PROVEN and self.state is State.DOUBTED:
            self.need = min(2 * self.need, limits_proof.PROOF_RUN_MAX)

    def _event(self, rtt: float, bounds: Bounds) -> Event:
        if bounds.grade(rtt) is None:
            self.run = 0
            return Event.FAR
        self.run = min(self.run + 1, limits_proof.PROOF_SAMPLES_KEPT)
        if self.state is State.DOUBTED:
            enough = self.run >= self.need
        else:
            enough = len(self.samples) >= limits_proof.PROOF_SAMPLES
        return Event.ENOUGH if enough else Event.NEAR
