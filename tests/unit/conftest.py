"""Fixtures of the unit tests that need closing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.door_rig import Rig
from tests.unit.listener_rig import ListenerRig
from tests.unit.plan_rig import PlanRig


@pytest.fixture(params=[False, True], ids=["own_ports", "kernel_ports"])
def either_ports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source ports of planned exchanges of either choice."""
    monkeypatch.setattr(PlanRig, "kernel_ports", request.param)


@pytest.fixture(params=[False, True], ids=["own_ports", "kernel_ports"])
def rigs(request: pytest.FixtureRequest) -> Iterator[Callable[..., Rig]]:
    """Makes doors with their counters; all tests run with source ports of either choice."""
    made: list[Rig] = []

    def make(port: int, **settings: Any) -> Rig:
        made.append(Rig(port, **{"kernel_ports": request.param} | settings))
        return made[-1]

    yield make
    for rig in made:
        rig.door.close()


@pytest.fixture
def listeners() -> Iterator[Callable[..., ListenerRig]]:
    """Makes listeners with their caches and counters."""
    made: list[ListenerRig] = []

    def make(*hosts: str, **settings: Any) -> ListenerRig:
        made.append(ListenerRig(*hosts, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()
