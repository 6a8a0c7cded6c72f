"""Answers of stale data: what the record cache holds past its TTL, for want of anything better.

Pure. RFC 8767 (serving stale data), RFC 8914 sections 4.4 and 4.20 (how the client is told). The
answer is put together from facts, so the policy in force shapes it like any other.

Limitations: what had a TTL of 0, ANY and RRSIG are never stale answers; name servers and their
addresses are never used past their TTL; signatures may have ended.
"""

from dataclasses import dataclass
from typing import final

from resolver import limits
from resolver.asking import Unanswered
from resolver.core import Core
from resolver.iterate import Fetched, follow, from_records
from resolver.model import Ede, Question, Rcode, Result, RRset


@final
@dataclass(frozen=True, slots=True)
class _Look:
    """A walk through the records at one time."""

    core: Core
    question: Question
    now: float


def find(core: Core, question: Question, now: float, why: str, life: float) -> Result | None:
    """The answer that the records give, stale ones included; ``None`` when they give none, or
    stale answers are not wanted.

    ``why`` is told to clients, and the ready reply is good for ``life`` seconds. An answer of
    which nothing has expired is one like any other.
    """
    if not core.settings.serve_stale:
        return None
    try:
        next(follow(_Look(core, question, now), _fetch))
    except StopIteration as end:
        result: Result = end.value
    else:
        raise AssertionError("a look into the records wishes for nothing")
    sets = (*result.answer, *result.authority)
    if result.rcode == Rcode.SERVFAIL or not sets or result.onward is not None:
        return None  # an alias that policy has a word on is not followed here
    if all(rrset.ttl for rrset in sets):
        return result
    code = Ede.STALE_NXDOMAIN if result.rcode == Rcode.NXDOMAIN else Ede.STALE_ANSWER
    return result._replace(
        answer=_limited(result.answer),
        authority=_limited(result.authority),
        ede=((code, why),),
        stale=life,
    )


def _fetch(look: _Look, link: Question) -> Fetched:
    """What is live comes first, name by name: an alias that is new beats old records."""
    yield from ()
    records, now = look.core.records, look.now
    live = from_records(records, link, now)
    return live or from_records(records, link, now, stale=True) or Unanswered(spoke=False)


def _limited(section: tuple[RRset, ...]) -> tuple[RRset, ...]:
    """RFC 8767 section 4: stale records carry 30 seconds; none beside them carries more."""
    most = limits.STALE_TTL
    return tuple(rrset._replace(ttl=min(rrset.ttl or most, most)) for rrset in section)
