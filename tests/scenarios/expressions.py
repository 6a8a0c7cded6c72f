"""``${...}`` expressions of testbound scenarios: variables, the time, arithmetic, ranges."""

import re
import time

from tests.scenarios.outcome import Failed, Skipped


def expand(text: str, variables: dict[str, str], now: float) -> str:
    """``text`` with every expression replaced. Raises ``Failed`` for a value out of range."""
    while True:
        m = re.search(r"\$\{([^${}]*(?:\$[A-Za-z0-9_]+[^${}]*)*)\}", text)
        if not m:
            break
        text = text[: m.start()] + _evaluate(m[1], variables, now) + text[m.end() :]
    return re.sub(r"\$([A-Za-z0-9_]+)", lambda v: variables.get(v[1], ""), text)


def _evaluate(body: str, variables: dict[str, str], now: float) -> str:
    body = re.sub(r"\$([A-Za-z0-9_]+)", lambda v: variables.get(v[1], "0"), body).strip()
    word, _, rest = body.partition(" ")
    if word == "time":
        return repr(now)
    if word == "timeout":
        raise Skipped("needs the resolver's own timer list")
    if word == "ctime":
        return time.ctime(float(rest))
    if word == "range":
        low, value, high = (float(x) for x in rest.split())
        if not low <= value <= high:
            raise Failed(f"{value} is not within {low}..{high}")
        return rest.split()[1]
    return _calculate(body)


def _calculate(body: str) -> str:
    """Left to right, without precedence, as the files expect."""
    tokens = re.findall(r"[0-9.]+|[-+*/]", body)
    if not tokens:
        return body
    total = float(tokens[0])
    for sign, number in zip(tokens[1::2], tokens[2::2], strict=False):
        value = float(number)
        if sign == "+":
            total += value
        elif sign == "-":
            total -= value
        elif sign == "*":
            total *= value
        else:
            total = total / value if value else 0.0
    return repr(total)
