"""The part of the configuration on response policy zones.

Limitations: their content is read later (``resolver/mirrors/policy_file.py``, docs/rpz.md). TSIG
keys are those of ``mirrors.keys``."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from policy.rules import CODES
from resolver.config_base import Section, key, short
from resolver.config_mirrors import AnyZone, PrimaryEntry
from resolver.config_units import (
    Date,
    Line,
    OptionalPath,
    Switch,
    Word,
    choice,
    duration,
    integer,
    zone_text,
)
from resolver.limits_rpz import RPZ_ZONES_MAX

OVERRIDES = (
    "given", "disabled", "passthru", "drop", "nxdomain", "nodata", "tcp-only", "cname",
)  # fmt: skip
HARMLESS = ("disabled", "passthru")


class RpzAuthority(Section):
    """Who stands behind a zone."""

    kind: Annotated[str, choice(*CODES)] = Field(description="what kind of authority it is")
    name: Line = Field(description="who it is")


class RpzEntry(Section):
    """A response policy zone (docs/rpz.md)."""

    zone: AnyZone = Field(description="the zone")
    name: Word | None = key(None, "how rules and metrics call it; null: the zone")
    file: OptionalPath = key(None, "its zone file on this machine")
    primaries: tuple[Annotated[PrimaryEntry, short("address", PrimaryEntry)], ...] = key(
        [], "servers that transfer it: ADDRESS or {address, tier, key}"
    )
    override: Annotated[str, choice(*OVERRIDES)] = key(
        "given", "what is done in place of what it says; disabled: matches are counted only"
    )
    target: AnyZone | None = key(None, "of override cname: where names lead to")
    ttl_max: Annotated[float, duration("1s", "1d")] = key("5m", "longest life of its answers")
    authority: RpzAuthority | None = key(None, "who is accountable for it: {kind, name}")
    reference: Line | None = key(None, "the law, order, contract or ticket it rests on")
    begins: Date | None = Field(None, alias="from", description="first day in force (UTC)")
    until: Date | None = key(None, "last day in force (UTC)")
    expired: Annotated[str, choice("keep", "drop")] = key(
        "keep", "past its SOA EXPIRE: keep it in force and alarm, or drop it"
    )
    shrink_max: Annotated[int, integer(1, 100)] = key(
        100, "percent of its records that a new version may lack"
    )
    log: Switch = key(True, "log its hits (some a second, with a count of the others)")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.file is None and not self.primaries:
            raise ValueError("a file or primaries are needed")
        if (self.override == "cname") != (self.target is not None):
            raise ValueError("target goes with override: cname, and only with it")
        if self.override not in HARMLESS and (self.authority is None or self.reference is None):
            raise ValueError("it alters answers, so it needs an authority and a reference")
        if self.begins and self.until and self.until < self.begins:
            raise ValueError("until is before from")
        return self

    @property
    def called(self) -> str:
        """Its name."""
        return self.name or zone_text(self.zone) or "."


def few(entries: tuple[RpzEntry, ...]) -> tuple[RpzEntry, ...]:
    """Whether there are not too many, each once. Raises ``ValueError``."""
    if len(entries) > RPZ_ZONES_MAX:
        raise ValueError(f"{len(entries)} zones; at most {RPZ_ZONES_MAX}")
    for at, entry in enumerate(entries):
        for earlier in entries[:at]:
            if entry.zone == earlier.zone:
                raise ValueError(f"{zone_text(entry.zone)} stands twice")
            if entry.called == earlier.called:
                raise ValueError(f"two zones are called {entry.called}")
    return entries


RpzEntries = Annotated[tuple[RpzEntry, ...], AfterValidator(few)]
