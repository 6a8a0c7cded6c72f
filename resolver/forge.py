"""Answers that policy makes itself, and what clients are told of them.

Pure. RFC 8914 sections 4.5 and 4.16 to 4.19 (forged, blocked, censored, filtered, prohibited),
RFC 2308 section 5 (a denial carries a SOA, whose TTL bounds its life).
"""

from policy.decision import Action, Decision
from resolver.limits_views import POLICY_TTL, POLICY_TTL_MAX, RULE_LABEL_MAX
from resolver.model import Books, Ede, Question, Rcode, Reason, Result, RRset, Type
from resolver.names import Name, from_text, from_wire

ALTERING = frozenset(
    {
        Action.NXDOMAIN,
        Action.NODATA,
        Action.REFUSED,
        Action.DROP,
        Action.SINKHOLE,
        Action.REWRITE,
    }
)
"""Actions that give another answer than the one there is."""

_NOBODY = from_text("nobody.invalid")


def altered(decision: Decision, question: Question, chain: tuple[RRset, ...]) -> Result:
    """The answer that a decision makes for the name at the end of a chain of aliases; it leads
    ``onward`` when it is an alias itself."""
    told = _told(decision)
    action = decision.action
    if action is Action.NXDOMAIN or action is Action.NODATA:
        rcode = Rcode.NXDOMAIN if action is Action.NXDOMAIN else Rcode.NOERROR
        return Result(rcode, (*chain, *decision.records), (_soa(question.name),), ede=told)
    if action is Action.REFUSED or action is Action.DROP:
        return Result(Rcode.REFUSED, ede=told)
    records = _records(decision, question)
    if not records:
        return Result(Rcode.NOERROR, chain, (_soa(question.name),), ede=told)
    last = records[-1]
    if last.rtype == Type.CNAME and question.rtype not in (Type.CNAME, Type.ANY):
        target = from_wire(last.rdatas[0])
        return Result(Rcode.NOERROR, (*chain, *records), ede=told, onward=target)
    return Result(Rcode.NOERROR, (*chain, *records), ede=told)


def _records(decision: Decision, question: Question) -> tuple[RRset, ...]:
    """What of the decision's records answers a question."""
    return tuple(
        [
            rrset._replace(ttl=min(rrset.ttl, POLICY_TTL_MAX))
            for rrset in decision.records
            if question.rtype in (rrset.rtype, Type.ANY) or rrset.rtype == Type.CNAME
        ]
    )


def _told(decision: Decision) -> tuple[tuple[int, str], ...]:
    told = decision.ede or (Ede.BLOCKED, decision.rule[:RULE_LABEL_MAX])
    if decision.records and decision.action in (Action.SINKHOLE, Action.REWRITE):
        return (Ede.FORGED_ANSWER, ""), told
    return (told,)


def with_reason(result: Result, decision: Decision) -> Result:
    """A failure under a selection that closes: the client is told which rule that was."""
    why = f"{decision.selection.way.value}: {decision.rule}"[:RULE_LABEL_MAX]
    return result._replace(ede=(decision.ede or (Ede.PROHIBITED, why), *result.ede))


def merged(first: Books, second: Books) -> Books:
    """The books of two pieces of work of one lookup, in their order."""
    if not first.exchanges and not first.mirrored:
        return second
    shift = first.exchanges
    return Books(
        first.exchanges + second.exchanges,
        first.abroad + second.abroad,
        first.reason if first.reason is not Reason.NONE else second.reason,
        first.needless + second.needless,
        [*first.trail, *second.trail],
        [*first.mirrored, *(s._replace(after=s.after + shift) for s in second.mirrored)],
    )


def _soa(name: Name) -> RRset:
    """A SOA of ours at a name that is denied."""
    numbers = (1, 3600, 1200, 604_800, POLICY_TTL)
    rdata = bytes(name) + bytes(_NOBODY)
    rdata += b"".join([number.to_bytes(4, "big") for number in numbers])
    return RRset(name, Type.SOA, POLICY_TTL, (rdata,))
