"""What a scenario file holds: packets, entries, ranges, steps, and the settings in front."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import dns.name
import dns.rdata

SECTIONS = ("QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL")


class ParseError(Exception):
    """The file is not a scenario this reader understands."""


@dataclass
class Record:
    owner: dns.name.Name
    rdclass: int
    rdtype: int
    ttl: int = 3600
    rdata: dns.rdata.Rdata | None = None


@dataclass
class Packet:
    flags: int = 0
    opcode: int = 0
    rcode: int = 0
    want_do: bool = False
    want_co: bool = False
    sections: dict[str, list[Record]] = field(default_factory=lambda: {s: [] for s in SECTIONS})
    present: set[str] = field(default_factory=set)
    edns_options: bytes | None = None
    raw: bytes | None = None
    sleep: float = 0.0

    @property
    def question(self) -> list[Record]:
        return self.sections["QUESTION"]


@dataclass
class Entry:
    line: int
    match: set[str] = field(default_factory=set)
    match_args: dict[str, str] = field(default_factory=dict)
    adjust: set[str] = field(default_factory=set)
    adjust_args: dict[str, str] = field(default_factory=dict)
    packets: list[Packet] = field(default_factory=lambda: [Packet()])
    mandatory: bool = False
    fired: int = 0
    unsupported: str | None = None

    @property
    def packet(self) -> Packet:
        return self.packets[0]


@dataclass
class Range:
    start: int
    end: int
    addresses: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)


@dataclass
class Step:
    number: int
    kind: str
    line: int
    address: str | None = None
    args: str = ""
    entry: Entry | None = None
    file_lines: list[str] | None = None


@dataclass
class Clause:
    name: str
    items: list[tuple[str, str]] = field(default_factory=list)

    @overload
    def get(self, key: str) -> str | None: ...
    @overload
    def get(self, key: str, default: str) -> str: ...
    def get(self, key: str, default: str | None = None) -> str | None:
        for k, v in self.items:
            if k == key:
                return v
        return default

    def all(self, key: str) -> list[str]:
        return [v for k, v in self.items if k == key]


@dataclass
class Scenario:
    path: Path
    dialect: str
    title: str = ""
    clauses: list[Clause] = field(default_factory=list)
    config_lines: list[str] = field(default_factory=list)
    flat: list[tuple[str, str]] = field(default_factory=list)
    temp_files: dict[str, str] = field(default_factory=dict)
    autotrust: dict[str, str] = field(default_factory=dict)
    command_line: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    text: str = ""

    @property
    def name(self) -> str:
        return self.path.stem

    def option(self, key: str, default: str | None = None) -> str | None:
        """Last value of a server option (or flat option)."""
        found = default
        for k, v in self.flat:
            if k == key:
                found = v
        for clause in self.clauses:
            if clause.name == "server":
                for k, v in clause.items:
                    if k == key:
                        found = v
        return found

    def kinds(self) -> set[str]:
        return {s.kind for s in self.steps}


def strip_comment(line: str, chars: str = ";") -> str:
    """Cut a trailing comment, leaving quoted text alone."""
    quoted = False
    i = 0
    while i < len(line):
        c = line[i]
        if c == "\\":
            i += 2
            continue
        if c == '"':
            quoted = not quoted
        elif c in chars and not quoted:
            return line[:i].rstrip()
        i += 1
    return line.rstrip()


def address(text: str) -> str:
    """One spelling per address, so that strings can be compared."""
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError as exc:
        raise ParseError(f"bad address {text!r}") from exc


def to_bool(text: str) -> bool:
    return text.strip().strip("\"'").lower() in ("yes", "on", "true", "1")
