"""The books of planned lookups: what native has done by plans is counted as if done here.

Sums go to the tally, round trips to the memory of servers, packed records to their queue; answers
whose destination native could not tell are put into the cache with it. Punts are handed on.
"""

from typing import final

from policy.border import Policy
from resolver.cache import AnswerKey, AnswerStore
from resolver.carry import NativePlans, News, Punted, Unlocated, route_of
from resolver.core import Core
from resolver.counters import TRANSPORTS, Clock
from resolver.model import Address, ClientContext, Exchange, Record
from resolver.records import RecordQueue
from resolver.tally import Tally

_VIEW = 0


@final
class Carried:
    """Takes native's news once a turn."""

    def __init__(
        self,
        plans: NativePlans,
        core: Core,
        clock: Clock,
        answers: AnswerStore,
        records: RecordQueue,
        tally: Tally,
    ) -> None:
        self._plans = plans
        self._core = core
        self._clock = clock
        self._answers = answers
        self._records = records
        self._tally = tally

    def take(self, policy: Policy, now: float) -> list[Punted]:
        """Book what has ended; what has not is returned."""
        news = self._plans.take(self._core.planner, now)
        self._count(news, now)
        if news.records is not None:
            self._records.put_packed(news.records)
        for unlocated in news.unlocated:
            self._locate(unlocated, policy, now)
        if news.unlocated:
            self._plans.locate([a for found in news.unlocated for a in found.addresses])
        return news.punted

    def _count(self, news: News, now: float) -> None:
        tally, core = self._tally, self._core
        for done in news.sums:
            route = route_of(done.plan, done.server)
            reason = done.plan.servers[done.server].label.reason
            zone = done.plan.zone
            tally.lookup(done.transport, route, done.destination, reason, done.count, zone)
            tally.seconds[route].add(done.buckets, done.seconds)
            if done.plan.tag:
                tally.tagged(done.plan.tag, done.count)
        for plan, at, times, identity in news.rtts:
            planned = plan.servers[at]
            server = core.servers.get(planned.address)
            for rtt in times:
                server.replied(rtt, now)
            if not planned.is_usual:
                core.planner.asked_otherwise(planned.address)
            core.judge(planned.address, identity if planned.nsid else None, times, plan.zone, now)
            core.planner.renew(core, plan, now)

    def _locate(self, found: Unlocated, policy: Policy, now: float) -> None:
        question, plan = found.question, found.plan
        route = route_of(plan, found.server)
        reason = plan.servers[found.server].label.reason
        destination = policy.destination(found.addresses, question.name)
        for view, generation in found.views:
            for do, cd, life, answer in found.answers:
                key = AnswerKey(view, question, do, cd)
                self._answers.put(key, generation, answer, life, destination, now, tag=plan.tag)
        if plan.tag:
            self._tally.tagged(plan.tag, len(found.clients))
        tried = plan.tried(found.server, question)
        tried.outcome, tried.rtt = found.end, found.rtt
        exchanges: tuple[Exchange, ...] = (tried.exchange(),)
        for number, address, seconds in found.clients:
            transport = TRANSPORTS[number]
            self._tally.lookup(transport, route, destination, reason, 1, plan.zone)
            self._tally.seconds[route].observe(seconds)
            self._records.put(
                Record(
                    self._clock.wall(),
                    question,
                    ClientContext(transport, Address(address), _VIEW),
                    found.rcode,
                    route,
                    destination,
                    reason,
                    seconds,
                    policy.generation,
                    exchanges,
                )
            )
            exchanges = ()
