"""Which voice decides: the precedence of evidence as a table."""

from dataclasses import replace

import pytest

from policy.verdict import (
    Claim,
    Egress,
    Evidence,
    Heard,
    Location,
    Proof,
    Statement,
    country_of,
    weigh,
)
from resolver.model import Verdict

HOME = frozenset({"BE", "NL"})
DOMESTIC, FOREIGN, UNKNOWN = Verdict.DOMESTIC, Verdict.FOREIGN, Verdict.UNKNOWN
ROOT = (Evidence("anycast built-in", None, "root server"),)
PROOF = Proof("BE", "least of 5 round trips 0.31 ms", 900.0)
CLAIM = Claim("BE", "id.server nl1.example", 900.0)
INSIDE = Egress("ix0", DOMESTIC)
OUTSIDE = Egress("transit0", FOREIGN)
INSIDE_BY_DEFAULT = Egress("eth0", DOMESTIC, is_default=True)


def voices(registry: str | None, *databases: str | None) -> tuple[Evidence, ...]:
    """``-`` leaves the registry out."""
    out = () if registry == "-" else (Evidence("registry iptocc", registry, ""),)
    return out + tuple(
        Evidence(f"database d{index}", country, "") for index, country in enumerate(databases)
    )


@pytest.mark.parametrize(
    ("heard", "verdict", "country", "grade"),
    [
        (voices("BE"), DOMESTIC, "BE", "registry"),
        (voices("US"), FOREIGN, "US", "registry"),
        (voices("-", "NL"), DOMESTIC, "NL", "database"),
        (voices("-", "US"), FOREIGN, "US", "database"),
        (voices("BE", "BE"), DOMESTIC, "BE", "registry+database"),
        (voices("US", "US"), FOREIGN, "US", "registry+database"),
        (voices(None, "BE"), DOMESTIC, "BE", "database"),
        (voices("US", None), FOREIGN, "US", "registry"),
        (voices("BE", "US"), UNKNOWN, "none", "none"),
        (voices("US", "BE"), UNKNOWN, "none", "none"),
        (voices("-", "BE", "US"), UNKNOWN, "none", "none"),
        (voices("BE", "BE", "US"), UNKNOWN, "none", "none"),
        (voices("US", "BE", "US"), UNKNOWN, "none", "none"),
        # The same side of the border, though the country stays open.
        (voices("BE", "NL"), DOMESTIC, "none", "registry+database"),
        (voices("US", "DE"), FOREIGN, "none", "registry+database"),
        (voices("-", "US", "DE"), FOREIGN, "none", "database"),
        (voices(None), UNKNOWN, "none", "none"),
        (voices(None, None), UNKNOWN, "none", "none"),
        (voices("-"), UNKNOWN, "none", "none"),
    ],
)
def test_registry_and_databases_are_weighed_together(
    heard: tuple[Evidence, ...], verdict: Verdict, country: str, grade: str
) -> None:
    location = weigh(HOME, Heard(voices=heard))
    assert (location.verdict, location.country, location.grade) == (verdict, country, grade)
    assert location.evidence == heard
    assert location.because


def test_a_geofeed_is_a_voice_of_the_registry_kind() -> None:
    feed = Evidence("geofeed isp", "BE", "")
    assert weigh(HOME, Heard(voices=(feed,))).grade == "registry"
    both = (feed, *voices("US"))
    assert weigh(HOME, Heard(voices=both)).verdict is UNKNOWN


def test_a_contradiction_names_who_says_what() -> None:
    location = weigh(HOME, Heard(voices=voices("US", "BE", "NL")))
    assert location.because == (
        "a contradiction about the border: inside by database d0, database d1;"
        " outside by registry iptocc"
    )


@pytest.mark.parametrize("heard", [voices("BE"), voices("BE", "BE"), voices("US"), voices("-")])
def test_a_known_anycast_address_is_never_placed_by_registration(
    heard: tuple[Evidence, ...],
) -> None:
    location = weigh(HOME, Heard(anycast=ROOT, voices=heard))
    assert (location.verdict, location.country, location.grade) == (UNKNOWN, "none", "none")
    assert location.evidence == ROOT + heard


