"""Root hints: the built-in ones and those of an operator."""

import os
from pathlib import Path

import pytest

from resolver.config import parse
from resolver.errors import ConfigError, SourceError
from resolver.hints import read_hints
from resolver.limits import HINTS_OCTETS_MAX
from resolver.model import address_from_text
from resolver.names import from_text
from resolver.policy_of import policy_of

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("INLAND_SHARED", PROJECT.parent / "shared"))


def test_the_builtin_hints_name_thirteen_servers_with_both_families() -> None:
    hints = read_hints()
    assert [name for name, _ in hints] == [
        from_text(f"{letter}.root-servers.net") for letter in "abcdefghijklm"
    ]
    assert [[len(address) for address in some] for _, some in hints] == [[4, 16]] * 13


def test_the_builtin_hints_agree_with_a_root_zone() -> None:
    path = SHARED / "data" / "root.zone"
    if not path.exists():
        pytest.skip(f"{path} is not there (set INLAND_SHARED)")
    published = set()
    for line in path.read_text("ascii").splitlines():
        fields = line.split()
        if len(fields) == 5 and fields[3] in ("A", "AAAA"):
            published.add((from_text(fields[0]), address_from_text(fields[4])))
    for name, addresses in read_hints():
        for address in addresses:
            assert (name, address) in published


def test_hints_of_an_operator(tmp_path: Path) -> None:
    path = tmp_path / "named.root"
    path.write_text(
        "; comment\n. 3600000 NS B.ROOT.LAB.\n. 3600000 NS a.root.lab.\n. NS none.lab.\n"
        "a.root.lab. 60 A 127.1.0.2\na.root.lab. 60 A 127.1.0.1\nb.root.lab. 60 AAAA 2001:db8::1\n"
        "other.lab. 60 A 127.1.0.9\n"
    )
    assert read_hints(path) == (
        (from_text("a.root.lab"), tuple(map(address_from_text, ("127.1.0.1", "127.1.0.2")))),
        (from_text("b.root.lab"), (address_from_text("2001:db8::1"),)),
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no root server with an address"),
        (b". 60 NS a.lab.\n", "no root server with an address"),
        (b"a.lab. 60 A 127.0.0.1\n", "no root server with an address"),
        (b". 60 NS a.lab.\na.lab. 60 A 127.0.0\n", "hints"),
        (b"$INCLUDE /etc/passwd\n", "hints"),
        (b"home: [IN]\n", "hints"),
        (b"\xff\xfe", "not ASCII text"),
        (b";" * (HINTS_OCTETS_MAX + 1), "not a file of root hints"),
    ],
)
def test_unusable_hints_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "hints"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words) as raised:
        read_hints(path)
    assert str(raised.value).startswith(str(path))


def test_all_files_that_cannot_be_used_are_reported_with_lines(tmp_path: Path) -> None:
    text = b"home: [IN]\nresolution:\n  root_hints: x.hints\nborder:\n  databases:\n  - x.mmdb\n"
    with pytest.raises(ConfigError) as raised:
        policy_of(parse(text, "x.yaml", tmp_path))
    assert [(f.line, f.path) for f in raised.value.findings] == [
        (3, "resolution.root_hints"),
        (6, "border.databases[0]"),
    ]
    without = b"home: [IN]\nresolution:\n  root_hints: x.hints\n"
    with pytest.raises(ConfigError, match=r"line 3: resolution\.root_hints: .*No such file"):
        policy_of(parse(without, "x.yaml", tmp_path))


BASE = b"home: [IN]\n"


@pytest.mark.parametrize(
    "text",
    [
        "border: {mode: observe}",
        "border: {patience: 1s}",
        "border: {domestic: [11.0.0.0/8]}",
        "border: {foreign: [11.0.0.0/8]}",
        "border: {foreign: [{prefix: 11.0.0.0/8, country: US}]}",
        "border: {zones: [gov.example]}",
        "border: {interfaces: {ix0: domestic}}",
        "border: {registry: false}",
        "resolution: {never_ask: []}",
        "resolution: {ipv4: false}",
        "resolution: {ipv6: false}",
        "resolution: {upstream_port: 5353}",
        "resolution: {root_hints: lab.hints}",
        "local: {special_use: false}",
        "dnssec: {validate: false}",
    ],
)
def test_keys_that_decide_change_the_generation(text: str) -> None:
    lab = PROJECT / "config" / "examples"
    before, _ = policy_of(parse(BASE))
    after, _ = policy_of(parse(BASE + text.encode(), base=lab))
    assert before.generation != after.generation
    assert before.generation_number != after.generation_number


@pytest.mark.parametrize(
    "text",
    [
        "listen: {dns: ['127.0.0.1:53']}",
        "cache: {answers: 1GiB}",
        "log: {level: debug}",
        "metrics: {listen: null}",
        "border: {mode: prefer, patience: 2000ms}",
    ],
)
def test_keys_that_decide_nothing_do_not(text: str) -> None:
    assert (
        policy_of(parse(BASE))[0].generation == policy_of(parse(BASE + text.encode()))[0].generation
    )
