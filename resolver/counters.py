"""The one clock, and the counters that survive a crash, with their labels read back into words.

An exchange is counted in native under a slot; the slot's label is a line of text in the counters
file, so that a dead process's books can be read. This file alone knows how that line is spelt.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, final

from resolver import _native
from resolver.model import Destination, Label, Transport

Clock = _native.Clock
"""The one clock: ``now()`` for lifetimes, ``wall()`` for dates."""

HIT_SECONDS_BOUNDS = _native.HIT_SECONDS_BOUNDS
"""Upper bounds, in seconds, of the buckets in which native counts how long its hits took."""

OVERFLOW = "overflow"
"""Label of slot 0: exchanges that were counted after the table of slots had become full."""

DESTINATIONS: Final = (
    Destination.DOMESTIC,
    Destination.FOREIGN,
    Destination.MIXED,
    Destination.NONE,
)
"""Destinations by the number that native keeps with an answer."""

TRANSPORTS: Final = (Transport.UDP, Transport.TCP)
"""Transports by the number that native gives them."""


@dataclass(frozen=True, slots=True)
class ExchangeCount:
    """The books of one label. The words are text, so that ``overflow`` can stand in each."""

    verdict: str
    country: str
    purpose: str
    reason: str
    transport: str
    intended: int  # counted before the send
    sent: int  # datagrams that the kernel accepted; questions written to a stream
    replies: int
    octets_sent: int
    octets_received: int
    connections: int
    labels: int  # of the names in what was sent, the root's left out
    labels_beyond: int  # those of them beyond the zone's own and one

    @classmethod
    def from_slot(cls, slot: "_native.SlotTuple") -> Self:
        """Read one row of native's table. A label that is not ours is shown as overflow."""
        label, *counts = slot
        words = label.split(",")
        if len(words) != 5:
            words = [OVERFLOW] * 5
        verdict, country, purpose, reason, transport = words
        return cls(verdict, country, purpose, reason, transport, *counts)


@dataclass(frozen=True, slots=True)
class HitCount:
    """Lookups that native answered from the answer cache."""

    transport: Transport
    destination: Destination
    count: int


def label_text(label: Label, transport: Transport) -> str:
    """How a label is spelt in the counters file."""
    return ",".join(
        (
            label.verdict.value,
            label.country,
            label.purpose.value,
            label.reason.value,
            transport.value,
        )
    )


@final
class Counters:
    """Counters of listener and door. ``path=None`` keeps them in anonymous memory.

    Raises:
        StateError: the file cannot be made or mapped.
    """

    def __init__(self, path: Path | None, areas: int) -> None:
        self.native = _native.Counters(str(path) if path else None, areas)
        self._slots: dict[tuple[Label, Transport], int] = {}

    def slot(self, label: Label, transport: Transport) -> int:
        """The slot under which the door counts; asked of native once for each pair."""
        key = (label, transport)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = self.native.slot(label_text(label, transport))
        return slot

    def exchanges(self) -> list[ExchangeCount]:
        """Sums over all threads, a row for each label ever used."""
        return [ExchangeCount.from_slot(slot) for slot in self.native.slots()]

    def hits(self) -> list[HitCount]:
        """Answers served from the answer cache, by transport and destination."""
        return [
            HitCount(TRANSPORTS[transport], DESTINATIONS[destination], count)
            for transport, destination, count in self.native.hits()
        ]

    def tags(self) -> list[tuple[int, int]]:
        """Hits of answers with a tag, by tag (:mod:`resolver.tags`)."""
        return self.native.tags()

    def hit_seconds(self) -> tuple[list[int], float]:
        """Hits in each bucket of :data:`HIT_SECONDS_BOUNDS` and above, and the sum of seconds."""
        return self.native.hit_seconds()

    def scalars(self) -> dict[str, int]:
        """Counters without a label, by native's name for them."""
        return self.native.scalars()


@dataclass(frozen=True, slots=True)
class Books:
    """What a counters file says, of a live or a dead process."""

    exchanges: list[ExchangeCount]
    scalars: dict[str, int]


def read_counters(path: Path) -> Books:
    """Read a counters file. Raises :class:`resolver.errors.StateError`."""
    slots, scalars = _native.read_counters(str(path))
    return Books([ExchangeCount.from_slot(slot) for slot in slots], scalars)
