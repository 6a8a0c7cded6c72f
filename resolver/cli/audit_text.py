"""An audit as tables for people, and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from resolver.audit.report import Report, Sum, fix_of

NAME_COLUMNS = 32
"""A name up to this long stands on one line, also on a terminal of 80 columns."""

SUMS_SHOWN = 12
"""Rows of each summary on the terminal; JSON and HTML have all."""

_COLOURS = {"stays home": "green", "survives a cut": "yellow", "breaks": "red"}


def csv_of(report: Report) -> str:
    """One row a name, with a heading; lists are joined by spaces."""
    out = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in report.rows:
        plain = {k: " ".join(v) if isinstance(v, tuple) else v for k, v in asdict(row).items()}
        if writer is None:
            writer = csv.DictWriter(out, list(plain))
            writer.writeheader()
        writer.writerow(plain)
    return out.getvalue()


def show(report: Report) -> None:
    """Tables on standard output: names, then the sums."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    longest = max((len(row.name) for row in report.rows), default=0)
    for heading in ("Name", "Verdict", "Because", "Cheapest fix", "Countries"):
        # Names stay whole where they can: they are copied from here.
        whole = heading == "Name" and longest <= NAME_COLUMNS
        table.add_column(heading, overflow="fold", no_wrap=whole)
    for row in report.rows:
        table.add_row(
            Text(row.name),
            Text(row.verdict, style=_COLOURS[row.kind]),
            Text(row.because),
            Text(fix_of(row)),
            Text(" ".join(row.countries)),
        )
    console.print(table)
    if len(report.rows) > 1:
        for heading, sums in (
            ("Zone", report.zones),
            ("Operator", report.operators),
            ("Country", report.countries),
        ):
            console.print(_sums(heading, sums))
    for line in closing(report):
        console.print(Text(line))


def closing(report: Report) -> list[str]:
    """What it all comes to, in lines."""
    total = len(report.rows)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in report.verdicts.items())
    sent = ", ".join(f"{count} {verdict}" for verdict, count in report.exchanges.items())
    lines = [
        f"{total} {'name' if total == 1 else 'names'} in {report.seconds:.1f} s: {verdicts}",
        f"exchanges of this audit: {sent}",
    ]
    if report.mirrored:
        lines.append(f"mirrored by this configuration: {' '.join(report.mirrored)}")
    return lines


def _sums(heading: str, sums: Sequence[Sum]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(heading, overflow="fold")
    for column in ("Names", "Breaks", "Addresses"):
        table.add_column(column, justify="right")
    for entry in sums[:SUMS_SHOWN]:
        table.add_row(Text(entry.what), str(entry.names), str(entry.breaks), str(entry.servers))
    if len(sums) > SUMS_SHOWN:
        table.caption = f"{len(sums) - SUMS_SHOWN} more in --json and --html"
    return table
