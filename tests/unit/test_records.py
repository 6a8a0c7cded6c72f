"""The queue of records: bounded, loss counted, nothing lost at the end."""

import threading
from collections.abc import Sequence

import trio

from resolver.model import (
    Address,
    ClientContext,
    Destination,
    Question,
    Reason,
    Record,
    Route,
    Transport,
)
from resolver.names import ROOT
from resolver.records import Entry, NullSink, RecordQueue


class Kept:
    """Keeps batches, from whichever thread they come."""

    def __init__(self, blocking: bool) -> None:
        self.blocking = blocking
        self.reads = True
        self.batches: list[list[Entry]] = []
        self.threads: set[int] = set()
        self.closed = False

    def write(self, records: Sequence[Entry]) -> None:
        assert not self.closed
        self.batches.append(list(records))
        self.threads.add(threading.get_ident())

    def close(self) -> None:
        self.closed = True


def record(number: int) -> Record:
    return Record(
        float(number),
        Question(ROOT, 2),
        ClientContext(Transport.UDP, Address(bytes(4))),
        0,
        Route.LOCAL,
        Destination.NONE,
        Reason.NONE,
        0.0,
        "generation",
        (),
    )


def drain(queue: RecordQueue) -> None:
    async def run() -> None:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(queue.run)
                await queue.close()
                nursery.cancel_scope.cancel()  # nothing may be left to do

    trio.run(run)


def test_records_reach_the_sink_in_order() -> None:
    sink = Kept(blocking=False)
    queue = RecordQueue(sink)
    for number in range(3000):
        queue.put(record(number))
    drain(queue)
    assert [kept.time for batch in sink.batches for kept in batch] == list(range(3000))
    assert queue.emitted == 3000
    assert queue.lost == 0
    assert sink.closed


def test_a_full_queue_loses_the_newest_and_counts_them() -> None:
    sink = Kept(blocking=False)
    queue = RecordQueue(sink, length_max=10)
    for number in range(25):
        queue.put(record(number))
    assert queue.lost == 15
    drain(queue)
    assert [kept.time for batch in sink.batches for kept in batch] == list(range(10))


def test_a_sink_that_may_block_is_called_in_another_thread() -> None:
    sink = Kept(blocking=True)
    queue = RecordQueue(sink)
    queue.put(record(1))
    drain(queue)
    assert sink.threads
    assert threading.get_ident() not in sink.threads


def test_records_flow_while_the_queue_stays_open() -> None:
    sink = Kept(blocking=False)
    queue = RecordQueue(sink)

    async def run() -> None:
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(queue.run)
                for number in range(3):
                    queue.put(record(number))
                    while len(sink.batches) <= number:
                        await trio.sleep(0.001)
                await queue.close()

    trio.run(run)
    assert len(sink.batches) == 3


def test_the_null_sink_takes_anything() -> None:
    queue = RecordQueue(NullSink())
    queue.put(record(1))
    drain(queue)
    assert (queue.emitted, queue.lost) == (1, 0)
