"""Which voice decides: the precedence of evidence as a table."""

import pytest

from policy.verdict import (
    Evidence,
    Statement,
    by_operator,
    by_special_use,
    by_voices,
    country_of,
)
from resolver.model import Verdict

HOME = frozenset({"BE", "NL"})
DOMESTIC, FOREIGN, UNKNOWN = Verdict.DOMESTIC, Verdict.FOREIGN, Verdict.UNKNOWN


def voices(registry: str | None, *databases: str | None) -> list[Evidence]:
    """``-`` leaves the registry out."""
    out = [] if registry == "-" else [Evidence("registry", registry, "")]
    return out + [
        Evidence(f"database d{index}", country, "") for index, country in enumerate(databases)
    ]


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
    heard: list[Evidence], verdict: Verdict, country: str, grade: str
) -> None:
    location = by_voices(HOME, heard, None)
    assert (location.verdict, location.country, location.grade) == (verdict, country, grade)
    assert location.evidence == tuple(heard)


@pytest.mark.parametrize("heard", [voices("BE"), voices("BE", "BE"), voices("US"), voices("-")])
def test_a_known_anycast_address_is_never_placed_by_registration(heard: list[Evidence]) -> None:
    location = by_voices(HOME, heard, "root server")
    assert (location.verdict, location.country, location.grade) == (UNKNOWN, "none", "none")
    assert location.evidence[0].source == "anycast"
    assert location.evidence[1:] == tuple(heard)


@pytest.mark.parametrize("side", [DOMESTIC, FOREIGN])
def test_the_operator_beats_the_rest_and_the_rest_is_kept(side: Verdict) -> None:
    heard = voices("BE", "US")
    location = by_operator(Statement(side, "NL", "border 11.0.0.0/8"), heard)
    assert (location.verdict, location.country, location.grade) == (side, "NL", "operator")
    assert location.evidence == (Evidence("operator", "NL", "border 11.0.0.0/8"), *heard)


def test_an_operator_may_leave_the_country_open() -> None:
    location = by_operator(Statement(FOREIGN, "none", "x"), [])
    assert location.country == "none"
    assert location.evidence[0].country is None


def test_a_special_use_address_has_no_place() -> None:
    location = by_special_use("loopback")
    assert location.verdict is UNKNOWN
    assert location.evidence == (Evidence("special-use", None, "loopback"),)


@pytest.mark.parametrize(
    ("code", "country"),
    [("IN", "IN"), ("in", "IN"), ("XK", "XK")]
    + [(code, None) for code in ("EU", "AP", "ZZ", "??", "", "IND", "I1", "éé", None, 3, b"IN")],
)
def test_only_codes_of_countries_count(code: object, country: str | None) -> None:
    assert country_of(code) == country
