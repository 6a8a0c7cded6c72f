"""Fixtures of the system tests: the small world, a resolver in it, what is deployed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.control import Loopback
from tests.system.deployed import ROOT, RUN, build_image, build_wheel, needs_docker, remove_all
from tests.system.mirror_serving import Nowhere
from tests.system.serving import Serving


@pytest.fixture(scope="session")
def world() -> Iterator[Loopback]:
    with Loopback("small") as running:
        yield running


@pytest.fixture(scope="session")
def near_world() -> Iterator[Loopback]:
    """The small world with a twentieth of its latency, for what asks much and one at a time."""
    with Loopback("small", speed=20) as running:
        yield running


@pytest.fixture
def serving(world: Loopback, tmp_path: Path) -> Iterator[Serving]:
    with Serving(world, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this clone."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def docker_there() -> None:
    """Skips where there is no Docker, before anything is built for it."""
    needs_docker()


@pytest.fixture(scope="session")
def image(docker_there: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """The image of the resolver; all that the tests of it start ends with it.

    ``INLAND_TEST_IMAGE`` names one that is there, to try it without building it again;
    ``INLAND_TEST_RUST`` has it built without a wheel, with Rust in the container.
    """
    if there := os.environ.get("INLAND_TEST_IMAGE"):
        yield there
        remove_all()
        return
    if os.environ.get("INLAND_TEST_RUST"):
        yield build_image(RUN)
        remove_all()
        return
    wheel: Path = request.getfixturevalue("wheel")
    offered = ROOT / "dist" / RUN / wheel.name  # the build sees nothing outside of the clone
    offered.parent.mkdir(parents=True)
    shutil.copy(wheel, offered)
    try:
        yield build_image(RUN, WHEEL=str(offered.relative_to(ROOT)))
    finally:
        shutil.rmtree(offered.parent)
        remove_all()


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
