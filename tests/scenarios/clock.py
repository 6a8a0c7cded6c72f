"""Wall clock of the resolver under test.

The clock is moved by preloading a small library (clock.c) which adds an
offset, kept in a shared file, to CLOCK_REALTIME. libfaketime can be used
instead. Both only work for dynamically linked programs; a resolver that reads
CONFORMANCE_CLOCK itself (a text file holding the offset in seconds) needs
neither.
"""

from __future__ import annotations

import calendar
import re
import struct
import subprocess
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "clock.c"
LIBRARY_GLOBS = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)


def find_faketime() -> str | None:
    for pattern in LIBRARY_GLOBS:
        for path in sorted(Path("/").glob(pattern.lstrip("/"))):
            return str(path)
    return None


def build_shim(directory: Path) -> str | None:
    """Compile the preload library; None when there is no C compiler."""
    out = directory / "clockshim.so"
    try:
        subprocess.run(
            ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(out), str(SOURCE)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return str(out)


def parse_date(text: str) -> float | None:
    """YYYYMMDDHHMMSS or seconds; None for values that mean 'no override'."""
    text = text.strip().strip("\"'")
    if re.fullmatch(r"\d{14}", text):
        return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%S")))
    if re.fullmatch(r"\d+", text):
        return float(text)
    return None


class Clock:
    """Offset of the resolver's wall clock from the real one."""

    def __init__(
        self, directory: Path, start: float | None, shim: str | None, faketime: str | None
    ):
        self.path = directory / "clock"
        self.shared = directory / "clock.shm"
        self.shim, self.faketime = shim, faketime
        self.offset = 0.0 if start is None else start - time.time()
        self.shared.write_bytes(b"\0" * 8)
        self.file = self.shared.open("r+b", buffering=0)
        self.write()

    @property
    def works(self) -> bool:
        return bool(self.shim or self.faketime)

    def write(self) -> None:
        nxt = self.path.with_suffix(".next")
        nxt.write_text(f"{self.offset:+.3f}\n")
        nxt.replace(self.path)
        self.file.seek(0)
        self.file.write(struct.pack("=q", int(self.offset * 1e9)))

    def advance(self, seconds: float) -> None:
        self.offset += seconds
        self.write()

    def now(self) -> float:
        return time.time() + self.offset

    def environment(self) -> dict[str, str]:
        if self.shim:
            return {"LD_PRELOAD": self.shim, "CONFORMANCE_CLOCK_SHM": str(self.shared)}
        if not self.faketime:
            return {}
        return {
            "LD_PRELOAD": self.faketime,
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
