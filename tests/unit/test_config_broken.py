"""Broken configurations: each finding has its path and line, and all come in one report."""

from pathlib import Path

import pytest

from resolver.config import load, parse
from resolver.errors import ConfigError
from resolver.limits import CONFIG_DEPTH_MAX as DEPTH_MAX
from resolver.limits import CONFIG_NODES_MAX as NODES_MAX
from resolver.limits import CONFIG_OCTETS_MAX as OCTETS_MAX

HOME = "home: [IN]\n"

# (text after the line with home, path, line, words in the message)
BROKEN = [
    # unknown keys
    ("hom: x", "hom", 2, "did you mean home?"),
    ("lisen: {}", "lisen", 2, "did you mean listen?"),
    ("patience: 2s", "patience", 2, "did you mean border.patience?"),
    ("Border: {}", "Border", 2, "did you mean border?"),
    ("qqqq: 1", "qqqq", 2, "known here: home, pack, listen,"),
    ("border:\n  pacience: 2s", "border.pacience", 3, "did you mean patience?"),
    ("border:\n  qname_minimisation: true", "border.qname_minimisation", 3, "resolution.qname"),
    ("dnssec:\n  validate_: true", "dnssec.validate_", 3, "did you mean validate?"),
    ("<<: {a: 1}", "'<<'", 2, "unknown key"),
    ("'a b': 1", "'a b'", 2, "unknown key"),
    # shapes
    ("listen: 3", "listen", 2, "expected keys and values, got 3"),
    ("border:\n- a", "border", 2, "expected keys and values, got a list"),
    ("listen:\n  dns: '127.0.0.1:53'", "listen.dns", 3, "expected a list, such as [127.0.0.1:53]"),
    ("listen:\n  dns: {a: 1}", "listen.dns", 3, "got a mapping"),
    ("listen:\n  dns:", "listen.dns", 3, "got nothing"),
    ("listen:", "listen", 2, "got nothing"),
    ("border:\n  interfaces: [ix0]", "border.interfaces", 3, "expected keys and values"),
    # addresses with a port
    ("listen:\n  dns:\n  - 127.0.0.1", "listen.dns[0]", 4, "expected an address with a port"),
    ("listen:\n  dns: ['127.0.0.1:1', '::1:53']", "listen.dns[1]", 3, "an address with a port"),
    ("listen:\n  dns: ['127.0.0.1:65536']", "listen.dns[0]", 3, "port 65536 is over 65535"),
    ("listen:\n  dns: ['127.0.0.256:53']", "listen.dns[0]", 3, "does not appear to be"),
    ("listen:\n  dns: ['[127.0.0.1]:53']", "listen.dns[0]", 3, "only IPv6 addresses stand in"),
    ("listen:\n  dns: ['[fe80::1%eth0]:53']", "listen.dns[0]", 3, "an address with a port"),
    ("listen:\n  dns: [localhost:53]", "listen.dns[0]", 3, "an address with a port"),
    ("listen:\n  dns: [[a]]", "listen.dns[0]", 3, "in quotes), got a list"),
    ("listen:\n  dns: [5300]", "listen.dns[0]", 3, "got 5300"),
    ("metrics:\n  listen: '9153'", "metrics.listen", 3, "an address with a port"),
    ("listen:\n  dns: ['[::1]:53', '[0::1]:53']", "listen.dns[1]", 3, "the same as listen.dns[0]"),
    (
        "metrics: {listen: '127.0.0.1:53'}\nlisten:\n  dns: ['127.0.0.1:53']",
        "metrics.listen",
        2,
        "127.0.0.1:53 is taken by listen.dns[0]",
    ),
    ("listen: {tcp_connections: 0}", "listen.tcp_connections", 2, "from 1 to 1000000, got 0"),
    # prefixes
    ("access:\n  allow: ['10.0.0.1/8']", "access.allow[0]", 3, "did you mean 10.0.0.0/8?"),
    ("access:\n  allow: ['10.0.0.0/33']", "access.allow[0]", 3, "expected a prefix"),
    ("access:\n  allow: ['10.0.0.0/255.0.0.0']", "access.allow[0]", 3, "expected a prefix"),
    ("access:\n  allow: [any]", "access.allow[0]", 3, "expected a prefix"),
    ("access:\n  allow: [10]", "access.allow[0]", 3, "got 10"),
    ("access:\n  allow:\n  - 10.0.0.0/8\n  - 10.0.0.0/8", "access.allow[1]", 5, "access.allow[0]"),
    ("resolution:\n  never_ask: ['::1/64']", "resolution.never_ask[0]", 3, "did you mean ::/64?"),
    # switches, numbers, words, paths
    ("resolution:\n  prime: yes", "resolution.prime", 3, "expected true or false, got 'yes'"),
    ("resolution:\n  prime: 1", "resolution.prime", 3, "expected true or false, got 1"),
    ("dnssec: {validate: 'true'}", "dnssec.validate", 2, "expected true or false, got 'true'"),
    ("resolution: {workers: 0}", "resolution.workers", 2, "from 1 to 256"),
    ("resolution: {workers: many}", "resolution.workers", 2, "or \"auto\", got 'many'"),
    ("resolution: {workers: true}", "resolution.workers", 2, "got true"),
    ("resolution: {workers: 1.5}", "resolution.workers", 2, "got 1.5"),
    ("resolution: {upstream_port: 0}", "resolution.upstream_port", 2, "from 1 to 65535, got 0"),
    ("resolution: {root_hints: [a]}", "resolution.root_hints", 2, "expected a path, got a list"),
    ("resolution: {root_hints: ''}", "resolution.root_hints", 2, "not a path"),
    ('control: {socket: "a\\0b"}', "control.socket", 2, "not a path"),
    ("resolution: {ipv4: false, ipv6: false}", "resolution.ipv6", 2, "no server could be asked"),
    ("log:\n\n  level: loud", "log.level", 4, "debug, info, warning, error; got 'loud'"),
    ("border: {mode: enforce}", "border.mode", 2, "expected one of prefer, observe"),
    ("border: {mode: [prefer]}", "border.mode", 2, "got a list"),
    # durations and sizes
    ("border: {patience: 2}", "border.patience", 2, "a duration with its unit"),
    ("border: {patience: 2 s}", "border.patience", 2, "a duration with its unit"),
    ("border: {patience: -1s}", "border.patience", 2, "a duration with its unit"),
    ("border: {patience: 0s}", "border.patience", 2, "out of range: from 50ms to 9900ms"),
    ("border: {patience: 10s}", "border.patience", 2, "out of range: from 50ms to 9900ms"),
    ("cache: {ttl_max: 8d}", "cache.ttl_max", 2, "out of range: from 1s to 7d"),
    ("cache: {answers: 256}", "cache.answers", 2, "a size with its unit"),
    ("cache: {answers: 256MB}", "cache.answers", 2, "a size with its unit"),
    ("cache: {answers: 1B}", "cache.answers", 2, "out of range: from 1MiB to 1024GiB"),
    # the border
    ("border:\n  domestic: [{country: IN}]", "border.domestic[0].prefix", 3, "required"),
    ("border:\n  domestic: [{prefix: x}]", "border.domestic[0].prefix", 3, "expected a prefix"),
    ("border:\n  domestic: [x]", "border.domestic[0]", 3, "expected a prefix"),
    ("border:\n  foreign: [3]", "border.foreign[0]", 3, "expected a prefix"),
    (
        "border:\n  foreign: [{prefix: 12.0.0.0/8, contry: US}]",
        "border.foreign[0].contry",
        3,
        "did you mean country?",
    ),
    (
        "border:\n  foreign: [{prefix: 12.0.0.0/8, country: IN}]",
        "border.foreign[0].country",
        3,
        "IN is in home, but the prefix is foreign",
    ),
    (
        "border:\n  domestic: [{prefix: 12.0.0.0/8, country: US}]",
        "border.domestic[0].country",
        3,
        "US is not in home, but the prefix is domestic",
    ),
    (
        "border:\n  domestic: [11.0.0.0/8]\n  foreign:\n  - 12.0.0.0/8\n  - 11.0.0.0/8",
        "border.foreign[1]",
        6,
        "11.0.0.0/8 stands in border.domestic[0] too",
    ),
    (
        "border:\n  domestic: [11.0.0.0/8, {prefix: 11.0.0.0/8}]",
        "border.domestic[1].prefix",
        3,
        "stands in border.domestic[0] too",
    ),
    ("border: {zones: [a..b]}", "border.zones[0]", 2, "empty label"),
    ("border: {zones: [भारत]}", "border.zones[0]", 2, "A-labels"),
    ("border: {zones: [.]}", "border.zones[0]", 2, "the root cannot be listed"),
    ("border: {zones: [7]}", "border.zones[0]", 2, "expected a zone name"),
    ("border: {zones: [gov.in, GOV.in.]}", "border.zones[1]", 2, "the same as border.zones[0]"),
    ("border:\n  interfaces:\n    ix0: inside", "border.interfaces.ix0", 4, "domestic, foreign"),
    ("border:\n  interfaces: {a/b: foreign}", "border.interfaces.'a/b'", 3, "not the name of"),
    (
        f"border:\n  interfaces: {{{'i' * 16}: foreign}}",
        f"border.interfaces.{'i' * 16}",
        3,
        "not the name of a network interface",
    ),
    ("border: {databases: [3]}", "border.databases[0]", 2, "expected a path, got 3"),
    ("border: {databases: [{name: x}]}", "border.databases[0].path", 2, "required"),
    ("border: {databases: [{path: x, name: 'a b'}]}", "border.databases[0].name", 2, "letters"),
    ("border: {databases: [a.mmdb, a.mmdb]}", "border.databases[1]", 2, "the same file as"),
    ("border: {databases: [a/x.mmdb, b/x.mmdb]}", "border.databases[1]", 2, "give another"),
    # repeated keys
    ("log: {level: info}\nlog: {level: info}", "log", 3, "stands twice; first on line 2"),
    ("border:\n  mode: prefer\n\n  mode: prefer", "border.mode", 5, "first on line 3"),
    ("[a, b]: c", "(file)", 2, "a key must be a word"),
]


