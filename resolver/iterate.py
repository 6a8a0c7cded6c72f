"""The life of one question: local names, records, then the network, along aliases to the end.

RFC 1034 section 5.3.3, RFC 2308 (negative answers from the cache), RFC 6672 (DNAME), RFC 6761
(special-use names). Sections of the result disregard the client's DO bit.
"""

from collections.abc import Generator

from resolver import limits, local
from resolver.asking import Unanswered
from resolver.core import Core
from resolver.descend import Piece, descend
from resolver.model import Cached, CachedKind, Ede, Purpose, Question, Rcode, Result, RRset, Type
from resolver.names import Name, ancestors, from_wire
from resolver.response import YXDOMAIN, Alias, Negative, Positive, TooLong, synthesise
from resolver.task import Task
from resolver.wishes import News, Wish


def resolve(task: Task) -> Generator[Wish, News, Result]:
    """Resolve ``task.question``; upstream trouble ends in a SERVFAIL result, never an exception."""
    question = task.question
    answer: list[RRset] = []
    seen: set[Name] = set()
    name = question.name
    while name not in seen and len(seen) < limits.ALIASES_MAX:
        seen.add(name)
        link = Question(name, question.rtype)
        if task.core.settings.special_use and (found := local.answer(link)) is not None:
            return found._replace(answer=(*answer, *found.answer))
        # A refresh is there to learn anew what the records still hold.
        refreshed = task.purpose is Purpose.REFRESH and name == question.name
        piece = None if refreshed else from_records(task.core, link, task.now)
        if piece is None:
            fetched = yield from descend(task, link)
            if isinstance(fetched, Unanswered):
                return unreachable(fetched)
            piece = fetched
        answer.extend(piece.chain)
        seen.update(alias.name for alias in piece.chain if alias.rtype == Type.CNAME)
        match piece:
            case Positive(_, records):
                return Result(Rcode.NOERROR, (*answer, *records))
            case Negative():
                return _negative(piece, answer)
            case TooLong():
                return Result(YXDOMAIN, tuple(answer))
            case Alias(_, target):
                name = target
    return Result(
        Rcode.SERVFAIL,
        ede=((Ede.OTHER, "chain of aliases is too long or a loop"),),
        cacheable=False,
    )


def unreachable(why: Unanswered) -> Result:
    """SERVFAIL because no server of some zone gave a usable reply (RFC 8914 section 4.23)."""
    text = "servers gave no usable reply" if why.spoke else "servers did not reply"
    return Result(Rcode.SERVFAIL, ede=((Ede.NO_REACHABLE_AUTHORITY, text),), cacheable=False)


def _negative(piece: Negative, answer: list[RRset]) -> Result:
    rcode = Rcode.NXDOMAIN if piece.nxdomain else Rcode.NOERROR
    authority = () if piece.soa is None else (piece.soa, *piece.proofs)
    # Without a SOA nothing says how long the name is missing (RFC 2308 section 5).
    return Result(rcode, tuple(answer), authority, cacheable=piece.soa is not None)


def from_records(core: Core, question: Question, now: float) -> Piece | None:
    """The piece that the record cache holds: records, a negative answer, or an alias."""
    if question.rtype in (Type.ANY, Type.RRSIG):
        return None
    name = question.name
    cached = core.records.get(name, question.rtype, now)
    if cached is not None:
        if cached.rrset is not None:
            return Positive((), (cached.rrset,))
        return _cached_negative(cached, name)
    if question.rtype == Type.CNAME:
        return None
    alias = core.records.get(name, Type.CNAME, now)
    if alias is not None and alias.rrset is not None:
        return Alias((alias.rrset,), from_wire(alias.rrset.rdatas[0]))
    return _from_dname(core, name, now)


def _cached_negative(cached: Cached, name: Name) -> Negative:
    soa = cached.proofs[0] if cached.proofs else None
    return Negative((), name, cached.kind is CachedKind.NXDOMAIN, soa, cached.proofs[1:])


def _from_dname(core: Core, name: Name, now: float) -> Alias | TooLong | None:
    for above in ancestors(name):
        if above == name:
            continue
        cached = core.records.get(above, Type.DNAME, now)
        if cached is not None and cached.rrset is not None:
            cname = synthesise(cached.rrset, name)
            if cname is None:
                return TooLong((cached.rrset,))
            return Alias((cached.rrset, cname), from_wire(cname.rdatas[0]))
    return None
