"""``inland explain``: resolve one name from nothing and show every exchange it took."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resolver import names
from resolver.cli.options import ConfigFile, Json, WorldName, loading
from resolver.errors import InlandError

if TYPE_CHECKING:
    from resolver.model import Address


def explain(
    name: Annotated[str, typer.Argument(help="Name to resolve.", show_default=False)],
    rtype: Annotated[str, typer.Argument(metavar="TYPE", help="Record type.")] = "A",
    config: ConfigFile = None,
    world: WorldName = None,
    as_json: Json = False,
) -> None:
    """Resolve NAME once and show every exchange that it took.

    Caches start empty. Shown are who was asked, where that server is and how we know, why it was
    chosen, and what it said.
    """
    from resolver import explain as engine
    from resolver.cli import explanation

    question = explanation.question_of(name, rtype)
    with loading(config, world) as load:
        told = explanation.told_of(engine.explain(load(), question), question)
    if as_json:
        print(json.dumps(told))
    else:
        explanation.show(told)


def addresses_of(name: names.Name, config: Path | None) -> "Sequence[Address]":
    """Addresses of a name, resolved under this configuration: for ``inland where``."""
    from resolver import assemble, compose, model
    from resolver import explain as engine

    if config is None:
        raise InlandError("a name is resolved under a configuration: give one with -c FILE")
    loaded = assemble.file_loader(config)()
    found: list[Address] = []
    for rtype in (model.Type.A, model.Type.AAAA):
        result = engine.explain(loaded, model.Question(name, rtype)).result
        found += compose.addresses_in(result.answer)
    if not found:
        raise InlandError(f"{names.to_text(name)} has no addresses")
    return found
