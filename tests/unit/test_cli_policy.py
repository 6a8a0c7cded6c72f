"""``inland policy show|diff|explain``, remarks in ``inland check``, rules from a configuration."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policy.decision import Action, Silent
from resolver.cli import build
from resolver.config import load
from resolver.errors import ConfigError
from resolver.model import address_from_text
from resolver.policy_of import policy_of
from tests.policy_rig import asked_of

CONFIG = """\
home: [IN]
border: {domestic: ["11.0.0.0/8"], registry: false, zones: [gov.example]}
policy:
  files: [rules.yaml]
"""
RULES = """\
version: 1
mode: enforce
enforce: [gov.example]
views:
- {name: red, clients: 10.0.0.0/8}
forwarders:
- {name: inner, addresses: [11.0.0.53]}
rules:
- {id: own, match: {name: www.gov.example, type: A}, effect: pass}
- id: closed
  match: {listed: domestic}
  effect: domestic-only
  authority: {kind: law, name: Parliament}
  reference: Act 7
  from: "2026-01-01"
  until: "2199-12-31"
- {id: corp, match: {suffix: corp.example}, effect: {forward: inner}}
- id: foul
  match: {suffix: foul.example, view: red}
  effect: {block: sinkhole, addresses: [192.0.2.1]}
  authority: {kind: subscriber, name: School}
  reference: Contract 1
  from: "2026-01-01"
  until: "2199-12-31"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inland.yaml").write_text(CONFIG)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def run(*words: object, code: int = 0) -> str:
    arguments = [str(word) for word in words]
    result = CliRunner().invoke(build(arguments), arguments)
    if result.exit_code != code:
        raise AssertionError((result.output, result.exception))
    return result.stdout


def test_show_tells_modes_views_and_rules_in_order(folder: Path) -> None:
    text = run("policy", "show", folder / "inland.yaml")
    assert text.splitlines()[:3] == [
        "mode enforce",
        "may fail closed: gov.example",
        "view red: 10.0.0.0/8",
    ]
    assert "   3. corp (" in text
    assert "forward: inner (11.0.0.53) for corp.example and below" in text
    assert "block: sinkhole A 192.0.2.1 (TTL 60) for foul.example and below; view red" in text
    assert "from 2026-01-01 00:00 UTC until 2200-01-01 00:00 UTC" in text
    assert "Act 7, Parliament (law)" in text


def test_show_as_json(folder: Path) -> None:
    shown = json.loads(run("policy", "show", folder / "rules.yaml", "--json"))
    assert [rule["id"] for rule in shown["rules"]] == ["own", "closed", "corp", "foul"]
    assert shown["rules"][3]["ede"] == [17, "Contract 1 (School)"]
    assert shown["rules"][3]["line"] == 18
    assert shown["modes"]["general"] == "enforce"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("www.gov.example",), "* own"),
        (("www.gov.example", "AAAA"), "decision: domestic-only by rule closed"),
        (("a.foul.example", "A", "--view", "red"), "the client is told: 17 Contract 1 (School)"),
        (("a.foul.example", "A"), "another view"),
        (("a.foul.example", "A", "--view", "red", "--at", "2025-06-01"), "begins 2026-01-01 00:00"),
        (("other.example",), "decision: no rule matches"),
    ],
)
def test_explain_tells_each_rule_that_is_held_against_a_name(
    folder: Path, words: tuple[str, ...], expected: str
) -> None:
    assert expected in run("policy", "explain", *words, "-c", folder / "inland.yaml")


def test_explain_as_json(folder: Path) -> None:
    out = run("policy", "explain", "www.gov.example", "MX", "-c", folder / "inland.yaml", "--json")
    told = json.loads(out)
    assert (told["rule"], told["effect"], told["mode"]) == ("closed", "domestic-only", "enforce")
    assert [step["outcome"] for step in told["considered"]] == ["another type", "matches"]
    assert told["ede"] == [16, "Act 7 (Parliament)"]


def test_explain_tells_what_the_shadow_would_do(folder: Path) -> None:
    (folder / "inland.yaml").write_text(CONFIG + "  shadow: [draft.yaml]\n")
    (folder / "draft.yaml").write_text(RULES.replace("effect: pass", "effect: any"))
    out = run("policy", "explain", "www.gov.example", "-c", folder / "inland.yaml")
    assert "decision: pass by rule own" in out
    assert "in the shadow: different" in out
    assert "decision: any by rule own" in out
    out = run("policy", "explain", "a.x", "-c", folder / "inland.yaml", "--json")
    assert json.loads(out)["shadow"]["rule"] is None


