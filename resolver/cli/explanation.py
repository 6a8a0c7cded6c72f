"""An explanation as plain values for JSON, and as a table for people."""

from typing import Any

import dns.exception
import dns.rdata
import dns.rdatatype
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from policy.border import Policy
from resolver.cli.voices import voices_of
from resolver.compose import addresses_in
from resolver.errors import InlandError
from resolver.explain import Explanation
from resolver.model import Exchange, LocalStep, Question, Rcode, RRset, address_text
from resolver.names import from_text, to_text


def question_of(name: str, rtype: str) -> Question:
    """The question that the user wrote. Raises ``InlandError``."""
    try:
        number = dns.rdatatype.from_text(rtype)
    except (dns.exception.DNSException, ValueError) as error:
        raise InlandError(f"{rtype}: not a record type") from error
    return Question(from_text(name), int(number))


def told_of(explanation: Explanation, question: Question) -> dict[str, Any]:
    """The explanation as plain values, the same for text and JSON."""
    result, books, policy = explanation.result, explanation.books, explanation.policy
    addresses = addresses_in(result.answer)
    try:
        rcode = Rcode(result.rcode).name
    except ValueError:
        rcode = str(int(result.rcode))
    return {
        "name": to_text(question.name),
        "type": dns.rdatatype.to_text(dns.rdatatype.RdataType.make(question.rtype)),
        "exchanges": [_exchange(exchange, policy) for exchange in books.trail],
        "mirrors": [_mirrored(step) for step in books.mirrored],
        "rcode": rcode,
        "answer": [line for rrset in result.answer for line in _lines(rrset)],
        "authority": [line for rrset in result.authority for line in _lines(rrset)],
        "ede": [{"code": int(code), "text": text} for code, text in result.ede],
        "route": books.route.value,
        "reason": books.reason.value,
        "destination": policy.destination(addresses, question.name).value,
        "exchanges_abroad": books.abroad,
        "needless_escapes": books.needless,
        "seconds": round(explanation.seconds, 4),
        "mode": policy.mode.value,
        "generation": policy.generation,
    }


def _exchange(exchange: Exchange, policy: Policy) -> dict[str, Any]:

    location = policy.locate(exchange.address)
    rtype = dns.rdatatype.RdataType.make(exchange.question.rtype)
    return {
        "zone": to_text(exchange.zone),
        "server": to_text(exchange.server) if exchange.server else None,
        "address": address_text(exchange.address),
        "question": f"{to_text(exchange.question.name)} {dns.rdatatype.to_text(rtype)}",
        "transport": exchange.transport.value,
        "verdict": exchange.label.verdict.value,
        "country": exchange.label.country,
        "grade": location.grade,
        "because": location.because,
        "evidence": voices_of(location),
        "tier": exchange.tier,
        "purpose": exchange.label.purpose.value,
        "reason": exchange.label.reason.value,
        "outcome": exchange.outcome,
        "rtt": round(exchange.rtt, 4),
    }


def _mirrored(step: LocalStep) -> dict[str, Any]:
    rtype = dns.rdatatype.RdataType.make(step.question.rtype)
    return {
        "zone": to_text(step.zone),
        "serial": step.serial,
        "question": f"{to_text(step.question.name)} {dns.rdatatype.to_text(rtype)}",
        "outcome": step.outcome,
        "after": step.after,
    }


def _lines(rrset: RRset) -> list[str]:
    """Records in presentation form; signatures are counted, not shown."""
    rtype = dns.rdatatype.RdataType.make(rrset.rtype)
    out = []
    for rdata in rrset.rdatas:
        text = dns.rdata.from_wire("IN", rtype, rdata, 0, len(rdata)).to_text()
        out.append(f"{to_text(rrset.name)} {rrset.ttl} IN {dns.rdatatype.to_text(rtype)} {text}")
    return out


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


def show(told: dict[str, Any]) -> None:

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
            f"{step['outcome'].replace('_', ' ')}\n{step['transport']} {step['rtt'] * 1000:.1f} ms",
        )
    for step in mirrored:
        table.add_row(*_mirror_row(step))
    if told["exchanges"] or told["mirrors"]:
        console.print(table)
    else:
        console.print("No exchange: answered from local data.")
    for line in told["answer"] or told["authority"]:
        console.print(line, soft_wrap=True)
    for ede in told["ede"]:
        console.print(f"EDE {ede['code']}: {ede['text']}", soft_wrap=True)
    escaped = f" ({told['reason']})" if told["route"] == "escaped" else ""
    console.print(
        f"{told['rcode']}, route {told['route']}{escaped}, destination {told['destination']}, "
        f"{len(told['exchanges'])} exchanges, {told['exchanges_abroad']} abroad, "
        f"{told['seconds'] * 1000:.0f} ms",
        soft_wrap=True,
    )
