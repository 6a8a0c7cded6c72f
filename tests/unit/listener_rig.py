"""A native listener with its cache and counters, and clients to ask it, for tests."""

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import dns.message
import dns.rcode

from resolver import names
from resolver._native import Answer, AnswerCache, Clock, Counters, Listener, Plans, RecordCache

LOOPBACK = ["127.0.0.0/8", "::1/128"]
Miss = tuple[int, bytes, int, int, bool, bool, bool, int, bytes, int, int]


def make_answer(name: bytes, rtype: int = 1, now: float = 0.0, count: int = 1) -> Answer:
    """An answer with so many A records."""
    rdatas = tuple(struct.pack("!I", 0xC0000200 + number) for number in range(count))
    records = ((name, rtype, 300, rdatas, ()),)
    return Answer(name, rtype, 1, 0, records, (), (), (), now)


def query(name: str = "www.example.in.", rtype: str = "A", **how: Any) -> dns.message.QueryMessage:
    """A query with RD=1, by default without EDNS."""
    return dns.message.make_query(name, rtype, **how)


class ListenerRig:
    """A listener on free ports of some addresses."""

    def __init__(self, *hosts: str, **settings: Any) -> None:
        self.clock = Clock()
        self.counters = Counters(None, 8)
        self.answers = AnswerCache(1 << 20)
        values: dict[str, Any] = {
            "allow": LOOPBACK,
            "workers": 2,
            "misses_max": 1000,
            "udp_payload_max": 1232,
            "tcp_connections_max": 100,
            "tcp_per_client_max": 100,
            "tcp_idle": 10.0,
        }
        values |= settings
        bounds = values.pop("planned", None)
        self.plans = None if bounds is None else self._make_plans(**bounds)
        values["plans"] = self.plans
        addresses = values.pop("addresses", [(host, 0) for host in hosts or ("127.0.0.1",)])
        self.listener = Listener(self.clock, self.answers, self.counters, addresses, **values)
        self.address = self.listener.addresses()[0]
        self._sockets: list[socket.socket] = []

    def _make_plans(self, port: int, **bounds: Any) -> Plans:
        values: dict[str, Any] = {
            "flights_max": 1000,
            "per_zone": 1000,
            "per_client": 1000,
            "joiners_max": 1000,
            "tries_max": 2,
            "backlog_max": 10_000,
            "sides_max": 1000,
            "ttl_max": 86_400,
            "ttl_negative_max": 3600,
            "explore_one_in": 1000,
            "farther": 0.1,
            "linger": 1.0,
            "seconds_bounds": [0.1, 1.0],
        }
        return Plans(self.answers, RecordCache(1 << 20, 86_400, 3600), port, **(values | bounds))

    def plan(self, zone: str = "example.in.", address: bytes = b"\x7f\0\0\x01", **how: Any) -> None:
        """Plan for names of a zone: one server, and its answers stand in home."""
        assert self.plans is not None
        slot, wait = self.counters.slot("planned"), how.pop("wait", 5.0)
        servers = [(address, slot, wait, True, 1.0)]
        until = self.clock.now() + 1000
        self.plans.publish(
            1, 0, names.from_text(zone), True, False, [], 0, servers, until, until, **how
        )
        self.plans.locate([(b"\xc0\0\x02\x01", 0)])

    def close(self) -> None:
        """End the listener and the clients."""
        self.listener.close()
        for sock in self._sockets:
            sock.close()

    def udp(self, host: str | None = None) -> socket.socket:
        """A client's datagram socket, connected."""
        return self._client(socket.SOCK_DGRAM, host)

    def tcp(self, host: str | None = None, source: str | None = None) -> socket.socket:
        """A client's connection."""
        return self._client(socket.SOCK_STREAM, host, source)

    def _client(
        self, kind: socket.SocketKind, host: str | None, source: str | None = None
    ) -> socket.socket:
        host = host or self.address[0]
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        sock.settimeout(10)
        self._sockets.append(sock)
        if source is not None:
            sock.bind((source, 0))
        sock.connect((host, self.address[1]))
        return sock

    def ask(self, message: dns.message.Message | bytes) -> dns.message.Message:
        """Ask over UDP something that native answers by itself."""
        sock = self.udp()
        sock.send(message if isinstance(message, bytes) else message.to_wire())
        return dns.message.from_wire(sock.recv(65535))

    def misses(self, count: int) -> list[Miss]:
        """Wait for so many misses."""
        found: list[Miss] = []
        while len(found) < count:
            assert select.select([self.listener.fileno()], [], [], 10)[0], f"only {len(found)}"
            found += self.listener.take(count - len(found))
        return found

    def store(self, name: str = "www.example.in.", count: int = 1, **how: Any) -> None:
        """Put an answer into the cache."""
        wire, now = names.from_text(name), self.clock.now()
        key: dict[str, Any] = {"do": False, "cd": False, "lifetime": 300.0, "destination": 0}
        key |= how
        answer = make_answer(wire, now=now, count=count)
        self.answers.put(
            0,
            wire,
            1,
            key["do"],
            key["cd"],
            0,
            answer,
            key["lifetime"],
            key["destination"],
            now,
        )

    def answer(self, miss: Miss, count: int = 1) -> None:
        """Answer one miss."""
        reply = make_answer(miss[1], miss[2], self.clock.now(), count)
        self.listener.reply([(miss[0], reply)])

    def scalar(self, name: str) -> int:
        """A counter without a label."""
        return self.counters.scalars()[name]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for what no descriptor tells."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)


ListenerRigs = Callable[..., ListenerRig]


def send_framed(sock: socket.socket, *messages: dns.message.Message | bytes) -> None:
    """Send messages on a stream, all at once."""
    wires = [item if isinstance(item, bytes) else item.to_wire() for item in messages]
    sock.sendall(b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires))


def receive_exactly(sock: socket.socket, count: int) -> bytes:
    """So many octets of a stream. Raises ``EOFError`` when it ends before."""
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError(f"{len(data)} of {count} octets")
        data += more
    return data


def receive_framed(sock: socket.socket) -> dns.message.Message:
    """The next message of a stream."""
    length = int.from_bytes(receive_exactly(sock, 2), "big")
    return dns.message.from_wire(receive_exactly(sock, length))
