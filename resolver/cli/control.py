"""``inland control``: ask the running server, over its local socket."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Annotated, Any

import typer

from resolver.cli.options import Json

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Ask the running server for its state, to forget, to reload.\n\n"
        "Exit code 3 when it cannot be reached, 1 when it says no."
    ),
)

Socket = Annotated[
    Path,
    typer.Option(
        "--socket",
        metavar="PATH",
        envvar="INLAND_SOCKET",
        help="The server's socket: control.socket of its configuration.",
    ),
]


@app.command()
def status(socket: Socket, as_json: Json = False) -> None:
    """Show what the server does and has done."""
    _print(_ask(socket, {"command": "status"}), as_json)


@app.command()
def flush(
    socket: Socket,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name to forget.", show_default=False)
    ] = None,
    subtree: Annotated[bool, typer.Option("--subtree", help="Also all names below.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Forget all names, and what is known of servers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Forget what is cached of a name, of it and all below, or of everything."""
    if (name is None) == (not everything):
        raise typer.BadParameter("give either a NAME or --all")
    request = {"command": "flush", "name": name, "subtree": subtree, "all": everything}
    _print(_ask(socket, request), as_json)


@app.command()
def health(
    socket: Socket,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds that each reply may take.", min=0.01)
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Ask the server over DNS at each of its addresses. Exit code 1 when one is silent, 3 when the
    control socket is; an address that is not on this machine now counts neither way."""
    from resolver.health import examine

    found = examine(socket, timeout)
    _print(dict(found.addresses), as_json)
    if not found.good:
        raise typer.Exit(1)


@app.command()
def reload(socket: Socket, as_json: Json = False) -> None:
    """Read the configuration again. A bad file changes nothing: it says why and exits with 1."""
    _print(_ask(socket, {"command": "reload"}), as_json)


@app.command()
def watch(
    socket: Socket,
    zone: Annotated[
        str | None,
        typer.Argument(metavar="ZONE", help="One followed zone; else all.", show_default=False),
    ] = None,
    look: Annotated[bool, typer.Option("--look", help="Look now, then show.")] = False,
    as_json: Json = False,
) -> None:
    """Show the delegations that are followed: how they stand, and what has changed in them."""
    reply = _ask(socket, {"command": "watch", "zone": zone, "look": look})
    if as_json:
        print(json.dumps(reply))
        return
    if not reply["zones"]:
        print("no delegation is followed: border.zones, watch.zones or a country pack names them")
    for name, facts in reply["zones"].items():
        _print_zone(name, facts)


def _print_zone(name: str, facts: Mapping[str, Any]) -> None:
    looked = facts.get("looked_seconds_ago")
    ago = "not looked at yet" if looked is None else f"looked at {looked:.0f} s ago"
    print(f"{name} {facts['state'].replace('_', ' ')}, {ago}, "
          f"next look in {facts['next_look_in_seconds']:.0f} s")  # fmt: skip
    if facts.get("delegated"):
        print(f"  servers by parent  {_text(facts['parent'])}")
        print(f"  servers by zone    {_text(facts['child'])}")
        print(f"  operators          {_text(facts['operators'])}")
        print(f"  addresses          {_text(facts['addresses'])}")
        where = _text(facts["verdicts"]) if facts["verdicts"] else "not looked at yet"
        print(f"  where              {where}")
        print(f"  DS key tags        {_text(facts['key_tags'])}")
    for change in facts.get("changes", ()):
        print(f"  {change['seconds_ago']:.0f} s ago: {change['kind']}: {change['detail']}")


mirror = typer.Typer(no_args_is_help=True, help="Copies of zones.")
app.add_typer(mirror, name="mirror")


@mirror.command()
def refresh(
    socket: Socket,
    zone: Annotated[
        str, typer.Argument(metavar="ZONE", help='The mirrored zone; "." is the root.')
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Take it whole, even when it has shrunk.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at the sources of a mirror now, and show how it stands then."""
    _print(_ask(socket, {"command": "mirror", "zone": zone, "force": force}), as_json)


def _ask(socket: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    from resolver.control import request as ask

    return ask(socket, request)


def _print(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(reply))
        return
    width = max((len(key) for key in reply), default=0)
    columns = get_terminal_size().columns if sys.stdout.isatty() else None
    for key, value in reply.items():
        head = f"{key.replace('_', ' '):<{width}}  "
        for text in _lines(value):
            line = head + text
            if columns is not None:  # in a pipe each stays one line, for who cuts it up
                line = fill(line, columns, subsequent_indent=" " * len(head),
                            break_long_words=False, break_on_hyphens=False)  # fmt: skip
            print(line)
            head = " " * len(head)


def _lines(value: object) -> list[str]:
    """A line for each of several things that have a name and facts, such as mirrors."""
    if isinstance(value, dict) and value and all(isinstance(it, dict) for it in value.values()):
        return [f"{name} {_text(facts)}" for name, facts in value.items()]
    return [_text(value)]


def _text(value: object) -> str:
    if isinstance(value, dict):
        words = (f"{str(key).replace('_', ' ')} {_text(part)}" for key, part in value.items())
        return ", ".join(words) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "none" if value is None else str(value)
