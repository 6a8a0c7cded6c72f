"""Fixtures of the system tests: the small world, and a resolver in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.control import Loopback
from tests.system.mirror_serving import Nowhere
from tests.system.serving import Serving


@pytest.fixture(scope="session")
def world() -> Iterator[Loopback]:
    with Loopback("small") as running:
        yield running


@pytest.fixture
def serving(world: Loopback, tmp_path: Path) -> Iterator[Serving]:
    with Serving(world, tmp_path) as running:
        yield running


@pytest.fixture
def nowhere(tmp_path: Path) -> Nowhere:
    return Nowhere(tmp_path)


@pytest.fixture
def closing() -> Iterator[list[Any]]:
    """Things that are stopped at the end."""
    made: list[Any] = []
    yield made
    for thing in reversed(made):
        thing.__exit__(None, None, None)
