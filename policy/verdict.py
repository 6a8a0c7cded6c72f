"""Where an address is: a verdict with a country, the evidence for it, and a grade.

Responsible for weighing voices, best first. A statement of the operator decides, of prefixes or of
the interface that leads there. Then proof of the instance. Then registry and databases together:
when all that know a country agree on whether it is inside the border, that is the verdict; when
they disagree on that, the address is unknown. Two voices that name different countries on the same
side of the border agree on the verdict and leave the country open. A known anycast address is
never placed by them, nor is a special-use address: registration says nothing about the instance
that answers. A claim (an identity without proof) leaves the address unknown.

Limitations: who may be believed is not weighed, only what kind of voice it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from resolver.model import Verdict

NO_COUNTRY = "none"
NOT_COUNTRIES = frozenset({"EU", "AP", "ZZ", "??"})
"""Codes that registries and databases use for a region or for "not known"."""

KINDS = {"registry": "registry", "geofeed": "registry", "database": "database"}
"""Kind of evidence by the first word of a voice's source."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a voice has its words from: one source with its date and hash."""

    kind: str  # "registry", "geofeed", "database", "anycast"
    name: str
    date: str | None  # ISO; of the data where they tell, else of the file
    digest: str  # SHA-256 in hex

    @property
    def source(self) -> str:
        """How evidence names it."""
        return f"{self.kind} {self.name}"

    @property
    def edition(self) -> str:
        """Which state of the source it is, for people."""
        return f"of {self.date}" if self.date else f"sha256 {self.digest[:12]}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One voice: who says it, what country it gives (``None``: it does not know), its words, and
    where it has them from (``None``: from the configuration, or from what was measured)."""

    source: str  # "operator", "proof", "claim", "special-use", or kind and name of an origin
    country: str | None
    detail: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """The verdict on one address. ``country`` is ``none`` when not known."""

    verdict: Verdict
    country: str
    evidence: tuple[Evidence, ...]
    grade: str  # "operator", "proof", "registry+database", "registry", "database", "claim", "none"
    because: str = ""  # how the voices were weighed, in words


@dataclass(frozen=True, slots=True)
class Statement:
    """What the operator states of a prefix; ``country`` is ``none`` when left open."""

    verdict: Verdict
    country: str
    detail: str


@dataclass(frozen=True, slots=True)
class Heard:
    """All that is known of one address and does not change while a policy is in force."""

    statement: Statement | None = None
    special_use: str | None = None
    anycast: tuple[Evidence, ...] = ()
    voices: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Egress:
    """The way to an address: the interface that leads there, what the operator states of it, and
    whether only the default route leads there."""

    interface: str
    side: Verdict | None  # ``None``: nothing is stated of this interface
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """The instance that answers under an address is proven to stand in ``country``; ``none``: in
    home, in which country of several is not known."""

    country: str
    detail: str  # how: identity, grade, bound
    expires: float  # seconds of the clock that its publisher uses
    grade: str = "fibre"


@dataclass(frozen=True, slots=True)
class Claim:
    """The instance says of itself that it stands in ``country``; nothing proves it."""

    country: str
    detail: str
    expires: float


def country_of(code: object) -> str | None:
    """A country code in capitals, or ``None`` for what is not the code of a country."""
    if not isinstance(code, str) or len(code) != 2:
        return None
    code = code.upper()
    return code if code.isascii() and code.isalpha() and code not in NOT_COUNTRIES else None


def weigh(
    home: frozenset[str],
    heard: Heard,
    egress: Egress | None = None,
    finding: Proof | Claim | None = None,
) -> Location:
    """The verdict that follows from all that is known, with every voice kept to be read."""
    measured = (_measured(finding),) if finding is not None else ()
    rest = (*measured, *heard.anycast, *heard.voices)
    stated = _by_operator(heard.statement, egress, rest)
    if stated is not None:
        return stated
    path = (_of_interface(egress),) if egress is not None else ()
    if isinstance(finding, Proof):
        inside = finding.country in home or finding.country == NO_COUNTRY
        return Location(
            Verdict.DOMESTIC if inside else Verdict.FOREIGN,
            finding.country,
            (*path, *rest),
            "proof",
            "the instance that answers is proven to stand there; that beats registry and databases",
        )
    if heard.special_use is not None:
        special = Evidence("special-use", None, heard.special_use)
        return _unknown((special, *path, *measured), "a special-use address has no place", finding)
    return _by_voices(home, heard, finding, (*path, *rest))


def _by_operator(
    statement: Statement | None, egress: Egress | None, rest: Sequence[Evidence]
) -> Location | None:
    """The operator's word, of the prefix and of the interface. An exchange stays inside only when
    the server does and the path does, so one word against is enough."""
    words: list[Evidence] = []
    sides: list[Verdict] = []
    country = NO_COUNTRY
    if statement is not None:
        country = statement.country
        own = None if country == NO_COUNTRY else country
        words.append(Evidence("operator", own, statement.detail))
        sides.append(statement.verdict)
    if egress is not None:
        words.append(_of_interface(egress))
        if egress.side is Verdict.FOREIGN or (
            egress.side is Verdict.DOMESTIC and not egress.is_default
        ):
            sides.append(egress.side)
    if not sides:
        return None
    verdict = Verdict.FOREIGN if Verdict.FOREIGN in sides else Verdict.DOMESTIC
    because = "the operator states it; that beats every other voice"
    if len(set(sides)) == 2:
        because = "the operator states that prefix and path are not both inside, so it is not"
        if statement is not None and statement.verdict is Verdict.DOMESTIC:
            country = NO_COUNTRY  # the server is at home, the way to it is not
    return Location(verdict, country, (*words, *rest), "operator", because)


def _of_interface(egress: Egress) -> Evidence:
    said = f"stated {egress.side.value}" if egress.side is not None else "nothing is stated of it"
    if egress.is_default and egress.side is Verdict.DOMESTIC:
        said += "; by the default route only, which leads everywhere, so it places nothing"
    return Evidence("operator", None, f"border.interfaces {egress.interface}: {said}")


def _measured(finding: Proof | Claim) -> Evidence:
    source = "proof" if isinstance(finding, Proof) else "claim"
    country = None if finding.country == NO_COUNTRY else finding.country
    return Evidence(source, country, finding.detail)


def _by_voices(
    home: frozenset[str],
    heard: Heard,
    finding: Proof | Claim | None,
    evidence: tuple[Evidence, ...],
) -> Location:
    if heard.anycast:
        return _unknown(
            evidence,
            "a known anycast address: where it is registered says nothing about the instance that"
            " answers",
            finding,
        )
    knowing = [voice for voice in heard.voices if voice.country is not None]
    countries = {voice.country for voice in knowing if voice.country is not None}
    sides = {country in home for country in countries}
    if len(sides) == 2:
        inside = ", ".join(voice.source for voice in knowing if voice.country in home)
        outside = ", ".join(voice.source for voice in knowing if voice.country not in home)
        return _unknown(
            evidence,
            f"a contradiction about the border: inside by {inside}; outside by {outside}",
            finding,
        )
    if not sides:
        return _unknown(evidence, "no voice knows a country", finding)
    verdict = Verdict.DOMESTIC if sides.pop() else Verdict.FOREIGN
    side = "inside" if verdict is Verdict.DOMESTIC else "outside"
    country = countries.pop() if len(countries) == 1 else NO_COUNTRY
    if len(knowing) == 1:
        because = f"{knowing[0].source} alone knows a country, and nothing contradicts it"
    else:
        because = f"all {len(knowing)} voices that know a country put it {side}"
        if country == NO_COUNTRY:
            because += ", though in different countries"
    grade = "+".join(sorted({KINDS[voice.source.split()[0]] for voice in knowing}, reverse=True))
    return Location(verdict, country, evidence, grade, because)


def _unknown(
    evidence: tuple[Evidence, ...], because: str, finding: Proof | Claim | None
) -> Location:
    grade = "claim" if isinstance(finding, Claim) else "none"
    if grade == "claim":
        because += "; a claim is no proof, but puts it first among the unknown"
    return Location(Verdict.UNKNOWN, NO_COUNTRY, evidence, grade, because)
