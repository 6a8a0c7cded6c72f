"""What becomes of questions: effect × mode × view × kind of answer × time, row by row.

Each row stands for three cases, one for each mode.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from policy.decision import Action, Way
from policy.rules import Ruleset
from resolver.model import Address, address_text
from tests import policy_rig as rig
from tests.policy_rig import decide, ruleset, told

BY = """
    authority: {kind: %s, name: Someone}
    reference: "%s"
    from: "2026-01-01"
    until: "2026-12-31"
"""
POLICY = (
    """
enforce: [dom.example, mir.example, far.dom.example, abroad.example]
views:
  - {name: red, clients: 10.1.0.0/16}
  - {name: green, clients: 10.2.0.0/16, rewrite_secure: true}
forwarders: [{name: inner, addresses: [192.0.2.53, "2001:db8::53"]}]
rules:
  - {id: exception, match: {name: www.nx.example}, effect: pass}
  - {id: usual, match: {suffix: free.dom.example}, effect: prefer}
  - {id: any, match: {suffix: any.example}, effect: any}
  - {id: fwd, match: {suffix: fwd.example}, effect: {forward: inner}}
  - id: dom
    match: {suffix: [dom.example, unlisted.example]}
    effect: domestic-only"""
    + BY % ("law", "Act 1")
    + """
  - id: mir
    match: {suffix: mir.example}
    effect: mirror-only"""
    + BY % ("operator", "Plan 2")
    + """
  - id: nx
    match: {suffix: nx.example}
    effect: {block: nxdomain}"""
    + BY % ("court", "WP 3")
    + """
  - id: nd
    match: {suffix: nd.example}
    effect: {block: nodata}"""
    + BY % ("regulator", "Order 4")
    + """
  - id: ref
    match: {suffix: ref.example}
    effect: {block: refused}"""
    + BY % ("access", "Terms 5")
    + """
  - id: drop
    match: {suffix: drop.example}
    effect: {block: drop}"""
    + BY % ("operator", "INC 6")
    + """
  - id: sink
    match: {suffix: sink.example}
    effect: {block: sinkhole, addresses: [192.0.2.66, "2001:db8::66"]}
"""
    + BY % ("subscriber", "Contract 7")
    + """
  - id: rew
    match: {suffix: rew.example}
    effect: {rewrite: ["A 192.0.2.80", "TXT \\"see example\\""], ttl: 5m}
"""
    + BY % ("operator", "Page 8")
    + """
  - id: red
    match: {suffix: red.example, view: red, type: [A, AAAA]}
    effect: {block: refused}"""
    + BY % ("subscriber", "Contract 9")
    + """
  - id: hours
    match: {suffix: hours.example, time: {days: mon-fri, hours: "09:00-17:00"}}
    effect: {block: refused}"""
    + BY % ("subscriber", "Contract 10")
    + """
  - id: abroad
    match: {suffix: abroad.example, answer_country: XB}
    effect: {block: refused}"""
    + BY % ("regulator", "Order 11")
    + """
  - id: abroad-home
    match: {suffix: abroad.example, type: [A, AAAA]}
    effect: domestic-only"""
    + BY % ("regulator", "Order 11a")
    + """
  - id: servers
    match: {suffix: servers.example, server_country: XB, server_name: bad.example.net}
    effect: {block: nodata}"""
    + BY % ("operator", "INC 12")
    + """
  - id: systems
    match: {suffix: systems.example, server_as: AS64500, server_address: 192.0.2.0/31}
    effect: {block: refused}"""
    + BY % ("operator", "INC 13")
    + """
  - id: bogus
    match: {suffix: bogus.example, security: bogus}
    effect: {block: refused}"""
    + BY % ("operator", "INC 14")
    + """
"""
)

ROWS = (Path(__file__).parent / "rules_table.txt").read_text("utf-8")
"""Question, what comes of it in observe, in prefer, in enforce. ``held EFFECT of RULE`` is
``nothing (RULE would have it EFFECT)``, and a mark stands for the column before."""

GUARDED = """
nx.example A                       | waits, chosen by prefer
nx.example A view green            | nxdomain by nx, told 16
nd.example A                       | waits, chosen by prefer
sink.example A                     | waits, chosen by prefer
rew.example A view red             | waits, chosen by prefer
ref.example A                      | refused by ref, told 18
drop.example A                     | drop by drop
www.nx.example A                   | pass by exception
dom.example A                      | domestic-only by dom, told 16
nx.example A found status=insecure | nxdomain by nx, told 16
nx.example A found status=secure   | nothing (nx would have it nxdomain)
"""

HELD = r"^held (\S+) of (\S+)"
MODES = ("observe", "prefer", "enforce")


def cases() -> list[tuple[str, str, str]]:
    out = []
    for row in ROWS.strip().splitlines():
        if row.startswith("#"):
            continue
        question, *expected = (cell.strip() for cell in row.split("|"))
        told_before = ""
        for mode, cell in zip(MODES, expected, strict=True):
            if cell != '"':
                told_before = re.sub(HELD, r"nothing (\2 would have it \1)", cell)
            out.append((mode, question, told_before))
    return out


@pytest.fixture(scope="module")
def policies() -> dict[str, Ruleset]:
    return {mode: ruleset(f"mode: {mode}\n{POLICY}", around=AROUND) for mode in MODES}


AROUND = replace(rig.AROUND, has_as_numbers=True)


def same(found: str, expected: str) -> bool:
    """``until`` counts where the row tells it."""
    return expected == (found if "until" in expected else found.partition(", until")[0])


def test_there_are_two_hundred_cases() -> None:
    found = cases()
    assert len(found) >= 200
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("mode", "question", "expected"), cases())
def test_a_question_meets(
    mode: str, question: str, expected: str, policies: dict[str, Ruleset]
) -> None:
    found = told(decide(policies[mode], question))
    assert same(found, expected), f"{found!r}, not {expected!r}"


@pytest.mark.parametrize("row", GUARDED.strip().splitlines())
def test_where_signatures_are_checked_forging_waits(row: str, policies: dict[str, Ruleset]) -> None:
    question, expected = (cell.strip() for cell in row.split("|"))
    found = told(decide(policies["enforce"], question, validating=True))
    assert same(found, expected), found


def test_records_are_those_of_the_type_under_the_name_asked_for(
    policies: dict[str, Ruleset],
) -> None:
    rules = policies["prefer"]
    sink = decide(rules, "www.sink.example AAAA")
    (rrset,) = sink.records
    assert (rrset.name, rrset.rtype, rrset.ttl) == (b"\3www\4sink\7example\0", 28, 60)
    assert [address_text(Address(rdata)) for rdata in rrset.rdatas] == ["2001:db8::66"]
    assert decide(rules, "www.sink.example MX").records == ()
    assert [r.rtype for r in decide(rules, "rew.example ANY").records] == [1, 16]
    assert decide(rules, "rew.example TXT").records[0].ttl == 300


def test_a_forwarder_is_in_the_selection(policies: dict[str, Ruleset]) -> None:
    found = decide(policies["prefer"], "fwd.example A")
    assert found.action is Action.NONE
    assert found.selection.way is Way.FORWARD
    assert [address_text(a) for a in found.selection.forwarders] == ["192.0.2.53", "2001:db8::53"]
