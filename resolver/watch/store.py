"""What the watch knows, on disk, so that a change while the resolver was down is told too.

One file of JSON for all zones, written beside the old one, brought to the disk, and renamed. The
file has a format, a version and a SHA-256 over the rest.

Limitations: who may write the directory is trusted.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from policy.whole_file import replace
from resolver.errors import InlandError, StateError
from resolver.limits_watch import WATCH_FILE_OCTETS_MAX, WATCH_TOLD_MAX
from resolver.names import Name, from_text, to_text
from resolver.watch.changes import Change, Kind
from resolver.watch.seen import Seen, from_plain

FILE = "watch.json"
_FORMAT = "inland watch"
_VERSION = 1


class Told(NamedTuple):
    """A change that was told. ``time``: seconds since the epoch."""

    time: float
    change: Change


class Kept(NamedTuple):
    """What is known of a zone: its sets, and the last changes, oldest first."""

    seen: Seen
    told: tuple[Told, ...] = ()

    def grown(self, seen: Seen, more: tuple[Told, ...]) -> "Kept":
        """A newer state with the changes that led to it; only the last ones are kept."""
        return Kept(seen, (*self.told, *more)[-WATCH_TOLD_MAX:])


def save(folder: Path, zones: Mapping[Name, Kept]) -> None:
    """Write what is known. Raises ``StateError``."""
    plain = {to_text(zone): _plain(kept) for zone, kept in sorted(zones.items())}
    body = json.dumps(plain, separators=(",", ":"))
    head = {
        "format": _FORMAT,
        "version": _VERSION,
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(path, json.dumps(head).encode(), b"\n", body.encode(), b"\n")
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error


def load(folder: Path) -> dict[Name, Kept]:
    """What was known when it was last written; nothing without a file.

    Raises:
        StateError: the file is torn, too large, or of another version.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            octets = file.read(WATCH_FILE_OCTETS_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}") from error
    if len(octets) > WATCH_FILE_OCTETS_MAX:
        raise StateError(f"{path}: over {WATCH_FILE_OCTETS_MAX:,} octets")
    line, _, body = octets.partition(b"\n")
    body = body.removesuffix(b"\n")
    try:
        head = json.loads(line)
        if not isinstance(head, dict) or head.get("format") != _FORMAT:
            raise StateError(f"{path}: not a file of the watch")
        if head.get("version") != _VERSION:
            raise StateError(f"{path}: of version {head.get('version')}, not {_VERSION}")
        if hashlib.sha256(body).hexdigest() != head.get("sha256"):
            raise StateError(f"{path}: torn: its octets are not those that were written")
        return {from_text(text): _read(value) for text, value in json.loads(body).items()}
    except StateError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InlandError) as error:
        raise StateError(f"{path}: cannot be read: {error}") from error


def _plain(kept: Kept) -> dict[str, Any]:
    told = [
        {"time": one.time, "kind": one.change.kind.value, "detail": one.change.detail}
        for one in kept.told
    ]
    return {"seen": kept.seen.plain(), "told": told}


def _read(value: Mapping[str, Any]) -> Kept:
    told = tuple(
        Told(float(one["time"]), Change(Kind(one["kind"]), str(one["detail"])))
        for one in value["told"]
    )
    return Kept(from_plain(value["seen"]), told[-WATCH_TOLD_MAX:])
