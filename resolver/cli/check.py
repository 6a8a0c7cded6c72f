"""``inland check FILE``: all that is wrong with a configuration, at once.

Responsible for reading the file and everything that it names (databases, root hints, certificates)
as the server would, without starting anything, and for what the linter says of rules
(`docs/policy.md`).

Limitations: whether addresses can be bound shows only at start.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from policy.lint import Remark
from resolver.cli.check_rules import is_policy_file, remarks_alone, remarks_on, rules_alone
from resolver.config import Config, load, warnings
from resolver.errors import ConfigError, Finding
from resolver.evidence import evidence_warnings
from resolver.mirrors_of import mirrors_of
from resolver.pack_of import pack_warnings
from resolver.policy_of import policy_of
from resolver.rpz_run import with_zone_files
from resolver.web_tls import web_of


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Configuration or policy file (YAML or JSON).")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Report all errors of a configuration, or of a policy file alone.

    Exit code: 0 when the file is valid (there may be warnings), 1 when it is not.
    """
    report = examine(file)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        typer.echo(_text(report))
    if report["errors"]:
        raise typer.Exit(1)


def examine(file: Path) -> dict[str, object]:
    """What there is to say about a file: ``file``, ``valid``, ``errors`` and ``remarks`` (of the
    linter of rules; both with file, path, line, message), ``warnings``, and where the policy could
    be made its ``generation`` (of a policy file alone: ``digest``)."""
    errors: list[dict[str, object]] = []
    remarks: list[dict[str, object]] = []
    report: dict[str, object] = {"file": str(file), "valid": False, "errors": errors}
    report |= {"warnings": [], "remarks": remarks}
    try:
        if is_policy_file(file):
            rules = rules_alone([file])
            said, report["digest"] = remarks_alone(rules), rules.digest()
        else:
            said = _examine(load(file), report)
    except ConfigError as error:
        errors += (_row(found, Path(error.source)) for found in error.findings)
        return report
    for remark in said:
        spot = remark.spot
        found = Finding(spot.path, remark.message, spot.line, spot.source)
        (errors if remark.level == "error" else remarks).append(_row(found, file))
    report["valid"] = not errors
    return report


def _examine(config: Config, report: dict[str, object]) -> list[Remark]:
    report["warnings"] = warnings(config)
    mirrors_of(config)
    web_of(config)
    policy, _ = policy_of(config)
    policy = with_zone_files(config, policy)
    report["warnings"] = warnings(config) + pack_warnings(config) + evidence_warnings(policy)
    report["generation"] = policy.generation
    return remarks_on(config, policy)


def _row(found: Finding, file: Path) -> dict[str, object]:
    return {
        "file": found.source or str(file),
        "path": found.path,
        "line": found.line,
        "message": found.message,
        "text": str(found),
    }


def _text(report: dict[str, object]) -> str:
    errors, remarks, warned = report["errors"], report["remarks"], report["warnings"]
    assert isinstance(errors, list)
    assert isinstance(remarks, list)
    assert isinstance(warned, list)
    file = report["file"]
    lines = [f"{error['file']}: {error['text']}" for error in errors]
    lines += [f"{remark['file']}: warning: {remark['text']}" for remark in remarks]
    lines += [f"{file}: warning: {text}" for text in warned]
    if report["valid"]:
        of = (
            f"policy generation {report['generation']}" if "generation" in report else "rules alone"
        )
        lines.append(f"{file}: valid, {of}")
    else:
        lines.append(f"{file}: {len(errors)} error{'s' if len(errors) > 1 else ''}")
    return "\n".join(lines)
