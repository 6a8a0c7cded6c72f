"""Compiled modules are used while they are those of the sources, and never otherwise."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resolver import compiled

ASK = "import policy.border, resolver.names as n, resolver.compiled as c; print(n.__file__, c.USED)"

built = pytest.mark.skipif(
    not (compiled.BUILT.is_dir() and (compiled.BUILT / compiled.key()).is_dir()),
    reason="nothing is compiled for these sources (deploy/setup.sh does)",
)


def run(root: Path, program: str = ASK, **environment: str) -> str:
    """What a new interpreter with the packages of ``root`` prints."""
    inherited = {k: v for k, v in os.environ.items() if k != "INLAND_COMPILED"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env=inherited | {"PYTHONPATH": str(root)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the product with what is compiled for it."""
    for name in ("resolver", "policy"):
        ignore = shutil.ignore_patterns("native", "__pycache__")
        shutil.copytree(compiled.ROOT / name, tmp_path / name, ignore=ignore)
    (tmp_path / "deploy").mkdir()
    shutil.copy(compiled.ROOT / "deploy" / "compile.py", tmp_path / "deploy")
    if compiled.BUILT.is_dir():
        shutil.copytree(compiled.BUILT, tmp_path / ".run" / "compiled")
    return tmp_path


@built
def test_what_matches_is_used(copy: Path) -> None:
    assert run(copy).startswith(str(copy / ".run" / "compiled" / compiled.key()))


@built
def test_the_switch_turns_it_off(copy: Path) -> None:
    assert run(copy, INLAND_COMPILED="0").split() == [str(copy / "resolver" / "names.py"), "None"]


@built
@pytest.mark.parametrize("edited", ["resolver/names.py", "resolver/task.py", "policy/border.py"])
def test_an_edited_source_is_not_hidden(copy: Path, edited: str) -> None:
    with (copy / edited).open("a", encoding="utf-8") as file:
        file.write("\nEDITED = True\n")
    module = edited.removesuffix(".py").replace("/", ".")
    assert run(copy).split() == [str(copy / "resolver" / "names.py"), "None"]
    assert run(copy, f"import {module} as m; print(m.EDITED)") == "True\n"


@built
def test_a_library_that_does_not_load_is_left_alone(copy: Path) -> None:
    (library,) = (copy / ".run" / "compiled" / compiled.key()).glob(compiled.GROUP + "*")
    library.write_bytes(b"no library")
    assert run(copy).split() == [str(copy / "resolver" / "names.py"), "None"]


def test_without_sources_or_a_directory_it_runs_interpreted(copy: Path) -> None:
    shutil.rmtree(copy / ".run", ignore_errors=True)
    assert run(copy).split() == [str(copy / "resolver" / "names.py"), "None"]
    (copy / "deploy" / "compile.py").unlink()
    (copy / ".run" / "compiled").mkdir(parents=True)
    assert run(copy).split() == [str(copy / "resolver" / "names.py"), "None"]


def test_what_is_compiled_is_there_and_named_once() -> None:
    assert all(path.is_file() for path in compiled.sources(compiled.ROOT))
    assert len(set(compiled.MODULES)) == len(compiled.MODULES)
