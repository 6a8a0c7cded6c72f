"""The life of one question: local names, records, then the network, along aliases to the end.

RFC 1034 section 5.3.3, RFC 2308 (negative answers from the cache), RFC 6672 (DNAME), RFC 6761
(special-use names). Sections of the result disregard the client's DO bit.
"""

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

from policy.decision import Way
from resolver import limits, local
from resolver.asking import Unanswered
from resolver.core import Core, RecordCache
from resolver.descend import Piece, descend
from resolver.model import (
    Cached,
    CachedKind,
    Ede,
    Purpose,
    Question,
    Rcode,
    Result,
    RRset,
    Type,
)
from resolver.names import Name, from_wire
from resolver.quick import new_question
from resolver.response import YXDOMAIN, Alias, Negative, Positive, TooLong, synthesise
from resolver.task import Task
from resolver.wishes import News, Wish


class Asker(Protocol):
    """What the walk along aliases needs to know."""

    @property
    def core(self) -> Core:
        """The state that all resolutions share."""

    @property
    def question(self) -> Question:
        """What is to be resolved."""


AskerT = TypeVar("AskerT", bound=Asker)
Fetched = Generator[Wish, News, Piece | Unanswered]


def resolve(task: Task) -> Generator[Wish, News, Result]:
    """Resolve ``task.question``; upstream trouble ends in a SERVFAIL result, never an exception."""
    return follow(task, _fetch)


def _fetch(task: Task, link: Question) -> Fetched:
    """The piece for one name on the way: from the records, else from the network."""
    # A refresh is there to learn anew what the records still hold, and so is the watch; local
    # copies speak for themselves where nothing else may.
    purpose = task.purpose
    anew = purpose is Purpose.REFRESH or purpose is Purpose.VERIFICATION
    anew = anew and link.name == task.question.name
    anew |= task.selection.way is Way.MIRROR_ONLY
    piece = None if anew else from_records(task.core.records, link, task.now)
    if piece is not None:
        return piece
    return (yield from descend(task, link))


def follow(
    task: AskerT, fetch: Callable[[AskerT, Question], Fetched]
) -> Generator[Wish, News, Result]:
    """Walk from the question along aliases to the end, each piece by ``fetch``."""
    question = task.question
    answer: list[RRset] = []
    seen: set[Name] = set()
    name = question.name
    while name not in seen and len(seen) < limits.ALIASES_MAX:
        seen.add(name)
        link = question if name == question.name else new_question((name, question.rtype))
        if (found := local.answer(link, task.core.settings.local_zones)) is not None:
            return found._replace(answer=(*answer, *found.answer))
        piece = yield from fetch(task, link)
        if isinstance(piece, Unanswered):
            return unreachable(piece)
        until = cut_short(task.core, piece.chain)
        if until is not None:
            return Result(Rcode.NOERROR, (*answer, *piece.chain[: until[0]]), onward=until[1])
        answer.extend(piece.chain)
        seen.update(alias.name for alias in piece.chain if alias.rtype == Type.CNAME)
        match piece:
            case Positive(_, records):
                return Result(Rcode.NOERROR, (*answer, *records))
            case Negative():
                return negative(piece, answer)
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
    if why.withheld:
        text = "servers abroad refused part of the name; they are not shown more (border.privacy)"
    return Result(Rcode.SERVFAIL, ede=((Ede.NO_REACHABLE_AUTHORITY, text),), cacheable=False)


def cut_short(core: Core, chain: tuple[RRset, ...]) -> tuple[int, Name] | None:
    """Where a chain of aliases comes to a name that rules may say something of: the number of links
    up to it, and the name. The way goes on when they were asked (as response policy zones ask for
    every name on the chain)."""
    decider = core.decider
    if decider is None or not chain:
        return None
    for at, link in enumerate(chain):
        if link.rtype == Type.CNAME:
            target = from_wire(link.rdatas[0])
            if decider.concerns(target):
                return at + 1, target
    return None


def negative(piece: Negative, answer: list[RRset]) -> Result:
    """The result of a denial, after the aliases that led to it."""
    rcode = Rcode.NXDOMAIN if piece.nxdomain else Rcode.NOERROR
    authority = () if piece.soa is None else (piece.soa, *piece.proofs)
    why = ((Ede.OTHER, "nothing is below a name that does not exist (RFC 8020)"),)
    ede: tuple[tuple[int, str], ...] = why if piece.above else ()
    # Without a SOA nothing says how long the name is missing (RFC 2308 section 5).
    return Result(rcode, tuple(answer), authority, ede=ede, cacheable=piece.soa is not None)


def from_records(
    records: RecordCache, question: Question, now: float, stale: bool = False
) -> Piece | None:
    """The piece that the record cache holds: records, a negative answer, or an alias. ``stale``:
    what is kept past its TTL will do."""
    name, rtype = question
    if rtype in (Type.ANY, Type.RRSIG):
        return None
    cached = records.find(name, rtype, now, stale)
    if cached is None:
        return None
    rrset = cached.rrset
    if rrset is None:
        return _cached_negative(cached, name)
    if rrset.rtype == rtype and rrset.name == name:
        return Positive((), (rrset,))
    if rrset.rtype == Type.CNAME:
        return Alias((rrset,), from_wire(rrset.rdatas[0]))
    cname = synthesise(rrset, name)
    if cname is None:
        return TooLong((rrset,))
    return Alias((rrset, cname), from_wire(cname.rdatas[0]))


def _cached_negative(cached: Cached, name: Name) -> Negative:
    soa = cached.proofs[0] if cached.proofs else None
    return Negative((), name, cached.kind is CachedKind.NXDOMAIN, soa, cached.proofs[1:])
