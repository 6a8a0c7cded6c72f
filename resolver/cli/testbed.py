"""``inland testbed``: the simulated countries."""

import json
import signal
from typing import Annotated

import typer

from resolver.cli.options import Json, running_world

app = typer.Typer(
    no_args_is_help=True,
    help="Simulated countries on loopback addresses: real servers, real packets, no network.",
)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the worlds that can be run."""
    from testbed.control import list_worlds

    worlds = [{"name": spec.name, "about": spec.about} for spec in list_worlds()]
    if as_json:
        print(json.dumps(worlds))
        return
    width = max(len(world["name"]) for world in worlds)
    for world in worlds:
        print(f"{world['name']:<{width}}  {world['about']}")
    print("\nAny of them takes a seed, as in small:7. Try: inland serve --world small")


@app.command()
def up(
    world: Annotated[
        str, typer.Argument(metavar="WORLD", help="NAME or NAME:SEED; see: inland testbed list")
    ],
    port: Annotated[int, typer.Option(help="Port of all its servers; 0 takes a free one.")] = 5311,
) -> None:
    """Run a world's servers in the foreground, until Ctrl-C."""
    from testbed.control import configuration

    with running_world(world, port) as backend:
        # Blocked only now, since the world's process would inherit it; sigwait takes them then.
        ends = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        keys = configuration(backend.world, backend)
        keys["control"] = {"socket": str(backend.folder / "inland.socket")}
        path = backend.folder / "inland.yaml"
        path.write_text(json.dumps(keys, indent=2) + "\n")
        servers = len(backend.world.servers)
        print(f"World {world}: {len(backend.world.zones)} zones on {servers} servers, up.")
        print("\nA resolver for it, in another terminal:")
        print(f"  inland serve -c {path}")
        print("A root server, asked directly:")
        root = backend.world.delegations["."].parent_set[0][1]
        print(f"  dig @{root} -p {backend.port} . NS +norecurse")
        print("Some names to ask the resolver for:")
        tags = {question.tag: question for question in backend.world.questions}
        for tag in ("positive", "wildcard", "alias_across", "nxdomain", "tcp"):
            if (question := tags.get(tag)) is not None:
                print(f"  dig @127.0.0.1 -p 5300 {question.name} {question.rtype}")
        print("\nCtrl-C ends it.", flush=True)
        signal.sigwait(ends)
