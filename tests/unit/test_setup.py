"""What set-up asks for and states is one thing everywhere: the least Rust, the source ports."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CARGO = ROOT / "resolver" / "native" / "Cargo.toml"
PORTS_MIN = 1 << 15  # from here on the kernel chooses source ports, and sockets are used again


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


def test_every_deployment_gives_the_kernel_one_range_of_ports_and_a_wide_one() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose" / "compose.yaml").read_text())
    resolver = compose["services"]["resolver"]
    assert "network_mode" not in resolver  # on the host's network no such setting may be stated
    first, last = map(int, resolver["sysctls"]["net.ipv4.ip_local_port_range"].split())
    assert last - first + 1 >= PORTS_MIN
    for name in ("deploy/systemd/inland.sysctl.conf", "docs/operations.md"):
        said = re.findall(r'ip_local_port_range ?= ?"?(\d+) (\d+)', (ROOT / name).read_text())
        assert set(said) == {(str(first), str(last))}, name
