"""A primary that misbehaves: what it announces, sends, and where it breaks off is scripted."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

import dns.flags
import dns.message
import dns.rdatatype
import dns.zone

from tests.signed_zones import transfer_of, zone_of


class Liar:
    """Announces ``announced``; over TCP it sends the zone of ``text`` in messages of ten records,
    and closes after ``messages`` of them (``None``: sends all)."""

    def __init__(
        self, address: str, port: int, zone: str, text: str, announced: int,
        messages: int | None = None,
    ) -> None:  # fmt: skip
        self.zone = zone
        self.text = text
        self.announced = announced
        self.messages = messages
        self.polls = self.transfers = 0
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self._tcp = socket.create_server((address, port))
        self._threads = [self._start(self._answer_polls), self._start(self._answer_transfers)]

    def _start(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            with suppress(OSError):
                while True:
                    work()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _answer_polls(self) -> None:
        data, client = self._udp.recvfrom(4096)
        if not data:
            raise OSError("closed")
        query = dns.message.from_wire(data)
        self.polls += 1
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        soa = self._zone().find_rrset(self.zone, "SOA")
        rdata = soa[0].replace(serial=self.announced)
        reply.answer.append(dns.rrset.from_rdata(self.zone, soa.ttl, rdata))
        self._udp.sendto(reply.to_wire(), client)

    def _zone(self) -> dns.zone.Zone:
        return zone_of(self.zone, self.text)

    def _answer_transfers(self) -> None:
        client, _ = self._tcp.accept()
        with client, suppress(OSError, EOFError):
            query = dns.message.from_wire(_receive(client))
            self.transfers += 1
            for message in transfer_of(self._zone(), query)[: self.messages]:
                wire = message.to_wire()
                client.sendall(struct.pack("!H", len(wire)) + wire)
            if self.messages is not None:
                client.sendall(b"\xff")  # half a length, then the end

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in self._threads:
            thread.join(10)


def _receive(client: socket.socket) -> bytes:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = client.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    (octets,) = struct.unpack("!H", exactly(2))
    return exactly(octets)
