"""``inland where`` and ``inland check``: what they print, and their exit codes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from resolver.cli.check import check
from resolver.cli.where import where_command
from resolver.errors import BadName, ConfigError
from resolver.model import Address, address_from_text
from resolver.names import Name, to_text

CONFIG = """\
home: [IN]
border:
  domestic: ["11.0.0.0/8"]
  foreign: [{prefix: "12.0.0.0/8", country: SG}]
"""


def resolve(name: Name, config: Path | None) -> Sequence[Address]:
    assert to_text(name) == "www.gov.in."
    return [address_from_text("11.0.0.1"), address_from_text("12.0.0.1")]


def app(resolver: bool = True) -> typer.Typer:
    made = typer.Typer()
    made.command("where")(where_command(resolve if resolver else None))
    made.command("check")(check)
    return made


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "inland.yaml"
    path.write_text(CONFIG)
    return str(path)


def run(*arguments: str, code: int = 0, resolver: bool = True) -> str:
    result = CliRunner().invoke(app(resolver), list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


def test_where_as_json(config: str) -> None:
    rows = json.loads(run("where", "11.0.0.1", "12.0.0.1", "127.0.0.1", "-c", config, "--json"))
    found = [(row["address"], row["verdict"], row["country"], row["tier"]) for row in rows]
    assert found == [
        ("11.0.0.1", "domestic", "IN", 0),
        ("12.0.0.1", "foreign", "SG", 2),
        ("127.0.0.1", "unknown", None, 1),
    ]
    assert [row["grade"] for row in rows] == ["operator", "operator", "none"]
    assert [row["never_asked"] for row in rows] == [False, False, True]
    assert rows[0]["evidence"][0]["source"] == "operator"


def test_where_as_a_table(config: str) -> None:
    text = run("where", "11.0.0.1", "2001:db8::1", "-c", config)
    for words in (
        "11.0.0.1",
        "domestic",
        "border.domestic",
        "documentation",
        "country not known",
        "weighed",
    ):
        assert words in text


def test_where_takes_names(config: str) -> None:
    rows = json.loads(run("where", "www.gov.in", "-c", config, "--json"))
    assert [(row["asked"], row["address"]) for row in rows] == [
        ("www.gov.in", "11.0.0.1"),
        ("www.gov.in", "12.0.0.1"),
    ]
    assert "www.gov.in" in run("where", "www.gov.in", "-c", config)


def test_where_without_a_configuration_gives_no_verdict() -> None:
    (row,) = json.loads(run("where", "8.8.8.8", "--json"))
    assert (row["verdict"], row["tier"], row["country"]) == (None, None, "US")
    assert "no home given" in run("where", "8.8.8.8")


@pytest.mark.parametrize("subject", ["www.gov.in", "1.2.3.4.5", "a..b"])
def test_where_without_a_resolver_takes_addresses_only(subject: str) -> None:
    result = CliRunner().invoke(app(resolver=False), ["where", subject])
    assert isinstance(result.exception, BadName)


def test_where_with_a_bad_configuration(tmp_path: Path) -> None:
    result = CliRunner().invoke(app(), ["where", "11.0.0.1", "-c", str(tmp_path / "none")])
    assert isinstance(result.exception, ConfigError)


def test_check_of_a_valid_file(config: str) -> None:
    text = run("check", config)
    assert f"{config}: valid, policy generation " in text
    assert "warning: dnssec.validate" in text
    report = json.loads(run("check", config, "--json"))
    assert report["valid"] is True
    assert report["errors"] == []
    assert len(report["generation"]) == 64
    assert report["generation"] in text


def test_check_reports_all_errors(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("home: [IN]\nborder:\n  patience: 2\n  mode: strict\n")
    lines = run("check", str(path), code=1).splitlines()
    assert lines[0].startswith(f"{path}: line 3: border.patience: expected a duration")
    assert lines[1].startswith(f"{path}: line 4: border.mode: expected one of")
    assert lines[-1] == f"{path}: 2 errors"
    report = json.loads(run("check", str(path), "--json", code=1))
    assert [error["line"] for error in report["errors"]] == [3, 4]
    assert report["valid"] is False


def test_check_opens_what_the_file_names(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("home: [IN]\nborder:\n  databases: [none.mmdb]\n")
    lines = run("check", str(path), code=1).splitlines()
    assert lines[0].startswith(f"{path}: line 3: border.databases[0]: ")
    assert "No such file" in lines[0]
    assert lines[-1] == f"{path}: 1 error"
