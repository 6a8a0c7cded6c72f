"""What evidence costs: seconds to read and compile, octets held, microseconds for a decision.

    python -m benchmarks.evidence [--records4 250000] [--records6 150000] [MMDB...]

Writes delegation files and range files of realistic size with a fixed seed, reads them as the
program does, and asks for addresses that have not been asked before. Databases given by path (and
``data/dbip-country.mmdb`` below ``INLAND_SHARED``) are taken in addition.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from random import Random

from policy.border import Policy
from policy.findings import Published
from policy.inputs import PolicyInputs, SourceFile
from policy.load import load_policy
from policy.verdict import Proof
from resolver.counters import Clock
from resolver.model import Address

CODES = ("IN", "US", "SG", "DE", "GB", "JP", "ZA", "BR", "EU", "ZZ")
ASKED = 100_000
ROUNDS = 5
SERVERS = 200


def delegated(random: Random, v4: int, v6: int) -> str:
    """A delegation file: ranges with gaps, some of which are no CIDR."""
    rows = []
    at = 1 << 24
    for _ in range(v4):
        size = random.choice((256, 512, 768, 1024, 4096))
        code = random.choice(CODES)
        rows.append(f"apnic|{code}|ipv4|{IPv4Address(at)}|{size}|20100101|allocated|A{at % 9973}")
        at += size + random.choice((0, 0, 256))
    high = 0x2400_0000
    for _ in range(v6):
        where = IPv6Address(high << 96)
        rows.append(
            f"apnic|{random.choice(CODES)}|ipv6|{where}|32|20100101|allocated|A{high % 9973}"
        )
        high += random.choice((1, 1, 2, 16))
    head = f"2|apnic|20260601|{len(rows)}|19830613|20260531|+1000"
    sums = [f"apnic|*|ipv4|*|{v4}|summary", f"apnic|*|ipv6|*|{v6}|summary"]
    return "\n".join([head, *sums, *rows]) + "\n"


def ranges(random: Random, v4: int) -> str:
    """A range file in whole numbers, as ``tor-geoipdb`` has."""
    rows = []
    at = 1 << 24
    for _ in range(v4):
        size = random.randrange(1, 8_000)
        rows.append(f"{at},{at + size - 1},{random.choice(CODES)}")
        at += size
    return "\n".join(rows) + "\n"


def decision_us(policy: Policy, random: Random, octets: int) -> float:
    """Microseconds of CPU for one verdict on an address that was not asked before: the least of
    some rounds, since the machine may be busy with other things."""
    head = b"" if octets == 4 else b"\x24"
    locate = policy.locate
    rounds = []
    for _ in range(ROUNDS):
        asked = [Address(head + random.randbytes(octets - len(head))) for _ in range(ASKED)]
        began = time.process_time()
        for address in asked:
            locate(address)
        rounds.append((time.process_time() - began) / ASKED * 1e6)
    return min(rounds)


def again_us(policy: Policy, ask: str) -> float:
    """Microseconds of CPU to be told once more of servers that were asked before: of their
    ``standing``, or (``locate``) of what that rests on, which is found and weighed each time."""
    random = Random(2)
    servers = [Address(random.randbytes(4)) for _ in range(SERVERS)]
    call = getattr(policy, ask)
    rounds = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        for _ in range(ASKED // SERVERS):
            for server in servers:
                call(server)
        rounds.append((time.process_time() - began) / ASKED * 1e6)
    return min(rounds[1:])


def measure_again(inputs: PolicyInputs) -> None:
    """Print what a server that was asked before costs, by what may change meanwhile."""
    policy = load_policy(inputs)
    clock = Clock(None)
    findings = Published(clock.now)
    random = Random(2)
    for number in range(SERVERS):
        server = Address(random.randbytes(4))
        if number % 2:  # of half of them something was found out
            findings.publish(server, Proof("IN", f"of server {number}", clock.now() + 900.0))
    placed = replace(policy, findings=findings)
    print(
        f"\na server asked before, µs: {again_us(policy, 'standing'):.2f}; with border.place "
        f"{again_us(placed, 'standing'):.2f}, weighed anew {again_us(placed, 'locate'):.2f}"
    )


def measure(name: str, inputs: PolicyInputs) -> None:
    """Print one row."""
    began = time.perf_counter()
    policy = load_policy(inputs)
    built = time.perf_counter() - began
    four, six, combinations, octets = policy.voices.table.sizes()
    random = Random(1)
    for size in (4, 16):  # every combination is weighed once
        decision_us(policy, random, size)
    costs = "".join(f"{decision_us(policy, random, size):>9.2f}" for size in (4, 16))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:<34}{built:>9.2f}{four:>10}{six:>10}{combinations:>9}{octets / 2**20:>8.1f}"
        f"{costs}{peak:>10.0f}"
    )


def main(words: Sequence[str] | None = None) -> int:
    """Measure, from nothing to everything at once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--records4", type=int, default=250_000)
    parser.add_argument("--records6", type=int, default=150_000)
    parser.add_argument("databases", type=Path, nargs="*", metavar="MMDB")
    args = parser.parse_args(words)
    shared = Path(os.environ.get("INLAND_SHARED", "shared")) / "data" / "dbip-country.mmdb"
    paths = [*args.databases, *([shared] if shared.exists() else [])]
    databases = tuple(SourceFile(path, path.stem) for path in paths)
    home = frozenset({"IN"})
    print(
        f"{'sources':<34}{'build s':>9}{'v4 steps':>10}{'v6 steps':>10}{'combin.':>9}{'MiB':>8}"
        f"{'v4 µs':>9}{'v6 µs':>9}{'RSS MiB':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        random = Random(20261122)
        rir, csv = Path(folder) / "delegated", Path(folder) / "geoip"
        rir.write_text(delegated(random, args.records4, args.records6))
        csv.write_text(ranges(random, args.records4))
        files = (SourceFile(rir, "rir"),)
        measure("iptocc (default)", PolicyInputs(home=home))
        measure("iptocc, MMDB", PolicyInputs(home=home, databases=databases))
        measure("iptocc, delegated", PolicyInputs(home=home, registry_files=files))
        every = (*databases, SourceFile(csv, "geoip"))
        measure(
            "iptocc, delegated, MMDB, CSV",
            PolicyInputs(home=home, registry_files=files, databases=every),
        )
        measure_again(PolicyInputs(home=home, registry_files=files))
    return 0


if __name__ == "__main__":
    sys.exit(main())
