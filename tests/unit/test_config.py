"""Valid configurations: defaults, units, short forms, JSON; and no input breaks the reader."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policy.iso3166 import COUNTRIES
from resolver.config import Config, load, parse, warnings
from resolver.config_docs import policy_schema, reference, schema
from resolver.config_lines import path_text, read_tree
from resolver.config_units import MIB, Endpoint, shown
from resolver.errors import ConfigError, Finding
from resolver.names import from_text

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((PROJECT / "config" / "examples").glob("*.yaml"))
DEFAULTS = parse(b"home: [IN]")


def test_defaults() -> None:
    assert DEFAULTS.home == ("IN",)
    assert DEFAULTS.listen.dns == (Endpoint("127.0.0.1", 5300), Endpoint("::1", 5300))
    assert [str(endpoint) for endpoint in DEFAULTS.listen.dns] == ["127.0.0.1:5300", "[::1]:5300"]
    assert DEFAULTS.resolution.root_hints is None
    assert DEFAULTS.resolution.workers is None
    assert ip_network("127.0.0.0/8") in DEFAULTS.resolution.never_ask
    assert DEFAULTS.border.mode == "prefer"
    assert DEFAULTS.border.patience == 2.0
    assert DEFAULTS.cache.answers == 256 * MIB
    assert DEFAULTS.cache.ttl_max == 86400.0
    assert DEFAULTS.dnssec.validate_ is True


def test_every_key_of_the_published_contract_is_read(tmp_path: Path) -> None:
    text = """
home: [IN]
listen: {dns: ["127.0.0.1:5300", "[::1]:5300"]}     # UDP and TCP
access: {allow: ["127.0.0.0/8", "::1/128"]}
resolution: {root_hints: builtin, qname_minimisation: true, upstream_port: 53, ipv6: true,
             workers: auto, never_ask: []}
dnssec: {validate: true, trust_anchors: builtin}
border: {mode: prefer, patience: 2s, domestic: ["11.0.0.0/8"], foreign: ["12.0.0.0/8"],
         zones: ["gov.in"], interfaces: {}, databases: []}
cache: {answers: 256MiB, records: 256MiB}
metrics: {listen: "127.0.0.1:9153"}
control: {socket: inland.sock}
"""
    path = tmp_path / "inland.yaml"
    path.write_text(text)
    config = load(path)
    assert config.border.domestic[0].prefix == ip_network("11.0.0.0/8")
    assert config.border.zones == (from_text("gov.in"),)
    assert config.control.socket == tmp_path / "inland.sock"
    assert config.source == str(path)


def test_short_and_long_forms_of_entries() -> None:
    text = b"""
home: [NO, XA]
border:
  foreign: [12.0.0.0/8, {prefix: "2001:db8::/32", country: US}, 12.3.4.5]
  databases: [a/b.mmdb, {path: /c.mmdb, name: second}]
  interfaces: {ix0: domestic, on: foreign}
  patience: 500ms
