"""The end of a lookup: its reply is composed, kept for native, sent, counted and recorded.

A reply is kept under the generation of the policy in force, with a tag of what policy did; it lives
no longer than its records and than what policy said of it. RFC 6895 section 3.1 and RFC 8914 (those
who are turned away).
"""

from collections.abc import Callable
from typing import final

from policy.border import Policy
from policy.decision import Hit
from resolver.cache import Answer, AnswerKey, AnswerStore, build_answer
from resolver.compose import Sections, addresses_in, compose
from resolver.counters import Clock
from resolver.decide import SILENT, STREAM, Decider, Ruling
from resolver.limits_views import POLICY_TTL
from resolver.listen import Listener, Miss
from resolver.model import (
    Address,
    Books,
    ClientContext,
    Destination,
    Ede,
    Purpose,
    Question,
    Rcode,
    Record,
    Result,
    Transport,
)
from resolver.names import Name
from resolver.quick import new_record
from resolver.records import RecordQueue
from resolver.tags import NO_EFFECT, Effect
from resolver.tally import Tally, Turned, first_abroad
from resolver.where_zone import Notes

_INTERNAL = ClientContext(Transport.INTERNAL, Address(b""))

_TURNED = {
    Turned.CLASS: (Rcode.REFUSED, Ede.NOT_SUPPORTED, "only class IN is resolved"),
    Turned.TYPE: (Rcode.NOTIMP, Ede.NOT_SUPPORTED, "this type cannot be resolved"),
    Turned.RECURSION: (Rcode.REFUSED, Ede.OTHER, "only questions with RD set are resolved"),
    Turned.OVERLOAD: (Rcode.SERVFAIL, Ede.NOT_READY, "too many clients wait for this answer"),
    Turned.STOPPING: (Rcode.SERVFAIL, Ede.NOT_READY, "this server is stopping"),
}

ToldHits = Callable[[Name, tuple[Hit, ...], float], None]
"""Told of what response policy zones matched: name asked for, hits, time of the one clock."""


