"""``inland where ADDRESS|NAME…``: the verdict on an address, with every voice.

Responsible for showing what the policy knows of addresses, as a table or as JSON. Names are handed
to a function that the caller gives (the machinery of ``explain``), so that nothing here sends
anything.

Limitations: without a configuration there is no home, so countries are shown without a verdict.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from policy.border import Policy
from policy.inputs import PolicyInputs
from policy.load import load_policy
from resolver.cli.measured import Measured, by_server, proof_in_words, said_in_words
from resolver.cli.options import SocketPath
from resolver.config import load
from resolver.egress import with_ways
from resolver.errors import BadName
from resolver.model import Address, address_from_text
from resolver.names import Name, from_text
from resolver.policy_of import policy_of
from resolver.shown import located

Resolve = Callable[[Name, Path | None], Sequence[Address]]
"""Addresses of a name, under the configuration file given; may raise ``InlandError``."""

Found = tuple[str, list[Address]]
"""What was asked and the addresses that it stands for."""

_COLOURS = {"domestic": "green", "foreign": "red", "unknown": "yellow"}


def where_command(resolve: Resolve | None) -> Callable[..., None]:
    """The command, with the function that resolves names (``None``: addresses only)."""

    def where(
        subjects: Annotated[
            list[str], typer.Argument(metavar="ADDRESS|NAME", help="What to locate.")
        ],
        config: Annotated[
            Path | None,
            typer.Option("--config", "-c", metavar="FILE", help="Configuration with home."),
        ] = None,
        socket: SocketPath = None,
        ask: Annotated[
            bool,
            typer.Option(
                "--ask",
                help="Have the running server ask it who it is: id.server, hostname.bind, NSID.",
            ),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    ) -> None:
        """Show where addresses are, and who says so.

        Without a configuration there is no home, so countries are shown without a verdict.

        Exit code: 0 when all could be looked up, 1 for a bad configuration or name.
        """
        if socket is not None and config is not None:
            raise typer.BadParameter("--socket asks a running server; leave -c out")
        if socket is not None:
            rows = [by_server(socket, subject, ask) for subject in subjects]
        else:
            rows = _rows(subjects, resolve, config, Measured(config, ask))
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
        else:
            _show(rows, Console())

    return where


def _rows(
    subjects: Sequence[str], resolve: Resolve | None, config: Path | None, measured: Measured
) -> list[dict[str, Any]]:
    policy = _policy(config)
    found = [_addresses(subject, resolve, config) for subject in subjects]
    return [
        located(measured.take_in(policy, address), asked, address) | {"proof": measured.of(address)}
        for asked, many in found
        for address in many
    ]


def _policy(config: Path | None) -> Policy:
    if config is not None:
        return with_ways(policy_of(load(config))[0], time.monotonic)
    return load_policy(PolicyInputs(home=frozenset()))


def _addresses(subject: str, resolve: Resolve | None, config: Path | None) -> Found:
    try:
        return subject, [address_from_text(subject)]
    except ValueError:
        name = from_text(subject)  # raises BadName
    if resolve is None:
        raise BadName(f"{subject!r} is not an IP address")
    return subject, list(resolve(name, config))


def _show(rows: list[dict[str, Any]], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, leading=1)
    for heading in ("Address", "Verdict", "Evidence"):
        # Addresses are never folded: they are copied from here.
        table.add_column(heading, no_wrap=heading == "Address")
    for row in rows:
        verdict = str(row["verdict"] or "no home given")
        country = str(row["country"] or "country not known")
        evidence = row["evidence"]
        voices = "\n".join(f"{voice['source']}: {voice['detail']}" for voice in evidence)
        table.add_row(
            Text(_address(row)),
            Text.assemble((verdict, _COLOURS.get(verdict, "")), f"\n{country}"),
            Text(
                f"{voices or 'no voice'}\nweighed: {row['because']}\ngrade: {row['grade']}"
                + proof_in_words(row["proof"])
                + said_in_words(row["proof"])
            ),
        )
    console.print(table)


def _address(row: dict[str, Any]) -> str:
    address, asked = str(row["address"]), str(row["asked"])
    text = address if asked == address else f"{address}\n{asked}"
    return f"{text}\nnever asked" if row["never_asked"] else text
