"""The process that serves a world's name servers: UDP and TCP on every address, with latency.

``python -m testbed.serve --world NAME:SEED …`` prints one JSON line when it is ready, and ends
when its standard input closes. A unix socket takes one JSON command a line and answers one each:
``cut`` ``restore`` ``loss`` ``down`` ``up`` ``stats`` ``log`` ``messages`` ``reset``.

Every datagram and stream question is counted on arrival, before loss, cuts or faults strike it.

Limitations: on loopback one set of sockets takes all addresses, so a dead server is silent but
its TCP port connects; loss and cuts strike UDP and, for cuts, stop stream replies.
"""

import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from testbed.authority import Authority, question_text
from testbed.remote import obey, until_input_ends
from testbed.world import AddressPlan, Server, make_world

LOG_MAX: Final = 500_000  # entries kept; older ones are counted as lost
MESSAGES_MAX: Final = 20_000  # whole questions kept; older ones are lost
BURST: Final = 64  # datagrams taken from a socket before others get their turn
SOCKETS: Final = 4  # wildcard sockets: each has its own receive queue
RECEIVE_BUFFER: Final = 4 << 20  # octets; the kernel gives what it may
STREAM_IDLE: Final = 30.0  # seconds
STREAM_BACKLOG: Final = 256
SO_RXQ_OVFL: Final = 40  # linux/socket.h; not named in Python's socket module
SO_BINDTODEVICE: Final = 25
IP_PKTINFO: Final = 8
SO_RCVBUFFORCE: Final = 33
PKTINFO: Final = struct.Struct("@I4s4s")

Entry = tuple[float, str, str, str, str, str]


@dataclass(slots=True)
class Tally:
    """What one address has received."""

    udp: int = 0
    tcp: int = 0
    answered: int = 0
    connections: int = 0


@dataclass
class Desk:
    """State shared by all sockets: counts, log, links."""

    authority: Authority
    chance: random.Random
    speed: float
    cut: bool = False
    loss: float = 0.0
    down: set[str] = field(default_factory=set)
    tallies: dict[str, Tally] = field(default_factory=dict)
    roles: dict[tuple[str, str], int] = field(default_factory=dict)
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=LOG_MAX))
    messages: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=MESSAGES_MAX))
    logged: int = 0
    strays: int = 0
    kernel_drops: dict[int, int] = field(default_factory=dict)

    def tally(self, address: str) -> Tally:
        """The counts of an address, made on first use."""
        found = self.tallies.get(address)
        if found is None:
            found = self.tallies[address] = Tally()
        return found

    def lost(self) -> bool:
        """Whether chance takes a datagram."""
        return self.loss > 0 and self.chance.random() < self.loss

    def take(self, address: str, wire: bytes, stream: bool) -> tuple[bytes, float] | None:
        """Count, log and answer one question: reply and seconds to wait, or silence."""
        tally = self.tally(address)
        if stream:
            tally.tcp += 1
        else:
            tally.udp += 1
        server = self.authority.world.servers.get(address)
        if server is None:
            return None
        reply = self.authority.answer(server, wire, stream)
        self._note(server, wire, stream)
        if reply is None or (self.cut and not server.domestic) or address in self.down:
            return None
        if not stream and (self.lost() or self.lost()):  # on the way there, or back
            return None
        tally.answered += 1
        return reply.wire, server.latency / self.speed

    def _note(self, server: Server, wire: bytes, stream: bool) -> None:
        name, qtype = question_text(wire)
        role = server.role(name, qtype)
        key = (server.address, role)
        self.roles[key] = self.roles.get(key, 0) + 1
        kind = "tcp" if stream else "udp"
        self.log.append((time.time(), server.address, name, qtype, role, kind))
        self.messages.append((server.address, wire.hex()))
        self.logged += 1


class Datagrams:
    """One UDP socket: a wildcard on loopback, or one address."""

    def __init__(self, desk: Desk, sock: socket.socket, fixed: str | None) -> None:
        self.desk, self.sock, self.fixed = desk, sock, fixed
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        for _ in range(BURST):
            try:
                wire, ancillary, _, client = self.sock.recvmsg(4096, 256)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier reply; nothing is lost by it
                continue
            local = self._local(ancillary)
            if local is None:
                self.desk.strays += 1
                continue
            outcome = self.desk.take(local, wire, False)
            if outcome is not None:
                self.loop.call_later(outcome[1], self._send, outcome[0], local, client)

    def _local(self, ancillary: list[tuple[int, int, bytes]]) -> str | None:
        address = self.fixed
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
                address = socket.inet_ntoa(PKTINFO.unpack(data[: PKTINFO.size])[2])
            elif level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
                self.desk.kernel_drops[self.sock.fileno()] = int.from_bytes(data, sys.byteorder)
        return address

    def _send(self, wire: bytes, local: str, client: tuple[str, int]) -> None:
        info = PKTINFO.pack(0, socket.inet_aton(local), bytes(4))
        # A full queue or a client that has left loses the reply, as on any network.
        with suppress(OSError):
            self.sock.sendmsg([wire], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, client)


