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
from resolver.names import ROOT
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


NEAR_ROOT, FAR_ROOT, OTHER_ROOT = "193.0.14.129", "192.36.148.17", "199.7.83.42"  # K, I, L


class TestRootsOfThePack:
    """The pack lists instances of K and I; the one of K answers from nearby."""

    def prover(self, verify: str, *letters: str) -> tuple[Internet, Prover]:
        net = Internet()
        for letter, at in (("k", NEAR_ROOT), ("i", FAR_ROOT), ("l", OTHER_ROOT)):
            net.hint(f"{letter}.root-servers.net.", at)
            net.host(at, latency=0.01 if at == NEAR_ROOT else 0.2)
        found = Prover(net.scheduler.core, cast("Clock", Now(net)))
        found.stand(POLICY, verify, frozenset(letters))
        return net, found

    def run(self, net: Internet, found: Prover, seconds: float) -> None:
        ends = net.now + seconds
        while net.now < ends:
            found.tick(net.scheduler.verify)
            net.run(limits_proof.PROOF_TICK_SECONDS)

    def asked(self, net: Internet) -> dict[str, int]:
        return {at: len(net.asked(at)) for at in (NEAR_ROOT, FAR_ROOT, OTHER_ROOT)}

    def test_one_is_proven_before_a_lookup_needs_it(self) -> None:
        net, found = self.prover("mirrors", "k", "i")
        self.run(net, found, 30)
        finding = found.shown(address(NEAR_ROOT))["finding"]
        assert finding is not None
        assert finding["kind"] == "proof"
        assert found.shown(address(FAR_ROOT))["finding"] is None
        assert {ask.label.purpose for ask in net.door.sent} == {Purpose.VERIFICATION}
        assert {ask.question.name for ask in net.door.sent} == {ROOT}

    def test_the_budget_holds_and_others_are_not_asked(self) -> None:
        net, found = self.prover("mirrors", "k", "i")
        self.run(net, found, 600)
        asked = self.asked(net)
        assert asked[NEAR_ROOT] >= limits_proof.PROOF_SAMPLES
        assert 1 <= asked[FAR_ROOT] <= limits_proof.PACK_TRIES
        assert asked[OTHER_ROOT] == 0, "the pack knows no instance of it at home"
        assert found.pack_checks <= 2 * limits_proof.PACK_TRIES
        assert found.pack_checks + found.checks == sum(asked.values()), "the near one, as any other"

    def test_there_is_another_round(self) -> None:
        net, found = self.prover("mirrors", "i")
        self.run(net, found, limits_proof.PACK_ROUND_SECONDS - 10)
        before = self.asked(net)[FAR_ROOT]
        self.run(net, found, 30)
        assert before < self.asked(net)[FAR_ROOT] <= 2 * limits_proof.PACK_TRIES

    @pytest.mark.parametrize("verify", ["off", "listen", "probe"])
    def test_nobody_is_asked_unless_it_is_allowed(self, verify: str) -> None:
        net, found = self.prover(verify, "k", "i")
        self.run(net, found, 60)
        assert net.door.sent == []
        assert found.pack_checks == 0

    def test_what_must_not_be_asked_is_not(self) -> None:
        net, found = self.prover("mirrors", "k", "i")
        net.border.banned = frozenset({address(NEAR_ROOT)})
        self.run(net, found, 60)
        assert self.asked(net)[NEAR_ROOT] == 0
        assert found.pack_checks == self.asked(net)[FAR_ROOT] > 0

    def test_a_reload_with_other_letters_begins_anew(self) -> None:
        net, found = self.prover("mirrors", "i")
        self.run(net, found, 30)
        found.stand(POLICY, "mirrors", frozenset("k"))
        self.run(net, found, 30)
        assert self.asked(net)[NEAR_ROOT] > 0
        found.stand(POLICY, "listen", frozenset("k"))
        before = len(net.door.sent)
        self.run(net, found, limits_proof.PACK_ROUND_SECONDS)
        assert len(net.door.sent) == before


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
