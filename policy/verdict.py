"""Where an address is: a verdict with a country, the evidence for it, and a grade."""

from dataclasses import dataclass

from resolver.model import Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """One voice: who says it, what country it gives (``None``: it does not know), its words."""

    source: str  # "operator", "registry", "database NAME", …
    country: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Location:
    """The verdict on one address. ``country`` is ``none`` when not known."""

    verdict: Verdict
    country: str
    evidence: tuple[Evidence, ...]
    grade: str  # "operator", "registry+database", "registry", "database", "none"
