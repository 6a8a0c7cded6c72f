"""What set-up asks for is what the sources state: one number for the least Rust, everywhere."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARGO = ROOT / "resolver" / "native" / "Cargo.toml"


def test_the_least_rust_is_that_of_the_crate() -> None:
    least = tomllib.loads(CARGO.read_text())["package"]["rust-version"]
    (line,) = re.findall(r"^RUST_LEAST=.*$", (ROOT / "deploy" / "setup.sh").read_text(), re.M)
    done = subprocess.run(
        ["bash", "-c", f'{line}; printf %s "$RUST_LEAST"'],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == least
    assert f"Rust toolchain ({least} or newer)" in (ROOT / "docs" / "operations.md").read_text()


def test_the_python_of_the_package_is_that_of_the_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    least = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["mypy"]["python_version"] == least
    assert project["tool"]["ruff"]["target-version"] == f"py{least.replace('.', '')}"
    major, minor = least.split(".")
    asked = f"sys.version_info < ({major}, {minor})"
    assert asked in (ROOT / "deploy" / "setup.sh").read_text()
