"""A file of evidence as plain values: ranges of addresses, what is said of each, and what is wrong.

Responsible for what the readers of all text formats share: rows of ranges in the form that the
table is compiled from, a bounded list of faults with their lines, and reading addresses fast.

Limitations: what is said is kept once for each different text, at most 2^32 - 1 of them.
"""

import re
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import NamedTuple, final

from policy.verdict import country_of
from resolver.limits import EVIDENCE_FAULTS_MAX

_VALUE = struct.Struct("=I")
_ROW4 = struct.Struct(">II")
_OCTETS = {str(number): number for number in range(256)}
_HEAD_OF_V6 = re.compile(r"([0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})::")
V4_END = 1 << 32
V6_END = 1 << 128


class Said(NamedTuple):
    """What a file says of a range: the country if it names one, and its words."""

    country: str | None
    words: str


@final
@dataclass(slots=True)
class Listing:
    """What a reader made of one file. Usable when there are no :attr:`faults`."""

    date: str | None = None  # ISO, where the file tells
    rows4: bytearray = field(default_factory=bytearray)
    rows6: bytearray = field(default_factory=bytearray)
    lines4: "array[int]" = field(default_factory=lambda: array("I"))
    lines6: "array[int]" = field(default_factory=lambda: array("I"))
    said: list[Said] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    faults_total: int = 0
    _numbers: dict[Said, bytes] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Ranges that were read."""
        return len(self.lines4) + len(self.lines6)

    def fault(self, line: int, words: str) -> None:
        """Note what is wrong with a line; past the bound faults are only counted."""
        self.faults_total += 1
        if len(self.faults) < EVIDENCE_FAULTS_MAX:
            self.faults.append((line, words))

    def add(self, version: int, first: int, last: int, said: Said, line: int) -> None:
        """Take in one range, both ends included."""
        value = self._numbers.get(said) or self._number(said)
        if version == 4:
            self.rows4 += _ROW4.pack(first, last)
            self.rows4 += value
            self.lines4.append(line)
        else:
            self.rows6 += first.to_bytes(16, "big") + last.to_bytes(16, "big") + value
            self.lines6.append(line)

    def _number(self, said: Said) -> bytes:
        self.said.append(said)
        value = self._numbers[said] = _VALUE.pack(len(self.said))
        return value

    def overlap(self, family: int, one: int, other: int) -> None:
        """Note that two rows are equal or cross, as the compiler found."""
        lines = self.lines4 if family == 4 else self.lines6
        first, second = sorted((lines[one], lines[other]))
        self.fault(second, f"covers addresses of line {first} without lying inside it")


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their number from 1, without what ends them (LF or CRLF)."""
    for number, line in enumerate(text.split("\n"), 1):
        yield number, line.removesuffix("\r")


def read_address(text: str) -> tuple[int, int]:
    """Family and number of an address. Raises ``ValueError``."""
    if ":" not in text:
        return 4, ipv4_number(text)
    if found := _HEAD_OF_V6.fullmatch(text):  # nearly all of a registry's, ten times as fast
        groups = found[1].split(":")
        return 6, int("".join(f"{group:0>4}" for group in groups), 16) << (128 - 16 * len(groups))
    if "%" in text:  # a zone has no meaning outside its host
        raise ValueError(f"{shown(text)} is not an address")
    try:
        return 6, int(IPv6Address(text))
    except ValueError:
        raise ValueError(f"{shown(text)} is not an address") from None


def ipv4_number(text: str) -> int:
    """The number of an IPv4 address. Raises ``ValueError``."""
    try:
        one, two, three, four = text.split(".")
        return _OCTETS[one] << 24 | _OCTETS[two] << 16 | _OCTETS[three] << 8 | _OCTETS[four]
    except (ValueError, KeyError):
        raise ValueError(f"{shown(text)} is not an address") from None


def read_prefix(text: str) -> tuple[int, int, int]:
    """Family, first and last number of a prefix; a lone address is a prefix of full length
    (RFC 4632 section 3.1, RFC 4291 section 2.3). Raises ``ValueError``."""
    base, slash, length_text = text.partition("/")
    version, first = read_address(base)
    width = 32 if version == 4 else 128
    if not slash:
        return version, first, first
    if not (length_text.isascii() and length_text.isdigit()) or len(length_text) > 3:
        raise ValueError(f"{shown(text)} is not a prefix")
    length = int(length_text)
    if length > width:
        raise ValueError(f"{shown(text)}: the length is over {width}")
    size = 1 << (width - length)
    if first & (size - 1):
        raise ValueError(f"{shown(text)} has bits set beyond its length")
    return version, first, first + size - 1


def shown(text: str) -> str:
    """A piece of a file as an error shows it."""
    quoted = ascii(text)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…'"


def read_country(code: str) -> str | None:
    """The country of a two-letter code; ``None`` where it stands for a region or "not known".
    Raises ``ValueError`` for what is no code."""
    if code in ("", "-", "??"):
        return None
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        raise ValueError(f"{shown(code)} is not a two-letter country code")
    if code.upper() == "UK":
        raise ValueError("the code of the United Kingdom is GB, not UK")
    return country_of(code)
