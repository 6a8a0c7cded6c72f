"""A small DNS server in a thread for tests of the native door: it does what a script says.

The script gets each query and returns the datagrams (or stream messages) to send back, in order.
Limitations: one thread; a stream message is sent whole or not at all.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Script = Callable[[bytes], Sequence[bytes]]


def reply_to(
    query: bytes, *, rcode: int = 0, flags: int = 0x8400, address: str = "192.0.2.1"
) -> bytes:
    """A reply to a query of the door: its question, and one A record if there is no error."""
    end = 12
    while query[end]:
        end += 1 + query[end]
    question = query[12 : end + 5]
    answer = b""
    if not rcode and not flags & 0x0200:
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 4) + socket.inet_aton(address)
    header = query[:2] + struct.pack("!HHHHH", flags | rcode, 1, bool(answer), 0, 0)
    return header + question + answer


def answer(query: bytes) -> list[bytes]:
    """The script of a server that works."""
    return [reply_to(query)]


def silence(_query: bytes) -> list[bytes]:
    """The script of a server that never answers."""
    return []


@dataclass
class Stream:
    """One accepted connection."""

    conn: socket.socket
    arrived: bytearray = field(default_factory=bytearray)


def _bound_pair(family: int, host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Sockets for UDP and TCP on one port; with port 0 on any that is free for both."""
    tries = 1 if port else 50
    while True:
        tries -= 1
        udp = socket.socket(family, socket.SOCK_DGRAM)
        tcp = socket.socket(family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind((host, port))
            udp.bind((host, tcp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            if not tries:
                raise
        else:
            return udp, tcp


class Upstream:
    """UDP and TCP on one port of one address; what it saw is kept for the test."""

    def __init__(
        self,
        *,
        udp: Script = answer,
        tcp: Script = answer,
        host: str = "127.0.0.1",
        port: int = 0,
        close_after: int | None = None,
        tcp_open: bool = True,
    ) -> None:
        self._udp_script, self._tcp_script, self._close_after = udp, tcp, close_after
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = socket.inet_pton(family, host)
        self._udp, self._tcp = _bound_pair(family, host, port)
        self.port: int = self._udp.getsockname()[1]
        if tcp_open:
            self._tcp.listen()
        self.datagrams: list[tuple[bytes, int]] = []  # (query, source port)
        self.messages: list[bytes] = []
        self.stream_octets = 0
        self.octets_replied = 0  # in datagrams
        self.connections = 0
        self.closed_by_peer = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for sock in (self._udp, self._tcp, self._woken):
            if sock is not self._tcp or tcp_open:
                self._selector.register(sock, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> "Upstream":
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Stream):
                key.data.conn.close()
        self._selector.close()
        for sock in (self._udp, self._tcp, self._wake, self._woken):
            sock.close()

    def send_datagram(self, data: bytes, port: int, host: str | None = None) -> None:
        """Send something unasked to a port that a query came from, by default of our own host."""
        self._udp.sendto(data, (host or self._udp.getsockname()[0], port))

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._udp:
                    self._datagram()
                elif key.fileobj is self._tcp:
                    conn, _ = self._tcp.accept()
                    self.connections += 1
                    self._selector.register(conn, selectors.EVENT_READ, Stream(conn))
                else:
                    self._stream(key.data)

    def _datagram(self) -> None:
        query, source = self._udp.recvfrom(65535)
        self.datagrams.append((query, source[1]))
        for reply in self._udp_script(query):
            self.octets_replied += self._udp.sendto(reply, source)

    def _stream(self, stream: Stream) -> None:
        try:
            data = stream.conn.recv(65535)
        except ConnectionResetError:
            data = b""
        if not data:
            self._selector.unregister(stream.conn)
            stream.conn.close()
            self.closed_by_peer.set()
            return
        self.stream_octets += len(data)
        stream.arrived += data
        while len(stream.arrived) >= 2:
            length = int.from_bytes(stream.arrived[:2], "big")
            if len(stream.arrived) < 2 + length:
                return
            query = bytes(stream.arrived[2 : 2 + length])
            del stream.arrived[: 2 + length]
            self.messages.append(query)
            if self._close_after is not None and len(self.messages) >= self._close_after:
                self._selector.unregister(stream.conn)
                stream.conn.close()
                return
            for reply in self._tcp_script(query):
                stream.conn.sendall(len(reply).to_bytes(2, "big") + reply)
