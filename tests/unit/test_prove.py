"""Proofs at work in the core, in virtual time: tiers, plans, claims first, checks of our own."""

from dataclasses import replace
from typing import cast

import pytest

from policy.inputs import PolicyInputs
from policy.load import load_policy
from policy.place import Place
from resolver import limits_proof
from resolver.counters import Clock
from resolver.model import Address, Purpose, Route, Standing, Verdict
from resolver.prove import Prover
from resolver.wishes import Probe
from tests.small_internet import internet
from tests.virtual import Border, Internet
from tests.virtual_servers import address, name

PLACE = Place(0.0, 0.0, 0.0, 5010.0, "as stated")  # 33 ms strict
POLICY = replace(
    load_policy(PolicyInputs(home=frozenset({"XA"}), place=PLACE)), generation="of the test"
)
HOST = address("11.0.4.1")  # of mixed.xa, at home


class Now:
    """The clock of an internet in virtual time."""

    def __init__(self, net: Internet) -> None:
        self._net = net

    def now(self) -> float:
        return self._net.now


@pytest.fixture
def net() -> Internet:
    net = internet()
    net.hosts[HOST].latency = 0.02
    return net


def prover(net: Internet, verify: str) -> Prover:
    found = Prover(net.scheduler.core, cast("Clock", Now(net)))
    found.stand(POLICY, verify)
    return found


def ask_often(net: Internet, times: int) -> None:
    for number in range(times):
        net.ask(f"n{number}-{int(net.now)}.mixed.xa")


def is_proven(found: Prover) -> bool:
    return found.shown(HOST)["finding"] is not None


class TestListening:
    def test_ordinary_replies_prove(self, net: Internet) -> None:
        found = prover(net, "listen")
        ask_often(net, 6)
        assert is_proven(found)
        assert found.checks == 0

    def test_off_means_off(self, net: Internet) -> None:
        found = prover(net, "off")
        ask_often(net, 6)
        assert found.shown(HOST)["here"] == "no border.place"

    def test_it_ends_without_traffic(self, net: Internet) -> None:
        found = prover(net, "listen")
        ask_often(net, 6)
        net.run(limits_proof.PROOF_SECONDS)
        found.tick(net.scheduler.verify)
        assert not is_proven(found)

    def test_nothing_is_sent_of_our_own(self, net: Internet) -> None:
        found = prover(net, "listen")
        ask_often(net, 6)
        net.run(limits_proof.PROOF_SECONDS * 0.8)
        sent = len(net.door.sent)
        found.tick(net.scheduler.verify)
        net.turn()
        assert len(net.door.sent) == sent


class TestProbing:
    def test_a_proof_is_renewed_before_it_ends(self, net: Internet) -> None:
        found = prover(net, "probe")
        ask_often(net, 6)
        for _ in range(400):
            net.run(5.0)
            found.tick(net.scheduler.verify)
            net.turn()
        net.run(5.0)
        assert is_proven(found), "after half an hour without a lookup"
        own = [ask for ask in net.door.sent if ask.label.purpose is Purpose.VERIFICATION]
        assert found.checks == len(own) > 0

    def test_what_must_not_be_asked_is_not(self, net: Internet) -> None:
        found = prover(net, "probe")
        ask_often(net, 6)
        net.border.banned = frozenset({HOST})
        wishes: list[Probe] = []
        net.run(limits_proof.PROOF_SECONDS * 0.8)
        found.tick(wishes.append)
        assert HOST not in {wish.address for wish in wishes}


def test_claims_are_first_in_their_tier(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two servers of unknown place the one that claims to be at home is asked, even if slow."""
    cut = {address("11.0.4.1"), address("12.0.4.1")}

    def standing(self: Border, at: Address) -> Standing:
        claimed = at == HOST
        if at in cut:
            return Standing(Verdict.UNKNOWN, "none", 1, never=False, claimed=claimed)
        return original(self, at)

    original = Border.standing
    monkeypatch.setattr(Border, "standing", standing)
    net.hosts[HOST].latency = 0.3
    for number in range(8):
        _, books = net.ask(f"n{number}.mixed.xa")
        hosts = {e.address for e in books.trail if e.zone == name("mixed.xa")}
        assert hosts == {HOST}
        assert books.route is not Route.LOCAL
