"""Fixtures of the unit tests that need closing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.door_rig import Rig


@pytest.fixture
def rigs() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(port: int, **settings: Any) -> Rig:
        made.append(Rig(port, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.door.close()
