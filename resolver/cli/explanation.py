"""An explanation as a table for people, and the question that they wrote."""

from typing import Any

import dns.exception
import dns.rdatatype
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resolver.errors import InlandError
from resolver.model import Question
from resolver.names import from_text


def question_of(name: str, rtype: str) -> Question:
    """The question that the user wrote. Raises ``InlandError``."""
    try:
        number = dns.rdatatype.from_text(rtype)
    except (dns.exception.DNSException, ValueError) as error:
        raise InlandError(f"{rtype}: not a record type") from error
    return Question(from_text(name), int(number))


def _mirror_row(step: dict[str, Any]) -> tuple[str | Text, ...]:
    return (
        "",
        f"{step['question']}\n{step['zone']}",
        f"(mirror)\nserial {step['serial']}",
        Text("local", style="green"),
        "mirror",
        step["outcome"],
    )


_COLOURS = {"domestic": "green", "foreign": "red", "unknown": "yellow"}


def _took(seconds: float) -> str:
    """Nothing for what was never answered."""
    return f" {seconds * 1000:.1f} ms" if seconds else ""


def show(told: dict[str, Any]) -> None:
    """The exchanges as a table, then the answer and what became of the lookup."""
    console = Console(highlight=False)
    table = Table(
        title=f"{told['name']} {told['type']}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("question, zone", overflow="fold")
    table.add_column("server", overflow="fold")
    table.add_column("place, evidence")
    table.add_column("why")
    table.add_column("outcome")
    mirrored = list(told["mirrors"])
    for at, step in enumerate(told["exchanges"], 1):
        while mirrored and mirrored[0]["after"] < at:
            table.add_row(*_mirror_row(mirrored.pop(0)))
        where = Text(step["verdict"], style=_COLOURS[step["verdict"]])
        where.append(f" {step['country']}\ntier {step['tier']}, {step['grade']}", style="default")
        reason = "" if step["reason"] == "none" else f"\n{step['reason']}"
        table.add_row(
            str(at),
            f"{step['question']}\n{step['zone']}",
            f"{step['server'] or '(hint)'}\n{step['address']}",
            where,
            # Spaces, so that long words break where people would break them.
            f"{step['purpose']}{reason}".replace("_", " "),
            f"{step['outcome'].replace('_', ' ')}\n{step['transport']}{_took(step['rtt'])}",
        )
    for step in mirrored:
        table.add_row(*_mirror_row(step))
    if told["exchanges"] or told["mirrors"]:
        console.print(table)
    else:
        console.print(f"{told['name']} {told['type']}", style="italic")
        console.print("No exchange: answered from what is in the cache, or known here.")
    for line in told["answer"] or told["authority"]:
        console.print(line, soft_wrap=True)
    for ede in told["ede"]:
        console.print(f"EDE {ede['code']}: {ede['text']}", soft_wrap=True)
    for stage in told["stages"]:
        what = "the result decides" if stage["needs_result"] else stage["action"]
        console.print(
            f"policy on {stage['name']}: {stage['rule'] or 'no rule'}, {what}, "
            f"servers {stage['servers']}",
            soft_wrap=True,
        )
    if told["rule"]:
        held = " (held back by the mode)" if told["held_back"] else ""
        console.print(f"decided by rule {told['rule']}: {told['action']}{held}", soft_wrap=True)
    count = len(told["exchanges"])
    escaped = f" ({told['reason']})" if told["route"] == "escaped" else ""
    console.print(
        f"{told['rcode']}, route {told['route']}{escaped}, destination {told['destination']}, "
        f"{count} exchange{'' if count == 1 else 's'}, {told['exchanges_abroad']} abroad, "
        f"{told['seconds'] * 1000:.0f} ms",
        soft_wrap=True,
    )
