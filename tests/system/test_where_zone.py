"""What is known of a name, asked for with dig of a running server."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testbed.control import Loopback
from tests.system.serving import Serving, inland
from tests.system.test_serve_policy import positive

ZONE = "where.inland.internal"
TELLING = {"name": "desk", "clients": ["127.0.0.0/8"], "explain": True}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file under which clients on IPv4 are told, those on IPv6 are not."""
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"version": 1, "mode": "prefer", "views": [TELLING]}))
    return file


@pytest.fixture
def keys(policy: Path) -> dict[str, Any]:
    """Keys of the configuration."""
    return {
        "policy": {"files": [str(policy)]},
        "listen": {"dns": ["127.0.0.1:0", "[::1]:0"]},
    }


def dig(serving: Serving, *words: str, stranger: bool = False) -> str:
    """What dig prints; a stranger asks over IPv6."""
    listening = serving.ask_control("status")["listening"]
    endpoint = next(one for one in listening if one.startswith("[") == stranger)
    host, _, port = endpoint.rpartition(":")
    shown = subprocess.run(
        ["dig", f"@{host.strip('[]')}", "-p", port, "+tries=1", "+time=5", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return shown.stdout


def told(serving: Serving, *words: str) -> list[dict[str, str]]:
    """The words of each TXT record."""
    shown = dig(serving, "+short", "TXT", *words)
    return [
        dict(word.split("=", 1) for word in shlex.split(line))
        for line in shown.splitlines()
        if line.startswith('"')
    ]


def about(found: list[dict[str, str]], topic: str) -> list[dict[str, str]]:
    """Those on one topic."""
    return [one for one in found if one["about"] == topic]


def test_dig_shows_what_was_done_for_a_name(
    world: Loopback, tmp_path: Path, keys: dict[str, Any]
) -> None:
    (name,) = positive(world, 1)
    with Serving(world, tmp_path, **keys) as serving:
        below = f"{name.rstrip('.')}.{ZONE}"
        assert "status: NXDOMAIN" in dig(serving, below, "TXT"), "not known yet"
        assert serving.total("inland_exchanges_total") == 0
        dig(serving, name, "A")
        exchanges = serving.total("inland_exchanges_total")
        found = told(serving, below)
        (lookup,) = about(found, "lookup")
        assert int(lookup["exchanges"]) == exchanges == len(about(found, "exchange"))
        for one in about(found, "exchange"):
            assert one["verdict"] in ("domestic", "foreign", "unknown")
            assert (one["country"] == "none") == (one["grade"] == "none"), one
        assert about(found, "records")[-1]["kind"] == "records"
        assert about(found, "zone")
        generation = serving.ask_control("status")["generation"]
        assert about(found, "name")[0]["generation"] == generation
        # Over UDP without room it is truncated, and whole over TCP.
        assert "flags: qr tc" in dig(serving, "+noedns", "+ignore", below, "TXT")
        assert len(told(serving, "+tcp", below)) == len(found)
        # A hit of native's cache, another question and a reload bring no exchange.
        dig(serving, name, "A")
        assert told(serving, f"{name.rstrip('.')}._a.{ZONE}")
        assert serving.total("inland_exchanges_total") == exchanges
        # Two of the four went on from UDP to TCP.
        assert serving.total("inland_where_answers_total", result="told") == 6
        assert serving.total("inland_where_answers_total", result="unknown") == 1


def test_strangers_cannot_tell_what_is_known(
    world: Loopback, tmp_path: Path, keys: dict[str, Any]
) -> None:
    known, other = positive(world, 2)
    with Serving(world, tmp_path, **keys) as serving:
        dig(serving, known, "A")
        exchanges = serving.total("inland_exchanges_total")
        shown = []
        for name in (known, other):
            text = dig(serving, f"{name.rstrip('.')}.{ZONE}", "TXT", stranger=True)
            lines = [line for line in text.splitlines() if line and not line.startswith(";")]
            assert "status: NXDOMAIN" in text
            assert "TXT" not in " ".join(lines)
            shown.append(lines)
        assert shown[0] == shown[1], "the same SOA, TTL and all"
        for words in (["DS", ZONE], ["NS", ZONE], ["A", f"x.{ZONE}"]):
            dig(serving, *words, stranger=True)
        assert serving.total("inland_exchanges_total") == exchanges
        assert serving.total("inland_where_answers_total") == 0


def test_the_zone_is_the_operator_s_choice_and_a_reload_moves_it(
    world: Loopback, tmp_path: Path, keys: dict[str, Any]
) -> None:
    (name,) = positive(world, 1)
    with Serving(world, tmp_path, **keys) as serving:
        dig(serving, name, "A")
        serving.configure(**keys, local={"where": "lookups.home.arpa"})
        serving.ask_control("reload")
        dig(serving, name, "A")
        assert told(serving, f"{name.rstrip('.')}.lookups.home.arpa")
        assert not told(serving, f"{name.rstrip('.')}.{ZONE}")
        serving.configure(**keys, local={"where": None})
        serving.ask_control("reload")
        assert not told(serving, f"{name.rstrip('.')}.lookups.home.arpa")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("internal", "is a top-level domain"),
        (".", "the root cannot be listed"),
        ("a." * 40 + "internal", "longer than 64 octets"),
        (7, "expected a zone name"),
    ],
)
def test_check_tells_what_cannot_be(tmp_path: Path, value: object, error: str) -> None:
    file = tmp_path / "inland.yaml"
    file.write_text(json.dumps({"home": ["IN"], "local": {"where": value}}))
    shown = inland("check", str(file))
    assert shown.returncode == 1
    assert error in shown.stderr + shown.stdout
    assert "local.where" in shown.stderr + shown.stdout


def test_check_warns_of_a_zone_that_others_may_have(tmp_path: Path) -> None:
    file = tmp_path / "inland.yaml"
    file.write_text(json.dumps({"home": ["IN"], "local": {"where": "where.example.net"}}))
    shown = inland("check", str(file))
    assert "local.where: where.example.net is not below a name for private use" in (
        shown.stderr + shown.stdout
    )
    file.write_text(json.dumps({"home": ["IN"], "local": {"where": "where.home.arpa"}}))
    shown = inland("check", str(file))
    assert "local.where" not in shown.stderr + shown.stdout
