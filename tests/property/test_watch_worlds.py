"""The watch in seeded worlds, in virtual time: it sees the truth, raises no false alarm under loss,
strays nowhere, and tells of the one delegation that is changed."""

from dataclasses import replace
from random import Random
from typing import cast

import pytest

from resolver import limits_watch
from resolver.model import address_text
from resolver.names import to_text
from resolver.watch.changes import DelegationChanged
from resolver.watch.keep import Followed, Telling, Watcher
from resolver.watch.look import Terms
from testbed.model import Delegation, World
from testbed.truth import Truth
from testbed.world import make_world
from tests.property.test_worlds_in_virtual_time import roles
from tests.unit.watch_rig import Clock, step
from tests.virtual import Internet
from tests.virtual_servers import name
from tests.virtual_world import WorldHost, world_internet

MINUTES = 30
FIRST = 120  # seconds until every zone has been looked at, under loss too


class Watch:
    """A watcher over every delegation of a world."""

    def __init__(self, world: World, loss: float) -> None:
        self.world = world
        self.net: Internet = world_internet(world, world.seed, loss)
        self.told: list[DelegationChanged] = []
        telling = Telling(lambda *work: None, self.told.append)
        self.watcher = Watcher(self.net.scheduler.core, Clock(self.net), None, telling)
        zones = tuple(name(zone) for zone in world.delegations if zone != ".")
        terms = Terms(frozenset({name("xa.")}), 60.0)
        self.watcher.configure(Followed(zones, 0, terms, "generation"))

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        step(self.net, self.watcher, seconds)

    def kinds(self) -> set[tuple[str, str]]:
        """What was told of which zone."""
        return {(to_text(told.zone), told.change.kind.value) for told in self.told}

    def ttls(self, delegation: Delegation) -> list[int]:
        """Of the NS sets of parent and zone."""
        sides = (delegation.parent, delegation.zone)
        return [self.world.zones[side].records[delegation.zone]["NS"].ttl for side in sides]

    def changed(self, delegation: Delegation, left: list[str]) -> None:
        """Have parent and zone name these servers from now on."""
        for zone in (delegation.parent, delegation.zone):
            records = self.world.zones[zone].records[delegation.zone]
            records["NS"] = replace(records["NS"], rdatas=tuple(left))
        for host in self.net.hosts.values():
            cast(WorldHost, host).forget()


def names(servers: tuple[tuple[str, str], ...]) -> set[str]:
    return {server for server, _ in servers}


def gone(world: World) -> set[tuple[str, str]]:
    """What is to be told of zones that no server serves."""
    served = Truth(world).reachable()
    return {(zone, "unreachable") for zone in world.delegations if zone not in served}


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_is_seen_is_true(seed: int) -> None:
    watch = Watch(make_world("small", seed), loss=0.0)
    watch.run(FIRST)
    truth = Truth(watch.world)
    apart = 0
    for zone, watched in watch.watcher.zones.items():
        delegation = watch.world.delegations[to_text(zone)]
        assert watched.kept is not None, to_text(zone)
        seen = watched.kept.seen
        assert seen.delegated
        if seen.parent is not None:
            apart += 1
            assert set(map(to_text, seen.parent)) == names(delegation.parent_set)
        if seen.child is not None:
            assert set(map(to_text, seen.child)) == names(delegation.child_set)
        for server, found in seen.addresses:
            stands = {at for known, at in delegation.all() if known == to_text(server)}
            assert set(map(address_text, found)) <= stands
    assert apart > len(watch.watcher.zones) / 2
    assert watch.kinds() == gone(watch.world)
    assert truth.avoidable_exchanges(roles(watch.net, truth)) == []
    assert watch.net.scheduler.needless == 0


@pytest.mark.parametrize("seed", range(1, 5))
def test_loss_raises_no_false_alarm(seed: int) -> None:
    watch = Watch(make_world("small", seed), loss=0.1)
    watch.run(MINUTES * 60)
    assert watch.watcher.looks["done"] > len(watch.watcher.zones)
    assert watch.kinds() == gone(watch.world)
    assert watch.net.scheduler.needless == 0


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_delegation_that_is_changed_is_told_and_no_other(seed: int) -> None:
    watch = Watch(make_world("small", seed), loss=0.02)
    watch.run(FIRST)
    chance = Random(seed)
    zones = [
        found
        for found in watch.world.delegations.values()
        if found.parent == "xa." and found.parent_set == found.child_set
        if len(names(found.parent_set)) > 1
        if all(watch.world.servers[at].fault.serves for _, at in found.all())
        if all(ttl <= 7200 for ttl in watch.ttls(found))
    ]
    chosen = chance.choice(zones)
    left = sorted(names(chosen.parent_set))[1:]
    began = watch.net.now
    watch.changed(chosen, left)
    ttl = max(watch.ttls(chosen))
    watch.run(ttl + limits_watch.WATCH_TICK_SECONDS + 30)
    assert (chosen.zone, "shrunk") in watch.kinds()
    first = next(told for told in watch.told if told.change.kind.value == "shrunk")
    assert began < first.time - Clock.BEGAN <= began + ttl + 30
    assert {zone for zone, _ in watch.kinds() - gone(watch.world)} == {chosen.zone}
