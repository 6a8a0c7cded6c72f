"""One resolution under way: its generator, what it waits for, and what it has spent.

Only :mod:`resolver.schedule` steps a task; a resolution sees ``core``, ``now``, ``question``,
``selection``, ``purpose``, ``has_news`` and ``probe``.
"""

import heapq
from collections import deque
from typing import TYPE_CHECKING, final

from policy.decision import PLAIN, Selection
from resolver import limits_servers
from resolver.model import (
    Address,
    Ask,
    Books,
    Ede,
    LocalStep,
    Outcome,
    Purpose,
    Question,
    Rcode,
    Result,
    RRset,
    Transport,
    Type,
)
from resolver.names import Name, label_count
from resolver.plan import Punt
from resolver.selection import selected
from resolver.wishes import (
    Arrived,
    Await,
    AwaitProbe,
    Elapsed,
    Found,
    LookUpAll,
    News,
    Probe,
    Probed,
    Steps,
    Tried,
    Wish,
)

if TYPE_CHECKING:
    from resolver.lookups import Lookup
    from resolver.schedule import Scheduler


class Task:
    """The resolution of one question under one selection, shared by all waiters."""

    __slots__ = (
        "_scheduler", "begun", "children", "core", "depth", "inbox", "is_early", "is_probe",
        "is_ready", "late", "mirrored", "now", "over", "pending", "probed", "punt", "purpose",
        "question", "result", "results", "selection", "spent", "steps", "waiters", "wish",
    )  # fmt: skip

    def __init__(
        self,
        scheduler: "Scheduler",
        question: Question,
        purpose: Purpose,
        depth: int,
        selection: Selection = PLAIN,
    ) -> None:
        self._scheduler = scheduler
        self.core = scheduler.core  # the state that all resolutions share
        self.now = scheduler.now  # the time of this step, monotonic seconds
        self.question = question
        self.purpose = purpose
        self.depth = depth
        self.selection = selection
        self.steps: Steps
        self.waiters: list[Lookup | tuple[Task, int]] = []
        self.children: list[Task] = []
        self.inbox: deque[Arrived] = deque()
        self.spent: dict[int, Tried] = {}
        self.mirrored: list[LocalStep] = []
        self.wish: Wish | None = None
        self.result: Result | None = None
        self.pending = 0
        self.results: list[Result | None] = []
        self.probed: Probed | None = None
        self.punt: Punt | None = None
        self.late = 0.0  # how much later than this step the door had its exchange
        self.begun = self.is_ready = self.is_probe = self.over = False
        self.is_early = False  # what it looked up was enough before all of it was there

    def has_news(self) -> bool:
        """Whether an exchange has ended that the resolution has not heard of yet."""
        return bool(self.inbox)

    def arrived(self, tried: Tried, outcome: Outcome) -> None:
        """An exchange of this resolution has ended."""
        self.inbox.append(Arrived(tried, outcome))

    def mirror_used(self, zone: Name, serial: int, question: Question, outcome: str) -> None:
        """A mirror answered or delegated in the place of an exchange."""
        last = self._scheduler.tickets
        self.mirrored.append(LocalStep(zone, serial, question, outcome, last))

    def probe(self, wish: Probe) -> None:
        """Have a held-down server probed; this resolution does not wait for it."""
        self._scheduler.probe(wish)

    def seek(self, question: Question) -> None:
        """Look up an address of a name server in the background: internal work that nobody waits
        for, with a quota of its own."""
        scheduler, selection, decider = self._scheduler, self.selection, self.core.decider
        if decider is not None:
            selection = decider.beside(question, selection)
        purpose = Purpose.NAMESERVER_ADDRESS

        def done(result: Result, spent: Books) -> None:
            if scheduler.internal is not None:
                scheduler.internal(question, purpose, result, spent)

        scheduler.lookup(question, self.now, done, purpose, selection=selection)

    def has_enough(self, at: int) -> bool:
        """Whether name servers of the first tier are among what was looked up last, so that the
        others need not be waited for: they may be abroad, and the border may be cut."""
        wish = self.wish
        if not isinstance(wish, LookUpAll) or wish.purpose is not Purpose.NAMESERVER_ADDRESS:
            return False
        name, found = wish.questions[at].name, False
        for question, result in zip(wish.questions, self.results, strict=True):
            if question.name != name:
                continue
            if result is None:
                return False  # the other kind of address is still to come
            for records in result.answer:
                found |= records.name == name and self._is_first(records)
        return found

    def looks_up_for(self, tried: Tried) -> bool:
        """Whether servers are looked up for the zone that this was an exchange with: its reply may
        be all that is needed."""
        return isinstance(self.wish, LookUpAll) and self.wish.zone == tried.zone

    def _is_first(self, records: RRset) -> bool:
        core = self.core
        if records.rtype not in (Type.A, Type.AAAA):
            return False
        for address in core.usable(tuple(map(Address, records.rdatas))):
            standing = core.policy.standing(address)
            if self.selection is not PLAIN:
                standing = selected(self.selection, standing, address)
            if standing.tier == 0 and not (standing.never or core.servers.get(address).held):
                return True
        return False

    def take_punt(self, zone: Name, question: Question) -> Punt | None:
        """The exchange that was made for this question before the task began, once."""
        punt = self.punt
        if punt is None or (punt.tried.zone, punt.question) != (zone, question):
            return None
        self.punt = None
        return punt

    def news(self, now: float) -> News | None:
        """What there is to tell a task that waits for ``wish``; ``None``: it must wait on. ``now``:
        up to when all that came has been delivered."""
        match self.wish:
            case Await():
                if self.inbox:
                    return self.inbox.popleft()
                return Elapsed() if now >= self.waits_until() else None
            case LookUpAll():
                return None if self.pending else Found(tuple(self.results), self.is_early)
            case AwaitProbe(_, until):
                probed, self.probed = self.probed, None
                return probed or (Elapsed() if now >= until else None)
            case None:
                return None

    def waits_until(self) -> float:
        """When the wait for news of exchanges is over; for ever where there is none."""
        return self.wish.until + self.late if isinstance(self.wish, Await) else float("inf")

    def advance(self, news: News | None, now: float) -> None:
        """Step the generator to its next wish or its result."""
        self.now, self.late = now, 0.0
        try:
            self.wish = next(self.steps) if news is None else self.steps.send(news)
        except StopIteration as stop:
            self.wish = None
            self.result = stop.value
        except Exception as fault:
            # Our own fault, met by one question: it must not end the others.
            self.core.on_fault(fault)
            self.wish = None
            self.result = Result(
                Rcode.SERVFAIL, ede=((Ede.OTHER, "internal error"),), cacheable=False
            )

    def close(self) -> None:
        """End the generator; nothing of it runs again."""
        if self.result is None:  # else it has ended by itself
            self.steps.close()


