"""Run the native door in a network namespace whose firewall counts; print both sides as JSON.

The firewall drops a tenth of the queries in the output hook, before it counts: the kernel tells
the sender of these, and the door must not count them as sent.
"""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.unit.door_rig import Rig
from tests.unit.upstreams import Upstream, reply_to

PORT = 5399
BATCH = 250
RULES = f"""
table inet border {{
  counter queries {{ }}
  counter lost {{ }}
  counter unreachable {{ }}
  chain out {{
    type filter hook output priority 0; policy accept;
    udp dport {PORT} numgen random mod 10 < 1 counter name lost drop
    udp dport {PORT} counter name queries
    icmp type destination-unreachable counter name unreachable
  }}
}}
"""


def moody(query: bytes) -> Sequence[bytes]:
    """Answers, silence, noise, and the same answer twice."""
    reply = reply_to(query)
    return random.Random(query[:2]).choice([[reply], [reply, reply], [], [query[:1]]])


def counted() -> dict[str, list[int]]:
    """Packets and octets (with IP and UDP headers) by counter."""
    listing = subprocess.check_output(["nft", "-j", "list", "counters"], text=True)
    found = [row["counter"] for row in json.loads(listing)["nftables"] if "counter" in row]
    return {row["name"]: [row["packets"], row["bytes"]] for row in found}


def main(asks: int) -> dict[str, Any]:
    """Ask so many times."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
    failures: list[int] = []
    with Upstream(udp=moody, port=PORT) as server:
        rig = Rig(PORT, in_flight_max=10_000)
        for _ in range(asks // BATCH):
            rig.ask(server.address, BATCH, timeout=0.05)
            failures += [end[0] for end in rig.outcomes(BATCH).values()]
        told = {"firewall": counted(), "books": rig.books(), "failures": failures}
        rig.door.close()
    return told


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
