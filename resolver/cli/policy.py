"""``inland policy show|diff|explain``: rules for people.

Responsible for reading a policy the way the server would, from a configuration or from policy files
alone, and for showing it, comparing two, and telling what a question meets. Nothing is asked of the
network.

Limitations: response policy zones are not asked. From policy files alone nothing is known of home:
the list ``domestic`` is empty, and whether forwarders are in home is not looked at.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from policy.compare import changes
from policy.considered import Step, considered
from policy.decision import NEVER, Asked, Decision
from policy.engine import engine_of, word_of
from policy.rule_units import moment_in, read_moment, read_type, type_text
from policy.rules import Rule, Ruleset, ZonePlace, canonical
from policy.trial import compare
from policy.views import OTHERS
from policy.words import (
    authority_words,
    dates_words,
    decision_words,
    effect_words,
    few,
    match_words,
    moment,
    name_text,
    view_name,
)
from resolver.cli.check_rules import is_policy_file, rules_alone
from resolver.cli.options import Json
from resolver.config import load
from resolver.errors import InlandError
from resolver.names import Name, from_text
from resolver.policy_of import policy_of

app = typer.Typer(
    name="policy", no_args_is_help=True, help="Rules: show them, compare two sets, explain a name."
)

_KINDS = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}


def rules_in(files: Sequence[Path]) -> Ruleset:
    """The rules in force of a configuration, or those of policy files. Raises ``ConfigError``."""
    return both_in(files)[0]


def both_in(files: Sequence[Path]) -> tuple[Ruleset, Ruleset | None]:
    """The rules that a configuration names, or those of policy files; and those in the shadow.

    Raises:
        ConfigError: what is wrong with any of them.
    """
    first = files[0]
    if is_policy_file(first):
        return rules_alone(files), None
    if len(files) > 1:
        raise InlandError(f"{first} is a configuration, which names its policy files itself")
    policy, _ = policy_of(load(first))
    return policy.ruleset or Ruleset(), policy.shadow_ruleset


Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="A configuration, or policy files in order.")
]


@app.command("show")
def show(files: Files, as_json: Json = False) -> None:
    """Show modes, views and rules in the order in which they count.

    Exit code: 0, or 1 when a file cannot be used.
    """
    ruleset = rules_in(files)
    typer.echo(json.dumps(_shown(ruleset), indent=2) if as_json else "\n".join(_lines(ruleset)))


def _shown(ruleset: Ruleset) -> dict[str, object]:
    return {
        "digest": ruleset.digest(),
        "modes": ruleset.modes.canonical(),
        "views": [
            {"name": view.name, "clients": list(map(str, view.clients))} for view in ruleset.views
        ],
        "rules": [
            {"rpz": item.zone} if isinstance(item, ZonePlace) else _rule_shown(item, ruleset)
            for item in ruleset.items
        ],
    }


def _rule_shown(rule: Rule, ruleset: Ruleset) -> dict[str, object]:
    return canonical(rule) | {
        "file": rule.spot.source,
        "line": rule.spot.line,
        "authority": rule.authority._asdict() if rule.authority is not None else None,
        "reference": rule.reference,
        "note": rule.note,
        "words": f"{effect_words(rule.effect)} for {match_words(rule.match, ruleset)}",
    }


def _lines(ruleset: Ruleset) -> list[str]:
    modes = ruleset.modes
    out = [f"mode {modes.general.value}"]
    for entry in modes.entries:
        view = f" view {view_name(ruleset, entry.view)}" if entry.view is not None else ""
        out.append(f"mode {entry.mode.value} for {name_text(entry.zone)} and below{view}")
    if modes.enforced:
        out.append(f"may fail closed: {few(sorted(map(name_text, modes.enforced)))}")
    out += [f"view {view.name}: {few(map(str, view.clients))}" for view in ruleset.views]
    for number, item in enumerate(ruleset.items, 1):
        if isinstance(item, ZonePlace):
            out.append(f"{number:>4}. response policy zone {item.zone}")
            continue
        out.append(f"{number:>4}. {item.name} ({item.spot})")
        words = f"{effect_words(item.effect)} for {match_words(item.match, ruleset)}"
        more = (words, dates_words(item), authority_words(item), item.note)
        out += [f"      {line}" for line in more if line]
    if not ruleset.items:
        out.append("no rules")
    return out


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Configuration or policy file.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Configuration or policy file.")],
    as_json: Json = False,
) -> None:
    """Show what lookups meet otherwise under the new policy, rule by rule.

    Exit code: 0, or 1 when a file cannot be used.
    """
    found = changes(rules_in([old]), rules_in([new]))
    if as_json:
        typer.echo(json.dumps([change._asdict() for change in found], indent=2))
        return
    for change in found:
        typer.echo(f"{_KINDS[change.kind]} {change.subject}: {change.words}")
    if not found:
        typer.echo("no difference")


class Answer(NamedTuple):
    """What a question meets."""

    view: str
    wall: float
    mode: str
    steps: list[Step]
    others: int  # rules that cannot match the name
    found: Decision


@app.command("explain")
def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name asked for.")],
    rtype: Annotated[str, typer.Argument(metavar="TYPE", help="Record type.")] = "A",
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", metavar="FILE", help="Configuration or policy file."),
    ] = None,
    view: Annotated[str, typer.Option("--view", metavar="VIEW", help="View of the client.")] = (
        OTHERS
    ),
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help='Such as 2026-11-22 or "2026-11-22T18:00Z".'),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every rule that is held against a question, and what comes of it.

    Nothing is asked: of rules that need the result it is said that they do.

    Exit code: 0, or 1 when a file, the name, the type or the time cannot be used.
    """
    if config is None:
        raise typer.BadParameter("give a configuration or a policy file with -c FILE")
    ruleset, shadow = both_in([config])
    try:
        number = read_type(rtype.upper())
        wall = moment_in(read_moment(at), UTC, end=False) if at is not None else time.time()
    except ValueError as error:
        raise InlandError(str(error)) from None
    qname = from_text(name)
    answer = answer_of(ruleset, qname, number, view, wall)
    other = None
    if shadow is not None:
        known = {one.name for one in shadow.views}
        other = answer_of(shadow, qname, number, view if view in known else OTHERS, wall)
    if as_json:
        told = _explained(qname, number, answer)
        told["shadow"] = _explained(qname, number, other) if other is not None else None
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo("\n".join(_told(qname, number, answer)))
    if other is not None:
        kind = compare(answer.found, other.found).kind.value
        typer.echo("\n".join([f"in the shadow: {kind}", *_told(qname, number, other)]))


