"""``inland where`` and ``inland check``: what they print, and their exit codes."""

import hashlib
import json
import os
import time
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


def test_where_shows_every_voice_with_date_and_hash(tmp_path: Path) -> None:
    (tmp_path / "geo.csv").write_text("8.8.8.0,8.8.8.255,IN\n198.41.0.0,198.41.0.255,IN\n")
    (tmp_path / "probed.txt").write_text("9.9.9.9\n")
    path = tmp_path / "inland.yaml"
    path.write_text(
        "home: [IN]\nborder:\n  databases: [geo.csv]\n  anycast: [probed.txt]\n"
        "  interfaces: {lo: domestic}\n"
    )
    rows = json.loads(
        run("where", "8.8.8.8", "9.9.9.9", "198.41.0.4", "127.0.0.1", "-c", str(path), "--json")
    )
    assert [row["verdict"] for row in rows] == ["unknown", "unknown", "unknown", "domestic"]
    sources = [[voice["source"] for voice in row["evidence"]] for row in rows]
    registered = ["registry iptocc", "database geo"]
    assert [[s for s in some if s != "operator"] for some in sources] == [
        registered,
        ["anycast probed", *registered],
        ["anycast built-in", *registered],
        [],
    ]
    geo = rows[0]["evidence"][-1]
    assert geo["sha256"] == hashlib.sha256((tmp_path / "geo.csv").read_bytes()).hexdigest()
    assert len(geo["date"]) == len("2026-01-01")
    assert rows[0]["because"] == (
        "a contradiction about the border: inside by database geo; outside by registry iptocc"
    )
    assert rows[2]["because"].startswith("a known anycast address")
    assert rows[3]["evidence"][0]["detail"] == "border.interfaces lo: stated domestic"
    text = " ".join(run("where", "8.8.8.8", "-c", str(path)).replace("│", " ").split())
    assert "contradiction about the border" in text


def test_check_reports_all_bad_lines_of_all_sources(tmp_path: Path) -> None:
    (tmp_path / "feed.csv").write_text("11.0.0.0/8,IN\nx\n11.0.0.0/99,IN\n")
    (tmp_path / "rir").write_text("<html>\n")
    path = tmp_path / "bad.yaml"
    path.write_text(
        "home: [IN]\nborder:\n  geofeeds:\n    - feed.csv\n  registry_files: [rir]\n"
        "  databases: [none.mmdb]\n"
    )
    report = json.loads(run("check", str(path), "--json", code=1))
    found = [(e["line"], e["path"], e["message"].partition(": ")[0]) for e in report["errors"]]
    assert sorted(found) == [
        (4, "border.geofeeds[0]", f"{tmp_path / 'feed.csv'} line 2"),
        (4, "border.geofeeds[0]", f"{tmp_path / 'feed.csv'} line 3"),
        (5, "border.registry_files[0]", f"{tmp_path / 'rir'} line 1"),
        (6, "border.databases[0]", f"{tmp_path / 'none.mmdb'}"),
    ]


def test_check_warns_of_old_sources(tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text("11.0.0.0/8,IN\n")
    path = tmp_path / "inland.yaml"
    path.write_text("home: [IN]\nborder:\n  geofeeds: [feed.csv]\n")
    for days, warned in ((170, False), (200, True)):
        then = time.time() - days * 86_400
        os.utime(feed, (then, then))
        report = json.loads(run("check", str(path), "--json"))
        assert any(w.startswith("geofeed feed: of ") for w in report["warnings"]) is warned


def test_sources_of_one_kind_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "built-in.txt").write_text("9.9.9.9\n")
    path = tmp_path / "bad.yaml"
    path.write_text(
        "home: [IN]\nborder:\n  anycast: [built-in.txt]\n"
        "  geofeeds: [a/x.csv, b/x.csv, {path: a/x.csv, name: y}]\n"
    )
    report = json.loads(run("check", str(path), "--json", code=1))
    assert [error["path"] for error in report["errors"]] == [
        "border.anycast[0]",
        "border.geofeeds[1]",
        "border.geofeeds[2]",
    ]