"""
    border = parse(text, base=Path("/etc/inland")).border
    assert [str(entry.prefix) for entry in border.foreign] == [
        "12.0.0.0/8",
        "2001:db8::/32",
        "12.3.4.5/32",
    ]
    assert [entry.country for entry in border.foreign] == [None, "US", None]
    assert [str(entry.path) for entry in border.databases] == ["/etc/inland/a/b.mmdb", "/c.mmdb"]
    assert border.databases[1].name == "second"
    assert border.interfaces == {"ix0": "domestic", "on": "foreign"}
    assert border.patience == 0.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("50ms", 0.05), ("1s", 1), ("1.5s", 1.5), ("9900ms", 9.9), ("0.1m", 6)],
)
def test_durations(text: str, seconds: float) -> None:
    config = parse(f"home: [IN]\nborder: {{patience: {text}}}".encode())
    assert config.border.patience == pytest.approx(seconds)


def test_json_and_yaml_say_the_same() -> None:
    value = {"home": ["IN", "NO"], "border": {"patience": "1s", "zones": ["gov.in"]}}
    for text in (json.dumps(value), json.dumps(value, indent=4), yaml.safe_dump(value)):
        assert parse(text.encode()).model_dump() == parse(json.dumps(value).encode()).model_dump()


def test_aliases_and_a_byte_order_mark_are_understood() -> None:
    text = "\ufeffhome: [IN]\nborder: {domestic: &own [11.0.0.0/8]}\naccess: {allow: *own}"
    assert parse(text.encode()).access.allow == (ip_network("11.0.0.0/8"),)


def test_any_free_port_may_be_asked_for_several_times() -> None:
    text = b"home: [IN]\nlisten: {dns: ['127.0.0.1:0', '127.0.0.1:0']}"
    assert [endpoint.port for endpoint in parse(text).listen.dns] == [0, 0]


def test_the_metrics_listener_can_be_switched_off() -> None:
    assert parse(b"home: [IN]\nmetrics: {listen: null}").metrics.listen is None


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DEFAULTS.border.patience = 3.0


def test_there_are_249_assigned_codes() -> None:
    assert len(COUNTRIES) == 249


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dnssec: {validate: true}", "signatures are not checked yet"),
        ("access: {allow: []}", "every client is refused"),
        ("access: {allow: ['0.0.0.0/0']}", "0.0.0.0/0 opens the resolver to everyone"),
        ("border: {registry: false}", "nothing tells which addresses are domestic"),
        ("state: {}", "counters do not survive a crash"),
    ],
)
def test_warnings(text: str, words: str) -> None:
    assert any(words in line for line in warnings(parse(f"home: [IN]\n{text}".encode())))


def test_nothing_to_warn_of() -> None:
    text = b"home: [IN]\ndnssec: {validate: false}\nstate: {directory: /var/lib/inland}"
    assert warnings(parse(text)) == []


def test_later_findings_get_their_lines() -> None:
    config = parse(b"home: [IN]\nborder:\n  databases:\n  - x.mmdb\n", "x.yaml")
    late = [Finding("border.databases[0]", "gone"), Finding("elsewhere", "odd")]
    assert str(config.with_lines(late)).splitlines() == [
        "x.yaml: line 4: border.databases[0]: gone",
        "x.yaml: elsewhere: odd",
    ]


def test_the_reference_is_fresh_and_states_the_defaults() -> None:
    stored = (PROJECT / "config" / "inland.yaml").read_text("utf-8")
    assert stored == reference(), "run: python -m resolver.config_docs"
    assert parse(stored.encode()).model_dump() == DEFAULTS.model_dump()


def test_the_reference_shows_every_key_with_help() -> None:
    lines = reference().splitlines()
    for number, line in enumerate(lines):
        key = line.strip()
        if key and not key.startswith(("#", "-")):
            assert lines[number - 1].strip().startswith("# "), f"no help above {key}"
            assert len(line) <= 100


def test_the_schema_is_fresh() -> None:
    stored = (PROJECT / "config" / "schema.json").read_text("utf-8")
    assert stored == schema(), "run: python -m resolver.config_docs"


def test_the_schema_of_policy_files_is_fresh() -> None:
    stored = (PROJECT / "config" / "policy.schema.json").read_text("utf-8")
    assert stored == policy_schema(), "run: python -m resolver.config_docs"
    made = json.loads(stored)
    assert "RuleForm" in json.dumps(made["$defs"]["FileForm"]["properties"]["rules"])
    assert made["$ref"] == "#/$defs/FileForm"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_valid(path: Path) -> None:
    config = load(path)
    assert config.home or config.pack


def test_there_are_examples_for_everyone() -> None:
    assert [path.stem for path in EXAMPLES] == ["home", "isp", "lab", "regulator"]


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=200))
def test_arbitrary_octets_raise_nothing_but_config_errors(data: bytes) -> None:
    try:
        parse(data)
    except ConfigError as error:
        assert str(error)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["IN", "2s", "1MiB", "11.0.0.0/8", "127.0.0.1:53", "domestic", "auto", "a.b"]),
)
keys = st.one_of(
    st.sampled_from(
        [
            *Config.model_fields,
            *("dns", "allow", "domestic", "foreign", "prefix", "country", "interfaces"),
            *("databases", "path", "name", "zones", "mode", "patience", "workers", "never_ask"),
            *("ipv4", "ipv6"),
        ]
    ),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(keys, values, max_size=6), st.booleans())
def test_arbitrary_values_raise_nothing_but_config_errors(
    value: dict[str, object], as_json: bool
) -> None:
    text = json.dumps(value) if as_json else yaml.safe_dump(value, allow_unicode=True)
    try:
        parse(text.encode("utf-8", "replace"))
    except ConfigError as error:
        assert all(finding.message for finding in error.findings)
        str(error).encode()


@settings(deadline=None)  # a busy machine is no failure
@given(values.filter(lambda value: isinstance(value, dict)))
def test_every_finding_of_a_readable_file_has_a_line(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace")
    try:
        parse(text)
    except ConfigError as error:
        lines = text.count(b"\n") + 1
        assert all(f.line is not None and 1 <= f.line <= lines for f in error.findings)


def test_lines_of_nested_values() -> None:
    tree = read_tree(b"a:\n  - b\n  -\n    c: 1\n    d: [2,\n     3]\n", "x")
    assert tree.value == {"a": ["b", {"c": 1, "d": [2, 3]}]}
    assert {path_text(path): line for path, line in tree.lines.items()} == {
        "(file)": 1,
        "a": 1,
        "a[0]": 2,
        "a[1]": 4,
        "a[1].c": 4,
        "a[1].d": 5,
        "a[1].d[0]": 5,
        "a[1].d[1]": 6,
    }
    assert tree.line(("a", 1, "x", "y")) == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("true", True),
        ("12:30", "12:30"),
        ("0x1f", "0x1f"),
        ("-3", -3),
        ("1.5", 1.5),
        (".inf", ".inf"),
        ("1" * 19, "1" * 19),
        ("2026-11-22", "2026-11-22"),
        ("'3'", "3"),
        ("~", None),
        ("", None),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert read_tree(f"a: {text}".encode(), "x").value == {"a": value}


@pytest.mark.parametrize(
    ("value", "text"), [(None, "nothing"), ([1], "a list"), ({}, "a mapping"), (True, "true")]
)
def test_values_in_messages(value: object, text: str) -> None:
    assert shown(value) == text
    assert len(shown("x" * 100)) == 58
