"""What rules cost: microseconds of CPU for the decision on a question that is not in the cache.

    python -m benchmarks.policy [--rules 1000] [--views 3] [--questions 200000]

Writes a policy with a fixed seed, as an ISP might have it: most rules name a suffix, some a list,
some a view, a type or hours; one in twenty waits for the result. Questions are half for names that
rules speak of, half for others. Reading time is told as well, and what the most rules cost that one
lookup may have to be held against.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from random import Random
from typing import Any

from policy.decision import Asked, Facts, Rulebook, ServerFact
from policy.engine import engine_of
from policy.rule_file import read_rule_file
from policy.rule_make import Around
from policy.rule_merge import merge
from policy.rules import Ruleset
from resolver.compiled import USED
from resolver.limits_policy import RULES_AT_ONCE_MAX
from resolver.model import Address, Security, Verdict
from resolver.names import from_text

ROUNDS = 5
WALL = 1_790_000_000.0  # in September 2026


def policy(random: Random, rules: int, views: int) -> dict[str, Any]:
    """The plain values of a policy file."""
    made: list[dict[str, Any]] = []
    for number in range(rules):
        match: dict[str, Any] = {"suffix": f"zone{number}.tld{number % 50}"}
        kind = number % 20
        if kind == 1:
            match = {"name": [f"www{n}.zone{number}.tld{number % 50}" for n in range(5)]}
        elif kind == 2:
            match["type"] = ["A", "AAAA"]
        elif kind == 3:
            match["view"] = f"view{number % views}"
        elif kind == 4:
            match["time"] = {"days": "mon-fri", "hours": "08:00-16:00", "timezone": "Asia/Kolkata"}
        elif kind == 5:
            match["answer_country"] = ["XB", "XC"]
        made.append(
            {
                "id": f"r{number}",
                "match": match,
                "effect": {"block": random.choice(("nxdomain", "nodata", "refused"))},
                "authority": {"kind": "regulator", "name": "The regulator"},
                "reference": f"Order {number} of 2026",
                "from": "2026-01-01",
                "until": "2027-12-31",
            }
        )
    clients = [{"name": f"view{n}", "clients": f"10.{n}.0.0/16"} for n in range(views)]
    return {"version": 1, "views": clients, "rules": made}


def worst(views: int) -> dict[str, Any]:
    """As many rules as one lookup may have to be held against, all for all names, each in force
    only at hours that are not now."""
    rules = [
        {
            "id": f"w{number}",
            "match": {"time": {"days": "sun", "hours": f"{number % 24:02d}:00-24:00"}},
            "effect": "any",
        }
        for number in range(RULES_AT_ONCE_MAX)
    ]
    return policy(Random(1), 0, views) | {"rules": rules}


def asked(random: Random, rules: int, views: int, count: int) -> list[Asked]:
    """Questions, half of them for names that rules speak of."""
    out = []
    for _ in range(count):
        number = random.randrange(rules)
        zone = f"zone{number}.tld{number % 50}" if random.random() < 0.5 else "other.tld1"
        name = from_text(f"www{random.randrange(100_000)}.{zone}")
        out.append(Asked(random.randrange(views + 1), name, random.choice((1, 28, 65)), WALL))
    return out


def per_question_us(book: Rulebook, questions: Sequence[Asked], facts: Facts | None) -> float:
    """Microseconds of CPU: the least of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        if facts is None:
            for question in questions:
                book.on_question(question)
        else:
            for question in questions:
                book.on_answer(question, facts)
        rounds.append((time.process_time() - began) / len(questions) * 1e6)
    return min(rounds)


def result() -> Facts:
    """A result with two addresses and four name servers."""
    addresses = tuple((Address(bytes((192, 0, 2, n))), "XB") for n in (1, 2))
    servers = tuple(
        ServerFact(
            from_text("tld1"),
            from_text(f"ns{n}.example"),
            Address(bytes((192, 0, 2, n))),
            Verdict.DOMESTIC,
            "XA",
        )
        for n in range(4)
    )
    return Facts(0, (), addresses, servers, Security.INDETERMINATE)


def main(words: Sequence[str] | None = None) -> int:
    """Measure with ten rules, with all, and with the most that one lookup may meet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--questions", type=int, default=200_000)
    args = parser.parse_args(words)
    print(f"modules {'compiled' if USED is not None else 'interpreted'}")
    print(f"{'rules':>7}{'read s':>9}{'compile s':>11}{'question µs':>13}{'answer µs':>11}")
    for rules in (10, args.rules, 0):
        random = Random(20261122)
        made = policy(random, rules, args.views) if rules else worst(args.views)
        text = json.dumps(made).encode()
        began = time.perf_counter()
        read = read_rule_file(text, f"{rules}.yaml")
        reading = time.perf_counter() - began
        began = time.perf_counter()
        ruleset: Ruleset = merge([read], Around())
        book = engine_of(ruleset, {}, range(args.views + 1), validating=False)
        compiling = time.perf_counter() - began
        questions = asked(random, rules or 1, args.views, args.questions)
        first = per_question_us(book, questions, None)
        second = per_question_us(book, questions, result())
        print(
            f"{rules or 'worst':>7}{reading:>9.3f}{compiling:>11.3f}{first:>13.2f}{second:>11.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
