"""What a resolution may wish for, and the news it is stepped with.

A resolution is a generator: it yields a wish, the scheduler grants it and sends the news in.
Wishes are values, so the same resolution runs on sockets and in virtual time.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, final

from resolver.model import Address, Ask, Exchange, Label, Outcome, Purpose, Question, Result
from resolver.names import Name
from resolver.quick import new_exchange


@final
class Tried:
    """An exchange as the books keep it: the ask, what it was for, and how it ended."""

    __slots__ = ("ask", "needless", "outcome", "rtt", "server", "ticket", "tier", "zone")

    def __init__(
        self, ask: Ask, zone: Name, server: Name | None, tier: int, needless: bool = False
    ) -> None:
        self.ask = ask
        self.zone = zone
        self.server = server
        self.tier = tier
        self.needless = needless
        self.ticket = 0
        self.outcome = "unanswered"
        self.rtt = 0.0

    def exchange(self) -> Exchange:
        """The exchange as the record and ``explain`` show it."""
        ask = self.ask
        return new_exchange(
            (
                self.zone,
                self.server,
                ask.address,
                ask.question,
                ask.transport,
                ask.label,
                self.tier,
                self.outcome,
                self.rtt,
            )
        )


@final
class Await:
    """Send ``tried`` (if any), then wake with the next outcome of this resolution, or at
    ``until``."""

    __slots__ = ("tried", "until")

    def __init__(self, tried: Tried | None, until: float) -> None:
        self.tried = tried
        self.until = until


class LookUpAll(NamedTuple):
    """Resolve all questions; wake when each has ended. ``None`` stands for one that cannot be
    waited for (a cycle, depth or quota)."""

    questions: tuple[Question, ...]
    purpose: Purpose
    zone: Name | None = None  # whose servers are looked up


class AwaitProbe(NamedTuple):
    """Wake when a probe of one of these held-down servers ends, or at ``until``."""

    addresses: tuple[Address, ...]
    until: float


class Probe(NamedTuple):
    """Ask a held-down server for the SOA of a zone it should serve, in the background."""

    zone: Name
    server: Name | None
    address: Address
    label: Label
    tier: int


Wish = Await | LookUpAll | AwaitProbe


@final
class Arrived:
    """An exchange of this resolution has ended."""

    __slots__ = ("outcome", "tried")

    def __init__(self, tried: Tried, outcome: Outcome) -> None:
        self.tried = tried
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time that :class:`Await` or :class:`AwaitProbe` named has come."""


class Found(NamedTuple):
    """Results of :class:`LookUpAll`, in its order. ``is_early``: what is missing was not waited
    for, since name servers of the first tier have been found."""

    results: tuple[Result | None, ...]
    is_early: bool = False


class Probed(NamedTuple):
    """A probe of this server has ended."""

    address: Address


News = Arrived | Elapsed | Found | Probed

Steps = Generator[Wish, News, Result]
"""A resolution: yields wishes, is sent news, returns its result."""
