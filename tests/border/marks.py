"""Asks for marks, TXT records that policies put in place, until its standard input ends.

``python -m tests.border.marks PLAN``: PLAN is a JSON file with ``server`` and ``names``. Writes one
JSON list to PLAN.out: ``[began, ended, name, text or null]`` a question, times of the monotonic
clock, which all processes share. ``null``: no TXT record in the reply.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import dns.message
import dns.rdatatype
import trio

SECONDS = 5.0
"""Wait for one reply: a name that no policy has is looked up, under loss."""

Row = tuple[float, float, str, str | None]


def text_of(wire: bytes) -> str | None:
    """The text of the first TXT record in the answer."""
    for rrset in dns.message.from_wire(wire).answer:
        if rrset.rdtype == dns.rdatatype.TXT:
            return b"".join(rrset[0].strings).decode()
    return None


async def ask(server: tuple[str, int], name: str, rows: list[Row]) -> None:
    """One question; what it gave is noted."""
    query = dns.message.make_query(name, "TXT").to_wire()
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.connect(server)
        began = time.monotonic()
        await sock.send(query)
        with trio.move_on_after(SECONDS):
            reply = await sock.recv(4096)
            rows.append((began, time.monotonic(), name, text_of(reply)))
            return
        rows.append((began, time.monotonic(), name, "silence"))


async def run(plan: dict[str, Any]) -> list[Row]:
    """Two readers that go through all names, one from each end."""
    rows: list[Row] = []
    async with trio.open_nursery() as nursery:

        async def reader(names: list[str]) -> None:
            while True:
                for name in names:
                    await ask(tuple(plan["server"]), name, rows)

        nursery.start_soon(reader, plan["names"])
        nursery.start_soon(reader, plan["names"][::-1])
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()
    return rows


if __name__ == "__main__":
    read = trio.run(run, json.loads(Path(sys.argv[1]).read_text()))
    Path(sys.argv[1] + ".out").write_text(json.dumps(read))
