"""The sources of evidence in force: what is told of them, and what is kept of them.

Responsible for warning of old sources, for saying where a copy stands in for a file that cannot be
used, for the facts that metrics show of each source, and for keeping the last good copies.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime

from policy.border import Policy
from policy.kept import LastGood
from policy.sources import stale

_log = logging.getLogger("inland")


@dataclass(frozen=True, slots=True)
class SourceFact:
    """One source as metrics show it."""

    source: str
    date: str  # ISO, or "none"
    digest: str
    records: int
    made: float | None  # seconds since the epoch, of the start of its date


def today() -> date:
    """The date now, in UTC."""
    return datetime.now(UTC).date()


def evidence_warnings(policy: Policy) -> list[str]:
    """What an operator should know of the sources in force."""
    return stale(policy.voices.origins(), today())


def tell(policy: Policy, last: LastGood) -> None:
    """Log what is wrong with sources although they are used."""
    for warning in evidence_warnings(policy):
        _log.warning(warning)
    for problem in last.problems:
        _log.error(problem)


def accept(last: LastGood) -> None:
    """Keep copies of what is in force now; a full disk is said and survived."""
    try:
        last.accept()
    except OSError as error:
        _log.warning("state.directory: copies of evidence are not kept: %s", error)


def facts_of(policy: Policy) -> tuple[SourceFact, ...]:
    """Each source with its date, hash and size."""
    voices = policy.voices
    sizes = {source.origin: source.records for source in (*voices.sources, *voices.anycast)}
    out = []
    for origin in voices.origins():
        made = None
        if origin.date is not None:
            made = datetime.fromisoformat(origin.date).replace(tzinfo=UTC).timestamp()
        out.append(
            SourceFact(
                origin.source,
                origin.date or "none",
                origin.digest,
                sizes.get(origin, 0),
                made,
            )
        )
    return tuple(out)
