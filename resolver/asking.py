"""One question to one zone: servers are asked in turn until one gives a usable reply.

The wait for a reply is shorter than the life of the exchange: when the wait is over the next
server (or the next try) is asked, and a late reply is still taken. Truncated replies and replies
with the wrong letter case are asked for again over TCP (RFC 7766 section 5), a server that does
not know EDNS is asked without it (RFC 6891 section 7).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, final

from policy.decision import PLAIN, Way
from resolver import limits, limits_servers
from resolver.contest import Candidate, Contest, Step
from resolver.delegation import Delegation
from resolver.minimise import Shown
from resolver.model import (
    Failure,
    Message,
    Outcome,
    Purpose,
    Question,
    Rcode,
    Transport,
    Type,
    Verdict,
)
from resolver.names import Name
from resolver.plan import Punt
from resolver.quick import new_ask
from resolver.response import Broken, Lame, Meaning, classify
from resolver.scrub import scrub
from resolver.selection import forbids, is_closed
from resolver.task import Task
from resolver.wishes import (
    Arrived,
    Await,
    AwaitProbe,
    Elapsed,
    Found,
    LookUpAll,
    News,
    Probe,
    Tried,
    Wish,
)


@final
class Reply:
    """A usable reply: what it means, the scrubbed message, who sent it, and to what question.

    ``strict``: the server was asked under the border's privacy."""

    __slots__ = ("candidate", "meaning", "message", "question", "strict")

    def __init__(
        self,
        meaning: Meaning,
        message: Message,
        candidate: Candidate,
        question: Question,
        strict: bool = False,
    ) -> None:
        self.meaning = meaning
        self.message = message
        self.candidate = candidate
        self.question = question
        self.strict = strict


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No server gave a usable reply. ``spoke``: at least one said something.

    ``withheld``: one abroad had no use for the part of the name that it may be shown.
    ``at_home``: the zone has servers at home."""

    spoke: bool
    withheld: bool = False
    at_home: bool = False


def ask_zone(
    task: Task, cut: Delegation, shown: Shown, whole: Question
) -> Generator[Wish, News, Reply | Unanswered]:
    """Ask the servers of ``cut`` until one of them answers what it is ``shown``. A server that
    refuses ``whole`` is lame; what is less is only a step of minimisation."""
    return _Asking(task, cut, shown, whole).run()


class _Asking:
    """The state of one :func:`ask_zone`."""

    def __init__(self, task: Task, cut: Delegation, shown: Shown, whole: Question) -> None:
        self.task = task
        self.cut = cut
        self.shown = shown
        self.whole = whole
        self.contest = Contest(task.core, cut, task.now, task.selection)
        self.spoke = False
        self.withheld = False
        self.glue_doubted = False
        self.sent: list[Tried] = []

    def run(self) -> Generator[Wish, News, Reply | Unanswered]:
        punt = self.task.take_punt(self.cut.zone, self.shown.home)
        if punt is not None and (reply := (yield from self._resume(punt))):
            return reply
        while True:
            while self.task.has_news():
                # What came while addresses or probes were awaited is heard before anyone else
                # is asked.
                if reply := (yield from self._hear((yield Await(None, self.task.now)))):
                    return reply
            self._want_probes(self.contest.held())
            step = self.contest.next(self.task.now)
            if isinstance(step, Candidate):
                self._seek_nearer(step)
                reply = yield from self._try(step, Transport.UDP)
            elif step is Step.WAIT:
                until = self.contest.wake_at(limits_servers.EXCHANGE_SECONDS, self.task.now)
                reply = yield from self._hear((yield Await(None, until)))
            elif step is Step.RESOLVE:
                names = self.contest.unresolved(self.task.now)
                is_early = yield from self._look_up(names)
                self.contest.resolved(self.task.now, not is_early)
                continue
            elif step is Step.PROBE:
                if not (yield from self._await_probes()):
                    return self._unanswered()
                continue
            elif names := self._doubtful_glue():
                yield from self._look_up(names)
                self.contest.gather(self.task.now)
                continue
            else:
                return self._unanswered()
            if reply is not None:
                return reply

    def _unanswered(self) -> Unanswered:
        return Unanswered(self.spoke, self.withheld, self.contest.domestic_known)

    def _resume(self, punt: Punt) -> Generator[Wish, News, Reply | None]:
        """Go on from an exchange that was made under a plan, as if it had been sent here."""
        candidate = self.contest.candidates.get(punt.tried.ask.address)
        if candidate is None:
            return None
        self.contest.tier = candidate.tier
        self.contest.began[candidate.tier] = punt.sent
        candidate.tries = 1
        self.sent.append(punt.tried)
        self._seek_nearer(candidate)
        if punt.outcome is None:
            punt.tried.outcome = "timeout"
            self._overdue(candidate, punt.sent, punt.is_usual)
            return None
        candidate.waiting = 1
        return (yield from self._hear(Arrived(punt.tried, punt.outcome)))

    def _overdue(self, candidate: Candidate, sent: float, usual: bool) -> None:
        """No reply within the wait: a silence when that was the usual one."""
        if usual:
            self._silent(candidate, sent)
        else:
            core = self.task.core
            candidate.server.pass_over(self.task.now)
            core.planner.asked_otherwise(candidate.address)

    def _silent(self, candidate: Candidate, sent: float) -> None:
        core = self.task.core
        core.servers.get(candidate.address).silent(sent, self.task.now)
        core.planner.struck(core, self.cut.zone, candidate.address)

    def _try(
        self, candidate: Candidate, transport: Transport, edns: bool | None = None
    ) -> Generator[Wish, News, Reply | None]:
        """Send one try and hear the first news after it; only wait while too many are under way."""
        task, contest = self.task, self.contest
        server = candidate.server
        if server.under_way >= limits_servers.UNDER_WAY_MAX:
            return (yield from self._hear((yield Await(None, task.now + server.wait(0)))))
        label, recursion = contest.label(candidate.address, task.purpose), False
        if task.selection is not PLAIN:
            if forbids(task.selection, label.verdict):
                candidate.failed = True  # the verdict is another one by now
                return None
            recursion = task.selection.way is Way.FORWARD
        stream = transport is Transport.TCP
        wait = limits_servers.TCP_SECONDS if stream else contest.wait(candidate, task.now)
        usual = stream or wait >= server.wait(candidate.tries)
        ask = new_ask(
            (
                candidate.address,
                self.shown.to(label.verdict, task.core.settings.strict_abroad),
                label,
                limits_servers.TCP_SECONDS if stream else limits_servers.EXCHANGE_SECONDS,
                transport,
                server.no_edns_until <= task.now if edns is None else edns,
                task.core.settings.randomise_case and not stream,
                not recursion and task.core.proofs.wants_identity(candidate.address),
                candidate.tries == 0,
                self.shown.needed,
                recursion,
            )
        )
        needless = contest.is_needless(candidate, task.now)
        tried = Tried(ask, self.cut.zone, candidate.name, candidate.tier, needless)
        candidate.tries += 1
        candidate.waiting += 1
        self.sent.append(tried)
        began, until = task.now, contest.wake_at(wait, task.now)
        news = yield Await(tried, until)
        if isinstance(news, Elapsed):
            self._overdue(candidate, began, usual)
            return None
        return (yield from self._hear(news))

    def _hear(self, news: News) -> Generator[Wish, News, Reply | None]:
        """Take in news of an exchange; may send again at once (TCP, no EDNS)."""
        if not isinstance(news, Arrived):
            return None
        tried, outcome = news.tried, news.outcome
        if tried not in self.sent:
            # Of an earlier step of this resolution.
            tried.outcome = "late" if outcome.failure is None else outcome.failure.value
            tried.rtt = outcome.rtt
            return None
        candidate = self.contest.candidates[tried.ask.address]
        candidate.waiting -= 1
        again = self._again(tried, outcome)
        if again is not None:
            told, transport, edns = again
            tried.outcome, tried.rtt = told, outcome.rtt
            self.spoke = True
            if candidate.tries > limits_servers.TRIES_PER_SERVER + 1:
                candidate.failed = True
                return None
            if self.contest.is_needless(candidate, self.task.now):
                return None  # a server of an earlier tier has come back meanwhile
            return (yield from self._try(candidate, transport, edns))
        if outcome.message is None:
            self._failed(candidate, tried, outcome)
            return None
        self.spoke = True
        settings = self.task.core.settings
        message = scrub(outcome.message, self.cut.zone, settings.ttl_max)
        question, abroad = tried.ask.question, tried.ask.label.verdict is not Verdict.DOMESTIC
        if tried.ask.recursion:
            # A forwarder answers from its cache: who offers recursion has the last word (RFC 1034
            # section 4.3.1).
            message = message._replace(authoritative=message.recursive, recursive=False)
        meaning: Meaning
        if message.truncated:
            meaning = Broken("truncated")  # a stream has room for everything
        else:
            meaning = classify(message, self.cut.zone, question, settings.ttl_negative_max)
        tried.outcome, tried.rtt = meaning.told, outcome.rtt
        if isinstance(meaning, Lame | Broken):
            candidate.failed = True
            if question != self.whole:
                self.withheld |= abroad and settings.strict_abroad
            elif isinstance(meaning, Lame):
                core, now = self.task.core, self.task.now
                core.servers.set_lame(candidate.address, self.cut.zone, now)
                core.planner.struck(core, self.cut.zone, candidate.address)
            return None
        return Reply(meaning, message, candidate, question, abroad and settings.strict_abroad)

    def _again(self, tried: Tried, outcome: Outcome) -> tuple[str, Transport, bool | None] | None:
        """Whether the same server is to be asked at once in another way: how it is told in the
        trail, over what, with EDNS or not."""
        udp = tried.ask.transport is Transport.UDP
        if outcome.failure is Failure.CASE and udp:
            return "case", Transport.TCP, None
        message = outcome.message
        if message is None:
            return None
        if tried.ask.edns and message.edns is None and message.rcode in _NO_EDNS:
            server = self.task.core.servers.get(tried.ask.address)
            server.no_edns_until = self.task.now + limits_servers.NO_EDNS_SECONDS
            self.task.core.planner.asked_otherwise(tried.ask.address)
            return "no_edns", tried.ask.transport, False
        if message.truncated and udp:
            return "truncated", Transport.TCP, None
        return None

    def _failed(self, candidate: Candidate, tried: Tried, outcome: Outcome) -> None:
        assert outcome.failure is not None
        tried.outcome, tried.rtt = outcome.failure.value, outcome.rtt
        if outcome.failure is Failure.TIMEOUT:
            if tried.ask.transport is Transport.TCP:
                candidate.failed = True
            return
        if outcome.failure is Failure.CLOSED and not candidate.spent:
            return
        candidate.failed = True
        if outcome.failure is Failure.UNREACHABLE:
            self._silent(candidate, self.task.now - outcome.rtt)

    def _look_up(self, names: tuple[Name, ...]) -> Generator[Wish, News, bool]:
        """Look up the addresses of name servers and remember them for the cut; whether some were
        not waited for."""
        types = self._address_types()
        questions = tuple(Question(name, rtype) for name in names for rtype in types)
        news = yield LookUpAll(questions, Purpose.NAMESERVER_ADDRESS, self.cut.zone)
        results = getattr(news, "results", ())
        for question, result in zip(questions, results, strict=False):
            if result is None:
                continue
            if result.rcode == Rcode.SERVFAIL and is_closed(self.task.selection):
                continue  # others may find it
            # An NS target must not be an alias (RFC 2181 section 10.3): only records at the
            # name itself count.
            records = [
                r for r in result.answer if r.name == question.name and r.rtype == question.rtype
            ]
            found = tuple(rdata for r in records for rdata in r.rdatas)
            life = max([limits.ADDRESS_SECONDS_MIN, *(r.ttl for r in records)])
            self.cut.looked_up(question.name, self.task.core.usable(found), self.task.now + life)
            self.task.core.planner.changed(self.cut.zone)
        return isinstance(news, Found) and news.is_early

    def _seek_nearer(self, chosen: Candidate) -> None:
        """The best server at home is slow: one that has no address yet may be nearer. Names at home
        are looked up for that, and this lookup does not wait for them."""
        core, now, rtt = self.task.core, self.task.now, chosen.server.srtt
        if chosen.tier > 0 or rtt is None or rtt <= limits_servers.FARTHER_SECONDS:
            return
        if now < self.cut.sought_until or self.task.selection is not PLAIN:
            return
        self.cut.sought_until = now + limits_servers.SEEK_SECONDS
        for name in self.contest.unresolved(now):
            if core.policy.at_home(name):
                for rtype in self._address_types():
                    self.task.seek(Question(name, rtype))

    def _address_types(self) -> tuple[Type, ...]:
        settings = self.task.core.settings
        types = ((Type.A, settings.ipv4), (Type.AAAA, settings.ipv6))
        return tuple(rtype for rtype, on in types if on)

    def _doubtful_glue(self) -> tuple[Name, ...]:
        """When all servers have failed: names known by glue alone, whose own zone may say other
        addresses. Looked at once."""
        if self.glue_doubted:
            return ()
        self.glue_doubted = True
        now, records = self.task.now, self.task.core.records
        return tuple(
            name
            for name in self.cut.names()
            if not self.cut.is_resolved(name, now)
            and not any(records.get(name, t, now) for t in (Type.A, Type.AAAA))
        )[: limits_servers.GLUELESS_PER_STEP]

    def _want_probes(self, held: list[Candidate]) -> None:
        for candidate in held:
            if not candidate.server.probe_due(self.task.now):
                continue
            label = self.contest.label(candidate.address, Purpose.VERIFICATION)
            if not forbids(self.task.selection, label.verdict):
                self.task.probe(
                    Probe(self.cut.zone, candidate.name, candidate.address, label, candidate.tier)
                )

    def _await_probes(self) -> Generator[Wish, News, bool]:
        """Only held-down servers are left: wait for a probe that is under way or due soon.

        Returns whether it is worth looking again.
        """
        held = self.contest.held_all()
        first = min(c.tier for c in held)
        held = [c for c in held if c.tier == first]
        self._want_probes(held)
        probing = tuple(c.address for c in held if c.server.probing)
        if not probing:
            due = min(c.server.probe_at for c in held)
            if due > self.task.now + limits_servers.PROBE_FIRST:
                return False
            # Just held down: an answer a second later is worth more than a failure now.
            yield AwaitProbe(tuple(c.address for c in held), due)
            return True
        yield AwaitProbe(probing, self.task.now + limits_servers.EXCHANGE_SECONDS)
        for candidate in held:
            if candidate.held and not candidate.server.probing:
                candidate.failed = True
        return True


_NO_EDNS: Final = (Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS)
