"""The border: tiers, reasons, destinations, and the generation that names its decisions."""

import dataclasses
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from random import Random
from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policy.border
from policy.border import Mode, Policy
from policy.inputs import PolicyInputs, SourceFile, Stated
from policy.load import Opened, opened_built_in
from policy.sources import ListSource, Registry
from policy.verdict import Evidence, Origin
from resolver.model import (
    Address,
    Destination,
    Purpose,
    Reason,
    Verdict,
    address_from_text,
)
from resolver.names import from_text
from tests.interpreted import interpreted
from tests.unit.evidence import policy_from, registry

HERE, ABROAD, NOWHERE = "11.0.0.1", "12.0.0.1", "13.0.0.1"
PLACES: dict[str, str] = {"14.0.0.1": "IN", "15.0.0.1": "US"}

INPUTS = PolicyInputs(
    home=frozenset({"IN"}),
    domestic=(Stated(ip_network("11.0.0.0/8")), Stated(ip_network("127.1.0.0/16"))),
    foreign=(Stated(ip_network("12.0.0.0/8"), "SG"), Stated(ip_network("11.5.0.0/16"))),
    zones=(from_text("gov.example"),),
    interfaces=(("ix0", Verdict.DOMESTIC),),
    never_ask=(ip_network("169.254.0.0/16"), ip_network("fe80::/10")),
)


def own(edition: str = "e1") -> Registry:
    return registry(PLACES.get, edition)


def changed(inputs: PolicyInputs, changes: Mapping[str, Any]) -> PolicyInputs:
    return dataclasses.replace(inputs, **changes)


def made(inputs: PolicyInputs = INPUTS, **changes: object) -> Policy:
    return policy_from(changed(inputs, changes), own=own())


def at(text: str) -> Address:
    return address_from_text(text)


@pytest.mark.parametrize(
    ("text", "verdict", "country", "tier"),
    [
        ("11.0.0.1", Verdict.DOMESTIC, "IN", 0),
        ("11.5.0.1", Verdict.FOREIGN, "none", 2),
        ("12.0.0.1", Verdict.FOREIGN, "SG", 2),
        ("127.1.2.3", Verdict.DOMESTIC, "IN", 0),
        ("127.2.0.1", Verdict.UNKNOWN, "none", 1),
        ("13.0.0.1", Verdict.UNKNOWN, "none", 1),
        ("14.0.0.1", Verdict.DOMESTIC, "IN", 0),
        ("15.0.0.1", Verdict.FOREIGN, "US", 2),
        ("198.41.0.4", Verdict.UNKNOWN, "none", 1),
        ("2001:db8::1", Verdict.UNKNOWN, "none", 1),
    ],
)
def test_verdict_country_and_tier(text: str, verdict: Verdict, country: str, tier: int) -> None:
    border = made()
    location = border.locate(at(text))
    assert (location.verdict, location.country) == (verdict, country)
    assert border.verdict(at(text)) is verdict
    assert border.tier(at(text)) == tier
    assert made(mode=Mode.OBSERVE).tier(at(text)) == 0


def test_what_the_registry_says_of_a_stated_address_is_kept() -> None:
    border = made(domestic=(Stated(ip_network("15.0.0.0/8")),))
    location = border.locate(at("15.0.0.1"))
    assert location.verdict is Verdict.DOMESTIC
    assert [voice.source for voice in location.evidence] == ["operator", "registry iptocc"]
    assert location.evidence[0] == Evidence("operator", "IN", "border.domestic 15.0.0.0/8")


def test_the_country_of_a_stated_prefix_stays_open_in_a_region() -> None:
    home = frozenset({"BE", "NL"})
    entries = (Stated(ip_network("11.0.0.0/8")), Stated(ip_network("11.1.0.0/16"), "NL"))
    border = made(home=home, domestic=entries)
    assert border.locate(at("11.0.0.1")).country == "none"
    assert border.locate(at("11.1.0.1")).country == "NL"


ONE_VERDICT_EACH = [Verdict.DOMESTIC, Verdict.UNKNOWN, Verdict.FOREIGN]