@pytest.mark.parametrize("side", [DOMESTIC, FOREIGN])
def test_the_operator_beats_the_rest_and_the_rest_is_kept(side: Verdict) -> None:
    heard = voices("BE", "US")
    statement = Statement(side, "NL", "border 11.0.0.0/8")
    location = weigh(HOME, Heard(statement, None, ROOT, heard), None, PROOF)
    assert (location.verdict, location.country, location.grade) == (side, "NL", "operator")
    own, proof = (
        Evidence("operator", "NL", "border 11.0.0.0/8"),
        Evidence("proof", "BE", PROOF.detail),
    )
    assert location.evidence == (own, proof, *ROOT, *heard)


def test_an_operator_may_leave_the_country_open() -> None:
    location = weigh(HOME, Heard(Statement(FOREIGN, "none", "x")))
    assert location.country == "none"
    assert location.evidence[0].country is None


def test_a_special_use_address_has_no_place() -> None:
    location = weigh(HOME, Heard(special_use="loopback"))
    assert location.verdict is UNKNOWN
    assert location.evidence == (Evidence("special-use", None, "loopback"),)


@pytest.mark.parametrize(
    "heard",
    [
        Heard(),
        Heard(anycast=ROOT, voices=voices("US", "US")),
        Heard(voices=voices("US", "US")),
        Heard(voices=voices("US", "BE")),
    ],
    ids=["nothing", "anycast", "foreign", "contradiction"],
)
def test_proof_beats_registry_and_databases(heard: Heard) -> None:
    location = weigh(HOME, heard, None, PROOF)
    assert (location.verdict, location.country, location.grade) == (DOMESTIC, "BE", "proof")
    assert location.evidence == (
        Evidence("proof", "BE", PROOF.detail),
        *heard.anycast,
        *heard.voices,
    )
    assert weigh(HOME, heard, None, replace(PROOF, country="FR")).verdict is FOREIGN


@pytest.mark.parametrize("heard", [Heard(), Heard(anycast=ROOT), Heard(voices=voices("US", "BE"))])
def test_a_claim_stays_unknown(heard: Heard) -> None:
    location = weigh(HOME, heard, None, CLAIM)
    assert (location.verdict, location.country, location.grade) == (UNKNOWN, "none", "claim")
    assert location.evidence[0].source == "claim"


def test_a_claim_moves_no_verdict_of_registry_and_databases() -> None:
    for code in ("US", "NL"):
        heard = Heard(voices=voices(code))
        assert weigh(HOME, heard, None, CLAIM).verdict is weigh(HOME, heard).verdict


def stated(side: Verdict) -> Heard:
    return Heard(Statement(side, "none", "border 11.0.0.0/8"))


@pytest.mark.parametrize(
    ("heard", "egress", "verdict", "grade"),
    [
        (Heard(voices=voices("US")), INSIDE, DOMESTIC, "operator"),
        (Heard(voices=voices("BE")), OUTSIDE, FOREIGN, "operator"),
        (Heard(voices=voices("US")), INSIDE_BY_DEFAULT, FOREIGN, "registry"),
        (Heard(), INSIDE_BY_DEFAULT, UNKNOWN, "none"),
        (Heard(voices=voices("BE")), Egress("eth9", None), DOMESTIC, "registry"),
        # An exchange stays inside when the server does and the path does.
        (stated(DOMESTIC), INSIDE, DOMESTIC, "operator"),
        (stated(DOMESTIC), OUTSIDE, FOREIGN, "operator"),
        (stated(FOREIGN), INSIDE, FOREIGN, "operator"),
        (stated(FOREIGN), OUTSIDE, FOREIGN, "operator"),
        (stated(DOMESTIC), INSIDE_BY_DEFAULT, DOMESTIC, "operator"),
    ],
)
def test_the_way_to_an_address_is_the_operators_word(
    heard: Heard, egress: Egress, verdict: Verdict, grade: str
) -> None:
    location = weigh(HOME, heard, egress)
    assert (location.verdict, location.grade) == (verdict, grade)
    assert any(egress.interface in voice.detail for voice in location.evidence)


def test_a_path_abroad_beats_proof_of_the_instance() -> None:
    location: Location = weigh(HOME, Heard(), OUTSIDE, PROOF)
    assert location.verdict is FOREIGN
    assert [voice.source for voice in location.evidence] == ["operator", "proof"]


@pytest.mark.parametrize(
    ("code", "country"),
    [("IN", "IN"), ("in", "IN"), ("XK", "XK")]
    + [(code, None) for code in ("EU", "AP", "ZZ", "??", "", "IND", "I1", "éé", None, 3, b"IN")],
)
def test_only_codes_of_countries_count(code: object, country: str | None) -> None:
    assert country_of(code) == country
