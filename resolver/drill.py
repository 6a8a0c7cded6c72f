"""Replay questions under another policy, and tell who would fail and why.

Responsible for reading a file of questions, for resolving each of them twice in a core of its own
(under the policy in force, and under the one that is tried), and for what differs. Nothing is
served, and no client is touched; questions are asked of real servers, or of a simulated country.

Caches start empty for each question, so that each is judged by itself. A question that fails under
both policies does not fail because of the one that is tried.

Limitations: questions of the same name, type and view are resolved once; what a server answers may
change between the two resolutions.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.rdatatype

from policy.border import Policy
from policy.prefixes import PrefixTable
from policy.views import OTHERS, ClientClass
from resolver.assemble import Loaded
from resolver.captures import kind_of
from resolver.compose import addresses_in
from resolver.config_policy import PolicySection
from resolver.egress import with_ways
from resolver.errors import BadName, SourceError
from resolver.explain import explain
from resolver.limits import EVIDENCE_FAULTS_MAX
from resolver.limits_policy import DRILL_LINES_MAX, DRILL_OCTETS_MAX
from resolver.model import (
    Address,
    Question,
    Rcode,
    RRset,
    address_from_text,
    address_text,
)
from resolver.names import from_text
from resolver.policy_of import policy_of
from resolver.shown import Explanation


class Asked(NamedTuple):
    """One question of a file, by whom (``None``: by no client in particular)."""

    question: Question
    client: Address | None


class Fate(Enum):
    """What becomes of a question under the policy that is tried."""

    SAME = "same"
    FAILS = "fails"  # it had an answer, and has none any more
    ALTERED = "altered"  # it gets another answer
    WORKS = "works"  # it failed, and does not any more
    FAILED = "failed"  # it fails under both


class End(NamedTuple):
    """How a resolution ended."""

    rcode: int
    addresses: tuple[str, ...]
    records: str  # hash of the names, types and data in the answer
    rule: str
    action: str  # effect of the rule
    route: str
    told: tuple[tuple[int, str], ...]  # extended errors


class Row(NamedTuple):
    """One question with its two ends. ``lines``: how many of the file it stands for."""

    question: Question
    view: str  # of the policy that is tried
    lines: int
    fate: Fate
    live: End
    trial: End


class Asking(NamedTuple):
    """The questions of a file, and how many messages of a recording were left out, by why."""

    questions: list[Asked]
    skipped: dict[str, int]


def read_asking(path: Path, port: int = 53) -> Asking:
    """Questions of a file, whichever kind it is of: a recording (:mod:`resolver.captures`; of
    packets those to ``port``), or text.

    Raises:
        SourceError: what is wrong with it, or that it cannot be read.
    """
    try:
        with path.open("rb") as file:
            read = kind_of(file.read(8))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    if read is None:
        return Asking(read_queries(path), {})
    found = read(path, port)
    return Asking([Asked(*one) for one in found.questions], dict(found.skipped))


def read_queries(path: Path) -> list[Asked]:
    """Questions of a file: ``NAME TYPE [CLIENT]`` on each line, ``#`` begins a comment.

    Raises:
        SourceError: what is wrong with which line, or that the file cannot be read.
    """
    try:
        if path.stat().st_size > DRILL_OCTETS_MAX:
            raise SourceError(f"{path}: larger than {DRILL_OCTETS_MAX} octets")
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text") from error
    if len(lines) > DRILL_LINES_MAX:
        raise SourceError(f"{path}: {len(lines)} lines, at most {DRILL_LINES_MAX}")
    found, faults = [], []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            found.append(_read(words))
        except (BadName, ValueError) as error:
            faults.append(f"{path} line {number}: {error}")
    if faults:
        raise SourceError(*faults[:EVIDENCE_FAULTS_MAX])
    if not found:
        raise SourceError(f"{path}: holds no questions")
    return found


def _read(words: list[str]) -> Asked:
    if len(words) not in (2, 3):
        raise ValueError("expected NAME TYPE, or NAME TYPE CLIENT")
    try:
        rtype = int(dns.rdatatype.from_text(words[1]))
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"{words[1]!r} is not a record type") from None
    client = None
    if len(words) == 3:
        try:
            client = address_from_text(words[2])
        except ValueError:
            raise ValueError(f"{words[2]!r} is not an IP address") from None
    return Asked(Question(from_text(words[0]), rtype), client)


def on_trial(loaded: Loaded, files: tuple[Path, ...]) -> Loaded:
    """The same configuration with these policy files, and no others.

    Raises:
        ConfigError: what is wrong with them.
    """
    section = PolicySection.model_validate({"files": [str(file.absolute()) for file in files]})
    config = loaded.config.model_copy(update={"policy": section})
    policy, _ = policy_of(config)
    return replace(loaded, config=config, policy=with_ways(policy, time.monotonic))


class Group(NamedTuple):
    """Equal questions of clients in the same views."""

    question: Question
    live_view: int
    trial_view: int
    lines: int


def grouped(live: Policy, trial: Policy, asked: Iterable[Asked]) -> list[Group]:
    """Each different question once, in the order in which they come first."""
    before, after = _Views(live), _Views(trial)
    found: dict[tuple[Question, int, int], int] = {}
    for one in asked:
        key = (one.question, before.number(one.client), after.number(one.client))
        found[key] = found.get(key, 0) + 1
    return [Group(*key, lines) for key, lines in found.items()]


def replay(live: Loaded, trial: Loaded, groups: Iterable[Group]) -> Iterator[Row]:
    """What becomes of each question. Resolves both ways when asked for the next row."""
    names = _Views(trial.policy)
    for question, old, new, lines in groups:
        was, now = _end(explain(live, question, old)), _end(explain(trial, question, new))
        yield Row(question, names.name(new), lines, _fate(was, now), was, now)


class _Views:
    """Which class of clients an address is in."""

    def __init__(self, policy: Policy) -> None:
        self._classes: tuple[ClientClass, ...] = policy.views
        self._table = PrefixTable(
            (prefix, number)
            for number, one in enumerate(self._classes, 1)
            for prefix in one.clients
        )

    def number(self, client: Address | None) -> int:
        return (self._table.match(client) or 0) if client is not None else 0

    def name(self, number: int) -> str:
        return self._classes[number - 1].name if number else OTHERS


def _end(found: Explanation) -> End:
    result = found.result.shown
    addresses = tuple(sorted(map(address_text, addresses_in(result.answer))))
    effect = found.effect
    return End(
        int(result.rcode),
        addresses,
        _hashed(result.answer),
        effect.rule,
        "" if effect.held else effect.action,
        found.books.route.value,
        result.ede,
    )


def _hashed(answer: tuple[RRset, ...]) -> str:
    """Equal for equal records in any order."""
    records = sorted((r.name, r.rtype, data) for r in answer for data in r.rdatas)
    return hashlib.sha256(repr(records).encode()).hexdigest()[:16]


FAILURES = (Rcode.SERVFAIL, Rcode.REFUSED)
ENDING = ("nxdomain", "nodata", "refused", "drop", "sinkhole")


def _fate(live: End, trial: End) -> Fate:
    fails, failed = _is_failure(trial), _is_failure(live)
    if fails and failed:
        return Fate.FAILED
    if fails:
        return Fate.FAILS
    if failed:
        return Fate.WORKS
    same = (live.rcode, live.records) == (trial.rcode, trial.records)
    return Fate.SAME if same else Fate.ALTERED


def _is_failure(end: End) -> bool:
    return end.rcode in FAILURES or end.action in ENDING


def why(row: Row) -> str:
    """The reason of a fate, in words."""
    trial = row.trial
    parts = []
    if trial.rule:
        parts.append(f"{trial.action} by rule {trial.rule}")
    parts += [f"EDE {code}{f': {text}' if text else ''}" for code, text in trial.told]
    return "; ".join(parts) or f"rcode {Rcode(trial.rcode).name}, no rule"
