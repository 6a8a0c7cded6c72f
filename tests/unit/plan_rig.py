"""Native's plans with all of Python behind them, but for trio: real sockets, one zone, two servers.

The zone ``example.xa.`` is served at 127.0.0.1 and 127.0.0.2, and so is all else that the resolver
knows. Python turns only when :meth:`PlanRig.ask` is told so; what is answered without a turn was
answered by native.
"""

import select
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_network
from random import Random
from typing import Any, Self, cast

import dns.message

from policy.border import Policy
from policy.inputs import PolicyInputs, Stated
from policy.load import load_policy
from resolver import limits, limits_servers
from resolver.cache import AnswerStore, RecordStore
from resolver.carried import Carried
from resolver.carry import NativePlans, Punted
from resolver.core import Core, CoreSettings
from resolver.counters import Clock, Counters
from resolver.delegation import Delegation
from resolver.exchange import NativeDoor
from resolver.listen import Listener
from resolver.model import Address, Record
from resolver.names import Name
from resolver.plan import Planner
from resolver.resolve import Driver
from resolver.schedule import Scheduler
from resolver.serve import Service
from resolver.tally import SECONDS_BOUNDS, Tally
from tests.unit.upstreams import Script, Upstream, answer
from tests.virtual_servers import address, name
from tests.virtual_service import Ledger

HOSTS = ("127.0.0.1", "127.0.0.2")
ZONE = name("example.xa.")
OCTETS = 1 << 22
SECONDS = 10.0
HOME = PolicyInputs(
    home=frozenset({"XA"}), domestic=(Stated(ip_network("127.0.0.0/8")),), registry=False
)


