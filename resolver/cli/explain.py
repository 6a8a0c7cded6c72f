"""``inland explain``: resolve one name, from nothing or in the running server, and show every
exchange that it took."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resolver import names
from resolver.cli.options import ConfigFile, Json, SocketPath, WorldName, loading
from resolver.errors import InlandError

if TYPE_CHECKING:
    from resolver.model import Address, Question


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name to resolve.")],
    rtype: Annotated[str, typer.Argument(metavar="TYPE", help="Record type.")] = "A",
    config: ConfigFile = None,
    world: WorldName = None,
    socket: SocketPath = None,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="With --socket: ask for the name even if it is remembered."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Resolve NAME once and show every exchange that it took.

    Caches start empty; with --socket they are those of the running server. Shown are who was asked,
    where that server is and how we know, why it was chosen, and what it said.
    """
    from resolver.cli import explanation

    question = explanation.question_of(name, rtype)
    if socket is not None and (config is not None or world is not None):
        raise typer.BadParameter("--socket asks a running server; leave -c and --world out")
    told = _ask(socket, question, anew) if socket else _resolve(config, world, question, anew)
    if as_json:
        print(json.dumps(told))
    else:
        explanation.show(told)


def _resolve(
    config: Path | None, world: str | None, question: "Question", anew: bool
) -> dict[str, Any]:
    from resolver import explain as engine
    from resolver.shown import told_of

    if anew:
        raise typer.BadParameter("--anew is for --socket: without it nothing is remembered")
    with loading(config, world) as load:
        return told_of(engine.explain(load(), question), question)


def _ask(socket: Path, question: "Question", anew: bool) -> dict[str, Any]:
    from resolver.control import request

    text = names.to_text(question.name)
    return request(
        socket, {"command": "explain", "name": text, "type": question.rtype, "anew": anew}
    )


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
