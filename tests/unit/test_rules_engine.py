"""The engine: order of rulebooks, what native may do by itself, classes of clients, the shadow."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from random import Random

import pytest

from policy.decision import (
    NOTHING,
    PLAIN,
    Action,
    Asked,
    Decision,
    Facts,
    Names,
    Ranges,
    Rulebook,
    Selection,
    Silent,
    Way,
)
from policy.engine import engine_of
from policy.trial import Kind, compare, shadow_of
from policy.views import View, classes_of
from resolver.model import Address, address_from_text
from resolver.names import ROOT, Name, from_text
from tests.policy_rig import AROUND, NOW, as_of, asked_of, book, decide, question, ruleset, told

BY = """
  authority: {kind: court, name: High Court}
  reference: WP 1
  from: "2026-01-01"
  until: "2026-12-31"
"""


def nx(name: str, match: str) -> str:
    return f"- id: {name}\n  match: {match}\n  effect: {{block: nxdomain}}{BY}"


class Zone:
    """A response policy zone of one name; with ``waits`` it wants the result first."""

    def __init__(self, name: str, *, waits: bool = False) -> None:
        self.name, self.waits = from_text(name), waits

    def on_question(self, asked: Asked) -> Decision:
        if asked.name != self.name:
            return NOTHING
        return Decision(waits=True) if self.waits else Decision(Action.NODATA, rule="zone")

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        return Decision(Action.NODATA, rule="zone") if asked.name == self.name else NOTHING

    def uniform(self, zone: Name) -> Selection | None:
        return PLAIN

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        return ((self.name, False),)

    def concerned_tables(self) -> Sequence[Names]:
        return ()

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        return False

    def concerns_answers(self) -> bool:
        return False

    def concerns_servers(self) -> bool:
        return False

    def concerned_ranges(self) -> Sequence[Ranges]:
        return ()


def test_without_rules_and_zones_nothing_is_asked() -> None:
    assert isinstance(book(ruleset("rules: []")), Silent)


def test_zones_come_after_the_rules_or_at_their_place() -> None:
    before = ruleset("rules:\n- {id: p, match: {name: a.x}, effect: pass}\n")
    placed = ruleset("rules:\n- {rpz: z}\n- {id: p, match: {name: a.x}, effect: pass}\n")
    zones: dict[str, Rulebook] = {"z": Zone("a.x")}
    assert told(engine_of(before, zones, [0], False).on_question(asked_of("a.x"))) == "pass by p"
    assert (
        told(engine_of(placed, zones, [0], False).on_question(asked_of("a.x"))) == "nodata by zone"
    )
    assert told(engine_of(placed, zones, [0], False).on_question(asked_of("b.x"))) == "nothing"
    with pytest.raises(KeyError):
        engine_of(placed, {}, [0], False)


def test_a_zone_that_waits_leaves_the_choice_of_servers_to_later_rules() -> None:
    text = f"mode: enforce\nenforce: [x]\nrules:\n- {{rpz: z}}\n{nx('n', '{name: a.x}')}"
    text += f"- id: home\n  match: {{suffix: x}}\n  effect: domestic-only{BY}"
    zones: dict[str, Rulebook] = {"z": Zone("a.x", waits=True)}
    engine = engine_of(ruleset(text), zones, [0], False)
    found = engine.on_question(asked_of("a.x"))
    assert found.waits
    assert found.selection == Selection(Way.DOMESTIC_ONLY, (), "home")
    assert found.until < Decision().until


def test_zones_stand_under_modes() -> None:
    engine = engine_of(ruleset("mode: observe\nrules: []"), {"z": Zone("a.x")}, [0], False)
    found = engine.on_question(asked_of("a.x"))
    assert (found.action, found.rule, found.would) == (Action.NONE, "zone", "nodata")


def test_numbers_of_classes_are_mapped_to_views() -> None:
    rules = ruleset(
        "views: [{name: red, clients: 10.0.0.0/8}]\n"
        "rules:\n- {id: p, match: {view: red}, effect: pass}\n"
    )
    engine = engine_of(rules, {}, [0, 0, 1], False)
    assert [engine.on_question(asked_of("a.x", view=v)).rule for v in (0, 1, 2, 3)] == [
        "",
        "",
        "p",
        "",
    ]


def test_classes_are_the_pairs_of_views_that_clients_can_be_in() -> None:
    def view(name: str, *clients: str) -> View:
        return View(name, tuple(map(ip_network, clients)))

    red, tan = view("red", "10.0.0.0/8"), view("tan", "10.1.0.0/16", "2001:db8::/32")
    assert [(c.name, c.view, c.shadow) for c in classes_of((red, tan), ())] == [
        ("red", 1, 0),
        ("tan", 2, 0),
    ]
    same = classes_of((red, tan), (red, tan))
    assert [(c.name, c.view, c.shadow) for c in same] == [("red", 1, 1), ("tan", 2, 2)]
    mixed = classes_of((red,), (tan,))
    assert [(c.name, c.view, c.shadow, [str(p) for p in c.clients]) for c in mixed] == [
        ("others/tan", 0, 1, ["2001:db8::/32"]),
        ("red/others", 1, 0, ["10.0.0.0/8"]),
        ("red/tan", 1, 1, ["10.1.0.0/16"]),
    ]
    assert classes_of((), ()) == ()


STEADY = """
forwarders: [{name: inner, addresses: [192.0.2.53]}]
rules:
- {id: own, match: {suffix: own.lk}, effect: prefer}
- {id: lk, match: {suffix: lk}, effect: any}
- {id: fwd, match: {suffix: corp.example}, effect: {forward: inner}}
- {id: one, match: {name: www.single.example}, effect: any}
- {id: typed, match: {suffix: typed.example, type: A}, effect: any}
"""


def test_what_holds_always_is_uniform() -> None:
    rulebook = book(ruleset(STEADY))
    forward = Selection(Way.FORWARD, (address_from_text("192.0.2.53"),), "fwd")
    expected = {
        "lk": None,  # own.lk below it has another
        "gov.lk": Selection(Way.ANY),
        "own.lk": PLAIN,
        "a.own.lk": PLAIN,
        "example": None,
        "corp.example": forward,
        "a.corp.example": forward,
        "single.example": PLAIN,
        "typed.example": PLAIN,
        "com": PLAIN,
    }
    assert {name: rulebook.uniform(from_text(name)) for name in expected} == expected
    assert rulebook.uniform(ROOT) is None
    assert rulebook.concerned() == [
        (from_text("www.single.example"), False),
        (from_text("typed.example"), True),
    ]


def test_under_other_modes_nothing_but_the_plain_choice_is_uniform() -> None:
    observed = book(ruleset(f"mode: observe\n{STEADY}"))
    assert observed.uniform(from_text("gov.lk")) == PLAIN
    varied = book(ruleset(f"modes: [{{zone: a.lk, mode: observe}}]\n{STEADY}"))
    assert varied.uniform(from_text("gov.lk")) is None
    assert varied.uniform(from_text("com")) == PLAIN


def test_what_is_uniform_is_what_every_question_meets() -> None:
    """Random policies: below a uniform zone every name that is not concerned meets its selection,
    in every view, for every type, at every time."""
    random = Random(11)
    checked = 0
    for _ in range(300):
        rules = ruleset(_choosing(random))
        rulebook = book(rules)
        concerned = rulebook.concerned()
        for zone in ("x", "a.x", "b.a.x", "b.x", "y"):
            selection = rulebook.uniform(from_text(zone))
            if selection is None:
                continue
            for _ in range(10):
                labels = [*random.choices("ab", k=random.randrange(3)), zone]
                name = from_text(".".join(labels))
                if any(name == n or (deep and name.endswith(n)) for n, deep in concerned):
                    continue
                wall = NOW + random.uniform(-1e8, 1e8)
                found = rulebook.on_question(Asked(random.randrange(2), name, 1, wall))
                assert found.selection == selection, (zone, name)
                assert found.action is Action.NONE
                checked += 1
    assert checked > 2_000


def _choosing(random: Random) -> str:
    text = "views: [{name: red, clients: 10.0.0.0/8}]\n"
    text += "forwarders: [{name: inner, addresses: [192.0.2.53]}]\nrules:\n"
    for number in range(random.randint(1, 4)):
        labels = [*random.choices("ab", k=random.randrange(3)), "x"]
        match = f"{random.choice(('suffix', 'suffix', 'name'))}: {'.'.join(labels)}"
        match += random.choice(("", "", ", type: A", ", view: red"))
        effect = random.choice(("any", "prefer", "{forward: inner}"))
        more = random.choice(("", "", ', until: "2026-11-30"'))
        text += f"- {{id: r{number}, match: {{{match}}}, effect: {effect}{more}}}\n"
    return text


SERVERS = """
rules:
- {id: a, match: {server_name: bad.example, server_country: XB}, effect: pass}
- {id: b, match: {server_address: 192.0.2.128/25}, effect: pass}
- {id: c, match: {server_as: 64500}, effect: pass}
- {id: d, match: {suffix: x, server_name: worse.example}, effect: pass}
"""


def test_name_servers_that_a_rule_may_match() -> None:
    rules = ruleset(SERVERS, around=replace(AROUND, has_as_numbers=True))
    rulebook = book(rules, systems=as_of)

    def concerned(names: str, addresses: str, countries: str | None) -> bool:
        packed: list[Address] = [address_from_text(text) for text in addresses.split()]
        split = countries.split() if countries is not None else None
        return rulebook.concerned_servers([from_text(n) for n in names.split()], packed, split)

    assert concerned("ns.bad.example", "203.0.113.1", "XB")
    assert concerned("ns.bad.example", "203.0.113.1", None)
    assert not concerned("ns.bad.example", "203.0.113.1", "XA")
    assert not concerned("ns.good.example", "203.0.113.1", "XB")
    assert concerned("ns.good.example", "203.0.113.1 192.0.2.129", "XA XA")
    assert concerned("ns.good.example", "192.0.2.1", "XA")
    assert not concerned("ns.worse.example", "203.0.113.1", "XA")  # only for names below x
    assert not rulebook.concerns_answers()
    assert rulebook.concerned() == [(from_text("x"), True)]


def test_rules_for_all_names_on_answers() -> None:
    assert book(
        ruleset("rules: [{id: a, match: {answer_country: XB}, effect: pass}]")
    ).concerns_answers()
    assert book(
        ruleset("rules: [{id: a, match: {security: bogus}, effect: pass}]")
    ).concerns_answers()
    named = "rules: [{id: a, match: {answer_country: XB, suffix: x}, effect: pass}]"
    assert not book(ruleset(named)).concerns_answers()
    typed = book(ruleset("rules: [{id: a, match: {type: A}, effect: any}]"))
    assert typed.concerned() == [(ROOT, True)]


@pytest.mark.parametrize(
    ("live", "shadow", "name", "kind"),
    [
        ("", "{name: a.x}", "a.x A", Kind.DIFFERENT),
        ("{name: a.x}", "", "a.x A", Kind.DIFFERENT),
        ("{name: a.x}", "{suffix: x}", "a.x A", Kind.SAME),
        ("{name: a.x}", "{suffix: x}", "b.x A", Kind.DIFFERENT),
        ("", "", "a.x A", Kind.SAME),
        ("", "{suffix: x, answer_country: XB}", "a.x A found answer=XB", Kind.DIFFERENT),
        ("", "{suffix: x, answer_country: XB}", "a.x A found answer=XA", Kind.SAME),
        ("{name: a.x}", "{suffix: x, answer_country: XB}", "a.x A", Kind.UNDECIDED),
    ],
)
def test_a_shadow_differs_where_the_client_would_see_it(
    live: str, shadow: str, name: str, kind: Kind
) -> None:
    one, other = (
        ruleset("rules:\n" + (nx(f"r-{which}", match) if match else "- {rpz: none}\n"))
        for which, match in (("live", live), ("shadow", shadow))
    )
    zones: dict[str, Rulebook] = {"none": Zone("not.there")}
    query, found = question(one, name)
    live_decision = shadow_of(engine_of(one, zones, [0], False), query, found)
    shadow_decision = shadow_of(engine_of(other, zones, [0], False), query, found)
    difference = compare(live_decision, shadow_decision)
    assert difference.kind is kind, difference
    if kind is Kind.DIFFERENT and shadow:
        assert (difference.shadow, difference.shadow_rule) == ("nxdomain", "r-shadow")


def test_what_a_mode_holds_back_is_no_difference() -> None:
    text = f"rules:\n{nx('r', '{name: a.x}')}"
    observed = ruleset(f"mode: observe\n{text}")
    assert compare(NOTHING, decide(observed, "a.x A")).kind is Kind.SAME
    passed = ruleset("rules: [{id: p, match: {name: a.x}, effect: pass}]")
    assert compare(NOTHING, decide(passed, "a.x A")).kind is Kind.SAME
