"""``inland audit`` on a world on loopback: real sockets, and the server's own counts."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from resolver.cli import build
from testbed.control import configuration, start
from testbed.loopback import Loopback
from testbed.truth import Truth
from tests.audit_world import BARE, MIRRORED, ROOTED, audited_names, survives_truly

NAMES = ["comx", "www.nosuch.gov.xa", "xa"]


@pytest.fixture(scope="module")
def world() -> Any:
    backend = start("small:2", speed=10)
    yield backend
    backend.stop()


@pytest.fixture
def config(world: Loopback, tmp_path: Path) -> str:
    path = tmp_path / "inland.yaml"
    path.write_text(json.dumps(configuration(world.world, world)))
    return str(path)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(build(["audit"]), ["audit", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def test_every_name_of_the_world_as_json(world: Loopback, config: str, tmp_path: Path) -> None:
    truth = Truth(world.world)
    names = audited_names(world.world)
    listed = tmp_path / "names"
    listed.write_text("# all of them\n" + "\n".join(names) + "\n\n")
    world.reset()
    told = json.loads(run("-f", str(listed), "-c", config, "--json"))
    counted = sum(count for _, _, count in world.roles())
    assert sum(told["exchanges"].values()) == counted
    assert truth.avoidable_exchanges(world.roles()) == []
    assert [row["name"] for row in told["names"]] == names
    for row in told["names"]:
        assert [
            row["survives_bare"],
            row["survives_with_root_mirror"],
            row["survives_with_root_and_cctld_mirrors"],
        ] == [survives_truly(truth, row["name"], s) for s in (BARE, ROOTED, MIRRORED)]
    assert sum(told["verdicts"].values()) == len(names)
    assert {row["what"] for row in told["by_country"]} == {"XA", "XB", "XC", "XD", "XE"}


def test_csv_and_table(config: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*NAMES, "-c", config, "--csv"))))
    assert [row["kind"] for row in rows] == ["breaks", "stays home", "stays home"]
    assert rows[0]["breaks_at"] == "comx."
    assert rows[0]["fix"] == "one more domestic server for comx."
    text = run(*NAMES, "-c", config)
    assert "breaks at" in text
    assert "2 stays home, 1 breaks" in text


def test_strict_tells_by_exit_code(config: str) -> None:
    run("xa", "-c", config, "--strict")
    run("comx", "-c", config, "--strict", code=4)


def test_a_mirror_in_the_configuration_counts(world: Loopback, tmp_path: Path) -> None:
    told = configuration(world.world, world)
    told["mirrors"] = {"zones": [{"zone": "comx.", "primaries": ["127.0.0.1"]}]}
    told["state"] = {"directory": str(tmp_path / "state")}
    path = tmp_path / "inland.yaml"
    path.write_text(json.dumps(told))
    found = json.loads(run("comx", "-c", str(path), "--json"))
    assert found["mirrored"] == ["comx."]
    assert found["names"][0]["verdict"] == "stays home"
    assert not found["names"][0]["survives_bare"]


def test_wrong_input_is_told(config: str, tmp_path: Path) -> None:
    run("-c", config, code=2)
    run("xa", "-c", config, "--json", "--csv", code=2)
    listed = tmp_path / "names"
    listed.write_text("xa\na..b\nok.xa # fine\n" + "x" * 64 + "\n")
    result = CliRunner().invoke(build(["audit"]), ["audit", "-f", str(listed), "-c", config])
    assert f"{listed}:2:" in str(result.exception)
    assert f"{listed}:4:" in str(result.exception)
    assert ":3:" not in str(result.exception)


def test_html_beside_the_table(config: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.html"
    assert "1 breaks" in run("comx", "-c", config, "--html", str(path))
    told = path.read_text()
    assert told.startswith("<!doctype html>")
    assert told.count("<svg") == 1
    result = CliRunner().invoke(
        build(["audit"]), ["audit", "xa", "-c", config, "--html", str(tmp_path)]
    )
    assert "cannot be written" in str(result.exception)