def test_explain_of_what_cannot_be(folder: Path) -> None:
    rules = folder / "rules.yaml"
    for words in (("a.x", "A", "--view", "blue"), ("a.x", "AA"), ("a.x", "A", "--at", "noon")):
        run("policy", "explain", *words, "-c", rules, code=1)
    run("policy", "explain", "a.x", code=2)


def test_diff_tells_what_lookups_meet_otherwise(folder: Path) -> None:
    old, new = folder / "rules.yaml", folder / "new.yaml"
    text = RULES.replace("mode: enforce", "mode: prefer")
    text = text.replace("[192.0.2.1]", "[192.0.2.2]").replace("suffix: corp", "suffix: firm")
    text = text.replace("- {name: red, clients: 10.0.0.0/8}", "- {name: red, clients: 10.0.0.0/9}")
    text = text.replace("- {id: own, match: {name: www.gov.example, type: A}, effect: pass}\n", "")
    new.write_text(text + "- {id: late, match: {name: a.x}, effect: any}\n")
    assert run("policy", "diff", old, old).strip() == "no difference"
    assert run("policy", "diff", old, new).splitlines() == [
        "~ mode: was enforce, is prefer",
        "~ view red: clients are 10.0.0.0/9",
        "- rule own: pass for name www.gov.example; type A",
        "~ rule corp: no longer suffixes corp.example; now also suffixes firm.example",
        "~ rule foul: effect was block: sinkhole A 192.0.2.1 (TTL 60), is block: sinkhole"
        " A 192.0.2.2 (TTL 60)",
        "+ rule late: any for name a.x",
    ]


def test_diff_tells_rules_that_moved(folder: Path) -> None:
    names = "abcde"
    for file, order in (("one.yaml", "abcde"), ("two.yaml", "abecd")):
        rules = "".join(f"- {{id: {n}, match: {{name: {n}.x}}, effect: any}}\n" for n in order)
        (folder / file).write_text(f"version: 1\nrules:\n{rules}")
    assert len(names) == 5
    out = run("policy", "diff", folder / "one.yaml", folder / "two.yaml", "--json")
    assert json.loads(out) == [
        {"kind": "moved", "subject": "rule e", "words": "now stands after rule b"}
    ]


def test_rules_from_a_configuration_are_in_force(folder: Path) -> None:
    policy, _ = policy_of(load(folder / "inland.yaml"))
    found = policy.rules.on_question(asked_of("a.foul.example", view=1))
    assert found.action is Action.SINKHOLE
    assert [one.name for one in policy.views] == ["red"]
    assert policy.shadow is None


def test_without_policy_files_nothing_changes(folder: Path) -> None:
    (folder / "plain.yaml").write_text(CONFIG.split("policy:", maxsplit=1)[0])
    policy, _ = policy_of(load(folder / "plain.yaml"))
    assert isinstance(policy.rules, Silent)
    assert (policy.shadow, policy.views, policy.ruleset) == (None, (), None)


def test_the_generation_follows_what_decides(folder: Path) -> None:
    def generation(rules: str, config: str = CONFIG) -> str:
        (folder / "rules.yaml").write_text(rules)
        (folder / "inland.yaml").write_text(config)
        return policy_of(load(folder / "inland.yaml"))[0].generation

    first = generation(RULES)
    assert generation(RULES.replace("id: corp,", "id: corp, note: for us,")) == first
    assert generation("# a comment\n" + RULES) == first
    for old, new in (
        ("Act 7", "Act 8"),
        ("mode: enforce", "mode: prefer"),
        ("10.0.0.0/8", "10.0.0.0/9"),
        ("2199-12-31", "2198-12-31"),
        ("192.0.2.1", "192.0.2.2"),
    ):
        assert generation(RULES.replace(old, new)) != first, new
    shadow = CONFIG + "  shadow: [rules.yaml]\n"
    assert generation(RULES, shadow) == first
    assert policy_of(load(folder / "inland.yaml"))[0].shadow is not None
    assert generation(RULES, CONFIG.split("policy:", maxsplit=1)[0]) != first


