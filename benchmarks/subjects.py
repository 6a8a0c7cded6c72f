"""The servers that are measured: how each is found, configured and started.

Configurations are the templates in ``benchmarks/peers/``; a subject starts with an empty cache.
``floor`` is not a resolver: it is what the kernel's system calls cost alone (``floor.c``).

Limitations: IPv4, no validation. Of dnsdist only its own time is charged, not its backend's.
"""

import os
import shutil
import string
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from benchmarks.internet import BULK
from benchmarks.processes import Process, process

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
PORT: Final = 5301
BACKEND: Final = 5302


class Kind(StrEnum):
    """What a subject can be asked."""

    RESOLVER = "resolver"  # every row
    CACHE = "cache"  # answers from a cache in front of a resolver
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Subject:
    """A server: its name, its program, the Debian package and the name of its configuration."""

    name: str
    kind: Kind
    program: str
    package: str
    configuration: str

    def found(self) -> bool:
        """Whether it can run here."""
        return self.name in OURS or shutil.which(self.program) is not None

    def version(self) -> str:
        """As the package manager has it; for ours the commit."""
        if self.name == "floor":
            return "floor.c"
        if self.name == "inland":
            return f"commit {commit()}"
        found = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", self.package],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return found.stdout or "not from a Debian package"


INLAND: Final = Subject("inland", Kind.RESOLVER, "inland", "", "inland.yaml")
FLOOR: Final = Subject("floor", Kind.FLOOR, "floor", "", "")
UNBOUND: Final = Subject("unbound", Kind.RESOLVER, "unbound", "unbound", "unbound.conf")
SUBJECTS: Final = {
    subject.name: subject
    for subject in (
        INLAND,
        UNBOUND,
        Subject("knot-resolver", Kind.RESOLVER, "kresd", "knot-resolver", "knot-resolver.conf"),
        Subject(
            "pdns-recursor", Kind.RESOLVER, "pdns_recursor", "pdns-recursor", "pdns-recursor.conf"
        ),
        Subject("bind9", Kind.RESOLVER, "named", "bind9", "bind9.conf"),
        Subject("dnsdist", Kind.CACHE, "dnsdist", "dnsdist", "dnsdist.conf"),
        FLOOR,
    )
}
OURS: Final = frozenset({INLAND.name, FLOOR.name})
ALIASES: Final = {
    "kresd": "knot-resolver",
    "recursor": "pdns-recursor",
    "named": "bind9",
    "bind": "bind9",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject runs: its directory, the root hints, the built floor, cores and workers."""

    folder: Path
    hints: Path
    floor: Path
    workers: int
    cores: frozenset[int] | None  # of the subject
    other_cores: frozenset[int] | None  # of its backend


@dataclass(frozen=True, slots=True)
class Running:
    """A subject at work: the processes whose time is charged, and those behind it."""

    subject: Subject
    charged: tuple[Process, ...]
    behind: tuple[Process, ...]
    folder: Path

    def ended(self) -> int | None:
        """Exit status of a process that has ended."""
        return next((one.poll() for one in self.charged if one.poll() is not None), None)


def commit() -> str:
    """The commit of this tree, with a mark when it has changes."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or "unknown"


def configuration(subject: Subject, place: Place, port: int) -> str:
    """The text of its configuration. Raises ``KeyError`` when a template asks for what is not."""
    more = f"addLocal('127.0.0.1:{port}', {{ reusePort = true }})\n" * (place.workers - 1)
    values = {
        "WORKERS": place.workers,
        "PORT": port,
        "BACKEND": BACKEND,
        "RUN": place.folder,
        "HINTS": place.hints,
        "SLABS": 1 if place.workers == 1 else 4,
        "LISTEN": f"setLocal('127.0.0.1:{port}', {{ reusePort = true }})\n{more}",
    }
    template = string.Template((HERE / "peers" / subject.configuration).read_text())
    return template.substitute({key: str(value) for key, value in values.items()})


def command(subject: Subject, place: Place, configured: Path, row: str) -> list[str]:
    """The words that start one process of it."""
    at = str(configured)
    match subject.name:
        case "inland":
            program = Path(sys.executable).with_name("inland")
            words = [str(program)] if program.exists() else ["-m", "resolver.cli"]
            return [sys.executable, *words, "serve", "-c", at]
        case "unbound":
            return ["unbound", "-d", "-c", at]
        case "knot-resolver":
            return ["kresd", "-n", "-c", at, str(place.folder)]
        case "pdns-recursor":
            name = configured.stem.removeprefix("recursor-")
            return ["pdns_recursor", f"--config-dir={place.folder}", f"--config-name={name}"]
        case "bind9":
            return ["named", "-f", "-4", "-n", str(place.workers), "-c", at]
        case "dnsdist":
            return ["dnsdist", "--supervised", "--disable-syslog", "-C", at]
        case "floor":
            how = ["forward", str(PORT), BULK[0]] if row == "miss" else ["answer", str(PORT)]
            return [str(place.floor), *how]
    raise AssertionError(subject.name)


@contextmanager
def running(
    subject: Subject, place: Place, row: str, port: int = PORT, wrap: Sequence[str] = ()
) -> Iterator[Running]:
    """The subject with an empty cache, ended at the end; ``wrap``: words in front of it."""
    with ExitStack() as stack:
        behind: tuple[Process, ...] = ()
        if subject.kind is Kind.CACHE:
            back = Place(
                place.folder.with_name("backend"), place.hints, place.floor, 1,
                place.other_cores, None,
            )  # fmt: skip
            behind = stack.enter_context(running(UNBOUND, back, row, BACKEND)).charged
        shutil.rmtree(place.folder, ignore_errors=True)
        place.folder.mkdir(parents=True)
        configured = place.folder / _file_name(subject)
        if subject.configuration:
            configured.write_text(configuration(subject, place, port))
        words = [*wrap, *command(subject, place, configured, row)]
        charged = [
            stack.enter_context(
                process(words, place.folder / "log", place.cores, _environment(subject))
            )
            for _ in range(_processes(subject, place.workers))
        ]
        yield Running(subject, tuple(charged), behind, place.folder)


def _file_name(subject: Subject) -> str:
    # pdns_recursor wants a name of its own form.
    return "recursor-bench.conf" if subject.name == "pdns-recursor" else subject.configuration


def _processes(subject: Subject, workers: int) -> int:
    """Knot Resolver and the floor run a process for each worker, the others threads."""
    return workers if subject.name in ("knot-resolver", "floor") else 1


def _environment(subject: Subject) -> dict[str, str]:
    """Ours runs from this tree, with compiled modules kept as an installed program has them."""
    environment = dict(os.environ)
    if subject.name == "inland":
        environment["PYTHONPATH"] = str(ROOT)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def chosen(names: Iterable[str]) -> list[Subject]:
    """Subjects by name or alias. Raises ``ValueError`` for one that is not known."""
    found = []
    for name in names:
        subject = SUBJECTS.get(ALIASES.get(name, name))
        if subject is None:
            raise ValueError(f"no subject {name!r}: {', '.join(SUBJECTS)}")
        found.append(subject)
    return found
