"""Read and write the files that country packs are made from, kept in and checked by.

Responsible for turning a file into the values that the pure modules take, with one clear error
for a file that cannot be used.

Limitations: a file is read whole, up to the bound for its kind.
"""

import json
from pathlib import Path

from policy.polygons import World, decode_world
from resolver.errors import SourceError
from resolver.limits import POLYGONS_OCTETS_MAX


def read_octets(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` octets. Raises ``SourceError``."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= most else b""
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    if max(size, len(data)) > most:
        raise SourceError(f"{path}: {size} octets, more than the {most} that such a file has")
    return data


def read_json(path: Path, most: int) -> tuple[object, bytes]:
    """The value of a JSON file, and its octets. Raises ``SourceError`` with the line."""
    data = read_octets(path, most)
    try:
        return json.loads(data.decode("utf-8")), data
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{path}: line {line}: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise SourceError(f"{path}: line {error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise SourceError(f"{path}: not usable JSON: nested too deep") from None


def read_world(path: Path) -> World:
    """Country polygons. Raises ``SourceError``."""
    value, _ = read_json(path, POLYGONS_OCTETS_MAX)
    try:
        return decode_world(value)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from None
