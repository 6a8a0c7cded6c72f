"""Run in a network namespace by the tests: walk a world, or put plain questions to servers.

``walk WORLD PORT`` prints what was wrong and what was sent; ``ask`` reads a JSON list of
``[address, name, type]`` and prints the replies in hexadecimal, by TCP where UDP was truncated.
"""

import json
import sys
from collections import Counter

import dns.message
import dns.query

from testbed.model import AddressPlan
from testbed.truth import Truth
from testbed.world import make_world
from tests.system.walker import Walker, expected_chain


def walk(world_name: str) -> None:
    world = make_world(world_name, plan=AddressPlan.NETNS)
    walker = Walker(dict(world.delegations["."].parent_set), 53, timeout=1.5)
    wrong = []
    for question, expected in Truth(world).questions():
        found = walker.resolve(question.name, question.rtype)
        if found != (expected.rcode, expected_chain(expected)):
            wrong.append(f"{question}: {found} for {expected}")
    sent = {
        transport: Counter(at for at, _, _, how in walker.sent if how == transport)
        for transport in ("udp", "tcp")
    }
    print(json.dumps({"wrong": wrong, **sent}))


def ask() -> None:
    out = []
    for address, name, rtype in json.load(sys.stdin):
        query = dns.message.make_query(name, rtype, use_edns=0, payload=1232)
        query.flags = 0
        reply, by_tcp = dns.query.udp_with_fallback(query, address, 5)
        out.append([reply.to_wire().hex(), by_tcp])
    print(json.dumps(out))


if __name__ == "__main__":
    walk(*sys.argv[2:]) if sys.argv[1] == "walk" else ask()
