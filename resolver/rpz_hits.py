"""The log of hits in response policy zones: bounded, with a count of what it leaves out.

Hits on answers that native keeps are counted there and not logged one by one. Names of questions
and of clients' networks are personal data: only the owner in the zone is written, and the name
asked for where that is another; never the client.

Limitations: hits of disabled zones are seen when Python answers, so they count lookups that were
made, not clients that were served from the cache."""

import logging
from collections import Counter
from typing import final

from policy.decision import Hit
from resolver.limits_rpz import RPZ_LOG_LINES, RPZ_LOG_SECONDS
from resolver.names import Name, to_text

_log = logging.getLogger("inland.rpz")


@final
class HitLog:
    """Takes the hits of lookups. ``quiet``: zones whose hits are not logged."""

    def __init__(self) -> None:
        self.quiet: frozenset[str] = frozenset()
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Of lookups that were decided by Python: by zone, kind of trigger, and action."""
        self.left_out = 0
        self._since = float("-inf")
        self._lines = 0
        self._unsaid = 0

    def note(self, name: Name, hits: tuple[Hit, ...], now: float) -> None:
        """The hits of one lookup. ``now``: time of the one clock."""
        for hit in hits:
            self.counts[hit.zone, hit.trigger, hit.action.value] += 1
            if hit.zone in self.quiet:
                continue
            if now - self._since >= RPZ_LOG_SECONDS:
                self._since, self._lines = now, 0
            if self._lines >= RPZ_LOG_LINES:
                self.left_out += 1
                self._unsaid += 1
                continue
            self._lines += 1
            self._write(name, hit)

    def _write(self, name: Name, hit: Hit) -> None:
        more = f" ({self._unsaid} more not shown)" if self._unsaid else ""
        self._unsaid = 0
        asked = "" if hit.owner == name else f" for {to_text(name)}"
        _log.info("rpz %s: %s %s%s: %s%s", hit.zone, hit.trigger, to_text(hit.owner), asked,
                  hit.action.value, more)  # fmt: skip
