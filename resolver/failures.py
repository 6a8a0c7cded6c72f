"""Questions that have failed, and what clients get meanwhile: an error, or stale data.

Pure. RFC 9520 section 3.2 (failures are cached), RFC 8767 section 5 (after a failure, stale data
are served without another try until the failure recheck timer ends). Bounded: the oldest failure
is forgotten first.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import final

from policy.decision import PLAIN, Selection, Way
from resolver import limits, stale
from resolver.core import Core
from resolver.model import Ede, Question, Rcode, Result
from resolver.selection import Key, key_of


def servfail(code: Ede, text: str) -> Result:
    """The end of a resolution that failed."""
    return Result(Rcode.SERVFAIL, ede=((code, text),), cacheable=False)


@dataclass(frozen=True, slots=True)
class _Failure:
    """When it was, until when it is cached, and the gap to grow from."""

    at: float
    until: float
    gap: float


@final
class Failures:
    """What has failed, and under which selection: who may ask only at home does not fail for
    others. ``now`` is monotonic seconds."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: OrderedDict[Key, _Failure] = OrderedDict()

    def __contains__(self, question: Question) -> bool:
        return question in self._known

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()

    def remember(
        self, question: Question, result: Result, now: float, selection: Selection = PLAIN
    ) -> None:
        """Cache a failure: a second for the first three, so that a client's retries are tried,
        then for twice as long as the last time (RFC 9520 section 3.2). Anything else ends it."""
        key = key_of(selection, question)
        if result.rcode != Rcode.SERVFAIL:
            self._known.pop(key, None)
            return
        known = self._known.get(key)
        if known is not None and now < known.until:
            return
        gap = 0.0
        if known is not None and now <= known.until + limits.FAILURE_SECONDS_MAX:
            gap = known.gap
        first = limits.FAILURE_SECONDS_FIRST
        gap = min(gap * 2, limits.FAILURE_SECONDS_MAX) if gap else first / 4
        until = now + max(first, gap)
        self._known[key] = _Failure(now, until, gap)
        self._core.planner.failed(question, until, now)
        self._known.move_to_end(key)
        if len(self._known) > limits.FAILURES_MAX:
            self._known.popitem(last=False)

    def cached(
        self, question: Question, now: float, for_client: bool, selection: Selection = PLAIN
    ) -> Result | None:
        """The failure that a question has met a moment ago; for a client it counts for longer where
        there are stale data to be served meanwhile."""
        known = self._known.get(key_of(selection, question))
        if known is None:
            return None
        until = known.until
        if for_client and self.meanwhile(question, now, selection) is not None:
            until = max(until, known.at + limits.STALE_RECHECK_SECONDS)
        if now >= until:
            return None
        return servfail(Ede.CACHED_ERROR, "this question failed a moment ago")

    def meanwhile(
        self, question: Question, now: float, selection: Selection = PLAIN
    ) -> Result | None:
        """What the records hold, for a client that shall not wait for a lookup that takes long."""
        if not _shows_records(selection):
            return None
        why = "servers take long to answer"
        return stale.find(self._core, question, now, why, limits.LOOKUP_SECONDS)

    def with_stale(
        self, question: Question, result: Result, now: float, selection: Selection = PLAIN
    ) -> Result:
        """A failure with what is shown in its place, until it is time to try again."""
        if result.rcode != Rcode.SERVFAIL or not _shows_records(selection):
            return result
        known = self._known.get(key_of(selection, question))
        again = (known.at if known is not None else now) + limits.STALE_RECHECK_SECONDS
        life = again - now if again > now else limits.STALE_RECHECK_SECONDS
        why = result.ede[0][1] if result.ede else ""
        return result._replace(instead=stale.find(self._core, question, now, why, life))


def _shows_records(selection: Selection) -> bool:
    """Whether what the records hold may be shown: who asks forwarders or mirrors only does not see
    what was learnt elsewhere."""
    return selection.way is not Way.FORWARD and selection.way is not Way.MIRROR_ONLY
