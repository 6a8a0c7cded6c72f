"""The linter says what is certain, and where."""

from ipaddress import ip_network
from random import Random

import pytest

from policy.lint import Grounds, Remark, lint
from policy.rules import Ruleset
from resolver.names import from_text
from tests.policy_rig import NOW, decide, ruleset

GROUNDS = Grounds(
    domestic=frozenset({from_text("in"), from_text("gov.example")}),
    prefixes=(ip_network("192.0.2.0/24"),),
    home=frozenset({"IN"}),
    validating=False,
    now=NOW,
)
BY = """
  authority: {kind: court, name: High Court}
  reference: WP 1
  from: "2026-01-01"
  until: "2028-12-31"
"""
REFUSED = "  effect: {block: refused}" + BY


def remarks(text: str, grounds: Grounds = GROUNDS) -> list[Remark]:
    return lint(ruleset(text), grounds)


@pytest.mark.parametrize(
    ("match", "level", "words"),
    [
        ("{suffix: in}", "error", "r would cut the domestic zone in"),
        ("{suffix: example}", "error", "r would cut the domestic zone gov.example"),
        ("{suffix: gov.example, type: A}", "warning", "the domestic zone gov.example for some"),
        ("{listed: domestic, view: others}", "warning", "would cut the domestic zone"),
        ("{}", "error", "r would cut every domestic zone"),
        ("{server_country: [US, IN]}", "warning", "every zone with a name server in IN"),
        ("{answer_country: IN}", "warning", "every answer with an address in IN"),
        ("{server_address: 192.0.0.0/16}", "warning", "what is served from 192.0.2.0/24"),
        ("{server_name: in}", "warning", "what is served by name servers below in"),
        ("{suffix: www.gov.example}", None, ""),
        ("{name: gov.example.com}", None, ""),
        ("{server_country: US}", None, ""),
        ("{server_name: a.in}", None, ""),
        ("{server_address: 192.0.3.0/24}", None, ""),
    ],
)
def test_rules_that_would_cut_what_is_domestic(match: str, level: str | None, words: str) -> None:
    found = remarks(f"rules:\n- id: r\n  match: {match}\n{REFUSED}")
    cuts = [remark for remark in found if "cut" in remark.message]
    if level is None:
        assert not cuts
        return
    assert cuts[0].level == level, cuts
    assert any(words in remark.message for remark in cuts), cuts
    assert (cuts[0].spot.source, cuts[0].spot.path, cuts[0].spot.line) == (
        "one.yaml",
        "rules[0]",
        3,
    )


def test_an_exception_before_it_spares_a_zone() -> None:
    spared = "rules:\n- {id: p, match: {suffix: [gov.example, in]}, effect: pass}\n"
    assert not remarks(f"{spared}- id: r\n  match: {{suffix: [example, in]}}\n{REFUSED}")


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("{suffix: a.example}", "{suffix: b.a.example}", True),
        ("{suffix: a.example}", "{name: a.example, suffix: c.a.example}", True),
        ("{suffix: a.example}", "{suffix: [b.a.example, b.example]}", False),
        ("{name: a.example}", "{name: a.example, type: A}", True),
        ("{name: a.example}", "{suffix: a.example}", False),
        ("{suffix: a.example, type: [A, AAAA]}", "{suffix: a.example, type: A}", True),
        ("{suffix: a.example, type: A}", "{suffix: a.example}", False),
        ("{suffix: a.example, view: [red, others]}", "{suffix: a.example}", True),
        ("{suffix: a.example, view: red}", "{suffix: a.example}", False),
        ("{}", "{server_country: US}", True),
        ("{suffix: x}", "{}", False),
        ("{suffix: a.example, time: {days: mon}}", "{suffix: a.example}", False),
        (
            "{suffix: a.example, time: {days: mon}}",
            "{name: a.example, time: {days: [mon]}}",
            True,
        ),
        ("{server_country: [US, SG]}", "{server_country: US, server_name: x}", True),
        ("{server_country: US}", "{server_country: [US, SG]}", False),
        ("{server_address: 192.0.2.0/24}", "{server_address: 192.0.2.128/25}", True),
        ("{server_name: example}", "{server_name: ns.example}", True),
        ("{answer_country: US}", "{server_country: US}", False),
        ("{security: [bogus, insecure]}", "{security: bogus}", True),
    ],
)
def test_rules_that_an_earlier_one_hides(first: str, second: str, hidden: bool) -> None:
    text = "views: [{name: red, clients: 10.0.0.0/8}]\nrules:\n"
    text += f"- {{id: p, match: {first}, effect: pass, reference: why}}\n"
    text += f"- {{id: q, match: {second}, effect: pass, reference: why}}\n"
    found = [remark for remark in remarks(text) if "never counts" in remark.message]
    assert bool(found) is hidden, found
    if hidden:
        assert found[0].message == "q never counts: p (one.yaml line 4) matches first"
        assert found[0].spot.line == 5


