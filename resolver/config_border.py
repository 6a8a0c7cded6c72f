"""The keys of the border: what is inside, and the evidence of where addresses are.

Limitations: files are read later, by ``policy/load.py``.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from resolver.config_base import Section, key, short
from resolver.config_packs import OptionalPlace
from resolver.config_units import (
    Country,
    FilePath,
    Interface,
    Prefix,
    Switch,
    Word,
    Zone,
    choice,
    duration,
    integer,
)

SOURCES_MAX = 32  # of a kind: the five registries, some feeds; bounds metrics and the table


class StatedPrefix(Section):
    """A prefix with a country: the long form of an entry of border.domestic or border.foreign."""

    prefix: Prefix = Field(description="the prefix")
    country: Country | None = key(None, "its country; left out: not stated")


class SourceEntry(Section):
    """A file of evidence: the long form of an entry of border.databases and its kin."""

    path: FilePath = Field(description="the file")
    name: Word | None = key(None, "name in evidence; left out: the file's name")


def _few(entries: tuple[SourceEntry, ...]) -> tuple[SourceEntry, ...]:
    if len(entries) > SOURCES_MAX:
        raise ValueError(f"{len(entries)} files; at most {SOURCES_MAX} of a kind")
    return entries


Sources = Annotated[
    tuple[Annotated[SourceEntry, short("path", SourceEntry)], ...], AfterValidator(_few)
]
"""Files of evidence of one kind."""


class BorderSection(Section):
    """What is inside, and what that means for the choice of servers."""

    mode: Annotated[str, choice("prefer", "observe")] = key(
        "prefer", "prefer: domestic servers first, fail open; observe: choose freely but count"
    )
    patience: Annotated[float, duration("50ms", "9900ms")] = key(
        "2s", "time that a lookup gives to domestic servers before it goes abroad"
    )
    privacy: Annotated[str, choice("strict", "relaxed")] = key(
        "strict",
        "strict: a server abroad is shown one label more than its zone is known to hold and never"
        " more, whatever fails (RFC 9156); relaxed: it is asked as those at home are",
    )
    domestic: tuple[Annotated[StatedPrefix, short("prefix", StatedPrefix)], ...] = key(
        [], "prefixes inside the border: PREFIX or {prefix, country}; the longest match counts"
    )
    foreign: tuple[Annotated[StatedPrefix, short("prefix", StatedPrefix)], ...] = key(
        [], "prefixes outside the border: PREFIX or {prefix, country}"
    )
    zones: tuple[Zone, ...] = key([], "domestic zones beside the top-level domains of home")
    interfaces: dict[Interface, Annotated[str, choice("domestic", "foreign")]] = key(
        {},
        "what is at the end of each egress interface: {ix0: domestic, transit0: foreign}; domestic"
        " counts for routes of its own, not for the default route",
    )
    place: OptionalPlace = key(
        None,
        "where the resolver stands: {city: Mumbai}, or {at: [19.076, 72.878], uncertainty: 5km}",
    )
    verify: Annotated[str, choice("off", "listen", "probe", "mirrors")] = key(
        "listen",
        "with place, prove by their speed that servers stand in home. listen: by ordinary replies;"
        " probe: also ask anew when a proof ends or is in doubt; mirrors: also ask the root servers"
        " that the pack knows in home, before they are needed; off",
    )
    registry: Switch = key(
        True, "use the built-in snapshot of what country address blocks are registered in"
    )
    registry_files: Sources = key(
        [], "delegation files of the address registries, plain or extended: PATH or {path, name}"
    )
    geofeeds: Sources = key([], "geofeeds (RFC 8805) of networks: PATH or {path, name}")
    databases: Sources = key(
        [],
        "location databases, MMDB with countries or CSV of first address, last address, country:"
        " PATH or {path, name}",
    )
    tor_geoip: Switch = key(False, "use the databases of Debian's tor-geoipdb where installed")
    anycast: Sources = key(
        [], "lists of anycast prefixes, one a line, beside the built-in one: PATH or {path, name}"
    )
    as_numbers: Sources = key(
        [],
        "which AS addresses are in, for rules: lines of first address, last address, AS number, or"
        " of prefix, AS number, with commas or tabs: PATH or {path, name}",
    )
    shrink_percent_max: Annotated[int, integer(0, 100)] = key(
        20, "refuse a file of evidence with so many percent fewer records than the last good one"
    )
