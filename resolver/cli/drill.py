"""``inland drill``: replay questions under a policy before it is live, and list who would fail.

Responsible for the command line and for how the outcome is shown.

Limitations: the policy files of the configuration do not count for the trial, only those given.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resolver.cli.options import ConfigFile, Json, WorldName, loading

if TYPE_CHECKING:
    from resolver.drill import Row

SHOWN = 50  # rows of each fate in text


def drill(
    policy: Annotated[
        list[Path],
        typer.Option("--policy", metavar="FILE", help="Policy file to try; several: in order."),
    ],
    queries: Annotated[
        Path,
        typer.Option(
            "--queries",
            metavar="FILE",
            help="Questions: NAME TYPE [CLIENT] a line, or a file of pcap, pcapng or dnstap.",
        ),
    ],
    config: ConfigFile = None,
    world: WorldName = None,
    as_json: Json = False,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of DNS in a capture of packets.")
    ] = 53,
) -> None:
    """Replay questions under a policy, and list who would fail and why.

    Each question is resolved twice from nothing, under the policy in force and under the one that
    is tried. No client is touched.

    Exit code: 0 when nobody would fail, 4 when somebody would, 1 for a bad file.
    """
    from resolver import drill as engine

    asked, skipped = engine.read_asking(queries, port)
    for why, count in skipped.items():
        typer.echo(f"{queries}: left out {count}: {why}", err=True)
    with loading(config, world) as load:
        live = load()
        trial = engine.on_trial(live, tuple(policy))
        groups = engine.grouped(live.policy, trial.policy, asked)
        replayed = engine.replay(live, trial, groups)
        with typer.progressbar(replayed, length=len(groups), file=sys.stderr) as bar:
            rows = list(bar)
    report = report_of(rows)
    typer.echo(json.dumps(report, indent=2) if as_json else "\n".join(_text(report)))
    if report["fates"]["fails"]:
        raise typer.Exit(4)


def report_of(rows: "list[Row]") -> dict[str, Any]:
    """How many questions meet which fate, by rule too, and each that does not stay as it is."""
    from policy.words import name_text
    from resolver.drill import Fate, why

    fates = dict.fromkeys((fate.value for fate in Fate), 0)
    rules: dict[str, int] = {}
    for row in rows:
        fates[row.fate.value] += row.lines
        if row.fate in (Fate.FAILS, Fate.ALTERED):
            rules[row.trial.rule or "none"] = rules.get(row.trial.rule or "none", 0) + row.lines
    changed = [row for row in rows if row.fate not in (Fate.SAME, Fate.FAILED)]
    changed.sort(key=lambda row: (row.fate.value, -row.lines, row.question))
    return {
        "questions": sum(row.lines for row in rows),
        "fates": fates,
        "rules": dict(sorted(rules.items(), key=lambda pair: -pair[1])),
        "changed": [
            {
                "name": name_text(row.question.name),
                "type": _type(row.question.rtype),
                "view": row.view,
                "count": row.lines,
                "fate": row.fate.value,
                "why": why(row),
                "live": row.live._asdict(),
                "trial": row.trial._asdict(),
            }
            for row in changed
        ],
    }


def _type(rtype: int) -> str:
    from policy.rule_units import type_text

    return type_text(rtype)


def _text(report: dict[str, Any]) -> list[str]:
    fates = report["fates"]
    out = [
        f"{report['questions']} questions: {fates['fails']} would fail, {fates['altered']} would"
        f" get another answer, {fates['works']} would work that fail now, {fates['failed']} fail"
        f" either way, {fates['same']} stay as they are"
    ]
    out += [f"  by rule {rule}: {count}" for rule, count in report["rules"].items()]
    shown: dict[str, int] = {}
    for row in report["changed"]:
        shown[row["fate"]] = shown.get(row["fate"], 0) + 1
        if shown[row["fate"]] <= SHOWN:
            view = f" (view {row['view']})" if row["view"] != "others" else ""
            times = f" ×{row['count']}" if row["count"] > 1 else ""
            out.append(f"{row['fate']:>8}  {row['name']} {row['type']}{view}{times}: {row['why']}")
    out += [
        f"{fate:>8}  and {count - SHOWN} more (--json lists all)"
        for fate, count in shown.items()
        if count > SHOWN
    ]
    return out
