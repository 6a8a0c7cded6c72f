"""Options that several commands share, and how a command gets its configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resolver.errors import InlandError

if TYPE_CHECKING:
    from resolver.assemble import Load
    from testbed.loopback import Loopback

ConfigFile = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", help="Configuration file (YAML)."),
]
WorldName = Annotated[
    str | None,
    typer.Option(
        "--world",
        metavar="NAME",
        help="Run on a simulated country on loopback, started for this command: NAME or"
        " NAME:SEED. No network and no privileges are needed.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
SocketPath = Annotated[
    Path | None,
    typer.Option(
        "--socket",
        metavar="PATH",
        help="Ask the running server: control.socket of its configuration. What it has proven and"
        " what it remembers count.",
    ),
]


@contextmanager
def loading(config: Path | None, world: str | None) -> Iterator["Load"]:
    """How to read the configuration; a world that was asked for runs meanwhile."""
    from resolver import assemble

    if world is None:
        if config is None:
            raise typer.BadParameter("give a configuration with -c FILE, or a world with --world")
        yield assemble.file_loader(config)
        return
    with running_world(world) as backend:
        from testbed.control import configuration

        base = configuration(backend.world, backend)
        base["control"] = {"socket": str(backend.folder / "inland.socket")}
        yield assemble.world_loader(base, config)


@contextmanager
def running_world(name: str, port: int = 0) -> Iterator["Loopback"]:
    """A world on loopback for as long as the command runs."""
    from testbed.control import start
    from testbed.remote import BackendError

    try:
        backend = start(name, port)
    except (BackendError, ValueError) as error:
        raise InlandError(f"world {name}: {error}") from error
    try:
        yield backend
    finally:
        backend.stop()
