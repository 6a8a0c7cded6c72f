"""Policies of rules from text, questions and decisions as one line of words; for tests.

A question is ``NAME TYPE [view V] [at TIME] [found KEY=VALUE…]``. Keys of what was found:
``answer`` (country of an address in the answer), ``server`` (NAME/ADDRESS/COUNTRY of a name server,
any part left empty), ``status`` (of DNSSEC). A decision is what :func:`told` makes of it.
"""

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from policy.decision import NEVER, Action, Asked, Decision, Facts, Rulebook, ServerFact
from policy.engine import engine_of, word_of
from policy.evaluate import AsOf, no_as
from policy.rule_file import FileRead, read_rule_file
from policy.rule_make import Around
from policy.rule_merge import merge
from policy.rule_units import read_type
from policy.rules import Ruleset
from policy.words import moment
from resolver.errors import ConfigError, Finding
from resolver.model import Address, RRset, Security, Verdict, address_from_text
from resolver.names import from_text

NOW = datetime.fromisoformat("2026-11-22T12:00+00:00").timestamp()
INNER = address_from_text("192.0.2.53")
BORDER = Around(verdict=lambda a: Verdict.DOMESTIC if a == INNER else Verdict.FOREIGN)
"""Where one address is in home."""
AROUND = Around(domestic=frozenset({from_text("in"), from_text("gov.example")}))
SYSTEMS = {"192.0.2.1": 64500, "192.0.2.2": 64501}
"""AS numbers of the addresses of tests."""


def as_of(address: Address) -> int:
    """The AS of an address, by :data:`SYSTEMS`."""
    known = {address_from_text(text): number for text, number in SYSTEMS.items()}
    return known.get(address, 0)


def files(*texts: str) -> list[FileRead]:
    """Policy files ``one.yaml``, ``two.yaml`` …; a missing version is put in front."""
    names = ("one.yaml", "two.yaml", "three.yaml")
    made = []
    for name, given in zip(names, texts, strict=False):
        version = "" if "version:" in given else "version: 1\n"
        made.append(read_rule_file((version + dedent(given)).encode(), name))
    return made


def ruleset(*texts: str, around: Around = AROUND) -> Ruleset:
    """The policy of these files."""
    return merge(files(*texts), around)


def book(rules: Ruleset, *, validating: bool = False, systems: AsOf = no_as) -> Rulebook:
    """Its rulebook; classes of clients are its views."""
    return engine_of(rules, {}, range(len(rules.views) + 1), validating, systems)


def seconds(text: str) -> float:
    """A moment in text; UTC unless it says otherwise."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def question(rules: Ruleset, text: str) -> tuple[Asked, Facts | None]:
    """A question, and what was found; ``None``: nothing yet."""
    words = text.split()
    asked = Asked(0, from_text(words[0]), read_type(words[1]), NOW)
    rest, found = words[2:], None
    while rest:
        key = rest.pop(0)
        if key == "view":
            names = [view.name for view in rules.views]
            asked = asked._replace(view=1 + names.index(rest.pop(0)))
        elif key == "at":
            asked = asked._replace(wall=seconds(rest.pop(0)))
        else:
            assert key == "found", text
            found, rest = _found(asked, rest), []
    return asked, found


def _found(asked: Asked, words: list[str]) -> Facts:
    addresses: list[tuple[Address, str]] = []
    servers: list[ServerFact] = []
    status = Security.INDETERMINATE
    for word in words:
        key, _, value = word.partition("=")
        if key == "answer":
            addresses.append((address_from_text(f"198.51.100.{len(addresses)}"), value))
        elif key == "status":
            status = Security[value.upper()]
        else:
            name, address, country = value.split("/")
            packed = address_from_text(address) if address else None
            here = from_text(name or "ns.example.net")
            fact = ServerFact(
                from_text("example"), here, packed, Verdict.UNKNOWN, country or "none"
            )
            servers.append(fact)
    answer = (RRset(asked.name, 1, 60, tuple(bytes(a) for a, _ in addresses)),) if addresses else ()
    return Facts(0, answer, tuple(addresses), tuple(servers), status)


def decide(rules: Ruleset, text: str, *, validating: bool = False) -> Decision:
    """What a question meets; with something found, the final word."""
    asked, found = question(rules, text)
    rulebook = book(rules, validating=validating, systems=as_of)
    decision = rulebook.on_question(asked)
    if found is None:
        return decision
    return rulebook.on_answer(asked, found)


def told(decision: Decision) -> str:
    """``nxdomain by r1, told 16, until …``; ``nothing (r1 would have it nxdomain)``;
    ``waits, chosen by …``; ``nothing``."""
    way = decision.selection.way.value
    if decision.waits:
        out = f"waits, chosen by {way}"
        if decision.selection.rule:
            out += f" of {decision.selection.rule}"
    elif decision.would:
        out = f"nothing ({decision.rule} would have it {decision.would})"
    elif decision.rule:
        out = f"{word_of(decision)} by {decision.rule}"
    else:
        out = "nothing"
    assert not (decision.waits and decision.action is not Action.NONE)
    if decision.ede is not None:
        out += f", told {decision.ede[0]}"
    if decision.until < NEVER:
        out += f", until {moment(decision.until)}"
    return out


def asked_of(name: str, rtype: int = 1, view: int = 0) -> Asked:
    """A question now."""
    return Asked(view, from_text(name), rtype, NOW)


def wrong(*texts: bytes, around: Around = BORDER) -> list[Finding]:
    """What is wrong with files ``one.yaml`` and ``two.yaml``; something has to be."""
    names = ("one.yaml", "two.yaml")
    with pytest.raises(ConfigError) as caught:
        merge([read_rule_file(t, n) for t, n in zip(texts, names, strict=False)], around)
    return caught.value.findings
