"""Write a file whole or not at all: what is kept between runs survives a crash at any moment."""

import contextlib
import os
import tempfile
from pathlib import Path


def replace(path: Path, *pieces: bytes, mode: int = 0o644) -> None:
    """Write the pieces, one after the other, so that at any moment the file is the old one or the
    new one, and stays so after a crash. Raises ``OSError``."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
