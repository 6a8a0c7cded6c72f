"""What changes while a policy is in force: published proofs and claims, and the kernel's ways."""

import dataclasses
import socket
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policy.findings
from policy.findings import Published
from policy.inputs import PolicyInputs, Stated
from policy.verdict import Claim, Egress, Proof
from resolver.egress import KernelWays, with_ways
from resolver.model import Address, Verdict, address_from_text
from tests.interpreted import interpreted
from tests.unit.evidence import places, policy_from, registry

ROOT, SOME = address_from_text("198.41.0.4"), address_from_text("15.0.0.1")
INPUTS = PolicyInputs(home=frozenset({"IN"}), domestic=(Stated(ip_network("11.0.0.0/8")),))


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_published_proof_holds_until_it_expires() -> None:
    clock = Hands()
    found = Published(clock)
    border = dataclasses.replace(
        policy_from(INPUTS, own=places({"15.0.0.1": "US"})), findings=found
    )
    assert border.verdict(ROOT) is Verdict.UNKNOWN
    found.publish(ROOT, Proof("IN", "least of 5 round trips 1.9 ms, bound 4.1 ms", 160.0))
    assert (border.verdict(ROOT), border.tier(ROOT)) == (Verdict.DOMESTIC, 0)
    assert border.standing(ROOT)[:3] == (Verdict.DOMESTIC, "IN", 0)
    assert border.locate(ROOT).grade == "proof"
    assert border.locate(ROOT).evidence[0].detail.startswith("least of 5")
    clock.now = 159.9
    assert border.verdict(ROOT) is Verdict.DOMESTIC
    clock.now = 160.0
    assert (border.verdict(ROOT), border.tier(ROOT)) == (Verdict.UNKNOWN, 1)
    assert border.standing(ROOT)[:3] == (Verdict.UNKNOWN, "none", 1)
    found.publish(ROOT, Proof("IN", "again", 300.0))
    found.withdraw(ROOT)
    assert border.verdict(ROOT) is Verdict.UNKNOWN


def test_proof_beats_the_registry_and_the_operator_beats_proof() -> None:
    found = Published(Hands())
    border = dataclasses.replace(
        policy_from(INPUTS, own=places({"15.0.0.1": "US"})), findings=found
    )
    stated = address_from_text("11.0.0.1")
    assert border.verdict(SOME) is Verdict.FOREIGN
    found.publish(SOME, Proof("IN", "", 900.0))
    found.publish(stated, Proof("US", "", 900.0))
    assert border.verdict(SOME) is Verdict.DOMESTIC
    assert border.locate(stated).grade == "operator"
    # Native remembers sides for the whole life of a policy, so they rest on what stays.
    assert border.side(SOME) == 1


def test_a_claim_stays_unknown_and_is_told() -> None:
    found = Published(Hands())
    border = dataclasses.replace(policy_from(INPUTS), findings=found)
    found.publish(ROOT, Claim("IN", "id.server mum1", 900.0))
    location = border.locate(ROOT)
    assert (location.verdict, location.grade, border.tier(ROOT)) == (Verdict.UNKNOWN, "claim", 1)
    assert location.evidence[0].source == "claim"


@interpreted
def test_the_number_of_findings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy.findings, "FINDINGS_MAX", 4)
    clock = Hands()
    found = Published(clock)
    addresses = [Address(bytes([15, 0, 0, number])) for number in range(6)]
    for number, address in enumerate(addresses[:4]):
        found.publish(address, Proof("IN", "", 110.0 + number))
    found.publish(addresses[4], Proof("IN", "", 200.0))
    assert [found.of(a) is not None for a in addresses[:5]] == [False, True, True, True, True]
    clock.now = 120.0
    found.publish(addresses[5], Proof("IN", "", 200.0))
    assert [found.of(a) is not None for a in addresses] == [False] * 4 + [True, True]


class Ways:
    """Ways as a test wants them."""

    def __init__(self, ways: dict[Address, Egress]) -> None:
        self.to = ways.get


def test_the_way_is_part_of_a_verdict() -> None:
    stated = address_from_text("11.0.0.1")
    ways = Ways(
        {
            SOME: Egress("ix0", Verdict.DOMESTIC),
            ROOT: Egress("eth0", Verdict.DOMESTIC, is_default=True),
            stated: Egress("transit0", Verdict.FOREIGN),
        }
    )
    own = places({"15.0.0.1": "US"})
    border = dataclasses.replace(policy_from(INPUTS, own=own), ways=ways)
    assert border.verdict(SOME) is Verdict.DOMESTIC
    assert border.verdict(ROOT) is Verdict.UNKNOWN
    assert border.verdict(stated) is Verdict.FOREIGN
    assert "border.interfaces transit0: stated foreign" in [
        voice.detail for voice in border.locate(stated).evidence
    ]