@pytest.mark.parametrize(
    ("mode", "known", "reasons"),
    [
        (Mode.PREFER, True, [Reason.NONE, Reason.DOMESTIC_FAILED, Reason.DOMESTIC_FAILED]),
        (Mode.PREFER, False, [Reason.NONE, Reason.UNLOCATED, Reason.NO_DOMESTIC_SERVER]),
        (Mode.OBSERVE, True, [Reason.NONE, Reason.POLICY, Reason.POLICY]),
        (Mode.OBSERVE, False, [Reason.NONE, Reason.UNLOCATED, Reason.NO_DOMESTIC_SERVER]),
    ],
)
def test_why_an_exchange_was_not_domestic(mode: Mode, known: bool, reasons: list[Reason]) -> None:
    border = made(mode=mode)
    assert [border.reason(verdict, known) for verdict in ONE_VERDICT_EACH] == reasons


def test_an_exchange_is_labelled_with_verdict_country_purpose_and_reason() -> None:
    label = made().label(at(ABROAD), Purpose.BOOTSTRAP, domestic_known=False)
    assert (label.verdict, label.country) == (Verdict.FOREIGN, "SG")
    assert (label.purpose, label.reason) == (Purpose.BOOTSTRAP, Reason.NO_DOMESTIC_SERVER)


@pytest.mark.parametrize(
    ("addresses", "name", "destination"),
    [
        ([HERE], "x.example", Destination.DOMESTIC),
        ([HERE, "14.0.0.1"], "x.example", Destination.DOMESTIC),
        ([ABROAD], "x.gov.example", Destination.FOREIGN),
        ([ABROAD, NOWHERE], "x.in", Destination.FOREIGN),
        ([NOWHERE], "x.in", Destination.FOREIGN),
        ([HERE, ABROAD], "x.in", Destination.MIXED),
        ([HERE, NOWHERE], "x.in", Destination.MIXED),
        # Loopback and private addresses have no place, unless the operator gives them one.
        (["127.0.0.2"], "2.0.0.127.list.example", Destination.NONE),
        (["10.0.0.1", HERE], "x.example", Destination.DOMESTIC),
        (["127.1.0.1"], "x.example", Destination.DOMESTIC),
        ([], "x.example", Destination.NONE),
        ([], "x.gov.example", Destination.DOMESTIC),
        ([], "gov.example", Destination.DOMESTIC),
        ([], "xgov.example", Destination.NONE),
        ([], "in", Destination.DOMESTIC),
        ([], "x.co.in", Destination.DOMESTIC),
        ([], "x.xn--h2brj9c", Destination.DOMESTIC),
        ([], "x.us", Destination.NONE),
        ([], ".", Destination.NONE),
    ],
)
def test_destination(addresses: list[str], name: str, destination: Destination) -> None:
    assert made().destination(map(at, addresses), from_text(name)) is destination


def test_top_level_domains_that_differ_from_the_code() -> None:
    border = made(home=frozenset({"GB", "RU"}))
    for name in ("x.uk", "x.su", "x.ru", "x.xn--p1ai"):
        assert border.destination([], from_text(name)) is Destination.DOMESTIC


def test_a_server_stands_where_its_verdict_and_tier_say() -> None:
    for border in (made(), made(mode=Mode.OBSERVE)):
        for text in ("10.0.0.1", "11.0.0.1", "15.0.0.1", "169.254.1.1", "fe80::1"):
            stands = border.standing(at(text))
            assert border.standing(at(text)) == stands
            assert stands.verdict is border.verdict(at(text))
            assert stands.country == border.locate(at(text)).country
            assert stands.tier == border.tier(at(text))
            assert stands.never == border.never_ask(at(text))


def test_addresses_that_are_never_asked() -> None:
    border = made()
    assert border.never_ask(at("169.254.1.1"))
    assert border.never_ask(at("fe80::1"))
    assert not border.never_ask(at("127.0.0.1"))
    assert not made(never_ask=()).never_ask(at("169.254.1.1"))