@final
class Waits:
    """Tasks that wait for news, by the time at which their wait is over."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Task]] = []
        self._count = 0

    def add(self, until: float, task: Task) -> None:
        """One more."""
        self._count += 1
        heapq.heappush(self._heap, (until, self._count, task))

    def pop(self, now: float) -> Task | None:
        """The next whose wait is over, if it has not ended. One whose exchange the door had late
        waits on. Those that have ended leave as soon as they are first: nobody is woken for them,
        and what they hold is given back while it is young (kept for the time of a wait, it cost a
        tenth of the interpreter's time in collections of garbage)."""
        heap = self._heap
        while heap and (heap[0][2].over or heap[0][0] <= now):
            task = heapq.heappop(heap)[2]
            if task.over:
                continue
            if task.late and (until := task.waits_until()) > now:
                self.add(until, task)
            else:
                return task
        return None

    def next(self) -> float:
        """When a wait is over; infinity: none is."""
        return self._heap[0][0] if self._heap else float("inf")


Sameness = tuple[Address, Question, Transport, bool, bool]
"""What makes two asks one: the last are whether EDNS is used, and RD."""


@final
class Flight:
    """An exchange under way, and the resolutions that hear of its end."""

    __slots__ = ("ask", "hearers", "sameness", "ticket")

    def __init__(self, ticket: int, ask: Ask, sameness: Sameness) -> None:
        self.ticket = ticket
        self.ask = ask
        self.sameness = sameness
        self.hearers: list[tuple[Task, Tried]] = []


def probing(task: Task, wish: Probe) -> Steps:
    """The resolution of a probe: one exchange; NOERROR stands for *alive*, whatever it said."""
    ask = Ask(
        wish.address,
        task.question,
        wish.label,
        limits_servers.EXCHANGE_SECONDS,
        edns=task.core.servers.get(wish.address).no_edns_until <= task.now,
        randomise_case=task.core.settings.randomise_case,
        nsid=task.core.proofs.wants_identity(wish.address),
        needed=label_count(wish.zone) + 1,
    )
    tried = Tried(ask, wish.zone, wish.server, wish.tier)
    news = yield Await(tried, task.now + limits_servers.EXCHANGE_SECONDS + 1)
    alive = isinstance(news, Arrived) and news.outcome.message is not None
    if isinstance(news, Arrived):
        tried.outcome, tried.rtt = "alive" if alive else "silent", news.outcome.rtt
    return Result(Rcode.NOERROR if alive else Rcode.SERVFAIL, cacheable=False)