@pytest.mark.parametrize(("text", "path", "line", "words"), BROKEN, ids=lambda value: None)
def test_a_broken_key_is_found(text: str, path: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse((HOME + text).encode(), "x.yaml")
    (finding,) = raised.value.findings
    assert (finding.path, finding.line) == (path, line)
    assert words in finding.message


# (whole text, line, words)
HOMES = [
    ("home: [UK]", 1, "the code of the United Kingdom is GB"),
    ("home: [in]", 1, "write the country code in capitals: IN"),
    ("home: [ZZ]", 1, "XA to XZ in testbeds"),
    ("home: [QL]", 1, "expected an ISO 3166-1 alpha-2 code"),
    ("home: [IND]", 1, "expected an ISO 3166-1 alpha-2 code"),
    ("home: [EU]", 1, "expected an ISO 3166-1 alpha-2 code"),
    ("home: [1]", 1, "got 1"),
    ("home: IN", 1, "expected a list, such as [IN], got 'IN'"),
    ("home: []", 1, "at least one country"),
    ("home:\n- IN\n- IN", 3, "the same as home[0]"),
    ("log: {}", 1, "required, but not there"),
    ("", 1, "required, but not there"),
    ("# nothing but a comment\n", 1, "required, but not there"),
]


@pytest.mark.parametrize(("text", "line", "words"), HOMES)
def test_home_must_be_countries(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text.encode())
    (finding,) = raised.value.findings
    assert finding.path.startswith("home")
    assert finding.line == line
    assert words in finding.message


# (octets, line, words): files that are no configuration at all
NO_FILES = [
    (b"home: [IN\nlog: {}\n", 2, "not YAML:"),
    (b"home: [IN]\n\tlog: {}", 2, "(column 1)"),
    (b"home: [IN]\nlog: 'x", 2, "not YAML:"),
    (b"home: *x", 1, "alias *x without its anchor"),
    (b"home: &a [*a]", 1, "alias *a without its anchor"),
    (b"home: !!python/object:os.system [IN]", 1, "tag"),
    (b"home: ! IN", 1, "tag '!' is not supported"),
    (b"home: !!str IN", 1, "is not supported"),
    (b"home: [IN]\n---\nhome: [IN]", 2, "a second document"),
    (b"home: [\xff]", 1, "not UTF-8: octet 0xff"),
    (b"home: [IN]\n# \xc3\x28", 2, "not UTF-8"),
    ("home: [IN]".encode("utf-16"), 1, "not UTF-8"),
    (b"home: [IN]\n\x07", 2, "not YAML:"),
    (b"home: [IN]\0", 1, "not YAML:"),
    (b"IN", 1, "expected keys such as home: [IN]"),
    (b"- IN", 1, "expected keys such as home: [IN]"),
    (b"\n\n3", 3, "expected keys such as home: [IN]"),
    (b"[" * 5000, 1, f"nested deeper than {DEPTH_MAX} levels"),
    (b"a: " + b"{a: " * 5000, 1, f"nested deeper than {DEPTH_MAX} levels"),
    (b"- " * 5000, 1, f"nested deeper than {DEPTH_MAX} levels"),
    (b"#" * (OCTETS_MAX + 1), None, "octets, more than"),
    (b"x:\n" + b"- 1\n" * (NODES_MAX + 1), NODES_MAX, f"more than {NODES_MAX} values"),
]


@pytest.mark.parametrize(("data", "line", "words"), NO_FILES, ids=lambda value: None)
def test_a_file_that_is_no_configuration_gives_one_error(
    data: bytes, line: int | None, words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(data)
    (finding,) = raised.value.findings
    assert (finding.path, finding.line) == ("(file)", line)
    assert words in finding.message


def test_an_alias_bomb_is_stopped() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match=f"more than {NODES_MAX} values"):
        parse("\n".join(rows).encode())


def test_aliases_cannot_nest_deeper_than_the_bound() -> None:
    rows = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 40))]
    with pytest.raises(ConfigError, match=f"nested deeper than {DEPTH_MAX} levels"):
        parse("\n".join(rows).encode())


