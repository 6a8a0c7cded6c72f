"""A crowd of clients as a program: it runs in the resolver's namespace and tells what it got.

``python -m tests.border.load PLAN``: PLAN is a JSON file with ``server``, ``questions`` (each
``[name, type]``), ``clients`` (how many ask at once), ``cancel`` (share of questions whose client
goes away at once), ``stream`` (share of questions over TCP from the start), ``repeat`` (each
question so many times at once), ``seed`` and ``seconds`` (wait for one reply). Writes one JSON
list to PLAN.out: ``[index, tries, reply in hex or null]`` a question.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import dns.flags
import dns.message
import trio

TRIES = 3
"""A stub resolver's first try and two retries."""


@dataclass
class Crowd:
    """Everything the clients share."""

    plan: dict[str, Any]
    chance: Random
    results: list[tuple[int, int, str | None]]

    async def client(self, work: trio.MemoryReceiveChannel[int]) -> None:
        """One client: takes questions until none are left."""
        async for index in work:
            await self._ask(index)

    async def _ask(self, index: int) -> None:
        name, rtype = self.plan["questions"][index]
        leaves = self.chance.random() < self.plan["cancel"]
        exchange = self._exchange
        if self.chance.random() < self.plan["stream"]:
            exchange = self._over_tcp
        for tries in range(1, TRIES + 1):
            query = dns.message.make_query(name, rtype, use_edns=0, payload=1232)
            reply = await exchange(query.to_wire(), leaves)
            if leaves:
                return
            if reply is not None and reply[3] & 15 != 2:
                self.results.append((index, tries, reply.hex()))
                return
            if reply is not None:
                await trio.sleep(1.1)  # a cached failure lives a second at first
        self.results.append((index, TRIES, None if reply is None else reply.hex()))

    async def _exchange(self, query: bytes, leaves: bool) -> bytes | None:
        host, port = self.plan["server"]
        sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        with sock:
            await sock.connect((host, port))
            for _ in range(self.plan["repeat"]):
                await sock.send(query)
            if leaves:
                return None
            with trio.move_on_after(self.plan["seconds"]):
                while True:
                    reply = await sock.recv(4096)
                    if reply[:2] == query[:2]:
                        break
                if reply[2] & 2:
                    return await self._over_tcp(query, leaves)
                return reply
        return None

    async def _over_tcp(self, query: bytes, leaves: bool) -> bytes | None:
        host, port = self.plan["server"]
        got = b""
        with trio.move_on_after(self.plan["seconds"]):
            async with await trio.open_tcp_stream(host, port) as stream:
                framed = len(query).to_bytes(2, "big") + query
                await stream.send_all(framed * self.plan["repeat"])
                while not leaves:
                    more = await stream.receive_some(65_537)
                    if not more:
                        break
                    got += more
                    end = 2 + int.from_bytes(got[:2], "big")
                    if len(got) > 2 and len(got) >= end:
                        return got[2:end]
        return None


async def run(plan: dict[str, Any]) -> list[tuple[int, int, str | None]]:
    """All questions of a plan, by so many clients at once."""
    crowd = Crowd(plan, Random(plan["seed"]), [])
    send, receive = trio.open_memory_channel[int](0)
    async with trio.open_nursery() as nursery:
        for _ in range(plan["clients"]):
            nursery.start_soon(crowd.client, receive.clone())
        receive.close()
        async with send:
            for index in range(len(plan["questions"])):
                await send.send(index)
    return crowd.results


if __name__ == "__main__":
    told = trio.run(run, json.loads(Path(sys.argv[1]).read_text()))
    Path(sys.argv[1] + ".out").write_text(json.dumps(told))