def test_a_rule_is_not_hidden_by_one_that_ends_before_it() -> None:
    dated = '- {id: p, match: {}, effect: pass, until: "2027-01-01"}\n'
    text = f"rules:\n{dated}- {{id: q, match: {{name: a.x}}, effect: pass}}\n"
    assert not [r for r in remarks(text) if "never counts" in r.message]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('until: "2026-11-21"', "r is over since 2026-11-22 00:00 UTC; take it out"),
        ('until: "2026-12-20"', "r ends soon: 2026-12-21 00:00 UTC"),
        ('until: "2026-12-31"', None),
        ("note: x", None),
    ],
)
def test_rules_that_are_over_or_end_soon(more: str, words: str | None) -> None:
    found = remarks(f"rules:\n- id: r\n  match: {{name: a.x}}\n  effect: pass\n  {more}\n")
    assert [remark.message for remark in found] == ([words] if words else [])


@pytest.mark.parametrize(
    ("match", "more", "words"),
    [
        ("{security: secure}", "", "signatures are not checked"),
        ("{security: [secure, indeterminate]}", "", None),
        ("{answer_country: US, type: MX}", "", "answers of these types hold no addresses"),
        ("{answer_country: US, type: [MX, A]}", "", None),
        ("{time: {days: sat}}", 'until: "2026-11-25"', "its hours do not come before it ends"),
        ("{time: {days: wed}}", 'until: "2026-11-25"', None),
    ],
)
def test_rules_that_can_never_match(match: str, more: str, words: str | None) -> None:
    found = remarks(f"rules:\n- id: r\n  match: {match}\n  effect: pass\n  {more}\n")
    never = [remark.message for remark in found if "never match" in remark.message]
    assert bool(never) is bool(words), found
    assert words is None or words in never[0]


def test_views_are_treated_differently_with_a_reference_only() -> None:
    text = """
        views: [{name: red, clients: 10.0.0.0/8}]
        modes:
        - {view: red, mode: observe}
        - {view: others, mode: observe, reference: Act 5}
        rules:
        - {id: q, match: {view: red}, effect: pass}
        - {id: r, match: {view: red, name: a.x}, effect: any, reference: Act 5}
    """
    found = [(r.spot.path, r.spot.line) for r in remarks(text) if "differently" in r.message]
    assert found == [("modes[0]", 5), ("rules[0]", 8)]


def test_a_rule_that_nothing_enforces_only_counts() -> None:
    rule = f"rules:\n- id: r\n  match: {{suffix: a.example}}\n  effect: domestic-only{BY}"
    words = "r only counts: no mode and list of zones enforces domestic-only for its names"
    assert [r.message for r in remarks(rule)] == [words]
    assert [r.message for r in remarks(f"mode: enforce\nenforce: [b.example]\n{rule}")] == [words]
    assert not remarks(f"mode: enforce\nenforce: [x.a.example]\n{rule}")


def test_what_is_said_to_be_hidden_never_decides() -> None:
    """Random rules: no question is ever decided by a rule that the linter calls hidden."""
    random = Random(7)
    hidden = 0
    for _ in range(200):
        rules = _random_rules(random)
        names = {r.message.split()[0] for r in lint(rules, GROUNDS) if "counts" in r.message}
        hidden += len(names)
        for _ in range(40):
            name = ".".join(random.choices("ab", k=random.randint(1, 3)))
            view = random.choice(("", " view red"))
            found = decide(rules, f"{name}.x {random.choice(('A', 'MX'))}{view}")
            assert found.rule not in names
    assert hidden > 100


def _random_rules(random: Random) -> Ruleset:
    text = "views: [{name: red, clients: 10.0.0.0/8}]\nrules:\n"
    for number in range(6):
        keys = []
        for key, chance in (("suffix", 0.6), ("name", 0.3)):
            if random.random() < chance:
                name = ".".join(random.choices("ab", k=random.randint(1, 2)))
                keys.append(f"{key}: {name}.x")
        if random.random() < 0.3:
            keys.append(f"type: {random.choice(('A', 'MX', '[A, MX]'))}")
        if random.random() < 0.3:
            keys.append(f"view: {random.choice(('red', 'others', '[red, others]'))}")
        text += f"- {{id: r{number}, match: {{{', '.join(keys)}}}, effect: pass}}\n"
    return ruleset(text)
