"""Fixtures of the system tests: the small world, and a resolver in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.control import Loopback
from tests.system.serving import Serving


@pytest.fixture(scope="session")
def world() -> Iterator[Loopback]:
    with Loopback("small") as running:
        yield running


@pytest.fixture
def serving(world: Loopback, tmp_path: Path) -> Iterator[Serving]:
    with Serving(world, tmp_path) as running:
        yield running