async def _stream(desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    address = writer.get_extra_info("sockname")[0]
    desk.tally(address).connections += 1
    replies: set[asyncio.Task[None]] = set()

    async def reply_later(wire: bytes, delay: float) -> None:
        await asyncio.sleep(delay)
        with suppress(OSError):
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()

    try:
        while True:
            size = await asyncio.wait_for(reader.readexactly(2), STREAM_IDLE)
            wire = await asyncio.wait_for(
                reader.readexactly(int.from_bytes(size, "big")), STREAM_IDLE
            )
            outcome = desk.take(address, wire, True)
            if outcome is not None:
                task = asyncio.ensure_future(reply_later(*outcome))
                replies.add(task)
                task.add_done_callback(replies.discard)
    except (asyncio.IncompleteReadError, TimeoutError, OSError):
        if replies:
            await asyncio.wait(replies)
    finally:
        writer.close()


def _udp_socket(address: str, port: int, loopback: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if loopback:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo")
    sock.bind((address, port))
    return sock


def _tcp_socket(address: str, port: int, loopback: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if loopback:
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"lo")
    sock.bind((address, port))
    return sock


def command(desk: Desk, told: dict[str, Any]) -> dict[str, Any]:
    """Carry out one control command and say what came of it."""
    match told.get("command"):
        case "cut":
            desk.cut = True
        case "restore":
            desk.cut = False
        case "loss":
            desk.loss = float(told["rate"])
        case "down":
            desk.down.update(told["addresses"])
        case "up":
            desk.down.difference_update(told["addresses"])
        case "reset":
            desk.tallies.clear()
            desk.roles.clear()
            desk.log.clear()
            desk.messages.clear()
            desk.logged = desk.strays = 0
        case "stats":
            return _stats(desk)
        case "log":
            entries = list(desk.log)
            desk.log.clear()
            lost, desk.logged = desk.logged - len(entries), 0
            return {"ok": True, "entries": entries, "lost": lost}
        case "messages":
            messages = list(desk.messages)
            desk.messages.clear()
            return {"ok": True, "messages": messages}
        case other:
            return {"ok": False, "error": f"no command {other!r}"}
    return {"ok": True}


def _stats(desk: Desk) -> dict[str, Any]:
    return {
        "ok": True,
        "addresses": {
            address: {
                "udp": tally.udp,
                "tcp": tally.tcp,
                "answered": tally.answered,
                "connections": tally.connections,
            }
            for address, tally in sorted(desk.tallies.items())
        },
        "roles": [[address, zone, count] for (address, zone), count in sorted(desk.roles.items())],
        "kernel_drops": sum(desk.kernel_drops.values()),
        "strays": desk.strays,
        "cut": desk.cut,
        "loss": desk.loss,
        "down": sorted(desk.down),
    }


def _bind(
    port: int, addresses: Sequence[str]
) -> tuple[int, list[socket.socket], list[socket.socket]]:
    """All sockets, UDP and TCP on the same port; port 0 finds one that is free in both."""
    if addresses:
        udp = [_udp_socket(address, port, False) for address in addresses]
        return port, udp, [_tcp_socket(address, port, False) for address in addresses]
    tcp = _tcp_socket("0.0.0.0", port, True)
    port = tcp.getsockname()[1]
    return port, [_udp_socket("0.0.0.0", port, True) for _ in range(SOCKETS)], [tcp]


async def serve(args: argparse.Namespace) -> None:
    """Serve until standard input ends."""
    world = make_world(args.world, plan=AddressPlan(args.plan))
    desk = Desk(Authority(world), random.Random(f"links:{world.seed}"), args.speed)
    desk.loss = args.loss
    addresses = args.addresses.split(",") if args.addresses else []
    port, udp, tcp = _bind(args.port, addresses)
    fixed = addresses or [None] * len(udp)
    readers = [Datagrams(desk, sock, at) for sock, at in zip(udp, fixed, strict=True)]
    servers = [
        await asyncio.start_server(
            lambda reader, writer: _stream(desk, reader, writer), sock=sock, backlog=STREAM_BACKLOG
        )
        for sock in tcp
    ]
    servers.append(await obey(Path(args.control), lambda told: command(desk, told)))
    print(json.dumps({"ready": True, "port": port, "sockets": len(readers)}), flush=True)
    await until_input_ends()
    for server in servers:
        server.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Read arguments and serve."""
    parser = argparse.ArgumentParser(prog="testbed.serve", description=__doc__)
    parser.add_argument("--world", required=True, help="NAME or NAME:SEED")
    parser.add_argument("--plan", default="loopback", help="loopback or netns")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--addresses", default="", help="serve these only, a socket for each")
    parser.add_argument("--control", required=True, help="path of the unix socket for commands")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every latency")
    parser.add_argument("--loss", type=float, default=0.0, help="share of datagrams lost, each way")
    asyncio.run(serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
