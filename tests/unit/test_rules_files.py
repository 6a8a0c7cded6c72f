"""Several policy files together, and files that cannot be used: all errors at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from policy.rule_load import load_rules
from resolver.errors import ConfigError
from resolver.limits import CONFIG_OCTETS_MAX
from tests.policy_rig import BORDER, wrong


def test_all_errors_come_in_one_report_in_the_order_of_files_and_lines() -> None:
    one = b"version: 1\nmode: off\nrules:\n- {id: a b, match: {}, effect: pass}\n- 7\n"
    two = b"version: 1\nrules:\n- {id: c, match: {sufix: a}, effect: allow}\n"
    assert [(f.source, f.path, f.line) for f in wrong(one, two)] == [
        ("one.yaml", "mode", 2),
        ("one.yaml", "rules[0].id", 4),
        ("one.yaml", "rules[1]", 5),
        ("two.yaml", "rules[0].effect", 3),
        ("two.yaml", "rules[0].match.sufix", 3),
    ]


def test_what_two_files_say_together() -> None:
    one = b"version: 1\nmode: observe\nrules:\n- {id: a, match: {}, effect: pass}\n"
    found = wrong(one, one)
    assert [(f.source, f.path, f.line, f.message) for f in found] == [
        ("two.yaml", "mode", 2, "stands twice; first at one.yaml line 2"),
        ("two.yaml", "rules[0].id", 4, "stands twice; first at one.yaml line 4"),
    ]


def test_a_file_that_cannot_be_read_hides_no_errors_of_others_and_causes_none() -> None:
    bad = b"version: 1\nviews: 7\n"
    uses = b"version: 1\nrules:\n- {id: a, match: {view: red}, effect: pass}\n- {id: b}\n"
    found = wrong(bad, uses)
    assert [(f.source, f.path) for f in found] == [
        ("one.yaml", "views"),
        ("two.yaml", "rules[1].effect"),
        ("two.yaml", "rules[1].match"),
    ]


def test_a_response_policy_zone_has_to_be_there() -> None:
    around = replace(BORDER, zones=frozenset({"other"}))
    found = wrong(b"version: 1\nrules: [{rpz: mine}]\n", around=around)
    assert "no response policy zone mine; known zones: other" in found[0].message


def test_more_rules_on_one_name_than_one_lookup_may_meet() -> None:
    rules = "".join(
        f"- {{id: r{n}, match: {{suffix: a.example, type: TYPE{n + 300}}}, effect: pass}}\n"
        for n in range(65)
    )
    (found,) = wrong(f"version: 1\nrules:\n{rules}".encode())
    assert (found.path, found.line) == ("rules[64]", 67)
    assert "65 rules may have to be held against one name, at most 64" in found.message


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (CONFIG_OCTETS_MAX + 1))
    with pytest.raises(ConfigError) as caught:
        load_rules([tmp_path / "none.yaml", tmp_path, large], BORDER)
    messages = [(f.source, f.path, f.message) for f in caught.value.findings]
    assert messages[0] == (
        str(tmp_path / "none.yaml"),
        "(file)",
        "cannot be read: No such file or directory",
    )
    assert messages[1][2] == "cannot be read: Is a directory"
    assert "more than the" in messages[2][2]
    assert str(caught.value).startswith(f"{tmp_path / 'none.yaml'}: cannot be read")
