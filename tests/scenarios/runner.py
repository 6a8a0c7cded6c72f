"""Find scenarios and run each in a process of its own, since a namespace cannot be left."""

import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scenarios.clock import build_shim

ROOT = Path(__file__).resolve().parent.parent.parent
DIALECTS = {"deckard": "deckard", "unbound": "testbound"}


@dataclass(frozen=True, slots=True)
class Found:
    """A scenario file: SUITE/FILE-WITHOUT-SUFFIX, where it is, which dialect it speaks."""

    name: str
    path: Path
    dialect: str | None


@dataclass(slots=True)
class Result:
    """How one scenario ended: ``pass``, ``fail`` or ``skip``, and why."""

    status: str
    reason: str
    seconds: float
    undefined: list[str] = field(default_factory=list)
    upstream: int = 0
    directory: str = ""

    def line(self, label: str) -> str:
        note = self.reason
        if self.undefined:
            note += f" [{len(self.undefined)} unscripted upstream questions]"
        if self.directory:
            note += f" ({self.directory})"
        return f"{self.status.upper():4} {label} {self.seconds:.2f}s" + (
            f": {note.strip()}" if note.strip() else ""
        )


def shared() -> Path | None:
    """The folder of third-party scenarios, below ``INLAND_SHARED`` or ``../shared``."""
    where = Path(os.environ.get("INLAND_SHARED", ROOT.parent / "shared")) / "scenarios"
    return where if where.is_dir() else None


def collect(suites: Iterable[tuple[str, Path]], wanted: Iterable[str]) -> list[Found]:
    """Scenarios of the suites whose name is wanted (shell patterns; nothing wanted: all)."""
    names = set(wanted)
    exact = {name for name in names if not any(c in name for c in "*?[")}
    patterns = names - exact
    return [
        Found(name, path, DIALECTS.get(suite))
        for suite, directory in suites
        for path in sorted(directory.glob("*.*rpl"))
        for name in [f"{suite}/{path.stem}"]
        if not names or name in exact or any(fnmatch.fnmatch(name, p) for p in patterns)
    ]


def variants(found: Found, qmin: str) -> list[tuple[str, bool]]:
    """Which QNAME minimisation settings to run a scenario with, by label."""
    fixed = None
    if found.dialect != "testbound":
        for line in found.path.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.strip().partition(":")
            if key == "query-minimization":
                fixed = value.split(";")[0].split("#")[0].strip().lower() in ("on", "yes", "true")
            if line.startswith("CONFIG_END"):
                break
    if found.dialect == "testbound" or fixed is not None:
        return [(found.name, True if fixed is None else fixed)]
    if qmin == "both":
        return [(f"{found.name}+qmin", True), (f"{found.name}-qmin", False)]
    return [(found.name, qmin == "on")]


def run_all(
    scenarios: Iterable[Found],
    options: dict[str, Any],
    *,
    qmin: str = "on",
    jobs: int = 1,
    limit: float = 120.0,
) -> Iterator[tuple[str, Result]]:
    """Run them, ``jobs`` at a time, ``limit`` seconds each; results in the order of names."""
    with (
        tempfile.TemporaryDirectory(prefix="inland-scenarios-") as scratch,
        ThreadPoolExecutor(max_workers=max(1, jobs)) as pool,
    ):
        options = {"shim": build_shim(Path(scratch)), **options}
        futures = [
            (label, pool.submit(_run_one, found, {**options, "qmin": on}, limit))
            for found in scenarios
            for label, on in variants(found, qmin)
        ]
        for label, future in futures:
            yield label, future.result()


def _run_one(found: Found, options: dict[str, Any], limit: float) -> Result:
    given = json.dumps({"path": str(found.path), "dialect": found.dialect, **options})
    argv = [sys.executable, "-m", "tests.scenarios.worker", given]
    began = time.monotonic()
    try:
        run = subprocess.run(
            argv, capture_output=True, text=True, timeout=limit, check=False, cwd=ROOT
        )
        return Result(**json.loads(run.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return Result("fail", f"took more than {limit:.0f} s", time.monotonic() - began)
    except (IndexError, ValueError):
        why = "runner died: " + run.stderr.strip()[-300:]
        return Result("fail", why, time.monotonic() - began)