class PlanRig:
    """Upstreams, native and Python. ``udp`` and ``tcp`` say what both servers reply."""

    kind = ""  # for a fixture to say which one it is
    kernel_ports: bool | None = None

    def __init__(self, udp: Script = answer, tcp: Script = answer, flights: int = 1000) -> None:
        self._closing = ExitStack()
        first = self._closing.enter_context(Upstream(udp=udp, tcp=tcp, host=HOSTS[0]))
        second = Upstream(udp=udp, tcp=tcp, host=HOSTS[1], port=first.port)
        self.upstreams = (first, self._closing.enter_context(second))
        self.policy: Policy = load_policy(HOME)
        self.clock, self.counters = Clock(), Counters(None, areas=8)
        self.answers = AnswerStore(OCTETS)
        self.records = RecordStore(OCTETS, limits.TTL_MAX, limits.NEGATIVE_SECONDS_MAX, 0)
        self.door = NativeDoor(
            self.clock,
            self.counters,
            port=first.port,
            workers=1,
            in_flight_max=1000,
            linger=5.0,
            tcp_idle=5.0,
            outcomes_max=limits.TURN_OUTCOMES,
            kernel_ports=self.kernel_ports,
        )
        self._closing.callback(self.door.close)
        settings = CoreSettings((), prime=False, ipv6=False)
        self.core = Core(settings, self.records, self.policy, Random(1))
        self.scheduler = Scheduler(self.core)
        self.driver = Driver(self.scheduler, self.door, self.clock)
        self._closing.callback(self.driver.close)
        self.tally, self.ledger = Tally(), Ledger()
        self.punts: list[Punted] = []
        self._serve(first.port, flights)
        for zone in (ZONE, name("other.xa.")):
            self.cut(zone)

    def _serve(self, port: int, flights: int) -> None:
        self.plans = NativePlans(
            self.answers,
            self.records,
            self.counters,
            port,
            self.policy,
            flights,
            limits.TTL_MAX,
            limits.NEGATIVE_SECONDS_MAX,
            SECONDS_BOUNDS,
            self.kernel_ports,
        )
        self.core.planner = Planner(self.plans)
        self.driver.watch(self.plans.fileno())
        self.listener = Listener(
            self.clock,
            self.answers,
            self.counters,
            addresses=[("127.0.0.1", 0)],
            allow=["127.0.0.0/8"],
            workers=1,
            misses_max=flights,
            udp_payload_max=limits.UDP_PAYLOAD_MAX,
            tcp_connections_max=10,
            tcp_per_client_max=10,
            tcp_idle=10.0,
            plans=self.plans.native,
        )
        self._closing.callback(self.listener.close)
        carried = Carried(
            self.plans, self.core, self.clock, self.answers, cast(Any, self.ledger), self.tally
        )
        self.service = Service(
            self.listener,
            self.driver,
            self.clock,
            self.answers,
            cast(Any, self.ledger),
            self.tally,
            self.policy,
            cast(Any, Watched(carried, self.punts)),
        )
        self.scheduler.internal = self.service.internal
        self.driver.attach(self.service)
        self.client = self._closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.client.connect(self.listener.addresses()[0])
        self.client.settimeout(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def cut(self, zone: Name) -> Delegation:
        """Make a zone cut known, with both servers."""
        servers = (Name(b"\3ns1" + zone), Name(b"\3ns2" + zone))
        found: dict[Name, tuple[Address, ...]] = {
            server: (address(at),) for server, at in zip(servers, HOSTS, strict=True)
        }
        cut = Delegation(zone, servers, found, self.clock.now() + 1000)
        self.core.cuts.put(cut)
        self.core.planner.barred(cut)
        return cut

    def plan(self, zone: Name = ZONE) -> Self:
        """Have a plan published for a known cut, with the usual wait: a busy machine is not a slow
        server, and the short wait for one of unknown speed at home would take it for that."""
        now = self.clock.now()
        cut = self.core.cuts.get(zone, now)
        assert cut is not None
        for _ in range(2):
            self.core.planner.answered(self.core, cut, now)
        plan = self.core.planner.current(zone)
        assert plan is not None
        usual = [replace(s, wait=max(s.wait, limits_servers.WAIT_FIRST)) for s in plan.servers]
        self.plans.publish(replace(plan, servers=tuple(usual)))
        return self

    def ask(self, query: dns.message.Message, *, turning: bool = True) -> dns.message.Message:
        """Ask over UDP. Without ``turning`` Python sleeps, and native must answer."""
        self.client.send(query.to_wire())
        return self.reply(turning=turning)

    def reply(self, *, turning: bool = True) -> dns.message.Message:
        """The next reply to our client."""
        ends = time.monotonic() + SECONDS
        while turning and not select.select([self.client], [], [], 0)[0]:
            assert time.monotonic() < ends, "no reply"
            self.turn(self.client)
        return dns.message.from_wire(self.client.recv(65535))

    def turn(self, *also: socket.socket) -> None:
        """One turn of the driver when there is cause for one, or when ``also`` is readable."""
        deadline = self.scheduler.next_deadline()
        ahead = 0.1 if deadline is None else min(0.1, max(0.0, deadline - self.clock.now()))
        descriptors = [self.driver._ready.fileno(), *(sock.fileno() for sock in also)]
        select.select(descriptors, [], [], ahead)
        self.driver.turn()

    def told(self, count: int) -> list[Record]:
        """Wait until so many records have been told; all of them."""
        self.turn_until(lambda: len(self.ledger.records) >= count)
        return self.ledger.records

    def turn_until(self, condition: Callable[[], bool]) -> None:
        """Turn until something holds that comes from outside."""
        ends = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < ends
            self.turn()

    def scalar(self, text: str) -> int:
        """A counter without a label."""
        return self.counters.native.scalars()[text]

    def sent(self) -> int:
        """Exchanges that the kernel took."""
        return sum(row.sent for row in self.counters.exchanges())

    def seen(self) -> int:
        """Questions that the servers saw."""
        return sum(len(up.datagrams) + len(up.messages) for up in self.upstreams)


class Watched:
    """:class:`resolver.carried.Carried`, with the punts kept for the test."""

    def __init__(self, carried: Carried, punts: list[Punted]) -> None:
        self._carried = carried
        self._punts = punts

    def take(self, policy: Policy, now: float) -> list[Punted]:
        """Pass on, and keep."""
        punted = self._carried.take(policy, now)
        self._punts += punted
        return punted