def test_all_errors_of_configuration_and_policy_files_at_once(folder: Path) -> None:
    bad = CONFIG.replace("files: [rules.yaml]", "files: [rules.yaml, none.yaml]")
    (folder / "inland.yaml").write_text(bad.replace("registry: false", "databases: [gone.mmdb]"))
    (folder / "rules.yaml").write_text(RULES.replace("11.0.0.53", "12.0.0.53"))
    with pytest.raises(ConfigError) as caught:
        policy_of(load(folder / "inland.yaml"))
    found = [(f.source, f.path, f.line) for f in caught.value.findings]
    assert found == [
        (None, "border.databases[0]", 2),
        (str(folder / "none.yaml"), "(file)", None),
    ]
    (folder / "inland.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        policy_of(load(folder / "inland.yaml"))
    assert str(caught.value) == (
        f"{folder / 'rules.yaml'}: line 7: forwarders[0].addresses[0]: 12.0.0.53 is unknown, but"
        " lookups are handed to servers in home only; if it is in home, state it in border.domestic"
    )


def test_a_place_for_a_zone_that_is_not_there(folder: Path) -> None:
    (folder / "rules.yaml").write_text("version: 1\nrules: [{rpz: blocked}]\n")
    with pytest.raises(ConfigError, match=r"line 2: .*no response policy zone blocked"):
        policy_of(load(folder / "inland.yaml"))


def test_as_numbers_from_a_file(folder: Path) -> None:
    rules = "version: 1\nrules:\n- {id: as, match: {server_as: AS64500}, effect: pass}\n"
    (folder / "rules.yaml").write_text(rules)
    (folder / "as.tsv").write_text(
        "# first, last, number\n192.0.2.0\t192.0.2.127\t64500\tIN\tNAME OF IT\n"
        "192.0.2.128\t192.0.2.255\t0\tNone\tNot routed\n2001:db8::/32\tAS64501\n"
    )
    with_numbers = CONFIG.replace("registry: false", "registry: false, as_numbers: [as.tsv]")
    (folder / "inland.yaml").write_text(with_numbers)
    policy, _ = policy_of(load(folder / "inland.yaml"))
    assert policy.as_numbers is not None
    asked = ("192.0.2.1", "192.0.2.200", "2001:db8::1", "203.0.113.1")
    found = [policy.as_numbers.of(address_from_text(text)) for text in asked]
    assert found == [64500, 0, 64501, 0]
    assert policy.rules.concerned_servers([], [address_from_text("192.0.2.1")])
    assert not policy.rules.concerned_servers([], [address_from_text("192.0.2.200")])
    (folder / "as.tsv").write_text("192.0.2.0,192.0.2.127,x\n192.0.2.9/24,1\n10.0.0.1,1\n")
    with pytest.raises(ConfigError) as caught:
        policy_of(load(folder / "inland.yaml"))
    messages = [finding.message for finding in caught.value.findings]
    assert [message.split(": ", 1)[1] for message in messages] == [
        "'x' is not an AS number",
        "'192.0.2.9/24' has bits set beyond its length",
        "expected first address, last address and AS number",
    ]


def test_check_tells_what_the_linter_says(folder: Path) -> None:
    report = json.loads(run("check", folder / "inland.yaml", "--json"))
    assert report["valid"]
    assert report["remarks"] == []
    rules = RULES.replace("match: {suffix: foul.example, view: red}", "match: {suffix: in}")
    rules = rules.replace("listed: domestic", "suffix: gov.example")  # and spares in no more
    late = '- {id: old, match: {name: a.x}, effect: any, until: "2020-01-01"}\n'
    (folder / "rules.yaml").write_text(rules + late)
    report = json.loads(run("check", folder / "inland.yaml", "--json", code=1))
    assert not report["valid"]
    (error,) = report["errors"]
    assert (error["file"], error["line"]) == (str(folder / "rules.yaml"), 18)
    assert error["message"] == "foul would cut the domestic zone in"
    assert [remark["line"] for remark in report["remarks"]] == [25]
    text = run("check", folder / "inland.yaml", code=1)
    assert f"{folder / 'rules.yaml'}: line 18: rules[3]: foul would cut" in text
    assert f"{folder / 'rules.yaml'}: warning: line 25: rules[4]: old is over since" in text


def test_check_of_a_policy_file_alone(folder: Path) -> None:
    rules = folder / "rules.yaml"
    assert run("check", rules) == f"{rules}: valid, rules alone\n"
    rules.write_text(RULES.replace("effect: pass", "effect: past"))
    assert f"{rules}: line 9: rules[0].effect: expected one of prefer" in run(
        "check", rules, code=1
    )
    rules.write_text(RULES.replace("2199-12-31", "2026-01-02"))
    assert f"{rules}: warning: line 10: rules[1]: closed is over since" in run("check", rules)
