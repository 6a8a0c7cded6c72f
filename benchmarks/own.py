"""Ours alone, with keys of one's own: what programs beside ``make bench`` share.

Limitations: needs what ``make bench`` needs (root, Knot DNS, a C compiler).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml
from rich.console import Console

from benchmarks.processes import Process, process
from benchmarks.rows import Bench, asked
from benchmarks.run import Plan, prepared
from benchmarks.subjects import INLAND, ROOT, command, configuration

WAIT_SECONDS: Final = 60.0
INSIDE: Final = "INLAND_OWN_INSIDE"


@contextmanager
def resolver(bench: Bench, port: int, ready: str, **keys: Mapping[str, Any]) -> Iterator[Process]:
    """The resolver on a port, with keys in the place of those that benchmarks have; until the end
    it answers. ``ready``: a name that has an answer, or a denial."""
    place = bench.place(INLAND)
    place = replace(place, folder=place.folder.with_name(f"inland-{port}"))
    place.folder.mkdir(parents=True)
    values = yaml.safe_load(configuration(INLAND, place, port)) | keys
    file = place.folder / "inland.yaml"
    file.write_text(json.dumps(values))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words, log = command(INLAND, place, file, ""), place.folder / "log"
    with process(words, log, place.cores, environment) as started:
        ends = time.monotonic() + WAIT_SECONDS
        while asked(ready, "127.0.0.1", port) is None:
            if time.monotonic() > ends or started.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)
        yield started


@contextmanager
def internet() -> Iterator[Bench]:
    """The simulated Internet, its servers, and the generator."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    plan = Plan((), (), (1,), 1, 1, 1.0, 1.0, 1.0, 1)
    with (
        tempfile.TemporaryDirectory(prefix="inland-bench-") as made,
        prepared(Path(made), plan, Console(stderr=True)) as bench,
    ):
        yield bench


def in_a_namespace(module: str) -> None:
    """Become the same program in a network namespace of its own, unless it is in one already."""
    if INSIDE not in os.environ:
        enter(module)


def enter(module: str) -> NoReturn:
    """Never comes back."""
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", module, *sys.argv[1:]])
