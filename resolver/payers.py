"""Who waits for a resolution, and what it has spent: walks over tasks and their waiters.

Bounded: a walk ends after ``PAYERS_WALK_MAX`` tasks.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

from resolver import limits
from resolver.model import Books, LocalStep, Reason, Verdict
from resolver.task import Task
from resolver.wishes import Tried

if TYPE_CHECKING:
    from resolver.lookups import Lookup


def payers(task: Task) -> list[tuple["Lookup", Task]]:
    """Every lookup that waits for a task, directly or through others, with what it waits at."""
    found = [(waiter, task) for waiter in task.waiters if not isinstance(waiter, tuple)]
    if len(found) == len(task.waiters):
        return found  # as nearly always
    found = []
    seen = {id(task)}
    queue = [task]
    while queue and len(seen) < limits.PAYERS_WALK_MAX:
        here = queue.pop()
        for waiter in here.waiters:
            if not isinstance(waiter, tuple):
                found.append((waiter, here))
            elif id(waiter[0]) not in seen:
                seen.add(id(waiter[0]))
                queue.append(waiter[0])
    return found


def waits_above(task: Task, wanted: Task) -> bool:
    """Whether ``wanted`` waits for ``task``, so that waiting for it would be a cycle."""
    seen = {id(task)}
    queue = [task]
    while queue:
        for waiter in queue.pop().waiters:
            if not isinstance(waiter, tuple) or id(waiter[0]) in seen:
                continue
            if waiter[0] is wanted or len(seen) >= limits.PAYERS_WALK_MAX:
                return True
            seen.add(id(waiter[0]))
            queue.append(waiter[0])
    return False


def let_go(task: Task, give_up: Callable[[Task], None]) -> None:
    """A task waits for nobody any more; what was spent for it stays in its books. Those whom nobody
    waits for now are given up."""
    task.spent.update(tickets(task))
    children, task.children = task.children, []
    task.is_early, task.pending = task.pending > 0, 0
    for child in children:
        child.waiters = [w for w in child.waiters if not isinstance(w, tuple) or w[0] is not task]
        if child.over:
            continue
        task.mirrored += child.mirrored
        if not child.waiters:
            give_up(child)


def tickets(task: Task) -> dict[int, Tried]:
    """The exchanges of a task, of all that it waited for and of all that it still waits for."""
    by_ticket: dict[int, Tried] = {}
    for each in _all_below(task):
        by_ticket.update(each.spent)
    return by_ticket


def _all_below(task: Task) -> list[Task]:
    """A task and all that it still waits for."""
    found = [task]
    seen = {id(task)}
    queue = list(task.children)
    while queue and len(seen) < limits.PAYERS_WALK_MAX:
        child = queue.pop()
        if id(child) not in seen:
            seen.add(id(child))
            found.append(child)
            queue.extend(child.children)
    return found


def books(task: Task, told: frozenset[int] = frozenset()) -> Books:
    """What a task and all below it have spent, without the exchanges that were told before."""
    spent = [tried for ticket, tried in sorted(tickets(task).items()) if ticket not in told]
    escapes = [t for t in spent if t.ask.label.verdict is not Verdict.DOMESTIC]
    return Books(
        len(spent),
        len(escapes),
        escapes[0].ask.label.reason if escapes else Reason.NONE,
        sum([t.needless for t in spent]),
        [t.exchange() for t in spent],
        _mirrored(task, told) if task.core.mirrors else [],
    )


def _mirrored(task: Task, told: frozenset[int]) -> list[LocalStep]:
    """What mirrors said, in order, each with the number of exchanges before it; until here
    ``after`` was the last ticket given out before the step."""
    before = [ticket for ticket in sorted(tickets(task)) if ticket not in told]
    steps = dict.fromkeys(step for each in _all_below(task) for step in each.mirrored)
    ordered = sorted(steps, key=lambda step: step.after)
    return [step._replace(after=bisect_right(before, step.after)) for step in ordered]
