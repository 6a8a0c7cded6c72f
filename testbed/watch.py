"""A passive ear at the border: which zone's role each UDP question to a server was asked in.

``python -m testbed.watch --world NAME:SEED --interface NAME …`` listens where the resolver's
packets come in, prints one JSON line when it is ready and ends when its standard input closes.
Commands at its control socket: ``stats`` ``reset``.

Limitations: IPv4 UDP without fragments; streams are counted by servers and nftables.
"""

import argparse
import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from testbed.authority import question_text
from testbed.model import AddressPlan, World
from testbed.remote import obey, until_input_ends
from testbed.world import make_world

ETH_P_IP: Final = 0x0800
SOL_PACKET: Final = 263  # linux/socket.h; not named in Python's socket module
PACKET_STATISTICS: Final = 6
PACKET_OUTGOING: Final = 4
SO_RCVBUFFORCE: Final = 33
RECEIVE_BUFFER: Final = 32 << 20  # octets: about 20,000 questions that wait for us
BURST: Final = 256
UDP_HEADER: Final = 8


class Watch:
    """Counts of questions by server and role."""

    def __init__(self, world: World, interface: str) -> None:
        self.world = world
        self.roles: Counter[tuple[str, str]] = Counter()
        self.missed = 0
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self._sock.bind((interface, ETH_P_IP))
        self._sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self.take)

    def take(self, most: int = BURST) -> None:
        """Read what has come in, at most so many packets."""
        for _ in range(most):
            try:
                packet, origin = self._sock.recvfrom(65535)
            except BlockingIOError:
                return
            if origin[2] != PACKET_OUTGOING:
                self._note(packet)

    def _note(self, packet: bytes) -> None:
        header = (packet[0] & 0x0F) * 4
        if packet[9] != socket.IPPROTO_UDP:
            return
        address = socket.inet_ntoa(packet[16:20])
        server = self.world.servers.get(address)
        wire = packet[header + UDP_HEADER :]
        role = server.role(*question_text(wire)) if server is not None else ""
        self.roles[address, role] += 1

    def command(self, told: dict[str, Any]) -> dict[str, Any]:
        """Carry out one control command; packets that wait are read first."""
        self.take(RECEIVE_BUFFER)
        # Reading these statistics sets them to nothing (packet(7)).
        statistics = self._sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        self.missed += struct.unpack("@II", statistics)[1]
        match told.get("command"):
            case "stats":
                roles = [[at, zone, count] for (at, zone), count in sorted(self.roles.items())]
                return {"ok": True, "roles": roles, "missed": self.missed}
            case "reset":
                self.roles.clear()
                self.missed = 0
                return {"ok": True}
            case other:
                return {"ok": False, "error": f"no command {other!r}"}


async def watch(args: argparse.Namespace) -> None:
    """Listen until standard input ends."""
    watcher = Watch(make_world(args.world, plan=AddressPlan.NETNS), args.interface)
    server = await obey(Path(args.control), watcher.command)
    print(json.dumps({"ready": True}), flush=True)
    await until_input_ends()
    server.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Read arguments and listen."""
    parser = argparse.ArgumentParser(prog="testbed.watch", description=__doc__)
    parser.add_argument("--world", required=True, help="NAME or NAME:SEED")
    parser.add_argument("--interface", required=True, help="where the resolver's packets come in")
    parser.add_argument("--control", required=True, help="path of the unix socket for commands")
    asyncio.run(watch(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
