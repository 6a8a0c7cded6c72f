"""The configuration of mirrors: what it leads to, and what is wrong with one."""

import base64
from pathlib import Path

import pytest

from resolver.config import parse, warnings
from resolver.errors import ConfigError
from resolver.mirrors.wanted import ROOT_ANCHORS, Terms, Wanted
from resolver.mirrors_of import mirror_directory, mirrors_of
from resolver.model import address_from_text
from tests.virtual_servers import name

DS = "4711 13 2 " + "AB" * 32


def wanted(text: str, base: Path | None = None) -> tuple[Wanted, ...]:
    return mirrors_of(parse(f"home: [IN]\n{text}\n".encode(), base=base))


def test_nothing_is_mirrored_without_a_word() -> None:
    assert wanted("") == ()


def test_the_root_is_one_switch() -> None:
    (root,) = wanted("mirrors: {root: true}")
    assert root.zone == name(".")
    assert root.terms == Terms("require", "require", ROOT_ANCHORS)
    assert root.primaries[0].address == address_from_text("192.0.32.132")
    assert len(root.primaries) == 16
    assert root.url == "https://www.internic.net/domain/root.zone"


def test_the_example_for_providers_mirrors_the_root() -> None:
    text = Path("config/examples/isp.yaml").read_bytes()
    assert [one.zone for one in mirrors_of(parse(text))] == [name(".")]


def test_own_sources_take_the_place_of_the_built_in_ones() -> None:
    (root,) = wanted("mirrors: {root: true, zones: [{zone: '.', primaries: [11.0.0.1]}]}")
    assert [one.address for one in root.primaries] == [b"\x0b\0\0\1"]
    assert root.terms.anchors == ROOT_ANCHORS  # unless others are given, or none are wanted
    (root,) = wanted(f"mirrors: {{zones: [{{zone: '.', file: a, anchors: ['{DS}']}}]}}")
    assert root.terms.anchors == (DS,)


def test_parents_come_before_children_and_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(base64.b64encode(b"secret").decode() + "\n")
    found = wanted(
        """
mirrors:
  zones:
    - zone: gov.in
      primaries: [{address: "2001:db8::1", tier: 2, key: K.example}]
      url: https://example.org/zone
      zonemd: require
      shrink_max: 20
    - {zone: in, primaries: [11.0.0.1]}
  keys:
    - {name: k.example, algorithm: hmac-sha512, secret_file: key}
""",
        tmp_path,
    )
    assert [one.zone for one in found] == [name("in."), name("gov.in.")]
    key = found[1].primaries[0].key
    assert key is not None
    assert (key.name, key.algorithm, key.secret) == ("k.example.", "hmac-sha512", b"secret")
    assert found[1].terms == Terms("require", "check", (), 20)


def test_copies_stand_in_the_state_directory_unless_said_otherwise() -> None:
    config = parse(b"home: [IN]\nmirrors: {root: true}\nstate: {directory: /s}\n")
    assert mirror_directory(config) == Path("/s/mirrors")
    config = parse(b"home: [IN]\nmirrors: {root: true, directory: /m}\n")
    assert mirror_directory(config) == Path("/m")
    config = parse(b"home: [IN]\nmirrors: {root: true}\n")
    assert mirror_directory(config) is None
    assert any("mirrors.directory" in warning for warning in warnings(config))


ZONE = "mirrors:\n  zones:\n  - {zone: in, primaries: [11.0.0.1], "
BROKEN = [
    ("mirrors: {zones: [{zone: in}]}", "mirrors.zones[0]", 2, "has no source"),
    ("mirrors: {zones: [{primaries: [11.0.0.1]}]}", "mirrors.zones[0].zone", 2, "required"),
    ("mirrors: {zones: [{zone: a..b, file: x}]}", "mirrors.zones[0].zone", 2, "empty label"),
    (ZONE + "zonemd: maybe}", "mirrors.zones[0].zonemd", 4, "require, check, off"),
    (ZONE + "anchors: [1 2 3 4]}", "mirrors.zones[0].anchors[0]", 4, "expected a DS record"),
    (ZONE + f"anchors: ['{DS}00']}}", "mirrors.zones[0].anchors[0]", 4, "expected a DS record"),
    (ZONE + "url: ftp://a/b}", "mirrors.zones[0].url", 4, "https://example.org"),
    (ZONE + "shrink_max: 0}", "mirrors.zones[0].shrink_max", 4, "from 1 to 100"),
    ("mirrors: {zones: [{zone: in, primaries: [ns.in]}]}",
     "mirrors.zones[0].primaries[0]", 2, "expected an IP address"),
    ("mirrors: {zones: [{zone: in, primaries: [{address: 11.0.0.1, key: k}]}]}",
     "mirrors.zones[0].primaries[0].key", 2, "no such key"),
    ("mirrors: {zones: [{zone: in, file: a}, {zone: IN., file: b}]}",
     "mirrors.zones[1].zone", 2, "the same as that of mirrors.zones[0]"),
    ("mirrors: {keys: [{name: k, secret_file: none}]}",
     "mirrors.keys[0].secret_file", 2, "cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "line", "words"), BROKEN, ids=lambda value: None)
def test_what_is_wrong_is_told_with_its_line(text: str, path: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        wanted(text)
    (finding,) = error.value.findings
    assert (finding.path, finding.line) == (path, line)
    assert words in finding.message


@pytest.mark.parametrize("secret", ["", "not base64!", "x" * 5000])
def test_secrets_that_are_none(tmp_path: Path, secret: str) -> None:
    (tmp_path / "key").write_text(secret)
    with pytest.raises(ConfigError, match="secret_file"):
        wanted("mirrors: {keys: [{name: k, secret_file: key}]}", tmp_path)
