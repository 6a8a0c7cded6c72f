"""Proof of the instance: the machine in every state and event, the bounds, identities, claims."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.identity import Site
from policy.instance import NEXT, Bounds, Event, Instance, State, at_most_ms
from policy.place import Place
from policy.proof import Proofs, readable
from policy.verdict import Claim, Proof
from resolver import limits_proof
from resolver.model import Address
from resolver.names import ROOT

HOME = frozenset({"XA"})
PLACE = Place(10.0, 10.0, 0.0, 610.0, "as stated")  # 600 km: 4.0 ms strict, 5.87 ms fibre
SINGAPORE = Place(1.3, 103.8, 0.0, 22.0, "as stated")  # 0.08 ms strict
ADDRESS = Address(bytes([192, 0, 2, 1]))


class World:
    """Proofs with a clock of their own."""

    def __init__(self, place: Place | None = PLACE, site: Site | None = None) -> None:
        self.now = 0.0
        self.proofs = Proofs(lambda: self.now, lambda address, identity: site)
        self.proofs.stand(place, HOME)

    def hear(self, *rtts_ms: float, identity: bytes = b"", gap: float = 1.0) -> list[bool]:
        changed = []
        for rtt in rtts_ms:
            self.now += gap
            changed.append(self.proofs.heard(ADDRESS, rtt / 1000, identity, self.now, ROOT))
        return changed

    def is_proven(self) -> bool:
        return isinstance(self.proofs.published.of(ADDRESS), Proof)

    def grade(self) -> str:
        found = self.proofs.published.of(ADDRESS)
        return found.grade if isinstance(found, Proof) else "none"


class TestTable:
    def test_every_state_knows_every_event(self) -> None:
        assert {state: set(row) for state, row in NEXT.items()} == {it: set(Event) for it in State}

    def test_only_enough_makes_a_proof(self) -> None:
        for state, row in NEXT.items():
            for event, after in row.items():
                if after is State.PROVEN:
                    stands = state is State.PROVEN and event is Event.NEAR
                    assert event is Event.ENOUGH or stands

    @given(st.lists(st.tuples(st.sampled_from(Event), st.floats(0, 500)), max_size=30))
    def test_no_proof_without_enough_or_past_its_end(
        self, steps: list[tuple[Event, float]]
    ) -> None:
        instance, now, enough = Instance(), 0.0, False
        instance.samples.append((0.0, 0.001))
        instance.run = 1
        for event, gap in steps:
            now += gap
            instance.step(event, now, 900.0, Bounds(4.0, 5.0))
            enough |= event is Event.ENOUGH
            if instance.state is State.PROVEN:
                assert enough
                assert instance.expires <= now + 900.0
            assert limits_proof.PROOF_SAMPLES <= instance.need <= limits_proof.PROOF_RUN_MAX


class TestProof:
    def test_three_replies_below_the_bound(self) -> None:
        world = World()
        assert world.hear(1, 1) == [False, False]
        assert not world.is_proven()
        assert world.hear(1) == [True]
        assert (world.is_proven(), world.grade()) == (True, "strict")

    def test_the_least_of_three_counts(self) -> None:
        world = World()
        world.hear(1, 50, 1)
        assert world.is_proven()

    @pytest.mark.parametrize(
        ("rtt", "grade"), [(3.9, "strict"), (4.0, "fibre"), (5.8, "fibre"), (5.9, "none")]
    )
    def test_grade(self, rtt: float, grade: str) -> None:
        world = World()
        world.hear(rtt, rtt, rtt)
        assert world.grade() == grade

    def test_clock_error_is_added(self) -> None:
        bounds = Bounds(4.0, 5.0)
        assert bounds.grade(0.003999) == "fibre"
        assert at_most_ms(0.004) > 4.0

    def test_what_was_not_asked_for_its_identity_proves_nothing(self) -> None:
        world = World()
        for _ in range(9):
            world.proofs.heard(ADDRESS, 0.001, None, world.now, ROOT)
        assert not world.is_proven()
        assert world.proofs.wants_identity(ADDRESS)

    def test_a_near_reply_has_the_identity_asked_for(self) -> None:
        world = World()
        assert world.proofs.heard(ADDRESS, 0.1, None, 0.0, ROOT) is False
        assert not world.proofs.wants_identity(ADDRESS)
        assert world.proofs.heard(ADDRESS, 0.001, None, 0.0, ROOT) is True
        assert world.proofs.wants_identity(ADDRESS)

    def test_expires(self) -> None:
        world = World()
        world.hear(1, 1, 1)
        world.now += limits_proof.PROOF_SECONDS - 2 * limits_proof.PROOF_TICK_SECONDS
        assert world.proofs.expire(world.now) == []
        assert world.is_proven()
        world.now += limits_proof.PROOF_TICK_SECONDS
        assert world.proofs.expire(world.now) == [ADDRESS], "told before it ends"
        assert not world.is_proven()
        assert world.proofs.proven() == {"strict": 0, "fibre": 0}

    def test_ordinary_replies_renew(self) -> None:
        world = World()
        world.hear(*[1] * 50, gap=100.0)
        assert world.is_proven()

    def test_three_replies_must_be_of_one_life(self) -> None:
        world = World()
        world.hear(*[1] * 9, gap=600.0)
        assert not world.is_proven()

    def test_strict_does_not_outlive_what_it_rests_on(self) -> None:
        world = World()
        world.hear(1, 1, 1)
        world.hear(*[5] * 60, gap=60.0)
        assert world.grade() == "fibre"


class TestIdentity:
    def test_another_identity_ends_the_proof(self) -> None:
        world = World()
        world.hear(1, 1, 1, identity=b"a")
        assert world.hear(1, identity=b"b") == [True]
        assert not world.is_proven()

    def test_servers_of_one_site_are_proven_together(self) -> None:
        world = World()
        for _ in range(3):
            world.hear(1, identity=b"a")
            world.hear(1, identity=b"b")
        assert world.is_proven()

    def test_one_identity_abroad_spoils_all(self) -> None:
        world = World()
        for _ in range(30):
            world.hear(1, identity=b"a")
            world.hear(30, identity=b"b")
        assert not world.is_proven()

    def test_an_identity_that_is_gone_is_forgotten(self) -> None:
        world = World()
        world.hear(30, identity=b"b")
        world.hear(*[1] * 70, identity=b"a")
        assert world.is_proven()

    def test_a_new_one_each_time_is_never_proven(self) -> None:
        world = World()
        for number in range(200):
            world.hear(1, identity=b"%d" % number)
            assert not world.is_proven()

    def test_readable(self) -> None:
        assert [readable(it) for it in (b"", b"ns1", b"\x00\xff")] == ["none seen", "ns1", "00ff"]


class TestDoubt:
    def test_a_slow_reply_rests_the_proof(self) -> None:
        world = World()
        world.hear(1, 1, 1)
        assert world.hear(30) == [True]
        found = world.proofs.published.of(ADDRESS)
        assert isinstance(found, Claim), "unknown, and first among the unknown"

    def test_it_comes_back_by_more_each_time(self) -> None:
        world = World()
        world.hear(1, 1, 1)
        for need in (6, 12, 12):
            world.hear(30)
            world.hear(*[1] * (need - 1))
            assert not world.is_proven()
            world.hear(1)
            assert world.is_proven()

    def test_a_calm_life_forgives(self) -> None:
        world = World()
        world.hear(1, 1, 1, 30, *[1] * 6)
        world.hear(*[1] * 20, gap=60.0)
        world.hear(30, *[1] * 6)
        assert world.is_proven()

    def test_flows_that_part_are_hardly_ever_proven(self) -> None:
        """Equal identities, half of the flows abroad."""
        chance, proven, world = random.Random(1), 0, World()
        for _ in range(2000):
            world.hear(1 if chance.random() < 0.5 else 30)
            proven += world.is_proven()
        assert proven <= 20


class TestClaims:
    def site(self, country: str, at: tuple[float, float] | None) -> Site:
        return Site("root K", "x", country, "Town", None, at, "convention")

    def test_a_claim_is_no_proof(self) -> None:
        world = World(site=self.site("XA", (10.0, 10.0)))
        assert world.hear(30, identity=b"x") == [True]
        assert isinstance(world.proofs.published.of(ADDRESS), Claim)

    def test_a_claim_of_another_country_says_nothing(self) -> None:
        world = World(site=self.site("XB", (10.0, 10.0)))
        world.hear(30, identity=b"x")
        assert world.proofs.published.of(ADDRESS) is None

    def test_faster_than_light_is_rejected_and_counted_once(self) -> None:
        world = World(site=self.site("XA", (10.0, 60.0)))
        world.hear(20, 20, 20, identity=b"x")
        assert world.proofs.published.of(ADDRESS) is None
        assert world.proofs.rejected == 1
        assert world.proofs.shown(ADDRESS, world.now)[0].rejected

    def test_a_proof_does_not_mind_what_is_claimed(self) -> None:
        world = World(site=self.site("XB", (10.0, 60.0)))
        world.hear(1, 1, 1, identity=b"x")
        assert world.is_proven()


class TestPlace:
    def test_without_a_place_nothing_is_looked_at(self) -> None:
        world = World(None)
        world.hear(*[0.001] * 5, identity=b"a")
        assert world.proofs.shown(ADDRESS, world.now) == []

    def test_singapore(self) -> None:
        world = World(SINGAPORE)
        assert round(world.proofs.bounds.strict, 2) == 0.08
        assert "hardly any" in world.proofs.bounds.in_words()
        world.hear(*[0.3] * 20)
        assert not world.is_proven()

    def test_no_bound(self) -> None:
        assert "nothing can be proven" in Bounds(0.0, 0.0).in_words()
        assert Bounds(0.0, 0.0).grade(0.0) is None

    def test_another_place_voids_what_was_proven(self) -> None:
        world = World()
        world.hear(1, 1, 1)
        world.proofs.stand(SINGAPORE, HOME)
        assert not world.is_proven()


class TestChecks:
    def test_what_is_far_is_never_checked(self) -> None:
        world = World()
        world.hear(30, 30, identity=b"a")
        assert list(world.proofs.due(world.now)) == []

    def test_doubt_is_checked_less_and_less_often(self) -> None:
        world = World()
        world.hear(1, 1, 1, 30)
        times = []
        while world.now < 300:
            world.now += 1
            if list(world.proofs.due(world.now)):
                times.append(world.now)
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert gaps[0] == limits_proof.CHECK_FIRST
        assert gaps[-1] == limits_proof.CHECK_MAX
        assert len(times) < 12

    def test_a_proof_is_renewed_before_it_ends(self) -> None:
        world = World()
        world.hear(1, 1, 1)
        world.now += 1
        assert list(world.proofs.due(world.now)) == []
        world.now += limits_proof.PROOF_SECONDS * 0.7
        assert list(world.proofs.due(world.now)) == [(ADDRESS, ROOT)]
