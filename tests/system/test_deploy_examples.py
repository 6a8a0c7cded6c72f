"""Each example of a configuration is valid, starts as it stands, and serves in a world."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.control import Loopback, make_world
from testbed.truth import Truth
from tests.system.deployed import ROOT, run, set_keys
from tests.system.serving import INLAND, Serving, inland, query

EXAMPLES = ROOT / "config" / "examples"
NAMES = ("home", "isp", "lab", "regulator")
ASKED = 25  # questions of the small world, evenly spread over all kinds

# What ties an example to a place that a test does not stand in.
ELSEWHERE: dict[str, Any] = {"pack": None, "home": None, "mirrors": None}
HERE = ("place", "domestic", "foreign", "zones", "interfaces")


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_no_error(name: str) -> None:
    shown = inland("check", str(EXAMPLES / f"{name}.yaml"))
    assert shown.returncode == 0, shown.stdout
    assert "valid, policy generation" in shown.stdout


def test_hints_of_the_lab_are_those_of_its_world() -> None:
    def pairs(text: str) -> set[tuple[str, ...]]:
        lines = [line.split(";")[0].split() for line in text.splitlines()]
        return {tuple(line[-2:]) for line in lines if line}

    assert pairs((EXAMPLES / "lab.hints").read_text()) == pairs(make_world("country").hints())


@pytest.mark.parametrize("name", ["home", "isp", "regulator"])
def test_it_answers_in_a_world(name: str, world: Loopback, tmp_path: Path) -> None:
    tree: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    set_keys(tree, ELSEWHERE)
    kept = {part: keys for part, keys in tree.items() if isinstance(keys, dict)}
    for key in HERE:
        kept.get("border", {}).pop(key, None)
    for part in ("listen", "metrics", "control", "state"):
        kept.get(part, {}).clear()
    kept["listen"]["dns"] = ["127.0.0.1:0"]
    kept["metrics"] = {"listen": "127.0.0.1:0"}
    kept["control"] = {"socket": str(tmp_path / "control")}
    kept["state"] = {"directory": str(tmp_path)}
    with Serving(world, tmp_path, **kept) as serving:
        questions = Truth(world.world).questions()
        step = len(questions) // ASKED
        for question, expected in questions[::step]:
            reply = query(serving, question.name, question.rtype)
            assert int(reply.rcode()) == expected.rcode, question
        mode = "observe" if name == "regulator" else "prefer"
        assert serving.ask_control("status")["mode"] == mode
        assert serving.end() == 0


class Machine:
    """A network of its own without a way out, and the two folders that the service makes, empty.

    Addresses are those of its loopback interface only.
    """

    def __init__(self, *addresses: str) -> None:
        more = "".join(f"ip address add {address} dev lo; " for address in addresses)
        script = (
            "mount -t tmpfs none /run && mount -t tmpfs none /var/lib"
            " && mkdir /run/inland /var/lib/inland && ip link set lo up"
            f" && {{ {more}echo up; exec sleep infinity; }}"
        )
        self._running: list[subprocess.Popen[bytes]] = []
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"up\n"

    def _inside(self, words: tuple[str, ...]) -> list[str]:
        return [
            "nsenter",
            f"--target={self.holder.pid}",
            "--net",
            "--mount",
            f"--wd={ROOT}",
            *words,
        ]

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command inside, to its end."""
        return run(*self._inside(words), check=check)

    def start(self, *words: str, until: bytes) -> subprocess.Popen[bytes]:
        """A command inside that goes on; its outputs are read up to a line with ``until``."""
        process = subprocess.Popen(
            self._inside(words),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._running.append(process)
        assert process.stdout is not None
        heard = b""
        for line in process.stdout:
            heard += line
            if until in line:
                return process
        raise AssertionError(heard.decode())

    def close(self) -> None:
        """End everything that was started."""
        for process in (*self._running, self.holder):
            process.kill()
            process.communicate()


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    """Machines that are closed at the end; skipped without root or the tools."""
    if os.geteuid() != 0:
        pytest.skip("network and mount namespaces need root")
    missing = [tool for tool in ("unshare", "nsenter", "ip", "dig") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if subprocess.run(["unshare", "--net", "--mount", "true"], check=False).returncode:
        pytest.skip("namespaces cannot be made here")
    made: list[Machine] = []
    yield made
    for machine in made:
        machine.close()


def ends(process: subprocess.Popen[bytes]) -> int:
    """The exit status after SIGTERM."""
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    return process.returncode


@pytest.mark.netns
@pytest.mark.parametrize("name", ["home", "isp", "regulator"])
def test_it_starts_as_it_stands(name: str, machines: list[Machine]) -> None:
    machine = Machine("192.0.2.9/32")  # where the regulator's Prometheus reads
    machines.append(machine)
    file = str(EXAMPLES / f"{name}.yaml")
    server = machine.start(*INLAND, "serve", "-c", file, until=b"inland: ready:")
    shown = machine.run("dig", "@127.0.0.1", "+tries=1", "localhost", "A").stdout
    assert "status: NOERROR" in shown
    assert "127.0.0.1" in shown.split("ANSWER SECTION")[1]
    health = (*INLAND, "control", "health", "--json", "--socket", "/run/inland/control")
    told = json.loads(machine.run(*health).stdout)
    assert "answers" in told.values()
    if name == "isp":  # the service address is announced once the resolver is well
        assert told["192.0.2.53:53"] == "not on this machine"
        machine.run("ip", "address", "add", "192.0.2.53/32", "dev", "lo")
        assert json.loads(machine.run(*health).stdout)["192.0.2.53:53"] == "answers"
    assert ends(server) == 0


@pytest.mark.netns
def test_the_lab_starts_as_it_stands_beside_its_world(machines: list[Machine]) -> None:
    machine = Machine()
    machines.append(machine)
    machine.start(*INLAND, "testbed", "up", "country", until=b"Ctrl-C ends it")
    file = str(EXAMPLES / "lab.yaml")
    server = machine.start(*INLAND, "serve", "-c", file, until=b"inland: ready:")
    truth = Truth(make_world("country"))
    question, expected = next(
        (question, expected)
        for question, expected in truth.questions()
        if question.tag == "positive" and question.rtype == "A" and expected.rcode == 0
    )
    words = ("dig", "@127.0.0.1", "-p", "5300", "+tries=1", "+time=10", "+short")
    shown = machine.run(*words, question.name, "A").stdout.split()
    assert sorted(shown) == sorted(r for rrset in expected.answer for r in rrset.rdatas)
    assert ends(server) == 0


def test_every_example_is_tried() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.yaml")) == sorted(NAMES)
