"""``inland audit NAME…|-f LIST``: what names depend on, whether they survive a cut, what helps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resolver import names
from resolver.audit.bounds import AUDIT_NAMES_MAX
from resolver.cli.options import ConfigFile, Json, WorldName, loading
from resolver.errors import BadName, InlandError

if TYPE_CHECKING:
    from resolver.audit.report import Report

BREAKS_EXIT = 4
"""Exit code with ``--strict`` when a name breaks."""


def audit(
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Names to audit.")
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option(
            "-f", "--file", metavar="LIST", help="File with one name a line; # begins a comment."
        ),
    ] = None,
    config: ConfigFile = None,
    world: WorldName = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print one CSV row a name.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one self-contained HTML page as well."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help=f"Exit code {BREAKS_EXIT} when a name breaks.")
    ] = False,
) -> None:
    """Show what names depend on, and which of them survive a cut of the border.

    Each name gets a verdict (stays home, survives a cut, breaks at ZONE) and, where there is one,
    the cheapest single change that lets it survive. Servers abroad are asked only for zones that
    no domestic server serves; every exchange is counted.

    Exit code: 0 when the audit was made, whatever it found; 1 for a bad name, list or
    configuration; 2 for wrong usage; 4 with --strict when a name breaks.
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    wanted = [*map(names.from_text, subjects or []), *(read_list(listed) if listed else [])]
    if not wanted:
        raise typer.BadParameter("give names, or a list with -f LIST")
    if len(wanted) > AUDIT_NAMES_MAX:
        raise InlandError(f"{len(wanted)} names; at most {AUDIT_NAMES_MAX} in one audit")
    report = _made(wanted, config, world)
    _write(report, as_json, as_csv, html)
    if strict and report.verdicts.get("breaks"):
        raise typer.Exit(BREAKS_EXIT)


def read_list(path: Path) -> list[names.Name]:
    """Names of a file, one a line. Raises ``InlandError`` with every bad line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InlandError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    found, wrong = [], []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.append(names.from_text(text))
        except BadName as error:
            wrong.append(f"{path}:{number}: {error}")
    if wrong:
        raise InlandError("\n".join(wrong))
    return found


def _made(wanted: list[names.Name], config: Path | None, world: str | None) -> "Report":
    from resolver.audit.report import make_report
    from resolver.audit.run import run

    with loading(config, world) as load, _progress(len(set(wanted))) as progress:
        found = run(load(), wanted, progress)
    return make_report(
        found.closure,
        found.paths,
        found.policy.home,
        found.cctlds,
        found.mirrored,
        found.exchanges,
        found.seconds,
    )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal; nothing where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("names"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[exchanges]} exchanges"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("names", total=total, exchanges=0)

        def told(done: int, exchanges: int) -> None:
            bar.update(task, completed=done, exchanges=exchanges)

        yield told


def _write(report: "Report", as_json: bool, as_csv: bool, html: Path | None) -> None:
    import json

    from resolver.cli import audit_text

    if html is not None:
        from resolver.audit.page import page

        try:
            html.write_text(page(report), encoding="utf-8")
        except OSError as error:
            raise InlandError(f"{html}: cannot be written: {error.strerror}") from error
    if as_json:
        print(json.dumps(report.plain(), indent=1))
    elif as_csv:
        print(audit_text.csv_of(report), end="")
    else:
        audit_text.show(report)
