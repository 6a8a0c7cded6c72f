"""What the command line and the tests need of the testbed: names of worlds, backends, settings.

:func:`configuration` gives the keys of Inland's YAML with which a resolver lives in a world: home,
prefixes on both sides of the border, hints and port.
"""

from pathlib import Path
from typing import Any, Final, Protocol

from testbed.loopback import Loopback
from testbed.world import HOME, SPECS, AddressPlan, Spec, World, make_world

DEFAULT_WORLD: Final = "country"


class Backend(Protocol):
    """What serves a world: :class:`testbed.loopback.Loopback` or :class:`testbed.netns.Netns`."""

    world: World
    port: int

    @property
    def folder(self) -> Path:
        """A place for files of this run."""


def list_worlds() -> tuple[Spec, ...]:
    """Every world by name; each also takes a seed, as ``NAME:SEED``."""
    return tuple(SPECS.values())


def start(name: str = DEFAULT_WORLD, port: int = 0, speed: float = 1.0) -> Loopback:
    """A world served on loopback; end it with ``stop()``.

    Args:
        name: ``NAME`` or ``NAME:SEED``.
        port: UDP and TCP port of all its servers; 0 takes a free one.
        speed: divides every latency.

    Raises:
        ValueError: no such world.
        BackendError: it did not start.
    """
    return Loopback(name, port, speed).start()


def configuration(world: World, backend: Backend) -> dict[str, Any]:
    """Keys of ``inland.yaml`` for a resolver in this world; writes the hints file beside it."""
    hints = backend.folder / "root.hints"
    hints.write_text(world.hints())
    return {
        "home": [HOME],
        "resolution": {
            "root_hints": str(hints),
            "upstream_port": backend.port,
            "never_ask": [],
            "ipv6": False,  # name servers of these worlds have IPv4 addresses only
        },
        "border": {
            "domestic": world.domestic_prefixes,
            "foreign": world.foreign_prefixes,
        },
    }


__all__ = [
    "DEFAULT_WORLD",
    "AddressPlan",
    "Backend",
    "Loopback",
    "configuration",
    "list_worlds",
    "make_world",
    "start",
]
