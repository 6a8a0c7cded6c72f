"""A flood of misses leaves the others served: by counts, not by clocks.

The flooded zone's servers are silent from when its plan stands, so every question of the flood
waits. Beside it another client asks for cached names and for new names of other zones; its
questions pace the flood, so that no receive buffer overflows and each reply can be counted.
"""

import select
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import pytest

from resolver import limits
from testbed.control import Loopback
from testbed.model import World
from tests.system.serving import Serving
from tests.system.test_plans import sound_zones

FLOOD = 20_000
STEP = 100  # flood questions between two questions of the other client
QUESTION_END = bytes.fromhex("00010001 00 0029 04d0 0000 0000 0000")  # A, IN; EDNS with 1232 octets
OTHER = "127.0.0.2"
SECONDS = 15


@pytest.fixture
def own_world() -> Iterator[Loopback]:
    """One whose servers this test may silence."""
    with Loopback("small") as running:
        yield running


def apart(world: World) -> tuple[str, list[str]]:
    """A sound zone without a cut below whose servers serve nothing else, and the other ones."""
    sound = sound_zones(world)
    for zone in sound:
        servers = [world.servers[at] for _, at in world.delegations[zone].all()]
        below = any(other.endswith("." + zone) for other in world.delegations)
        if not below and all(server.delegated == {zone} for server in servers):
            return zone, [other for other in sound if other != zone]
    raise AssertionError("no such zone in this world")


class Flooder:
    """Clients that send questions and never wait; replies are counted as they come. Questions are
    put together by hand: a flood that is slow to make gives the resolver time for each."""

    def __init__(self, port: int, zone: str, clients: int) -> None:
        self._rest = dns.name.from_text(zone).to_digestable() + QUESTION_END
        self.rcodes: Counter[int] = Counter()
        self.shed: set[int] = set()
        self.sent = 0
        self._sockets = []
        for number in range(clients):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            client.bind((f"127.0.0.{10 + number}", 0))
            client.connect(("127.0.0.1", port))
            self._sockets.append(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._sockets:
            client.close()

    def send(self, count: int) -> None:
        """So many new names, each client in turn; the ID is the question's number."""
        for _ in range(count):
            label = b"f%d" % self.sent
            head = struct.pack("!6H", self.sent, dns.flags.RD, 1, 0, 0, 1)
            query = head + bytes([len(label)]) + label + self._rest
            self._sockets[self.sent % len(self._sockets)].send(query)
            self.sent += 1
        self.drain(0)

    def drain(self, wait: float) -> bool:
        """Count what has come; whether anything had within the wait."""
        came = False
        while ready := select.select(self._sockets, [], [], wait)[0]:
            came, wait = True, 0
            for client in ready:
                reply = client.recv(4096)
                (flags,) = struct.unpack_from("!H", reply, 2)
                self.rcodes[flags & 15] += 1
                if b"too many queries wait" in reply:  # the extended error's text
                    self.shed.add(int.from_bytes(reply[:2]))
        return came

    @property
    def replies(self) -> int:
        """All of them."""
        return sum(self.rcodes.values())


def ask(port: int, name: str, rtype: str = "A") -> dns.message.Message:
    """One question of the other client, asked once."""
    query = dns.message.make_query(name, rtype, use_edns=0)
    return dns.query.udp(query, "127.0.0.1", SECONDS, port, source=OTHER)


def flooded(serving: Serving, flooder: Flooder, others: list[str]) -> None:
    """Flood, and ask for cached and new names beside it: of the first all must be answered, of the
    others 99 in a hundred."""
    port = serving.port
    cached = [zone for zone in others if ask(port, zone, "SOA").rcode() == 0]
    assert cached
    failed: list[str] = []
    for turn in range(FLOOD // STEP):
        flooder.send(STEP)
        assert ask(port, cached[turn % len(cached)], "SOA").rcode() == dns.rcode.NOERROR
        new = f"n{turn}.{others[turn % len(others)]}"
        if (reply := ask(port, new)).rcode() not in (dns.rcode.NXDOMAIN, dns.rcode.NOERROR):
            failed.append(reply.to_text())
    while flooder.replies < FLOOD:
        assert flooder.drain(SECONDS), f"{flooder.replies} of {FLOOD}"
    assert not flooder.drain(0)
    assert len(failed) <= FLOOD // STEP / 100, failed


@pytest.mark.parametrize("clients", [1, 5])
def test_a_flood_sheds_its_own_oldest_and_nobody_else(
    own_world: Loopback, tmp_path: Path, clients: int
) -> None:
    """By one client, which meets the bound of a client; and by several under one zone, which
    meet that of the zone."""
    zone, others = apart(own_world.world)
    with Serving(own_world, tmp_path) as serving:
        port = serving.port
        for number in range(3):
            assert ask(port, f"w{number}.{zone}").rcode() == dns.rcode.NXDOMAIN
        own_world.down([at for _, at in own_world.world.delegations[zone].all()])
        with Flooder(port, zone, clients) as flooder:
            flooded(serving, flooder, others)
        assert flooder.rcodes == {dns.rcode.SERVFAIL: FLOOD}
        assert serving.total("inland_shed_total") == len(flooder.shed)
        bound = limits.PLANNED_PER_CLIENT if clients == 1 else limits.PLANNED_PER_ZONE
        assert flooder.shed
        youngest = set(range(FLOOD - bound // 2, FLOOD))
        assert not flooder.shed & youngest, "the oldest give way"
        assert serving.total("inland_needless_escapes_total") == 0
        assert serving.total("inland_faults_total") == 0
        assert serving.total("inland_records_lost_total") == 0
