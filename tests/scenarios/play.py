"""Plays one scenario: clients and steps, over the simulated servers."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TextIO

import dns.rcode

from tests.scenarios import message
from tests.scenarios import wire as wires
from tests.scenarios.clock import Clock
from tests.scenarios.expressions import expand
from tests.scenarios.outcome import Failed, Skipped
from tests.scenarios.script import Scenario, Step
from tests.scenarios.servers import IPV6_FREEBIND, Servers, Upstream


@dataclass
class Client:
    step: Step
    sock: socket.socket
    source: str | None
    transport: str
    expect: bool = True
    buffer: bytearray = field(default_factory=bytearray)


@dataclass
class Answer:
    wire: bytes
    msg: wires.Message | None
    source: str | None
    transport: str


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Player(Servers):
    """Walks the steps of a scenario."""

    def __init__(
        self,
        scn: Scenario,
        clock: Clock,
        target4: str,
        target6: str,
        port: int,
        *,
        timeout: float = 10.0,
        log: TextIO | None = None,
        truncate: bool = True,
        answer_file: Callable[[str], str | None] | None = None,
        relaxed: bool = False,
        improvise: bool = True,
        root_hints: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(
            scn, log=log, truncate=truncate, improvise=improvise, root_hints=root_hints
        )
        self.clock = clock
        self.target4, self.target6, self.port = target4, target6, port
        self.answer_file = answer_file
        self.relaxed = relaxed
        self.answers: list[Answer] = []
        self.clients: list[Client] = []
        self.variables: dict[str, str] = {}
        self.alive: Callable[[], bool] = lambda: True
        self.clock_lag = 0.02
        self.prefer6 = False  # ask over IPv6 when the scenario switches IPv4 off
        # Zone transfers and prefetching go on when no client waits.
        background = any(
            c.name in ("auth-zone", "rpz") and (c.get("master") or c.get("primary"))
            for c in scn.clauses
        )
        self.quiet = 0.4 if background else 0.06
        self.timeout = max(timeout, 40.0) if "TIMEOUT" in scn.kinds() else timeout

    # ---- clients --------------------------------------------------------------
    def send_query(self, step: Step) -> Client:
        entry = step.entry
        if entry is None:
            raise Skipped(f"step {step.number}: QUERY without an entry")
        pkt = entry.packet
        if pkt.raw is not None:
            wire = pkt.raw
        else:
            qid = (step.number * 257 + 4099) & 0xFFFF
            wire = message.render(pkt, qid, None, message.query_edns(pkt, self.scn.dialect))
        transport = "tcp" if "TCP" in entry.match else "udp"
        source = step.address
        family = (
            family_of(source) if source else socket.AF_INET6 if self.prefer6 else socket.AF_INET
        )
        target = self.target6 if family == socket.AF_INET6 else self.target4
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        sock = socket.socket(family, kind)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        if source:
            sock.bind((source, 0))
        sock.connect((target, self.port))
        client = Client(
            step,
            sock,
            source,
            transport,
            expect=not (pkt.raw is not None and self.scn.dialect == "deckard"),
        )
        self.watch(sock, partial(self.client_readable, client))
        self.clients.append(client)
        self.log(f"query step {step.number}")
        sock.sendall(struct.pack("!H", len(wire)) + wire if transport == "tcp" else wire)
        self.last_activity = time.monotonic()
        return client

    def client_readable(self, client: Client) -> None:
        try:
            data = client.sock.recv(65536)
        except OSError as exc:
            self.log(f"client of step {client.step.number}: {exc}")
            data = b""
        if client.transport == "tcp":
            client.buffer += data
            if data and (
                len(client.buffer) < 2
                or len(client.buffer) < 2 + struct.unpack_from("!H", client.buffer)[0]
            ):
                return
            data = bytes(client.buffer[2:])
        elif not data:
            return
        self.forget(client.sock)
        self.clients.remove(client)
        if not data:
            return
        try:
            msg = wires.parse(data)
        except wires.BadMessage as exc:
            self.log(f"unreadable answer: {exc}")
            msg = None
        self.log(
            f"answer to step {client.step.number}: "
            f"{dns.rcode.to_text(msg.rcode) if msg else 'unreadable'}"
        )
        if msg is not None and self.log_file:
            self.log_file.write("".join(f"            {ln}\n" for ln in msg.text().splitlines()))
        self.answers.append(Answer(data, msg, client.source, client.transport))

    def waiting(self) -> bool:
        return any(c.expect for c in self.clients)

    # ---- steps ------------------------------------------------------------------
    def settle(self) -> None:
        """Let traffic flow until nothing more is to be expected."""
        limit = time.monotonic() + self.timeout
        while time.monotonic() < limit:
            self.retry_pending()
            idle = time.monotonic() - self.last_activity
            if not self.waiting():
                need = self.quiet
            elif self.pending:
                need = 0.3
            else:
                need = 1.5
            if idle >= need:
                return
            self.pump(min(0.05, need - idle + 0.001))

    def play(self) -> None:
        deckard = self.scn.dialect == "deckard"
        while self.index < len(self.scn.steps):
            step = self.scn.steps[self.index]
            self.now = step.number
            if not self.alive():
                raise Failed(f"step {step.number}: the resolver process died")
            handler: Callable[[Step], None] | None = getattr(self, "do_" + step.kind.lower(), None)
            if handler is None:
                raise Skipped(f"step {step.number}: {step.kind} is not supported")
            # the first question comes before anything the resolver does on its own
            if not deckard and self.index and step.kind not in ("CHECK_ANSWER", "CHECK_OUT_QUERY"):
                self.settle()
            handler(step)
            self.index += 1
        if not deckard:
            self.settle()
            if self.answers:
                raise Failed(f"{len(self.answers)} answers the scenario does not expect")
        for rng in self.scn.ranges:
            for entry in rng.entries:
                if entry.mandatory and not entry.fired:
                    raise Failed(f"mandatory entry at line {entry.line} was not used")
        if not self.alive():
            raise Failed("the resolver process died")

    def do_query(self, step: Step) -> None:
        if self.scn.dialect != "deckard":
            self.send_query(step)
            return
        self.answers.clear()
        client = self.send_query(step)
        if not client.expect:
            self.pump(0.01)
            return
        limit = time.monotonic() + self.timeout
        while client in self.clients:
            left = limit - time.monotonic()
            if left <= 0:
                raise Failed(f"step {step.number}: no answer in {self.timeout:.0f} s")
            self.pump(min(left, 0.2))
            if not self.alive():
                raise Failed(f"step {step.number}: the resolver process died")

    def do_check_answer(self, step: Step) -> None:
        if step.entry is None:
            raise Skipped(f"step {step.number}: CHECK_ANSWER without an entry")
        if self.scn.dialect == "deckard":
            if not self.answers:
                raise Failed(f"step {step.number}: no answer to check")
            self.compare(step, self.answers[-1])
            return
        limit = time.monotonic() + self.timeout
        last: Failed | None = None
        while True:
            for ans in self.answers:
                if step.address and ans.source != step.address:
                    continue
                try:
                    self.compare(step, ans)
                except Failed as exc:
                    last = exc
                    continue
                self.answers.remove(ans)
                return
            left = limit - time.monotonic()
            if not self.waiting() or left <= 0:
                raise last or Failed(
                    f"step {step.number}: no answer in {self.timeout:.0f} s"
                    if left <= 0
                    else f"step {step.number}: no answer to check"
                )
            self.retry_pending()
            self.pump(min(left, 0.1))
            if not self.alive():
                raise Failed(f"step {step.number}: the resolver process died")

    do_answer = do_check_answer

    def compare(self, step: Step, ans: Answer) -> None:
        assert step.entry is not None
        if step.entry.packet.raw is not None and self.scn.dialect == "deckard":
            if ans.wire[2:] != step.entry.packet.raw[2:]:
                raise Failed(f"step {step.number}: raw answer differs")
            return
        if ans.msg is None:
            raise Failed(f"step {step.number}: unreadable answer")
        try:
            message.check(step.entry, ans.msg, self.scn.dialect, ans.transport, self.relaxed)
        except message.Mismatch as exc:
            raise Failed(f"step {step.number}: {exc}") from exc

    def find_pending(self, step: Step, match: bool) -> Upstream | None:
        for up in self.pending:
            if step.address and up.address != step.address:
                continue
            if (
                match
                and step.entry
                and not message.matches(step.entry, up.msg, self.scn.dialect, up.transport)
            ):
                continue
            return up
        return None

    def await_pending(self, step: Step, match: bool) -> Upstream | None:
        limit = time.monotonic() + self.timeout
        while True:
            up = self.find_pending(step, match)
            if up or time.monotonic() >= limit:
                return up
            self.pump(0.05)

    def do_check_out_query(self, step: Step) -> None:
        if self.scn.dialect == "deckard":
            return
        up = self.await_pending(step, True)
        if up is None:
            raise Failed(f"step {step.number}: the expected upstream query was not sent")
        if step.entry and "copy_id" in step.entry.adjust:
            self.pending.remove(up)
            self.reply(up, step.entry)

    def do_reply(self, step: Step) -> None:
        if self.scn.dialect == "deckard":
            return
        up = self.await_pending(step, bool(step.entry and step.entry.match)) or self.find_pending(
            step, False
        )
        if up is None or step.entry is None:
            raise Failed(f"step {step.number}: no upstream query to reply to")
        self.pending.remove(up)
        self.reply(up, step.entry)

    def do_timeout(self, step: Step) -> None:
        """The oldest open upstream query gets no reply; the resolver's own timer runs."""
        up = self.await_pending(step, False)
        if up is None:
            raise Failed(f"step {step.number}: no upstream query to time out")
        self.pending.remove(up)

    def do_nothing(self, step: Step) -> None:
        pass

    def do_traffic(self, step: Step) -> None:
        pass

    def do_time_passes(self, step: Step) -> None:
        mode, _, text = step.args.partition(" ")
        if mode == "EVAL":
            text = expand(text, self.variables, self.clock.now())
        self.clock.advance(float(text.split()[0]))
        # A moment in which the resolver's clock is read again.
        limit = time.monotonic() + self.clock_lag
        while (left := limit - time.monotonic()) > 0:
            self.pump(left)
        self.last_activity = time.monotonic()

    def do_assign(self, step: Step) -> None:
        name, _, text = step.args.partition("=")
        self.variables[name.strip()] = expand(text.strip(), self.variables, self.clock.now())

    def do_check_tempfile(self, step: Step) -> None:
        if self.answer_file is None:
            return
        text = self.answer_file(step.args.split()[0])
        if text is None:
            return
        got = [ln for ln in text.splitlines() if ln.strip()]
        want = [ln for ln in (step.file_lines or []) if ln.strip()]
        if got != want:
            raise Failed(f"step {step.number}: file {step.args} differs")
