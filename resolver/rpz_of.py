"""From the configuration to the response policy zones that are to be in force.

Limitations: what stands in them is read later (:mod:`resolver.mirrors.policy_file`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from policy.decision import NEVER
from policy.rpz_action import Override
from policy.rpz_zone import Terms
from policy.rules import CODES
from resolver.config import Config
from resolver.config_rpz import RpzEntry
from resolver.mirrors.wanted import Primary, Wanted
from resolver.mirrors.wanted import Terms as Checks
from resolver.mirrors_of import keys_of
from resolver.model import Ede
from resolver.names import to_text

TOLD_OCTETS_MAX = 160
"""Octets of the text beside an extended error, in a reply that has to stay small."""


@dataclass(frozen=True, slots=True)
class RpzZone:
    """A zone as the operator wants it. ``keep_expired``: past its SOA EXPIRE it stays in force."""

    wanted: Wanted
    terms: Terms
    keep_expired: bool = True


def rpz_of(config: Config) -> tuple[RpzZone, ...]:
    """The zones in their order.

    Raises:
        ConfigError: every secret that cannot be read.
    """
    keys = keys_of(config)
    out = []
    for entry in config.policy.rpz:
        primaries = tuple(
            Primary(one.address, one.tier, keys[one.key] if one.key is not None else None)
            for one in entry.primaries
        )
        checks = Checks("off", "off", (), entry.shrink_max, public=False)
        wanted = Wanted(entry.zone, primaries, checks, file=entry.file)
        out.append(RpzZone(wanted, _terms(entry), entry.expired == "keep"))
    return tuple(out)


def rpz_directory(config: Config) -> Path | None:
    """Where copies of transferred zones are kept; ``None``: nowhere."""
    state = config.state.directory
    return state / "rpz" if state is not None else None


def _terms(entry: RpzEntry) -> Terms:
    return Terms(
        entry.called,
        entry.zone,
        Override(entry.override),
        entry.target,
        int(entry.ttl_max),
        _told(entry),
        _begin(entry.begins) if entry.begins else -NEVER,
        _begin(entry.until + timedelta(days=1)) if entry.until else NEVER,
        entry.log,
    )


def _begin(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


def _told(entry: RpzEntry) -> tuple[int, str]:
    """What clients are told: a code by the kind of authority, the reference and the zone."""
    if entry.authority is None:
        return int(Ede.BLOCKED), to_text(entry.zone)
    words = (entry.reference or "", f"({entry.authority.name}, {to_text(entry.zone)})")
    text = " ".join(word for word in words if word).encode()[:TOLD_OCTETS_MAX]
    return int(CODES[entry.authority.kind]), text.decode(errors="ignore")
