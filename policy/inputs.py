"""What a policy is made from: plain values, checked by whoever read them from a configuration.

Responsible for the shape of these values and for their canonical form, from which the policy
generation is derived: equal decisions give equal generations, in any order of writing.

Limitations: files of evidence enter by name and hash, not by path.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from policy.place import Place
from policy.prefixes import Network
from policy.verdict import NO_COUNTRY
from resolver.model import Verdict
from resolver.names import Name, to_text


class Mode(Enum):
    """How far the border and the rules may go. ``border.mode`` is one of the first two; the third
    is for rules only (:mod:`policy.modes`)."""

    PREFER = "prefer"  # domestic first, fail open
    OBSERVE = "observe"  # choose as if there were no border, but count
    ENFORCE = "enforce"  # what is listed for it fails closed


@dataclass(frozen=True, slots=True)
class Stated:
    """A prefix that the operator states to be inside or outside; country may be left open."""

    network: Network
    country: str = NO_COUNTRY


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of evidence and the name it speaks under. ``optional``: it may be absent."""

    path: Path
    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInputs:
    """All that decides. ``also`` holds further settings that shape answers, as text."""

    home: frozenset[str]
    top_levels: frozenset[Name] | None = None  # of home; None: by the built-in table
    place: Place | None = None  # where the resolver stands; None: nothing can be proven
    mode: Mode = Mode.PREFER
    patience: float = 2.0  # seconds
    domestic: tuple[Stated, ...] = ()
    foreign: tuple[Stated, ...] = ()
    zones: tuple[Name, ...] = ()
    interfaces: tuple[tuple[str, Verdict], ...] = ()
    never_ask: tuple[Network, ...] = ()
    registry: bool = True
    registry_files: tuple[SourceFile, ...] = ()
    geofeeds: tuple[SourceFile, ...] = ()
    databases: tuple[SourceFile, ...] = ()
    anycast: tuple[SourceFile, ...] = ()
    as_numbers: tuple[SourceFile, ...] = ()  # decide through rules only
    shrink_percent_max: int = 20
    also: Mapping[str, str] = field(default_factory=dict)


def generation_of(inputs: PolicyInputs, identities: Sequence[str]) -> str:
    """SHA-256 in hex over the canonical form of the inputs and the sources' identities."""
    content = {
        "home": sorted(inputs.home),
        "top_levels": sorted(to_text(zone) for zone in inputs.top_levels or ()),
        "place": asdict(inputs.place) if inputs.place is not None else None,
        "mode": inputs.mode.value,
        "patience": inputs.patience,
        "domestic": _stated(inputs.domestic),
        "foreign": _stated(inputs.foreign),
        "zones": sorted({to_text(zone) for zone in inputs.zones}),
        "interfaces": sorted((name, side.value) for name, side in inputs.interfaces),
        "never_ask": sorted({str(network) for network in inputs.never_ask}),
        "sources": sorted(identities),
        "also": dict(inputs.also),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _stated(entries: Sequence[Stated]) -> list[tuple[str, str]]:
    return sorted((str(entry.network), entry.country) for entry in entries)
