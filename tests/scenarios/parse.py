"""Reader for .rpl scenario files.

Two dialects exist in the wild:

* ``testbound``: the part before CONFIG_END is a nested ``server:`` /
  ``stub-zone:`` / ... configuration; steps may hold queries open, check
  outgoing queries, and use ``${...}`` expressions;
* ``deckard``: the part before CONFIG_END is a flat ``key: value`` list and
  every QUERY step waits for its answer.

The body (RANGE / ENTRY / STEP) is shared.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import dns.exception
import dns.flags
import dns.name
import dns.opcode
import dns.rcode

from tests.scenarios.records import RecordReader
from tests.scenarios.script import (
    SECTIONS,
    Clause,
    Entry,
    Packet,
    Range,
    Scenario,
    Step,
    address,
    strip_comment,
)

CLAUSES = {
    "server",
    "stub-zone",
    "forward-zone",
    "auth-zone",
    "rpz",
    "view",
    "remote-control",
    "python",
    "dynlib",
    "cachedb",
    "dnscrypt",
    "dnstap",
    "ipset",
}
HEADER_FLAGS = {"QR", "AA", "TC", "RD", "RA", "AD", "CD"}


class Reader(RecordReader):
    """One file, read line by line."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.text = path.read_text(encoding="utf-8", errors="surrogateescape")
        self.lines = self.text.splitlines()

    def next_line(self) -> str | None:
        if self.pos >= len(self.lines):
            return None
        self.pos += 1
        return self.lines[self.pos - 1]

    # ---- configuration part -------------------------------------------------
    def read_config(self, scn: Scenario) -> None:
        plain: list[str] = []
        while True:
            line = self.next_line()
            if line is None:
                raise self.fail("no CONFIG_END")
            word = line.split(None, 1)[0] if line.split() else ""
            if word == "CONFIG_END":
                break
            if word == "SCENARIO_BEGIN":
                self.pos -= 1
                break
            if word == "COMMANDLINE":
                scn.command_line += line.split()[1:]
            elif word == "AUTOTRUST_FILE":
                scn.autotrust[line.split()[1]] = self.read_until("AUTOTRUST_END")
            elif word == "TEMPFILE_NAME":
                plain.append(f'"@TEMPFILE@{line.split()[1]}"')
            elif word == "TEMPFILE_CONTENTS":
                scn.temp_files[line.split()[1]] = self.read_until("TEMPFILE_END")
            elif line.lstrip().startswith((";", "#")):
                continue
            else:
                plain.append(line)
        scn.config_lines = plain
        nested = any(
            (key_word := re.match(r"\s*([a-z-]+):", p)) is not None and key_word[1] in CLAUSES
            for p in plain
        )
        if nested or scn.dialect == "testbound":
            scn.dialect = "testbound"
            scn.clauses = self.nested_config(plain)
        else:
            scn.dialect = "deckard"
            for p in plain:
                p = strip_comment(p, ";")
                # '#' starts a comment too, but is legal inside quoted text
                p = strip_comment(p, "#")
                key, sep, value = p.partition(":")
                if sep:
                    scn.flat.append((key.strip(), value.strip()))

    def read_until(self, end: str) -> str:
        out: list[str] = []
        while True:
            line = self.next_line()
            if line is None:
                raise self.fail(f"no {end}")
            if line.split() and line.split()[0] == end:
                return "\n".join(out) + "\n"
            out.append(line)

    @staticmethod
    def nested_config(plain: list[str]) -> list[Clause]:
        tokens: list[str] = []
        for p in plain:
            p = strip_comment(p, "#")
            lex = shlex.shlex(p, posix=False)
            lex.whitespace_split = True
            lex.commenters = ""
            lex.quotes = "\"'"
            try:
                tokens += list(lex)
            except ValueError:
                tokens += p.split()
        clauses: list[Clause] = []
        for tok in tokens:
            if re.fullmatch(r"[a-z][a-z0-9-]*:", tok):
                key = tok[:-1]
                if key in CLAUSES:
                    clauses.append(Clause(key))
                else:
                    if not clauses:
                        clauses.append(Clause("server"))
                    clauses[-1].items.append((key, ""))
            elif ":" in tok and re.match(r"[a-z][a-z0-9-]*:[\"']", tok):
                key, value = tok.split(":", 1)
                clauses[-1].items.append((key, unquote(value)))
            elif clauses and clauses[-1].items:
                key, old = clauses[-1].items[-1]
                value = unquote(tok)
                clauses[-1].items[-1] = (key, f"{old} {value}" if old else value)
        return clauses

    # ---- scenario body ------------------------------------------------------
    def keyword_line(self) -> list[str] | None:
        while True:
            line = self.next_line()
            if line is None:
                return None
            words = strip_comment(line).split()
            if not words:
                continue
            if words[0] == "$ORIGIN":
                self.origin = dns.name.from_text(words[1])
            elif words[0] == "$TTL":
                self.ttl = int(words[1])
            else:
                return words

    def read_body(self, scn: Scenario) -> None:
        while True:
            words = self.keyword_line()
            if words is None:
                raise self.fail("no SCENARIO_END")
            key = words[0]
            if key == "SCENARIO_BEGIN":
                scn.title = " ".join(words[1:])
            elif key == "SCENARIO_END":
                return
            elif key == "RANGE_BEGIN":
                scn.ranges.append(self.read_range(words))
            elif key == "STEP":
                self.read_step(scn, words)
            elif key == "ENTRY_BEGIN":
                if not scn.steps:
                    raise self.fail("ENTRY outside RANGE and STEP")
                entry = self.read_entry()
                if scn.steps[-1].entry is None:
                    scn.steps[-1].entry = entry
            elif key in ("RANGE_END", "END_RANGE"):
                continue  # some files close a RANGE twice
            elif key == "FILE_BEGIN":
                scn.steps[-1].file_lines = self.read_until("FILE_END").splitlines()
            else:
                raise self.fail(f"unexpected {key!r}")

    def read_range(self, head: list[str]) -> Range:
        rng = Range(int(head[1]), int(head[2]))
        while True:
            words = self.keyword_line()
            if words is None:
                raise self.fail("no RANGE_END")
            if words[0] in ("RANGE_END", "END_RANGE"):
                return rng
            if words[0] == "ADDRESS":
                rng.addresses.add(address(words[1]))
            elif words[0] == "ENTRY_BEGIN":
                rng.entries.append(self.read_entry())
            else:
                raise self.fail(f"unexpected {words[0]!r} in a RANGE")

    def read_step(self, scn: Scenario, words: list[str]) -> None:
        step = Step(int(words[1]), words[2], self.pos)
        rest = words[3:]
        if "ADDRESS" in rest:
            at = rest.index("ADDRESS")
            step.address = address(rest[at + 1])
            rest = rest[:at] + rest[at + 2 :]
        step.args = " ".join(rest)
        scn.steps.append(step)

    def read_entry(self) -> Entry:
        entry = Entry(self.pos)
        pkt = entry.packet
        section: str | None = None
        while True:
            line = self.next_line()
            if line is None:
                raise self.fail("no ENTRY_END")
            words = strip_comment(line).split()
            if not words:
                continue
            key = words[0]
            if key == "ENTRY_END":
                return entry
            if key == "MATCH":
                for w in words[1:]:
                    name, _, arg = w.rstrip(",").partition("=")
                    entry.match.add(name)
                    if arg:
                        entry.match_args[name] = arg
            elif key == "ADJUST":
                for w in words[1:]:
                    name, _, arg = w.rstrip(",").partition("=")
                    entry.adjust.add(name)
                    if arg:
                        entry.adjust_args[name] = arg
                        if name == "packet_sleep":
                            pkt.sleep = float(arg)
            elif key in ("REPLY", "FLAGS"):
                self.reply_line(pkt, words[1:])
            elif key == "SECTION":
                section = words[1].upper()
                if section not in SECTIONS:
                    raise self.fail(f"unknown section {section}")
                pkt.present.add(section)
            elif key == "EXTRA_PACKET":
                pkt = Packet()
                entry.packets.append(pkt)
                section = None
            elif key == "HEX_ANSWER_BEGIN":
                pkt.raw = self.hex_block("HEX_ANSWER_END")
            elif key == "HEX_EDNSDATA_BEGIN":
                pkt.edns_options = self.hex_block("HEX_EDNSDATA_END")
            elif key == "RAW":
                nxt = " ".join(words[1:]) or (strip_comment(self.next_line() or ""))
                pkt.raw = bytes.fromhex(re.sub(r"\s", "", nxt)) if nxt != "NULL" else b""
            elif key == "MANDATORY":
                entry.mandatory = True
            elif key == "TSIG":
                entry.unsupported = "TSIG"
            elif key == "$ORIGIN":
                self.origin = dns.name.from_text(words[1])
            elif key == "$TTL":
                self.ttl = int(words[1])
            elif section is not None:
                pkt.sections[section].append(self.record(line, section == "QUESTION"))
            else:
                raise self.fail(f"unexpected {key!r} in an ENTRY")

    def hex_block(self, end: str) -> bytes:
        text = "".join(re.sub(r"[;#].*", "", ln) for ln in self.read_until(end).splitlines())
        return bytes.fromhex(re.sub(r"\s", "", text))

    def reply_line(self, pkt: Packet, words: list[str]) -> None:
        for w in words:
            w = w.rstrip(",").upper()
            if w in HEADER_FLAGS:
                pkt.flags |= int(dns.flags.from_text(w))
            elif w == "DO":
                pkt.want_do = True
            elif w == "CO":
                pkt.want_co = True
            elif w in ("QUERY", "IQUERY", "STATUS", "NOTIFY", "UPDATE"):
                pkt.opcode = int(dns.opcode.from_text(w))
            else:
                w = {"NOTIMPL": "NOTIMP"}.get(w, w)
                try:
                    pkt.rcode = int(dns.rcode.from_text(w))
                except dns.exception.DNSException as exc:
                    raise self.fail(f"unknown REPLY word {w}") from exc


def unquote(token: str) -> str:
    if len(token) >= 2 and token[0] == token[-1] and token[0] in "\"'":
        return token[1:-1]
    return token


def load(path: Path, dialect: str | None = None) -> Scenario:
    """Read one file; dialect is guessed from the configuration part unless given."""
    reader = Reader(path)
    scn = Scenario(path, dialect or "")
    scn.text = reader.text
    reader.read_config(scn)
    reader.read_body(scn)
    return scn
