"""Records of misses and of changed delegations on their way to a sink: a bounded queue whose losses
are counted.

A lookup never waits for its record: when the sink is slower than the lookups, records are lost
and the loss is exported. Limitations: the ledger does not exist yet; the sink is a null one.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol, final

import trio

from resolver.limits import RECORDS_BATCH, RECORDS_GATHER_SECONDS, RECORDS_QUEUE_MAX
from resolver.model import Record
from resolver.watch.changes import DelegationChanged

Entry = Record | DelegationChanged
"""What a sink keeps."""


class Sink(Protocol):
    """Where records go, one batch at a time."""

    blocking: bool
    """Whether :meth:`write` may wait for a disk or a network; it is then called in a thread."""

    reads: bool
    """Whether it looks at records at all: packed ones are not unpacked for one that does not."""

    def write(self, records: Sequence[Entry]) -> None:
        """Keep a batch. What it raises ends the program: books that cannot be kept are a fault."""

    def close(self) -> None:
        """Nothing more will come."""


class Packed(Protocol):
    """Records of a batch that nobody has unpacked yet."""

    @property
    def count(self) -> int:
        """How many."""

    def records(self) -> Iterator[Record]:
        """All of them."""


@final
class NullSink:
    """Forgets everything."""

    blocking = False
    reads = False

    def write(self, records: Sequence[Entry]) -> None:
        """Drop the batch."""

    def close(self) -> None:
        """Nothing to close."""


@final
class RecordQueue:
    """Records between the driver, which puts, and the task that writes them to the sink."""

    def __init__(self, sink: Sink, length_max: int = RECORDS_QUEUE_MAX) -> None:
        self._sink = sink
        self._length_max = length_max
        self._waiting: deque[Entry | Packed] = deque()
        self._length = 0
        self._news = trio.Event()
        self._closing = trio.Event()
        self._ended = trio.Event()
        self.emitted = 0
        self.lost = 0

    def put_packed(self, packed: Packed) -> None:
        """Queue a batch, or count all of it as lost when the queue has no room for it."""
        if self._length + packed.count > self._length_max:
            self.lost += packed.count
            return
        self.emitted += packed.count
        self._length += packed.count
        self._waiting.append(packed)
        self._news.set()

    def put(self, record: Entry) -> None:
        """Queue a record, or count it as lost when the queue is full."""
        if self._length >= self._length_max:
            self.lost += 1
            return
        self.emitted += 1
        self._length += 1
        self._waiting.append(record)
        self._news.set()

    async def close(self) -> None:
        """Have :meth:`run` write what is queued and end; wait for that."""
        self._closing.set()
        self._news.set()
        await self._ended.wait()

    async def run(self) -> None:
        """Write batches to the sink until :meth:`close`; the sink is closed at the end."""
        while True:
            await self._news.wait()
            # Gather, so that a busy resolver wakes this task some times a second, not each miss.
            with trio.move_on_after(RECORDS_GATHER_SECONDS):
                await self._closing.wait()
            last = self._closing.is_set()
            self._news = trio.Event()
            await self._write_all()
            if last:
                break
        self._sink.close()
        self._ended.set()

    def _next_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        while self._waiting and len(batch) < RECORDS_BATCH:
            item = self._waiting.popleft()
            if isinstance(item, Entry):
                self._length -= 1
                batch.append(item)
            else:
                self._length -= item.count
                if self._sink.reads:
                    batch.extend(item.records())
        return batch

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            if self._sink.blocking:
                await trio.to_thread.run_sync(self._sink.write, batch)
            else:
                self._sink.write(batch)
                await trio.lowlevel.checkpoint()