@final
class Replies:
    """Replies of one turn, and the books of what was answered."""

    def __init__(
        self,
        listener: Listener,
        clock: Clock,
        answers: AnswerStore,
        records: RecordQueue,
        tally: Tally,
        policy: Policy,
    ) -> None:
        self._listener = listener
        self._clock = clock
        self._answers = answers
        self._records = records
        self._tally = tally
        self._policy = policy
        self._decider: Decider | None = None
        self._replies: list[tuple[int, Answer]] = []
        self._silent: list[int] = []
        self.on_hits: ToldHits = _unheard
        self.notes = Notes()
        """How lookups went of clients who are told."""

    def set_policy(self, policy: Policy, decider: Decider | None) -> None:
        """What is answered from now on is answered under this policy."""
        if policy.generation_number != self._policy.generation_number:
            self.notes.clear()
        self._policy = policy
        self._decider = decider

    def flush(self) -> None:
        """Send this turn's replies in one call."""
        if self._replies:
            self._listener.reply(self._replies)
            self._replies = []
        if self._silent:
            self._listener.silence(self._silent)
            self._silent = []

    def turn_away(self, miss: Miss, turned: Turned, now: float) -> None:
        """A client gets no lookup."""
        self._tally.turned[turned] += 1
        rcode, ede, why = _TURNED[turned]
        sections = Sections(rcode, (), (), ((ede, why),), 0.0)
        answer = build_answer(miss.key.question, sections, now, miss.rclass)
        self._replies.append((miss.token, answer))

    def truncate(self, miss: Miss, ruling: Ruling, arrived: float, now: float) -> None:
        """A client over UDP is told to come back by TCP, as policy wants it."""
        question = miss.key.question
        answer = _truncated(question, now)
        destination = self._policy.destination((), question.name)
        self._finish(miss.key, [(arrived, miss)], ruling, Books(), answer, destination)

    def give(
        self,
        key: AnswerKey,
        waiting: list[tuple[float, Miss]],
        result: Result,
        books: Books,
        ruling: Ruling | None,
        *,
        later: bool = False,
    ) -> None:
        """Answer all who wait, and keep the reply. ``later``: it is kept, and the clients are
        counted by what policy did, when that is known."""
        now = self._clock.now()
        sections = compose(result, key.question, key.do)
        if ruling is None:
            ruling = Ruling(result, NO_EFFECT, 0, 0, float("inf"))
            lifetime = sections.lifetime
        else:
            lifetime = 0.0 if later else self._lifetime(sections, ruling)
            sections = self._explained(key, sections, books, ruling, note=True)
        answer = build_answer(key.question, sections, now)
        policy = self._policy
        destination = policy.destination(addresses_in(result.answer), key.question.name)
        if lifetime > 0:
            self._put(key, answer, lifetime, destination, ruling)
        if later:
            ruling = ruling._replace(tag=0)
        self._finish(key, waiting, ruling, books, answer, destination)

    def keep(self, key: AnswerKey, result: Result, ruling: Ruling) -> None:
        """Keep a reply that was given before all was known that it is counted under."""
        sections = compose(result, key.question, key.do)
        lifetime = self._lifetime(sections, ruling)
        if lifetime > 0:
            sections = self._explained(key, sections, Books(), ruling, note=False)
            answer = build_answer(key.question, sections, self._clock.now())
            addresses = addresses_in(result.answer)
            destination = self._policy.destination(addresses, key.question.name)
            self._put(key, answer, lifetime, destination, ruling)

    def _put(
        self,
        key: AnswerKey,
        answer: Answer,
        lifetime: float,
        destination: Destination,
        ruling: Ruling,
    ) -> None:
        self._answers.put(
            key,
            self._policy.generation_number,
            answer,
            lifetime,
            destination,
            self._clock.now(),
            stale=ruling.result.stale is not None,
            manner=ruling.manner,
            tag=ruling.tag,
        )

    def _lifetime(self, sections: Sections, ruling: Ruling) -> float:
        """Nothing outlives the time at which policy may say otherwise."""
        lifetime = sections.lifetime
        if sections.rcode == Rcode.REFUSED and ruling.live.rule:
            lifetime = float(POLICY_TTL)
        return min(lifetime, ruling.until - self._clock.wall())

    def _explained(
        self, key: AnswerKey, sections: Sections, books: Books, ruling: Ruling, *, note: bool
    ) -> Sections:
        """With route and reason for those who are told them. ``note``: for those who ask, too."""
        if self._decider is None or not self._decider.explains(key.view):
            return sections
        if note:
            wall, rcode = self._clock.wall(), sections.rcode
            self.notes.put(key.view, key.question, wall, rcode, books, ruling.live)
        text = f"route {books.route.value}, reason {books.reason.value}"
        if ruling.live.rule:
            text += f", rule {ruling.live.rule}: {ruling.live.action}"
        return sections._replace(ede=(*sections.ede, (Ede.OTHER, text)))

    def _finish(
        self,
        key: AnswerKey,
        waiting: list[tuple[float, Miss]],
        ruling: Ruling,
        books: Books,
        answer: Answer,
        destination: Destination,
    ) -> None:
        policy, tally, result = self._policy, self._tally, ruling.result
        now = self._clock.now()
        stale = result.stale is not None
        route, reason = books.route, books.reason
        exchanges, zone = tuple(books.trail), first_abroad(books.trail)
        if result.rcode == Rcode.SERVFAIL:
            tally.failed[route] += len(waiting)
        tally.stale += len(waiting) if stale else 0
        if ruling.tag:
            tally.tagged(ruling.tag, len(waiting))
        live: Effect = ruling.live
        if ruling.hits:
            self.on_hits(key.question.name, ruling.hits, now)
        for arrived, miss in waiting:
            seconds = now - arrived
            if ruling.manner == SILENT:
                self._silent.append(miss.token)
            elif ruling.manner == STREAM and miss.client.transport is Transport.UDP:
                self._replies.append((miss.token, _truncated(key.question, now)))
            else:
                self._replies.append((miss.token, answer))
            tally.lookup(miss.client.transport, route, destination, reason, 1, zone)
            tally.seconds[route].observe(seconds)
            record = new_record(
                (
                    self._clock.wall(),
                    key.question,
                    miss.client,
                    result.rcode,
                    route,
                    destination,
                    reason,
                    seconds,
                    policy.generation,
                    exchanges,
                    stale,
                    live.rule,
                    live.action,
                )
            )
            self._records.put(record)
            exchanges = ()  # joined clients share the route; the work is told once

    def internal(self, question: Question, purpose: Purpose, result: Result, books: Books) -> None:
        """Work without a client has ended: a lookup like any other, so that no escape hides."""
        policy = self._policy
        destination = policy.destination((), question.name)
        zone = first_abroad(books.trail)
        self._tally.lookup(Transport.INTERNAL, books.route, destination, books.reason, 1, zone)
        self._records.put(
            Record(
                self._clock.wall(),
                question,
                _INTERNAL,
                result.rcode,
                books.route,
                destination,
                books.reason,
                sum([exchange.rtt for exchange in books.trail]),
                policy.generation,
                tuple(books.trail),
            )
        )


def _truncated(question: Question, now: float) -> Answer:
    """Come back by TCP."""
    sections = Sections(Rcode.NOERROR, (), (), (), 0.0)
    return build_answer(question, sections, now, truncated=True)


def _unheard(name: Name, hits: tuple[Hit, ...], now: float) -> None:
    del name, hits, now
