"""Verdicts and explanations as plain values: the same for text and JSON, on the command line and
over the control socket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dns.rdata
import dns.rdatatype

from policy.border import Policy
from policy.verdict import Location
from resolver.compose import addresses_in
from resolver.decide import Case, effect_of
from resolver.model import (
    Address,
    Books,
    Exchange,
    LocalStep,
    Question,
    Rcode,
    Result,
    RRset,
    address_text,
)
from resolver.names import to_text
from resolver.tags import NO_EFFECT, Effect


@dataclass(frozen=True, slots=True)
class Explanation:
    """What came of a question, what it cost, and the policy that chose."""

    result: Result
    books: Books
    policy: Policy
    seconds: float
    effect: Effect = NO_EFFECT
    case: Case | None = None  # what rules said of each name on the way


def voices_of(location: Location) -> list[dict[str, Any]]:
    """Each voice with its source, date and hash; ``None`` for what comes from no file."""
    return [
        {
            "source": voice.source,
            "country": voice.country,
            "detail": voice.detail,
            "date": voice.origin.date if voice.origin else None,
            "sha256": voice.origin.digest if voice.origin else None,
        }
        for voice in location.evidence
    ]


def located(policy: Policy, asked: str, address: Address) -> dict[str, Any]:
    """Where an address is. ``asked``: what stands for it. Without a home, verdict and tier are
    ``None``."""
    location = policy.locate(address)
    stated = location.country if location.country != "none" else None
    return {
        "asked": asked,
        "address": address_text(address),
        "verdict": location.verdict.value if policy.home else None,
        "country": stated,
        "grade": location.grade,
        "tier": policy.tier(address) if policy.home else None,
        "never_asked": policy.never_ask(address),
        "home": sorted(policy.home),
        "because": location.because,
        "evidence": voices_of(location),
    }


def told_of(explanation: Explanation, question: Question) -> dict[str, Any]:
    """The explanation of a question."""
    result, books, policy = explanation.result, explanation.books, explanation.policy
    addresses = addresses_in(result.answer)
    try:
        rcode = Rcode(result.rcode).name
    except ValueError:
        rcode = str(int(result.rcode))
    return {
        "name": to_text(question.name),
        "type": type_text(question.rtype),
        "exchanges": [_exchange(exchange, policy) for exchange in books.trail],
        "mirrors": [_mirrored(step) for step in books.mirrored],
        "rcode": rcode,
        "answer": _all_lines(result.answer),
        "authority": _all_lines(result.authority),
        "ede": [{"code": int(code), "text": text} for code, text in result.ede],
        "route": books.route.value,
        "reason": books.reason.value,
        "destination": policy.destination(addresses, question.name).value,
        "exchanges_abroad": books.abroad,
        "needless_escapes": books.needless,
        "seconds": round(explanation.seconds, 4),
        "mode": policy.mode.value,
        "generation": policy.generation,
        "rule": explanation.effect.rule,
        "action": explanation.effect.action,
        "held_back": explanation.effect.held,
        "stages": _stages(explanation.case),
    }


def _stages(case: Case | None) -> list[dict[str, Any]]:
    """What the rules in force, and their shadow, said of each name before any work."""
    if case is None:
        return []
    return [
        {
            "name": to_text(stage.asked.name),
            "rule": stage.live.rule,
            "action": effect_of(stage.live).action,
            "needs_result": stage.live.waits,
            "servers": stage.live.selection.way.value,
            "shadow_rule": stage.shadow.rule,
            "shadow_action": effect_of(stage.shadow).action,
        }
        for stage in case.stages
    ]


def type_text(rtype: int) -> str:
    """Mnemonic of a record type."""
    return str(dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rtype)))


def _exchange(exchange: Exchange, policy: Policy) -> dict[str, Any]:
    location = policy.locate(exchange.address)
    return {
        "zone": to_text(exchange.zone),
        "server": to_text(exchange.server) if exchange.server else None,
        "address": address_text(exchange.address),
        "question": f"{to_text(exchange.question.name)} {type_text(exchange.question.rtype)}",
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
    return {
        "zone": to_text(step.zone),
        "serial": step.serial,
        "question": f"{to_text(step.question.name)} {type_text(step.question.rtype)}",
        "outcome": step.outcome,
        "after": step.after,
    }


def _all_lines(rrsets: Sequence[RRset]) -> list[str]:
    """Records in presentation form; signatures are not shown."""
    out = []
    for rrset in rrsets:
        rtype = dns.rdatatype.RdataType.make(rrset.rtype)
        for rdata in rrset.rdatas:
            text = dns.rdata.from_wire("IN", rtype, rdata, 0, len(rdata)).to_text()
            out.append(f"{to_text(rrset.name)} {rrset.ttl} IN {type_text(rrset.rtype)} {text}")
    return out
