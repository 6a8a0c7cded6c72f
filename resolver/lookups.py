"""Lookups and resolutions under way: who waits, and for what, by question and selection."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from policy.decision import PLAIN, Selection
from resolver import limits
from resolver.model import Books, Purpose, Question, Result

if TYPE_CHECKING:
    from resolver.task import Task

Done = Callable[[Result, Books], None]
Early = Callable[[Result, Books], bool]
"""Told what the records hold when a lookup takes long; whether anybody got it."""

Internal = Callable[[Question, Purpose, Result, Books], None]


@dataclass(slots=True, eq=False)
class Lookup:
    """One client's question, or internal work; what is left of its quota."""

    deadline: float
    done: Done
    exchanges_left: int = limits.EXCHANGES_PER_LOOKUP
    sublookups_left: int = limits.SUBLOOKUPS_PER_LOOKUP
    over: bool = False
    early: Early | None = None
    told: frozenset[int] = frozenset()
    """Exchanges in the books of what was told early."""


@final
class Line:
    """Lookups with what they wait for, by a time at which something is due for them."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Lookup, Task]] = []
        self._count = 0

    def add(self, due: float, lookup: Lookup, task: "Task") -> None:
        """One more."""
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, lookup, task))

    def pop(self, now: float) -> "tuple[Lookup, Task] | None":
        """The next for which it is time; those that are over leave unseen."""
        heap = self._heap
        while heap and (heap[0][2].over or heap[0][0] <= now):
            _, _, lookup, task = heapq.heappop(heap)
            if not lookup.over:
                return lookup, task
        return None

    def next(self) -> float:
        """When something is due; infinity: never."""
        return self._heap[0][0] if self._heap else float("inf")


@final
class UnderWay:
    """Resolutions under way. Those under the plain selection, which are nearly all, have a table
    of their own, so that they cost no more than without any policy."""

    __slots__ = ("_others", "_plain")

    def __init__(self) -> None:
        self._plain: dict[Question, Task] = {}
        self._others: dict[tuple[Selection, Question], Task] = {}

    def __len__(self) -> int:
        return len(self._plain) + len(self._others)

    def __iter__(self) -> "Iterator[Task]":
        yield from self._plain.values()
        yield from self._others.values()

    def get(self, question: Question, selection: Selection) -> "Task | None":
        """The resolution of a question under a selection."""
        if selection is PLAIN:
            return self._plain.get(question)
        return self._others.get((selection, question))

    def put(self, task: "Task") -> None:
        """One more."""
        if task.selection is PLAIN:
            self._plain[task.question] = task
        else:
            self._others[task.selection, task.question] = task

    def remove(self, task: "Task") -> None:
        """It is over. One that another has taken the place of is not there any more."""
        if self.get(task.question, task.selection) is not task:
            return
        if task.selection is PLAIN:
            del self._plain[task.question]
        else:
            del self._others[task.selection, task.question]