def answer_of(ruleset: Ruleset, name: Name, rtype: int, view: str, wall: float) -> Answer:
    """What a question meets, before any work. Raises ``InlandError`` for a view not there."""
    views = [OTHERS, *(one.name for one in ruleset.views)]
    if view not in views:
        raise InlandError(f"no view {view}; there are {', '.join(views)}")
    asked = Asked(views.index(view), name, rtype, wall)
    bare = Ruleset(ruleset.rules, ruleset.modes, ruleset.views)
    found = engine_of(bare, {}, range(len(views)), validating=False).on_question(asked)
    steps = considered(ruleset, asked)
    mode = ruleset.modes.of(name, asked.view).value
    return Answer(view, wall, mode, steps, len(ruleset.rules) - len(steps), found)


def _explained(name: Name, rtype: int, answer: Answer) -> dict[str, object]:
    found = answer.found
    return {
        "name": name_text(name),
        "type": type_text(rtype),
        "view": answer.view,
        "time": answer.wall,
        "mode": answer.mode,
        "considered": [
            {
                "rule": step.rule.name,
                "file": step.rule.spot.source,
                "line": step.rule.spot.line,
                "effect": step.rule.effect.word,
                "outcome": step.outcome,
                "decides": step.decides,
            }
            for step in answer.steps
        ],
        "rule": found.rule or None,
        "effect": word_of(found),
        "would": found.would or None,
        "waits": found.waits,
        "ede": list(found.ede) if found.ede is not None else None,
        "until": found.until if found.until < NEVER else None,
    }


def _told(name: Name, rtype: int, answer: Answer) -> list[str]:
    found = answer.found
    out = [
        f"{name_text(name)} {type_text(rtype)}, view {answer.view}, {moment(answer.wall)},"
        f" mode {answer.mode}"
    ]
    for step in answer.steps:
        mark = "*" if step.decides else " "
        effect = effect_words(step.rule.effect)
        out.append(f" {mark} {step.rule.name} ({step.rule.spot}) {effect}: {step.outcome}")
    if answer.others:
        out.append(f"   {answer.others} more: not for this name, or later")
    out.append(f"decision: {decision_words(found)}")
    if found.ede is not None:
        out.append(f"the client is told: {found.ede[0]} {found.ede[1]}")
    if found.until < NEVER:
        out.append(f"holds until {moment(found.until)}")
    return out
