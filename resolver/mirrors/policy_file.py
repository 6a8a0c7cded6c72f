"""Response policy zones from files: read in native, off the interpreter, and each version once.

A file that cannot be read as a zone, or an owner in it that cannot be read as a trigger, is refused
with its lines: a file is an operator's own, and a slip in it must not pass unseen. (In a transfer
such owners are counted and told; see :mod:`policy.rpz_table`.) RFC 1035 section 5.

Limitations: blocks. Types that answers seldom hold are written as in RFC 3597.
"""

import hashlib
import sys
import threading
import zlib
from array import array
from pathlib import Path

from policy.rpz_table import read_file
from policy.rpz_trigger import BadTrigger, read_special
from resolver.limits_rpz import RPZ_COPIES_KEPT, RPZ_OCTETS_MAX, RPZ_RECORDS_MAX
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import unpacked
from resolver.mirrors.refusal import Refused, Why
from resolver.names import Name


class ZoneFiles:
    """Reads zone files; of each zone the last reading is kept. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[Name, tuple[bytes, ZoneCopy]] = {}
        self._lock = threading.Lock()

    def open(self, zone: Name, path: Path) -> ZoneCopy:
        """The zone in a file. Raises ``Refused``."""
        try:
            if path.stat().st_size > RPZ_OCTETS_MAX:
                raise Refused(Why.SIZE, f"over {RPZ_OCTETS_MAX:,} octets")
            octets = path.read_bytes()
        except OSError as error:
            raise Refused(Why.UNREACHABLE, error.strerror or str(error)) from error
        return self.read(zone, octets)

    def read(self, zone: Name, octets: bytes) -> ZoneCopy:
        """The zone in the octets of a file; gzip is unpacked.

        Raises:
            Refused: not a zone file, of another zone, with bad triggers, or too large.
        """
        digest = hashlib.blake2b(octets, digest_size=16).digest()
        with self._lock:
            known = self._known.get(zone)
        if known is not None and known[0] == digest:
            return known[1]
        try:
            text = unpacked(octets)
        except zlib.error as error:
            raise Refused(Why.TORN, f"not a gzip file: {error}") from error
        copy = _read(zone, text)
        with self._lock:
            if len(self._known) >= RPZ_COPIES_KEPT:
                self._known.clear()
            self._known[zone] = digest, copy
        return copy


def _read(zone: Name, text: bytes) -> ZoneCopy:
    try:
        records, data, starts, specials = read_file(zone, text, RPZ_RECORDS_MAX)
    except ValueError as error:
        raise _refused(error.args[0]) from None
    faults = []
    for owner, line in specials:
        try:
            read_special(Name(owner))
        except BadTrigger as error:
            faults.append((line, str(error)))
    if faults:
        raise _refused(faults)
    offsets = array("Q")
    offsets.frombytes(starts)
    assert offsets.itemsize * len(offsets) == len(starts), sys.byteorder
    try:
        return ZoneCopy.of(zone, records, data, offsets)
    except ValueError as error:
        raise Refused(Why.CONSISTENCY, str(error)) from error


_TOLD = 5
"""Faults of one file that are told in one line of the log."""


def _refused(faults: list[tuple[int, str]]) -> Refused:
    told = "; ".join(f"line {line}: {text}" for line, text in faults[:_TOLD])
    more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
    return Refused(Why.TORN, told + more)
