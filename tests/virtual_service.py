"""The whole of Python's part in memory and virtual time: driver, service, core, books.

Clients ask through :meth:`Served.ask`; what native would do (the answer cache, plans) is done by
the real cache and by :class:`tests.virtual_plans.VirtualPlans`. With ``plans`` off every miss goes
to Python.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from random import Random
from typing import Any, cast

from policy.border import Policy
from resolver import limits
from resolver.cache import Answer, AnswerKey, AnswerStore, RecordStore
from resolver.carried import Carried
from resolver.carry import NativePlans, PackedRecords
from resolver.core import Core, CoreSettings, Hints
from resolver.counters import Counters
from resolver.in_force import InForce
from resolver.listen import Miss, miss_from_tuple
from resolver.model import (
    Address,
    Ask,
    Label,
    Outcome,
    Question,
    Record,
    Transport,
    Type,
)
from resolver.names import ROOT, Name
from resolver.resolve import Driver
from resolver.schedule import Scheduler
from resolver.serve import Service
from resolver.tally import SECONDS_BOUNDS, Tally
from tests.virtual import DictRecords, VirtualDoor
from tests.virtual_odd import OddHost
from tests.virtual_plans import VirtualPlans
from tests.virtual_servers import Host, name

CACHE_OCTETS = 1 << 24
CLIENT = Address(bytes((192, 0, 2, 7)))


class WatchedDoor(VirtualDoor):
    """The door of the core and of plans: one chance, one book of what was sent and when."""

    def __init__(self, hosts: dict[Address, Host], chance: Random, loss: float) -> None:
        super().__init__(hosts, chance, loss)
        self.times: list[float] = []
        self._eventfd = os.eventfd(0)

    def fileno(self) -> int:
        """Something that can be watched; in virtual time nobody waits for it."""
        return self._eventfd

    def submit(self, asks: Sequence[tuple[int, Ask]]) -> None:
        self.times += [self.now] * len(asks)
        super().submit(asks)

    def fly(self, ask: Ask) -> tuple[float, Outcome]:
        """An exchange that native makes by itself."""
        self.times.append(self.now)
        self.sent.append(ask)
        host = self.hosts.get(ask.address)
        if isinstance(host, OddHost):
            host.planned = True
        fate = self._fate(ask)
        if isinstance(host, OddHost):
            host.planned = False
        return fate

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._eventfd)


@dataclass(slots=True)
class Client:
    """A client's question, and what came: the reply as octets (ID 0), and when."""

    key: AnswerKey
    asked: float
    reply: bytes | None = None
    replied: float | None = None
    hit: bool = False
    address: Address = CLIENT
    transport: int = 0  # as native numbers them
    silenced: bool = False


class VirtualListener:
    """Clients of :class:`Served`; what :class:`resolver.listen.Listener` is to the service."""

    def __init__(self, served: "Served") -> None:
        self._served = served
        self._tokens = 0
        self.waiting: dict[int, Client] = {}
        self._misses: list[Miss] = []
        self._rows: list[tuple[IPv4Network | IPv6Network, int]] = []
        self.generation = 0
        self._eventfd = os.eventfd(0)

    def fileno(self) -> int:
        """As of the door."""
        return self._eventfd

    def set_views(self, rows: Sequence[tuple[str, int]], generation: int) -> None:
        """Views of clients, and the generation that they are of."""
        self._rows = sorted(
            ((ip_network(text), number) for text, number in rows), key=lambda row: row[0].prefixlen
        )
        self.generation = generation

    def view(self, at: Address) -> int:
        """The view of a client: the longest prefix counts."""
        client = ip_address(bytes(at))
        return next((number for net, number in reversed(self._rows) if client in net), 0)

    def ask(self, client: Client) -> None:
        """A client's question has arrived."""
        served, now = self._served, self._served.now
        key = client.key = client.key._replace(view=self.view(client.address))
        question = key.question
        hit = served.answers.native.peek(
            key.view, question.name, question.rtype, key.do, key.cd, now
        )
        if hit is not None:
            client.reply, client.replied, client.hit = hit, now, True
            return
        self._tokens += 1
        fields = (
            self._tokens, question.name, question.rtype, 1, True, key.do, key.cd,
            client.transport, client.address, key.view, self.generation,
        )  # fmt: skip
        miss = miss_from_tuple(fields)
        busy = any(question == other.key.question for other in self.waiting.values())
        plans = served.carrier
        if plans is None or not plans.offer(miss, busy, now):
            self._misses.append(miss)
        self.waiting[self._tokens] = client

    def take(self, most: int) -> list[Miss]:
        """Misses for Python."""
        taken, self._misses = self._misses[:most], self._misses[most:]
        return taken

    def answer(self, miss: Miss, answer: Answer) -> None:
        """Native's own answer."""
        self.reply([(miss.token, answer)])

    def reply(self, replies: Sequence[tuple[int, Answer]]) -> None:
        """Answers go to their clients."""
        for token, answer in replies:
            client = self.waiting.pop(token)
            client.reply, client.replied = answer.message(self._served.now), self._served.now

    def silence(self, tokens: Sequence[int]) -> None:
        """Clients that get no reply."""
        for token in tokens:
            self.waiting.pop(token).silenced = True

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._eventfd)


