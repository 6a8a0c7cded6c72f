"""Longest-prefix match, against an oracle that tries every prefix."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.inputs import PolicyInputs
from policy.prefixes import Network, PrefixTable
from policy.special import BUILT_IN
from policy.verdict import Heard
from resolver.hints import read_hints
from resolver.model import Address, address_from_text, address_text
from tests.unit.evidence import policy_from

POLICY = policy_from(PolicyInputs(home=frozenset({"IN"})))


def heard(text: str) -> Heard:
    """What is known of an address without any file."""
    voices = POLICY.voices
    return voices.hear(voices.table.find(address_from_text(text)), None)


# Few distinct octets, so that prefixes nest and addresses fall into them.
octets = st.sampled_from([0, 1, 127, 128, 255])


def addresses(size: int) -> st.SearchStrategy[Address]:
    return st.lists(octets, min_size=size, max_size=size).map(lambda some: Address(bytes(some)))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    if draw(st.booleans()):
        return IPv4Network((draw(addresses(4)), draw(st.integers(0, 32))), strict=False)
    return IPv6Network((draw(addresses(16)), draw(st.integers(0, 128))), strict=False)


def oracle(entries: dict[Network, int], address: Address) -> int | None:
    host = ip_network(bytes(address))
    covering = [
        network
        for network in entries
        if network.version == host.version and host.subnet_of(network)  # type: ignore[arg-type]
    ]
    return entries[max(covering, key=lambda n: n.prefixlen)] if covering else None


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(networks(), st.integers(), max_size=12),
    st.lists(st.one_of(addresses(4), addresses(16)), max_size=12),
)
def test_the_longest_covering_prefix_wins(
    entries: dict[Network, int], asked: list[Address]
) -> None:
    table = PrefixTable(entries.items())
    for address in asked:
        assert table.match(address) == oracle(entries, address)


def test_an_empty_table_matches_nothing() -> None:
    table: PrefixTable[int] = PrefixTable([])
    assert table.match(address_from_text("192.0.2.1")) is None
    assert table.match(address_from_text("::1")) is None


def test_families_do_not_mix() -> None:
    table = PrefixTable([(ip_network("0.0.0.0/0"), 4)])
    assert table.match(address_from_text("255.255.255.255")) == 4
    assert table.match(address_from_text("::1")) is None


def test_a_prefix_stated_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"11\.0\.0\.0/8 stated twice"):
        PrefixTable([(ip_network("11.0.0.0/8"), 1), (ip_network("11.0.0.0/8"), 2)])


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.9.9",
        "224.0.0.1",
        "203.0.113.7",
        "255.255.255.255",
        "100.64.0.1",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:8.8.8.8",
    ],
)
def test_special_use_addresses_are_known(text: str) -> None:
    assert heard(text).special_use


@pytest.mark.parametrize("text", ["8.8.8.8", "11.0.0.1", "172.32.0.1", "2001:4860::1", "2600::1"])
def test_ordinary_addresses_are_not_special(text: str) -> None:
    assert heard(text).special_use is None
    assert heard(text).anycast == ()


def test_every_address_of_the_builtin_hints_is_known_anycast() -> None:
    addresses_of_root = [address for _, some in read_hints() for address in some]
    assert len(addresses_of_root) == 26
    for address in addresses_of_root:
        (voice,) = heard(address_text(address)).anycast
        assert voice.detail.startswith("root server: ")
        assert voice.origin == BUILT_IN