needs_netlink = pytest.mark.skipif(
    not hasattr(socket, "AF_NETLINK"), reason="no rtnetlink on this system"
)


@needs_netlink
def test_the_kernel_tells_the_interface() -> None:
    ways = KernelWays({"lo": Verdict.DOMESTIC}, Hands())
    assert ways.to(address_from_text("127.0.0.1")) == Egress("lo", Verdict.DOMESTIC)
    assert KernelWays({}, Hands()).to(address_from_text("127.0.0.1")) == Egress("lo", None)


@needs_netlink
def test_ways_are_remembered_for_some_seconds_only() -> None:
    clock = Hands()
    ways = KernelWays({}, clock)
    local = address_from_text("127.0.0.1")
    first = ways.to(local)
    assert ways.to(local) is first
    clock.now += 6.0
    assert ways.to(local) is not first
    assert ways.to(local) == first


@needs_netlink
def test_a_policy_without_interfaces_asks_for_no_ways() -> None:
    border = policy_from(INPUTS)
    assert with_ways(border, Hands()) is border
    stated = policy_from(
        dataclasses.replace(INPUTS, interfaces=(("lo", Verdict.DOMESTIC),)),
    )
    assert with_ways(stated, Hands()).verdict(address_from_text("127.0.0.1")) is Verdict.DOMESTIC


class Counted:
    """Findings that can be swapped, and a registry that counts who asks it."""

    def __init__(self) -> None:
        self.found: dict[Address, Proof | Claim] = {}
        self.of = self.found.get
        self.asked = 0

    def registry(self, text: str) -> str | None:
        self.asked += 1
        return "US"


def test_what_a_server_is_is_remembered_while_nothing_is_found_out() -> None:
    counted = Counted()
    border = dataclasses.replace(
        policy_from(INPUTS, own=registry(counted.registry)), findings=counted
    )
    stands = border.standing(ROOT)
    asked = counted.asked
    assert asked > 0
    assert [border.standing(ROOT) for _ in range(5)] == [stands] * 5
    assert counted.asked == asked
    proof = Proof("IN", "one", 900.0)
    counted.found[ROOT] = proof
    assert border.standing(ROOT)[:3] == (Verdict.DOMESTIC, "IN", 0)
    counted.found[ROOT] = Claim("IN", "a claim", 900.0)
    assert border.standing(ROOT)[:3] == (Verdict.UNKNOWN, "none", 1)
    assert border.standing(ROOT).claimed
    del counted.found[ROOT]
    assert border.standing(ROOT) == stands
    counted.found[ROOT] = proof
    assert border.standing(ROOT)[:3] == (Verdict.DOMESTIC, "IN", 0)


def test_another_way_to_a_server_is_heard_at_once() -> None:
    ways: dict[Address, Egress] = {SOME: Egress("ix0", Verdict.DOMESTIC)}
    counted = Counted()
    border = dataclasses.replace(
        policy_from(INPUTS, own=registry(counted.registry)), ways=Ways(ways)
    )
    assert border.standing(SOME).verdict is Verdict.DOMESTIC
    asked = counted.asked
    ways[SOME] = Egress("ix0", Verdict.DOMESTIC)  # asked of the kernel again, and the same
    assert border.standing(SOME).verdict is Verdict.DOMESTIC
    assert counted.asked == asked
    ways[SOME] = Egress("transit0", Verdict.FOREIGN)
    assert border.standing(SOME).verdict is Verdict.FOREIGN
    del ways[SOME]
    assert border.standing(SOME).verdict is Verdict.FOREIGN
    assert border.standing(SOME).country == "US"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["publish", "claim", "withdraw", "wait", "ask"]), st.integers(0, 2)
        ),
        max_size=40,
    )
)
def test_what_is_remembered_is_what_would_be_weighed_anew(steps: list[tuple[str, int]]) -> None:
    clock = Hands()
    found = Published(clock)
    plain = policy_from(INPUTS, own=places({"15.0.0.1": "US"}))
    border = dataclasses.replace(plain, findings=found)
    servers = [ROOT, SOME, address_from_text("11.0.0.1")]
    for step, number in steps:
        server = servers[number]
        match step:
            case "publish":
                found.publish(server, Proof("IN", "", clock.now + 10.0 * number + 5.0))
            case "claim":
                found.publish(server, Claim("IN", "", clock.now + 7.0))
            case "withdraw":
                found.withdraw(server)
            case "wait":
                clock.now += 3.0 * number + 1.0
        fresh = dataclasses.replace(plain, findings=found)  # remembers nothing
        assert [border.standing(s) for s in servers] == [fresh.standing(s) for s in servers]
