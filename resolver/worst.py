"""The zones that cost most escapes, counted in bounded memory with a known error.

Responsible for one Space-Saving summary (Metwally, Agrawal, El Abbadi, "Efficient computation of
frequent and top-k elements in data streams", ICDT 2005): so many zones have a count each; a new
zone takes the place of the one with the least count, inherits that count, and notes it as its
error. For every zone that is kept, true count ≤ count ≤ true count + error; a zone that is not kept
has at most the least count, and that is at most the total divided by the number kept.

Written by the driver's thread. Read by others: the table is copied in one step of the interpreter,
so a reader may see it some lookups late, never torn.
"""

from heapq import heappush, heapreplace
from typing import NamedTuple, final

from resolver.names import Name


class Cost(NamedTuple):
    """A zone and what it cost: the true number lies between ``lookups - error``
    and ``lookups``."""

    zone: Name
    lookups: int
    error: int


class Ranking(NamedTuple):
    """The zones with the greatest counts, greatest first. ``total``: of all zones. ``others``: what
    a zone that is not kept may have cost at most."""

    costs: tuple[Cost, ...]
    total: int
    others: int


@final
class SpaceSaving:
    """Counts for ``kept`` zones. :meth:`add` takes a look-up, or a step on a heap."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._counts: dict[Name, tuple[int, int]] = {}
        # One entry a zone, with a count that it had: never above the one that it has.
        self._heap: list[tuple[int, Name]] = []
        self.total = 0

    def add(self, zone: Name, count: int = 1) -> None:
        """So many more for a zone."""
        self.total += count
        held = self._counts.get(zone)
        if held is not None:
            self._counts[zone] = (held[0] + count, held[1])
            return
        if len(self._counts) < self._kept:
            self._counts[zone] = (count, 0)
            heappush(self._heap, (count, zone))
            return
        least, loser = self._least()
        # The new one first: a reader never finds a full table with room in it.
        self._counts[zone] = (least + count, least)
        del self._counts[loser]
        heapreplace(self._heap, (least + count, zone))

    def _least(self) -> tuple[int, Name]:
        """The zone with the least count, brought to the top of the heap."""
        heap = self._heap
        while True:
            count, zone = heap[0]
            now = self._counts[zone][0]
            if now == count:
                return count, zone
            heapreplace(heap, (now, zone))

    def ranking(self, most: int) -> Ranking:
        """The first ``most`` of them; equal counts in the order of names."""
        held = list(self._counts.items())
        total = self.total
        costs = sorted(
            [Cost(zone, count, error) for zone, (count, error) in held],
            key=lambda cost: (-cost.lookups, cost.zone),
        )
        others = costs[-1].lookups if len(costs) >= self._kept else 0
        return Ranking(tuple(costs[:most]), total, others)