def test_everything_wrong_is_reported_at_once_in_the_order_of_lines() -> None:
    text = """\
hom: [IN]
listen:
  dns: ["127.0.0.1"]
border:
  patience: 2
  patience: 2s
  domestic: ["11.0.0.0/8"]
  foreign: ["11.0.0.0/8"]
cache: {answers: lots}
"""
    with pytest.raises(ConfigError) as raised:
        parse(text.encode(), "some.yaml")
    found = [(finding.line, finding.path) for finding in raised.value.findings]
    assert found == [
        (1, "hom"),
        (1, "home"),
        (3, "listen.dns[0]"),
        (5, "border.patience"),
        (6, "border.patience"),
        (8, "border.foreign[0]"),
        (9, "cache.answers"),
    ]
    report = str(raised.value).splitlines()
    assert len(report) == 7
    assert report[2] == (
        "some.yaml: line 3: listen.dns[0]: expected an address with a port, such as"
        ' "127.0.0.1:5300" or "[::1]:5300" (in quotes), got \'127.0.0.1\''
    )


@pytest.mark.parametrize("name", ["missing.yaml", ".", "\0"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / name)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f"home: [{'I' * 100_000}]\n{'k' * 90_000}: 1".encode())
    assert all(len(str(finding)) < 400 for finding in raised.value.findings)
