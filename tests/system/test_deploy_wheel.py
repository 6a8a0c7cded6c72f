"""The wheel, installed apart from the clone, is the whole program with all its data."""

import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.system.deployed import ROOT, run


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents in a folder of their own; what it depends on is that of the tests."""
    folder = tmp_path_factory.mktemp("site")
    words = ("--quiet", "--no-deps", "--no-index", "--target", str(folder))
    run(sys.executable, "-m", "pip", "install", *words, str(wheel))
    return folder


def inland(site: Path, *words: str) -> str:
    """What the installed command prints, away from the clone."""
    done = subprocess.run(
        [sys.executable, site / "bin" / "inland", *words],
        cwd="/",
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_what_the_packages_hold_and_nothing_else(wheel: Path) -> None:
    inside = {
        name for name in ZipFile(wheel).namelist() if not name.split("/")[0].endswith(".dist-info")
    }
    listing = run("git", "ls-files", "--cached", "--others", "--exclude-standard", check=False)
    if listing.returncode:
        pytest.skip("not a git clone")
    expected = {
        name
        for name in listing.stdout.splitlines()
        if name.split("/")[0] in ("resolver", "policy", "testbed")
        and not name.startswith("resolver/native/")
        and (ROOT / name).exists()
    }
    assert inside == expected | {"resolver/_native.abi3.so"}
    assert "resolver/data/packs/IN.yaml" in inside
    assert "resolver/data/root.hints" in inside
    assert "resolver/data/identities.json" in inside


def test_it_runs_from_where_it_is_installed(site: Path) -> None:
    program = "import resolver, policy, resolver._native as n; print(resolver.__file__, n.__file__)"
    done = run(sys.executable, "-P", "-c", program, environment={"PYTHONPATH": str(site)})
    assert [Path(name).parent for name in done.stdout.split()] == [site / "resolver"] * 2


def test_packs_hints_and_identities_are_found(site: Path, tmp_path: Path) -> None:
    assert "India" in inland(site, "pack", "list")
    file = tmp_path / "inland.yaml"
    file.write_text("pack: IN\nborder: {place: {city: Mumbai}}\n")
    assert "valid" in inland(site, "check", str(file))
    assert inland(site, "where", "198.41.0.4", "-c", str(file))


def test_it_resolves_in_a_world(site: Path) -> None:
    shown = json.loads(inland(site, "explain", "--world", "small", "--json", ".", "SOA"))
    assert shown