class Ledger:
    """Keeps every record, unpacked; what :class:`resolver.records.RecordQueue` is to the books."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, record: Record) -> None:
        """Keep one."""
        self.records.append(record)

    def put_packed(self, packed: PackedRecords) -> None:
        """Keep a batch."""
        found = list(packed.records())
        assert len(found) == packed.count
        self.records += found


class VirtualClock:
    """The door's time."""

    def __init__(self, door: WatchedDoor, epoch: float = 0.0) -> None:
        self._door = door
        self._epoch = epoch

    def now(self) -> float:
        """Monotonic seconds."""
        return self._door.now

    def wall(self) -> float:
        """The same, from when the world began: 1970 if nothing else is said."""
        return self._epoch + self._door.now


class Served:
    """A resolver with everything but sockets, in a network of hosts."""

    def __init__(
        self,
        hosts: dict[Address, Host],
        hints: Hints,
        policy: Policy,
        *,
        plans: bool,
        seed: int = 1,
        loss: float = 0.0,
        epoch: float = 0.0,
        **settings: Any,
    ) -> None:
        self.door = WatchedDoor(hosts, Random(seed + 1), loss)
        clock: Any = VirtualClock(self.door, epoch)
        self.records = DictRecords()
        self.answers = AnswerStore(CACHE_OCTETS)
        self.core = Core(CoreSettings(hints, **settings), self.records, policy, Random(seed))
        self.scheduler = Scheduler(self.core)
        self.driver = Driver(self.scheduler, cast(Any, self.door), clock)
        self.tally, self.ledger = Tally(), Ledger()
        self.in_force = InForce(self.core, policy)
        self.listener = VirtualListener(self)
        self.carrier: VirtualPlans | None = None
        self.plans: NativePlans | None = None
        carried = None
        if plans:
            self.carrier = VirtualPlans(
                self.core, self.answers, self.door.fly, self.listener.answer
            )
            self.plans = self._native_plans(policy)
            self.in_force.plan_with(self.plans, policy)
            carried = Carried(
                self.plans, self.core, clock, self.answers, cast(Any, self.ledger), self.tally
            )
        self.service = Service(
            cast(Any, self.listener),
            self.driver,
            clock,
            self.answers,
            cast(Any, self.ledger),
            self.tally,
            policy,
            carried,
            self.in_force.decider,
        )
        self.scheduler.internal = self.service.internal
        self.driver.attach(self.service)

    def _native_plans(self, policy: Policy) -> NativePlans:
        records = RecordStore(CACHE_OCTETS, limits.TTL_MAX, limits.NEGATIVE_SECONDS_MAX)
        plans = NativePlans(
            self.answers,
            records,
            Counters(None, areas=1),
            53,
            policy,
            1000,
            limits.TTL_MAX,
            limits.NEGATIVE_SECONDS_MAX,
            SECONDS_BOUNDS,
        )
        plans.native = cast(Any, self.carrier)
        plans.native.set_policy(policy.generation_number, (), (), ())
        return plans

    @property
    def now(self) -> float:
        """Virtual time, seconds."""
        return self.door.now

    def ask(
        self,
        text: str,
        kind: str = "A",
        do: bool = False,
        cd: bool = False,
        source: Address = CLIENT,
        transport: int = 0,
    ) -> Client:
        """A client asks; its reply comes with the turns that follow."""
        question = Question(name(text), Type[kind])
        client = Client(
            AnswerKey(0, question, do, cd), self.now, address=source, transport=transport
        )
        self.listener.ask(client)
        self.driver.turn()
        return client

    def turn(self, until: float = float("inf")) -> bool:
        """On to the next event; false when none comes before ``until``."""
        times = [self.door.next_arrival(), self.scheduler.next_deadline()]
        if self.carrier is not None:
            times.append(self.carrier.next_event())
        ahead = [t for t in times if t is not None and t <= until]
        if not ahead:
            return False
        self.door.now = max(self.now, min(ahead))
        if self.carrier is not None:
            self.carrier.run(self.now)
        self.driver.turn()
        return True

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self.turn(end):
            pass
        self.door.now = end

    def finish(self, client: Client) -> bytes:
        """Turn until this client has its reply."""
        turns = 0
        while client.reply is None:
            if client.silenced:
                return b""
            assert self.turn() or client.reply is not None, "nothing will happen any more"
            turns += 1
            assert turns < 50_000, "no end in sight"
        return client.reply

    def reload(self, policy: Policy) -> None:
        """Another policy, swapped as :class:`resolver.app.App` does."""
        self.in_force.swap(policy, self.core.settings, self.plans, self.service)

    def flush(self, at: Name, subtree: bool) -> None:
        """The operator's flush, as in :class:`resolver.app.App`."""
        self.answers.flush(at, subtree)
        self.records.flush(at, subtree)
        self.core.cuts.flush(at, subtree)
        self.core.planner.forget(at, subtree)
        self.driver.flush_failures()
        if at == ROOT and subtree:
            self.core.servers.forget()

    def exchanges(self) -> Counter[tuple[Label, Transport]]:
        """What went through the door, by label."""
        return Counter((ask.label, ask.transport) for ask in self.door.sent)

    def close(self) -> None:
        """Give the descriptors back."""
        self.driver.close()
        self.door.close()
        self.listener.close()
