"""What people see of the command line: help, tables and errors, as wide as the terminal is."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from resolver.cli import build
from resolver.cli import main as inland
from resolver.cli.control import _print as show_reply
from resolver.cli.explanation import show as show_explanation

STATUS = {
    "uptime_seconds": 93.6094,
    "compiled": True,
    "mirrors": {".": {"state": "current", "serial": 7}, "xa.": {"state": "expired", "serial": 8}},
    "rpz": {},
    "listening": [],
    "watch": {"zones": 3, "not_delegated": 0, "behind_seconds": 0.0, "looked_seconds_ago": None},
}


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def commands(app: typer.Typer, *before: str) -> Iterator[tuple[str, ...]]:
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        yield (*before, str(name).replace("_", "-"))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, *before, str(group.name))


@pytest.mark.parametrize("words", list(commands(build([]))), ids=" ".join)
def test_help_fits_and_its_lines_end_where_the_terminal_does(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(build(words), [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    lines = [line.rstrip() for line in shown.output.splitlines()]
    assert max(map(len, lines)) <= 80
    text = lines[: next(i for i, line in enumerate(lines) if line.startswith("╭"))]
    for line, after in pairwise(text):
        if line and after:
            assert len(line) + 1 + len(after.split()[0]) > 78, "the line ends too early"


def printed(capsys: pytest.CaptureFixture[str], reply: dict[str, Any]) -> list[str]:
    show_reply(reply, False)
    return capsys.readouterr().out.splitlines()


def test_a_reply_is_a_line_for_each_fact(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, STATUS) == [
        "uptime seconds  93.6",
        "compiled        yes",
        "mirrors         . state current, serial 7",
        "                xa. state expired, serial 8",
        "rpz             none",
        "listening       none",
        "watch           zones 3, not delegated 0, behind seconds 0.0, looked seconds ago none",
    ]


def test_on_a_terminal_long_lines_go_on_under_their_beginning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert printed(capsys, STATUS)[-2:] == [
        "watch           zones 3, not delegated 0, behind seconds 0.0, looked seconds ago",
        "                none",
    ]


def test_what_is_in_the_cache_is_not_called_local_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = dict.fromkeys(("exchanges", "mirrors", "ede", "stages", "authority"), ())
    show_explanation(
        {
            **told,
            **{"name": "www.gov.xa.", "type": "A", "answer": ["www.gov.xa. 9 IN A 192.0.2.1"]},
            **{"rule": None, "route": "local", "rcode": "NOERROR", "destination": "domestic"},
            **{"exchanges_abroad": 0, "seconds": 0.0},
        }
    )
    assert capsys.readouterr().out.splitlines() == [
        "www.gov.xa. A",
        "No exchange: answered from what is in the cache, or known here.",
        "www.gov.xa. 9 IN A 192.0.2.1",
        "NOERROR, route local, destination domestic, 0 exchanges, 0 abroad, 0 ms",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("check", "gone"),
        ("serve", "-c", "gone"),
        ("explain", "www.gov.xa", "-c", "gone"),
        ("where", "192.0.2.1", "-c", "gone"),
        ("audit", "-f", "gone", "--world", "small"),
        ("policy", "show", "gone"),
        ("policy", "diff", "gone", "gone"),
        ("policy", "explain", "www.gov.xa", "-c", "gone"),
        ("drill", "--policy", "gone", "--queries", "gone", "-c", "gone"),
        ("pack", "show", "./gone"),
        ("control", "status", "--socket", "gone"),
    ],
    ids=" ".join,
)
def test_a_file_that_is_not_there_is_one_line(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["inland", *words])
    with pytest.raises(SystemExit) as ended:
        inland()
    assert ended.value.code == (3 if words[0] == "control" else 1)
    shown = capsys.readouterr()
    lines = [line for line in (shown.err + shown.out).splitlines() if "1 error" not in line]
    assert len(lines) == 1, lines
    assert "gone" in lines[0]
    assert "(file)" not in lines[0]
    assert "Errno" not in lines[0]
    assert lines[0].lower().count("no such file") <= 1
