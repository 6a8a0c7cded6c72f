"""Fixtures of the unit tests that need closing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.door_rig import Rig
from tests.unit.listener_rig import ListenerRig


@pytest.fixture
def rigs() -> Iterator[Callable[..., Rig]]:
    """Makes doors with their counters."""
    made: list[Rig] = []

    def make(port: int, **settings: Any) -> Rig:
        made.append(Rig(port, **settings))
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
