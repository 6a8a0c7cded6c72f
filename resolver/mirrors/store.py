"""The last good copy of each zone on disk, and when it was last known to be good.

Two files a zone. ``NAME.zone`` is written once for each version: a line of JSON (format, zone,
serial, counts, what was checked, SHA-256 of all else), then offsets and octets as in memory.
``NAME.state`` is a line of JSON that is written after each look at a source. Both are written
beside the old one, brought to the disk, and renamed.

Limitations: a copy is not encrypted, and who may write the directory is trusted.
"""

import hashlib
import json
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.whole_file import replace
from resolver.errors import StateError
from resolver.mirrors.check import Checks
from resolver.mirrors.copy import ZoneCopy
from resolver.names import ROOT, Name, from_text, to_text

_FORMAT = "inland mirror"
_VERSION = 1
_HEADER_OCTETS_MAX = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """A copy with what is known about it. ``checked``: wall time of the last look at a source that
    found it current."""

    copy: ZoneCopy
    checks: Checks
    source: str
    checked: float


def file_stem(zone: Name) -> str:
    """The name of a zone's files: letters, digits, ``-``, ``_`` and dots, all else as ``%XX``."""
    if zone == ROOT:
        return "root"
    safe = (c if c.isalnum() or c in "-_." else f"%{ord(c):02X}" for c in to_text(zone))
    return "".join(safe)  # ends with a dot, which the root's does not


def save(folder: Path, held: Held) -> None:
    """Write a version and its state. Raises ``StateError``."""
    copy = held.copy
    offsets = copy.offsets.tobytes()
    header: dict[str, object] = {
        "format": _FORMAT,
        "version": _VERSION,
        "zone": to_text(copy.apex),
        "serial": copy.serial,
        "records": copy.records,
        "names": len(copy.offsets),
        "order": sys.byteorder,
        "zonemd": held.checks.zonemd,
        "signatures": held.checks.signatures,
        "checked": held.checked,
        "source": held.source,
    }
    digest = hashlib.sha256(json.dumps(header).encode() + offsets)
    digest.update(copy.data)
    header["sha256"] = digest.hexdigest()
    line = json.dumps(header).encode() + b"\n"
    _write(folder, file_stem(copy.apex) + ".zone", (line, offsets, copy.data))
    note(folder, held)


def note(folder: Path, held: Held) -> None:
    """Write the state of a version that is there. Raises ``StateError``."""
    state = {
        "format": _FORMAT,
        "version": _VERSION,
        "serial": held.copy.serial,
        "checked": held.checked,
        "source": held.source,
    }
    _write(folder, file_stem(held.copy.apex) + ".state", (json.dumps(state).encode() + b"\n",))


def load(folder: Path, zone: Name) -> Held | None:
    """The copy on disk; ``None`` when there is none.

    Raises:
        StateError: it is torn, of another version or of another zone.
    """
    path = folder / (file_stem(zone) + ".zone")
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: {error.strerror or error}") from error
    line, _, body = octets[:_HEADER_OCTETS_MAX].partition(b"\n")
    header = dict(_line(path, line))
    body = octets[len(line) + 1 :]
    stated = header.pop("sha256", None)
    digest = hashlib.sha256(json.dumps(header).encode())
    digest.update(body)
    if digest.hexdigest() != stated:
        raise StateError(f"{path}: torn: its octets are not those that were written")
    try:
        names = int(header["names"])
        offsets = array("Q")
        offsets.frombytes(body[: names * offsets.itemsize])
        if header["order"] != sys.byteorder:
            offsets.byteswap()
        if from_text(str(header["zone"])) != zone:
            raise StateError(f"{path}: a copy of {header['zone']}")
        records, came = int(header["records"]), float(header["checked"])
        copy = ZoneCopy.of(zone, records, body[names * offsets.itemsize :], offsets)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StateError(f"{path}: cannot be read: {error}") from error
    checks = Checks(str(header.get("zonemd")), str(header.get("signatures")))
    return _as_noted(folder, Held(copy, checks, str(header.get("source")), came))


def _as_noted(folder: Path, held: Held) -> Held:
    """The copy with when it was last known to be good, and by whom; without a state that fits, that
    is when it came."""
    path = folder / (file_stem(held.copy.apex) + ".state")
    try:
        state = _line(path, path.read_bytes())
    except (OSError, StateError):
        return held
    checked = state.get("checked")
    if state.get("serial") != held.copy.serial or not isinstance(checked, int | float):
        return held
    return Held(held.copy, held.checks, str(state.get("source", held.source)), float(checked))


def _line(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(line)
    except ValueError as error:
        raise StateError(f"{path}: not a file of a mirror") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise StateError(f"{path}: not a file of a mirror")
    if header.get("version") != _VERSION:
        raise StateError(f"{path}: of version {header.get('version')}, not {_VERSION}")
    return header


def _write(folder: Path, name: str, pieces: tuple[bytes, ...]) -> None:
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(path, *pieces)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error
