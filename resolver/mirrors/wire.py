"""The door for transfers as tasks see it: each holder of a ticket hears what comes of it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import final

import trio

from resolver.exchange import RawOutcome, TransferDoor
from resolver.model import Address, Label, Transport


@final
class Heard:
    """What has come of one query so far."""

    def __init__(self, wire: "Wire", ticket: int) -> None:
        self._wire = wire
        self._ticket = ticket
        # Unbounded here, bounded by the door: it reads ahead by some messages only.
        self._sending, self._receiving = trio.open_memory_channel[RawOutcome](_MOST)

    async def next(self) -> RawOutcome:
        """The next message, or the failure that ends it."""
        outcome = await self._receiving.receive()
        if outcome.more:
            self._wire.door.proceed(self._ticket)
        return outcome

    def put(self, outcome: RawOutcome) -> None:
        """Called by the wire."""
        self._sending.send_nowait(outcome)


_MOST = 1024
"""Above what the door hands over ahead."""


@final
class Wire:
    """All queries under way."""

    def __init__(self, door: TransferDoor) -> None:
        self.door = door
        self._tickets = 0
        self._waiting: dict[int, Heard] = {}
        self._running = False

    async def run(self) -> None:
        """Hand outcomes out for ever; ends by cancellation. Where it runs already (keepers
        share it), there is nothing to do."""
        if self._running:
            return
        self._running = True
        while True:
            await trio.lowlevel.wait_readable(self.door.fileno())
            for ticket, outcome in self.door.take():
                if (heard := self._waiting.get(ticket)) is not None:
                    heard.put(outcome)

    async def ask(self, address: Address, query: bytes, label: Label, timeout: float) -> RawOutcome:
        """One datagram and what comes of it."""
        with self._heard() as (ticket, heard):
            self.door.submit(ticket, address, query, label, timeout, Transport.UDP)
            return await heard.next()

    @asynccontextmanager
    async def stream(
        self, address: Address, query: bytes, label: Label, silence: float
    ) -> AsyncIterator[Heard]:
        """A query on a connection of its own, which is closed at the end."""
        with self._heard() as (ticket, heard):
            self.door.submit(ticket, address, query, label, silence, Transport.TCP)
            try:
                yield heard
            finally:
                self.door.abandon(ticket)

    @contextmanager
    def _heard(self) -> Iterator[tuple[int, Heard]]:
        self._tickets += 1
        ticket = self._tickets
        heard = self._waiting[ticket] = Heard(self, ticket)
        try:
            yield ticket, heard
        finally:
            del self._waiting[ticket]
