"""The last good state of each evidence file: how much it held, and a copy to start from.

Responsible for remembering, while the program runs and (with a directory) across starts, what was
last accepted of each file, so that an update that shrinks too far is noticed, and so that a start
does not fail for a file that has been torn meanwhile. Copies are written beside and moved into
place; one whose hash does not fit is ignored.

Limitations: a stand-in is used at a start only; at a reload what was running simply stays.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from policy.whole_file import replace

_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Good:
    """What was accepted of a file."""

    digest: str  # SHA-256 in hex
    records: int


@final
class LastGood:
    """What was last accepted of each file. ``directory`` (``None``: nothing is kept on disk) is
    known when the configuration has been read."""

    def __init__(self, stands_in: bool = True) -> None:
        """``stands_in``: a copy may be used for a file that is not good, at a start."""
        self.directory: Path | None = None
        self.problems: tuple[str, ...] = ()  # of what is in force
        self._pending: list[str] = []
        self._accepted: dict[Path, _Good] = {}
        self._opened: dict[Path, _Good] = {}
        self._running = not stands_in

    def begin(self, directory: Path | None) -> None:
        """A load begins: forget what an earlier one has opened."""
        self.directory = directory / "evidence" if directory is not None else None
        self._pending = []
        self._opened = {}

    def records(self, path: Path) -> int | None:
        """Records that the last good state of this file held; ``None`` when none is known."""
        good = self._accepted.get(path) or self._on_disk(path)
        return good.records if good is not None else None

    def opened(self, path: Path, digest: str, records: int) -> None:
        """This file has been read and found good."""
        self._opened[path] = _Good(digest, records)

    def copy_for_start(self, path: Path) -> Path | None:
        """A sound copy of the last good state, unless the program is running already."""
        good = self._on_disk(path) if not self._running else None
        if good is None:
            return None
        copy = self._place(path, ".copy")
        with contextlib.suppress(OSError):
            if hashlib.sha256(copy.read_bytes()).hexdigest() == good.digest:
                return copy
        return None

    def stand_in(self, path: Path, messages: Sequence[str]) -> None:
        """The copy is used, since this is wrong with the file."""
        self._pending.append(f"{messages[0]}; the last good copy of {path.name} stands in")

    def accept(self) -> None:
        """What was opened is in force now: remember it, on disk too.

        Raises ``OSError`` when the directory cannot be written.
        """
        self._running = True
        self.problems = tuple(self._pending)
        self._accepted = self._opened
        if self.directory is None:
            return
        for path, good in self._opened.items():
            if self._on_disk(path) == good:
                continue
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == good.digest:  # not replaced meanwhile
                self.directory.mkdir(parents=True, exist_ok=True)
                replace(self._place(path, ".copy"), data)
                note = {"version": _VERSION, "path": str(path), **asdict(good)}
                replace(self._place(path, ".json"), json.dumps(note).encode())

    def _on_disk(self, path: Path) -> _Good | None:
        if self.directory is None:
            return None
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            note = json.loads(self._place(path, ".json").read_bytes())
            if note["version"] == _VERSION and note["path"] == str(path):
                return _Good(str(note["digest"]), int(note["records"]))
        return None

    def _place(self, path: Path, suffix: str) -> Path:
        assert self.directory is not None
        return self.directory / (hashlib.sha256(str(path).encode()).hexdigest()[:24] + suffix)
