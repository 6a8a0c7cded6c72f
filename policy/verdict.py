"""Where an address is: a verdict with a country, the evidence for it, and a grade.

Responsible for weighing voices. A statement of the operator decides. Without one, the registry and
the databases are weighed together: when all that know a country agree on whether it is inside the
border, that is the verdict; when they disagree on that, the address is unknown. Two voices that
name different countries on the same side of the border agree on the verdict and leave the country
open. A known anycast address is never placed by them, nor is a special-use address: registration
says nothing about the instance that answers.

Limitations: no evidence by proof (latency) and no claims (NSID) yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from resolver.model import Verdict

NO_COUNTRY = "none"
NOT_COUNTRIES = frozenset({"EU", "AP", "ZZ", "??"})
"""Codes that registries and databases use for a region or for "not known"."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One voice: who says it, what country it gives (``None``: it does not know), its words."""

    source: str  # "operator", "registry", "database NAME", "anycast", "special-use"
    country: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Location:
    """The verdict on one address. ``country`` is ``none`` when not known."""

    verdict: Verdict
    country: str
    evidence: tuple[Evidence, ...]
    grade: str  # "operator", "registry+database", "registry", "database", "none"


@dataclass(frozen=True, slots=True)
class Statement:
    """What the operator states of a prefix; ``country`` is ``none`` when left open."""

    verdict: Verdict
    country: str
    detail: str


def country_of(code: object) -> str | None:
    """A country code in capitals, or ``None`` for what is not the code of a country."""
    if not isinstance(code, str) or len(code) != 2:
        return None
    code = code.upper()
    return code if code.isascii() and code.isalpha() and code not in NOT_COUNTRIES else None


def by_operator(statement: Statement, voices: Sequence[Evidence]) -> Location:
    """The operator's word; the other voices are kept to be read."""
    country = None if statement.country == NO_COUNTRY else statement.country
    own = Evidence("operator", country, statement.detail)
    return Location(statement.verdict, statement.country, (own, *voices), "operator")


def by_special_use(purpose: str) -> Location:
    """An address without a place in the world."""
    return _unknown((Evidence("special-use", None, purpose),))


def by_voices(home: frozenset[str], voices: Sequence[Evidence], anycast: str | None) -> Location:
    """Weigh registry and databases; ``anycast`` says whose well-known anycast address it is."""
    if anycast is not None:
        known = Evidence("anycast", None, f"{anycast}: served from many countries")
        return _unknown((known, *voices))
    countries = {voice.country for voice in voices if voice.country is not None}
    sides = {country in home for country in countries}
    if len(sides) != 1:
        return _unknown(tuple(voices))
    verdict = Verdict.DOMESTIC if sides.pop() else Verdict.FOREIGN
    country = countries.pop() if len(countries) == 1 else NO_COUNTRY
    return Location(verdict, country, tuple(voices), _grade(voices))


def _grade(voices: Sequence[Evidence]) -> str:
    kinds = {voice.source.split()[0] for voice in voices if voice.country is not None}
    return "+".join(sorted(kinds, reverse=True))


def _unknown(evidence: tuple[Evidence, ...]) -> Location:
    return Location(Verdict.UNKNOWN, NO_COUNTRY, evidence, "none")
