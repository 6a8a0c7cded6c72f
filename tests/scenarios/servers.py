"""The simulated servers of a scenario: every address answers, from one socket for each family."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TextIO

import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype

from tests.scenarios import message
from tests.scenarios import wire as wires
from tests.scenarios.script import Entry, Packet, Record, Scenario, Step

IP_PKTINFO = 8
IPV6_RECVPKTINFO = 49
IPV6_PKTINFO = 50
IP_FREEBIND = 15
IPV6_FREEBIND = 78
SERVER_PORT = 53


@dataclass
class Upstream:
    """A query the resolver sent to a simulated server."""

    wire: bytes
    msg: wires.Message
    address: str
    transport: str
    send: Callable[[bytes], None]
    when: float
    done: bool = False

    def label(self) -> str:
        q = self.msg.question[0] if self.msg.question else None
        name = f"{q.name} {dns.rdatatype.to_text(q.rdtype)}" if q else "(no question)"
        return f"{name} @{self.address}/{self.transport}"


class Servers:
    """Answers the resolver's questions from the ranges of a scenario."""

    def __init__(
        self,
        scn: Scenario,
        *,
        log: TextIO | None = None,
        truncate: bool = True,
        improvise: bool = True,
        root_hints: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.scn = scn
        self.truncate, self.improvise = truncate, improvise
        self.log_file = log
        self.root_hints = list(root_hints)
        self.sel = selectors.DefaultSelector()
        self.sockets: list[socket.socket] = []
        self.index = 0  # of the step at hand
        self.now = scn.steps[0].number if scn.steps else 0
        self.pending: list[Upstream] = []
        self.undefined: list[str] = []
        self.one_shot: list[Step] = []
        self.upstream_count = 0
        self.started = self.last_activity = time.monotonic()
        interactive = {"CHECK_OUT_QUERY", "REPLY", "TIMEOUT", "ERROR"} & scn.kinds()
        silent = scn.option("serve-expired-client-timeout") not in (None, "0")
        # Such scenarios answer by steps: what no range answers waits for its step.
        self.hold = scn.dialect == "testbound" and bool(interactive or silent)

    # ---- plumbing -----------------------------------------------------------
    def log(self, text: str) -> None:
        if self.log_file:
            self.log_file.write(f"{time.monotonic() - self.started:8.3f} [{self.now}] {text}\n")
            self.log_file.flush()

    def open_servers(self) -> None:
        for family, any_addr in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            u = socket.socket(family, socket.SOCK_DGRAM)
            u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            t = socket.socket(family, socket.SOCK_STREAM)
            t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                for s in (u, t):
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
                u.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            else:
                u.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            u.bind((any_addr, SERVER_PORT))
            t.bind((any_addr, SERVER_PORT))
            t.listen(64)
            self.watch(u, partial(self.server_datagram, u, family))
            self.watch(t, partial(self.server_accept, t))

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.sel.close()

    def watch(self, sock: socket.socket, readable: Callable[[], None]) -> None:
        self.sockets.append(sock)
        self.sel.register(sock, selectors.EVENT_READ, readable)

    def forget(self, sock: socket.socket) -> None:
        self.sel.unregister(sock)
        self.sockets.remove(sock)
        sock.close()

    def pump(self, seconds: float) -> None:
        """Handle socket events for at most the given time, or one batch."""
        for key, _ in self.sel.select(max(0.0, seconds)):
            self.last_activity = time.monotonic()
            key.data()

    def server_accept(self, sock: socket.socket) -> None:
        conn, _ = sock.accept()
        self.watch(conn, partial(self.server_stream, conn, bytearray()))

    def server_datagram(self, sock: socket.socket, family: int) -> None:
        data, anc, _, src = sock.recvmsg(65535, 256)
        where, info, level, kind = None, b"", 0, 0
        for lvl, typ, blob in anc:
            if family == socket.AF_INET and typ == IP_PKTINFO:
                where = socket.inet_ntop(family, blob[8:12])
                info, level, kind = b"\0" * 4 + blob[8:12] + b"\0" * 4, lvl, typ
            elif family == socket.AF_INET6 and typ == IPV6_PKTINFO:
                where = socket.inet_ntop(family, blob[:16])
                info, level, kind = blob[:16] + b"\0" * 4, lvl, typ

        def send(wire: bytes) -> None:
            try:
                sock.sendmsg([wire], [(level, kind, info)], 0, src)
            except OSError as exc:
                self.log(f"cannot send from {where}: {exc}")

        self.upstream(data, where or "?", "udp", send)

    def server_stream(self, conn: socket.socket, buf: bytearray) -> None:
        try:
            chunk = conn.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            self.forget(conn)
            return
        buf += chunk
        where = conn.getsockname()[0]

        def send(wire: bytes) -> None:
            try:
                conn.sendall(struct.pack("!H", len(wire)) + wire)
            except OSError as exc:
                self.log(f"cannot send from {where}: {exc}")

        while len(buf) >= 2:
            size = struct.unpack_from("!H", buf)[0]
            if len(buf) < size + 2:
                break
            data = bytes(buf[2 : size + 2])
            del buf[: size + 2]
            self.upstream(data, where, "tcp", send)

    # ---- simulated servers ----------------------------------------------------
    def upstream(
        self, wire: bytes, address: str, transport: str, send: Callable[[bytes], None]
    ) -> None:
        try:
            msg = wires.parse(wire)
        except wires.BadMessage as exc:
            self.log(f"unreadable upstream query to {address}: {exc}")
            return
        if msg.flags & 0x8000:
            self.log(f"response packet sent to {address}")
            return
        self.upstream_count += 1
        up = Upstream(wire, msg, address, transport, send, time.monotonic())
        self.log(f"upstream query {up.label()}")
        if self.checked_next(up):
            self.remember(up)
        elif not self.try_ranges(up):
            self.no_answer(up)

    @property
    def step(self) -> Step | None:
        return self.scn.steps[self.index] if self.index < len(self.scn.steps) else None

    def checked_next(self, up: Upstream) -> bool:
        """Does the step at hand look for exactly this query?"""
        step = self.step
        return bool(
            step
            and step.kind == "CHECK_OUT_QUERY"
            and step.entry
            and self.scn.dialect == "testbound"
            and step.address in (None, up.address)
            and message.matches(step.entry, up.msg, self.scn.dialect, up.transport)
        )

    def remember(self, up: Upstream) -> None:
        q = up.msg.question
        for old in self.pending:
            if old.address == up.address and old.msg.question == q:
                self.pending.remove(old)  # retransmission
                break
        self.pending.append(up)

    def try_ranges(self, up: Upstream) -> bool:
        for rng in self.scn.ranges:
            if not rng.start <= self.now <= rng.end:
                continue
            if rng.addresses and up.address not in rng.addresses:
                continue
            for entry in rng.entries:
                if message.matches(entry, up.msg, self.scn.dialect, up.transport):
                    entry.fired += 1
                    self.reply(up, entry)
                    return True
        if self.scn.dialect == "deckard":
            for step, entry in self.one_shot_steps():
                if message.matches(entry, up.msg, "deckard", up.transport):
                    self.one_shot.append(step)
                    self.reply(up, entry)
                    return True
        return False

    def one_shot_steps(self) -> Iterator[tuple[Step, Entry]]:
        for step in self.scn.steps[self.index :]:
            if step.kind == "REPLY" and step.entry and step not in self.one_shot:
                yield step, step.entry

    def no_answer(self, up: Upstream) -> None:
        if self.hold:
            self.log("  held")
            self.remember(up)
            return
        self.undefined.append(up.label())
        if not self.improvise or not self.make_up(up):
            self.log("  not in the scenario: SERVFAIL")
            up.send(wires.response_header(up.wire, up.msg, int(dns.rcode.SERVFAIL)))

    def make_up(self, up: Upstream) -> bool:
        """Answer a question the author did not foresee as the same server would.

        Resolvers differ in what they ask on the way. A name below a delegation
        this server gives elsewhere gets that referral; another type of a name
        the server knows gets an empty answer.
        """
        if not up.msg.question:
            return False
        asked = up.msg.question[0]
        if asked.name == dns.name.root and asked.rdtype == dns.rdatatype.NS and self.root_hints:
            return self.prime(up)
        known, best, soa = False, None, None
        for rng in self.scn.ranges:
            if not rng.start <= self.now <= rng.end or up.address not in rng.addresses:
                continue
            for entry in rng.entries:
                pkt = entry.packet
                if pkt.raw is not None or pkt.rcode:
                    continue
                known |= any(r.owner == asked.name for sec in pkt.sections.values() for r in sec)
                cut = next(
                    (r.owner for r in pkt.sections["AUTHORITY"] if r.rdtype == dns.rdatatype.NS),
                    None,
                )
                soa = next(
                    (r for r in pkt.sections["AUTHORITY"] if r.rdtype == dns.rdatatype.SOA), soa
                )
                if (
                    cut is None
                    or pkt.sections["ANSWER"]
                    or cut == dns.name.root
                    or not asked.name.is_subdomain(cut)
                    or (asked.rdtype == dns.rdatatype.DS and asked.name == cut)
                ):
                    continue
                if best is None or len(cut) > len(best[0]):
                    best = (cut, pkt)
        if best is not None:
            made = Packet(flags=best[1].flags & ~0x0400)
            for name in ("AUTHORITY", "ADDITIONAL"):
                made.sections[name] = best[1].sections[name]
            self.log(f"  not in the scenario: referral to {best[0]}")
        elif known:
            made = Packet(flags=0x8400)
            if soa is not None and asked.name.is_subdomain(soa.owner):
                made.sections["AUTHORITY"] = [soa]
            self.log("  not in the scenario: no data")
        else:
            return False
        self.send_made(up, made)
        return True

    def prime(self, up: Upstream) -> bool:
        """Root priming, answered with the hints the resolver was given."""
        made = Packet(flags=0x8400)
        for name, where in self.root_hints:
            host = dns.name.from_text(name)
            kind = dns.rdatatype.AAAA if ":" in where else dns.rdatatype.A
            made.sections["ANSWER"].append(
                Record(
                    dns.name.root,
                    1,
                    int(dns.rdatatype.NS),
                    3600,
                    dns.rdata.from_text("IN", "NS", host.to_text()),
                )
            )
            made.sections["ADDITIONAL"].append(
                Record(host, 1, int(kind), 3600, dns.rdata.from_text("IN", kind, where))
            )
        self.log("  not in the scenario: the root hints")
        self.send_made(up, made)
        return True

    def send_made(self, up: Upstream, made: Packet) -> None:
        entry = Entry(0, adjust={"copy_id", "copy_query"}, packets=[made])
        up.send(message.build_reply(entry, made, up.msg, self.scn.dialect))

    def reply(self, up: Upstream, entry: Entry) -> None:
        up.done = True
        if "do_not_answer" in entry.adjust:
            self.log(f"  dropped by entry at line {entry.line}")
            return
        if "sleep" in entry.adjust_args:
            time.sleep(float(entry.adjust_args["sleep"]))
        for pkt in entry.packets:
            if pkt.sleep:
                time.sleep(pkt.sleep)
            wire = message.build_reply(entry, pkt, up.msg, self.scn.dialect)
            limit = max(512, up.msg.payload if up.msg.edns else 512)
            if self.truncate and up.transport == "udp" and len(wire) > limit and pkt.raw is None:
                self.log(f"  entry at line {entry.line}: {len(wire)} octets, truncated")
                up.send(wires.response_header(up.wire, up.msg, 0x0200 | (pkt.flags & 0x0400)))
                return
            self.log(f"  entry at line {entry.line}, {len(wire)} octets")
            up.send(wire)

    def retry_pending(self) -> None:
        for up in list(self.pending):
            if not self.checked_next(up) and self.try_ranges(up):
                self.pending.remove(up)
