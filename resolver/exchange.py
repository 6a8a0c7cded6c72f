"""The door, in native: the only way out for DNS, with every exchange counted under its label.

Implements :class:`resolver.resolve.Out` over UDP and TCP sockets. Ports, IDs, letter case,
time-outs and the matching of replies (RFC 5452) live in native; this file turns wishes into its
tuples and its outcomes into values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from resolver import _native
from resolver.counters import Clock, Counters
from resolver.model import Address, Ask, Failure, Label, Outcome, Transport
from resolver.quick import new_outcome
from resolver.wire import message_from_tuple

FAILURES: Final[tuple[Failure | None, ...]] = (
    None,
    Failure.TIMEOUT,
    Failure.UNREACHABLE,
    Failure.MALFORMED,
    Failure.CASE,
    Failure.CLOSED,
    Failure.NOT_SENT,
)
"""Failures by the number that native gives them."""


@final
class NativeDoor:
    """Upstream sockets. ``port`` is that of every server asked; times in seconds.

    ``outcomes_max`` bounds what one :meth:`take` returns, so that a turn of the driver is bounded.
    """

    def __init__(
        self,
        clock: Clock,
        counters: Counters,
        *,
        port: int,
        workers: int,
        in_flight_max: int,
        linger: float,
        tcp_idle: float,
        outcomes_max: int,
        kernel_ports: bool | None = None,
    ) -> None:
        self._counters = counters
        self.outcomes_max = outcomes_max
        self._native = _native.Door(
            clock, counters.native, port, workers, in_flight_max, linger, tcp_idle, kernel_ports
        )

    def fileno(self) -> int:
        """Readable when outcomes wait."""
        return self._native.fileno()

    def submit(self, asks: Sequence[tuple[int, Ask]]) -> None:
        """Send a batch; each ticket comes back exactly once from :meth:`take`."""
        slot = self._counters.slot
        self._native.submit(
            [
                (
                    ticket,
                    ask.address,
                    ask.question.name,
                    ask.question.rtype,
                    slot(ask.label, ask.transport),
                    ask.timeout,
                    ask.transport is Transport.TCP,
                    _options(ask),
                    ask.randomise_case,
                    ask.needed,
                )
                for ticket, ask in asks
            ]
        )

    def take(self) -> list[tuple[int, Outcome]]:
        """Outcomes that have arrived since the last call, oldest first."""
        return [
            (
                ticket,
                new_outcome(
                    (
                        message_from_tuple(message) if message else None,
                        FAILURES[failure],
                        rtt,
                        size,
                    )
                ),
            )
            for ticket, failure, message, rtt, size in self._native.take(self.outcomes_max)
        ]

    @property
    def source_ports(self) -> str:
        """Who chooses them: ``kernel``, and sockets serve again, or ``own``."""
        return "kernel" if self._native.kernel_ports() else "own"

    def in_flight(self) -> int:
        """Exchanges that have been sent and have not ended."""
        return self._native.in_flight()

    def close(self) -> None:
        """Close all sockets and join the threads. Idempotent."""
        self._native.close()


def _options(ask: Ask) -> int:
    """What a question has of EDNS and RD, by native's number."""
    if ask.recursion:
        return 5 if ask.edns else 4
    return (2 if ask.nsid else 1) if ask.edns else 0


@dataclass(frozen=True, slots=True)
class RawOutcome:
    """What came of a raw ask: octets or a failure. ``more``: the exchange goes on."""

    octets: bytes | None
    failure: Failure | None
    more: bool
    rtt: float


@final
class TransferDoor:
    """The part of the door for zone transfers: queries that Python has made whole (and may have
    signed), replies as octets. Over a stream each has a connection of its own; its messages come
    one by one, at most a bounded number ahead of :meth:`proceed`, until :meth:`abandon`."""

    def __init__(
        self, clock: Clock, counters: Counters, *, port: int, in_flight_max: int, linger: float
    ) -> None:
        self._counters = counters
        self._native = _native.Door(clock, counters.native, port, 1, in_flight_max, linger, 0.0)

    def fileno(self) -> int:
        """Readable when outcomes wait."""
        return self._native.fileno()

    def submit(
        self,
        ticket: int,
        address: Address,
        query: bytes,
        label: Label,
        timeout: float,
        transport: Transport,
    ) -> None:
        """Send a query. ``timeout``: seconds, over a stream between two messages."""
        slot = self._counters.slot(label, transport)
        stream = transport is Transport.TCP
        self._native.submit_raw([(ticket, address, query, slot, timeout, stream)])

    def take(self) -> list[tuple[int, RawOutcome]]:
        """Outcomes that have arrived since the last call; each ticket ends exactly once."""
        return [
            (ticket, RawOutcome(octets, FAILURES[failure], more, rtt))
            for ticket, failure, octets, more, rtt in self._native.take_raw(_RAW_MAX)
        ]

    def proceed(self, ticket: int) -> None:
        """A message of this transfer has been taken in."""
        self._native.proceed(ticket)

    def abandon(self, ticket: int) -> None:
        """Close the connection of a transfer; its ticket ends as closed."""
        self._native.abandon(ticket)

    def close(self) -> None:
        """Close all sockets and join the thread. Idempotent."""
        self._native.close()


_RAW_MAX = 256
"""Outcomes of one :meth:`TransferDoor.take`: messages have up to 64 KiB."""