def test_a_combination_of_voices_is_weighed_once() -> None:
    asked: list[str] = []

    def lookup(text: str) -> str | None:
        asked.append(text)
        return "IN"

    border = policy_from(INPUTS, own=registry(lookup))
    first = border.locate(at(NOWHERE))
    assert border.locate(at("13.0.0.2")) is first  # one combination, weighed once
    border.locate(at("2001:db8::1"))
    assert asked == [NOWHERE, "13.0.0.2", "2001:0db8:0000:0000:0000:0000:0000:0001"]


@interpreted
def test_memory_of_verdicts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy.border, "LOCATIONS_MAX", 8)
    codes = ascii_uppercase
    border = policy_from(INPUTS, own=registry(lambda text: "X" + codes[int(text[-1])]))
    for number in range(100):
        border.locate(Address((0x0D000000 + number).to_bytes(4, "big")))
        assert len(border._weighed) <= 8


def generation(inputs: PolicyInputs, *sources: Opened, own: Registry | None = None) -> str:
    return policy_from(inputs, *sources, own=own).generation


def database(name: str, digest: str) -> Opened:
    source = ListSource(Origin("database", name, None, digest), 0, ())
    return Opened(source, opened_built_in().layer)


def test_the_generation_number_is_its_first_63_bits() -> None:
    border = made()
    assert len(border.generation) == 64
    bits = bin(int(border.generation, 16))[2:].zfill(256)
    assert border.generation_number == int(bits[:63], 2)
    assert border.generation_number < 1 << 63


@pytest.mark.parametrize(
    "change",
    [
        {"home": frozenset({"IN", "NP"})},
        {"mode": Mode.OBSERVE},
        {"patience": 1.5},
        {"domestic": INPUTS.domestic[:1]},
        {"domestic": (Stated(ip_network("11.0.0.0/8"), "IN"), INPUTS.domestic[1])},
        {"foreign": INPUTS.foreign[:1]},
        {"domestic": INPUTS.foreign, "foreign": INPUTS.domestic},
        {"zones": ()},
        {"interfaces": (("ix0", Verdict.FOREIGN),)},
        {"interfaces": (("ix1", Verdict.DOMESTIC),)},
        {"never_ask": INPUTS.never_ask[:1]},
        {"also": {"local.special_use": "False"}},
    ],
    ids="+".join,
)
def test_each_decision_changes_the_generation(change: dict[str, object]) -> None:
    assert generation(changed(INPUTS, change), own=own()) != generation(INPUTS, own=own())


def test_each_source_changes_the_generation() -> None:
    bare = generation(INPUTS)
    variants = {
        bare,
        generation(INPUTS, own=own()),
        generation(INPUTS, own=own("e2")),
        generation(INPUTS, database("a", "00")),
        generation(INPUTS, database("a", "01")),
        generation(INPUTS, database("b", "00")),
        generation(INPUTS, database("a", "00"), own=own()),
    }
    assert len(variants) == 7


@settings(deadline=None)  # a busy machine is no failure
@given(st.randoms(use_true_random=False))
def test_the_order_of_writing_does_not_change_the_generation(random: Random) -> None:
    also = {"a": "1", "b": "2", "c": "3"}
    inputs = dataclasses.replace(INPUTS, also=also, home=frozenset({"IN", "NP", "BT"}))
    sources = [database("b", "00"), database("a", "00")]
    before = generation(inputs, *sources)
    shuffled: dict[str, object] = {}
    for name in ("domestic", "foreign", "zones", "interfaces", "never_ask"):
        values = list(getattr(inputs, name))
        random.shuffle(values)
        shuffled[name] = tuple(values)
    pairs = list(also.items())
    random.shuffle(pairs)
    random.shuffle(sources)
    reordered = changed(inputs, shuffled | {"also": dict(pairs)})
    assert generation(reordered, *sources) == before


def test_a_prefix_stated_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="stated twice"):
        made(foreign=(Stated(ip_network("11.0.0.0/8")),))


def test_the_path_of_a_database_is_no_decision() -> None:
    elsewhere = dataclasses.replace(INPUTS, databases=(SourceFile(Path("/x"), "a"),))
    assert generation(elsewhere) == generation(INPUTS)
