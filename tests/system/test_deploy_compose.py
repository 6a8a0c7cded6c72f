"""One command brings up the resolver, its page of metrics and Prometheus; both tell the same."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from testbed.control import make_world
from testbed.truth import Truth
from tests.ports import free_port
from tests.system.deployed import (
    BUILD_SECONDS,
    READY_SECONDS,
    ROOT,
    RUN,
    build_image,
    dig,
    docker,
    run,
    wait_until,
)

COMPOSE = ROOT / "deploy" / "compose"
RUN_SH = COMPOSE / "run.sh"


def needs_compose() -> None:
    """Skip where neither the plugin of ``docker`` nor the program of its own is."""
    if run("docker", "compose", "version", check=False).returncode == 0:
        return
    if shutil.which("docker-compose") is None:
        pytest.skip("no Compose: install the package docker-compose")


class Up(NamedTuple):
    """What was brought up: ports on loopback, and how Compose is told."""

    dns: int
    metrics: int
    prometheus: int
    environment: dict[str, str]

    def compose(
        self, *words: str, lab: tuple[str, ...] = ("lab",), timeout: float = READY_SECONDS * 3
    ) -> str:
        """What Compose prints, told as the manual says."""
        words = (*lab, *words)
        return run(RUN_SH, *words, timeout=timeout, environment=self.environment).stdout

    def container(self, service: str) -> dict[str, Any]:
        """All that Docker says of the container of a service."""
        (told,) = json.loads(docker("inspect", self.compose("ps", "-q", service).strip()))
        assert isinstance(told, dict)
        return told

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers to an instant query."""
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/query?query={quote(query)}"
        with urlopen(url, timeout=10) as reply:
            result: list[dict[str, Any]] = json.load(reply)["data"]["result"]
        return result


@pytest.fixture(scope="module")
def up(image: str) -> Iterator[Up]:
    """The lab: everything in compose.yaml, in a simulated country."""
    needs_compose()
    prometheus = build_image(f"{RUN}-prometheus", DOCKERFILE="deploy/compose/prometheus.Dockerfile")
    dns, metrics, web = (free_port() for _ in range(3))
    environment = {
        "COMPOSE_PROJECT_NAME": RUN,
        "INLAND_IMAGE": image,
        "INLAND_WORLD": "small",
        "INLAND_PORT": str(dns),
        "INLAND_METRICS": f"127.0.0.1:{metrics}",
        "INLAND_FILES": str(min(262144, getrlimit(RLIMIT_NOFILE)[1])),
        "PROMETHEUS_IMAGE": prometheus,
        "PROMETHEUS": f"127.0.0.1:{web}",
    }
    running = Up(dns, metrics, web, environment)
    try:
        running.compose("up", "--detach", "--no-build", timeout=BUILD_SECONDS)
        yield running
    finally:
        running.compose("down", "--volumes", "--timeout", "15")


def test_the_file_is_read_with_and_without_the_lab(up: Up) -> None:
    for lab in ((), ("lab",)):
        shown = yaml.safe_load(up.compose("config", lab=lab))
        assert set(shown["services"]) == {"resolver", "prometheus"}
        for service in shown["services"].values():
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert "cap_add" not in service
        ports = shown["services"]["resolver"]["sysctls"]["net.ipv4.ip_local_port_range"]
        assert ports == "10240 65535"


@pytest.mark.parametrize("there", ["plugin", "program", "neither"])
def test_either_compose_is_taken(tmp_path: Path, there: str) -> None:
    """By stand-ins that show how they are called."""
    says = 'echo "$(basename "$0") $*"'
    plugin = {"plugin": says}.get(there, "exit 1")
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{plugin}\n")
    if there == "program":
        (tmp_path / "docker-compose").write_text(f"#!/bin/sh\n{says}\n")
    for name in ("bash", "dirname", "basename"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    for path in tmp_path.glob("docker*"):
        path.chmod(0o755)
    done = run(RUN_SH, "lab", "up", "-d", check=False, environment={"PATH": str(tmp_path)})
    files = f"-f {COMPOSE}/compose.yaml -f {COMPOSE}/lab.yaml up -d\n"
    expected = {
        "plugin": (0, f"docker compose {files}"),
        "program": (0, f"docker-compose {files}"),
        "neither": (3, ""),
    }
    assert (done.returncode, done.stdout) == expected[there], done.stderr


def test_its_configurations_are_valid() -> None:
    done = run(
        *(sys.executable, "-m", "resolver.cli", "check", COMPOSE / "inland.yaml"),
    )
    assert "valid, policy generation" in done.stdout


def test_it_answers_on_the_published_port(up: Up) -> None:
    question, expected = next(
        (question, expected)
        for question, expected in Truth(make_world("small")).questions()
        if question.tag == "positive" and question.rtype == "A" and expected.rcode == 0
    )
    for transport in ("+notcp", "+tcp"):
        shown = dig(up.dns, "+short", transport, question.name, "A").split()
        assert sorted(shown) == sorted(r for rrset in expected.answer for r in rrset.rdatas)


def test_prometheus_tells_what_the_resolver_counted(up: Up) -> None:
    dig(up.dns, "+short", ".", "SOA")
    with urlopen(f"http://127.0.0.1:{up.metrics}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    counted = sum(
        float(line.split()[-1]) for line in lines if line.startswith("inland_lookups_total{")
    )
    assert counted >= 1
    wait_until(
        f"Prometheus has {counted} lookups",
        lambda: (
            [float(row["value"][1]) for row in up.ask("sum(inland_lookups_total)")] == [counted]
        ),
    )
    assert [row["value"][1] for row in up.ask('up{job="inland"}')] == ["1"]


def test_the_rules_are_loaded_and_none_fails(up: Up) -> None:
    with urlopen(f"http://127.0.0.1:{up.prometheus}/api/v1/rules", timeout=10) as reply:
        groups = json.load(reply)["data"]["groups"]
    written = {
        rule.get("record") or rule["alert"]
        for name in ("inland.rules.yml", "inland.alerts.yml")
        for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / name).read_text())["groups"]
        for rule in group["rules"]
    }
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == written
    assert [rule for rule in rules if rule["health"] == "err"] == []


def test_the_page_is_on_the_published_port(up: Up) -> None:
    with urlopen(f"http://127.0.0.1:{up.metrics}/", timeout=10) as reply:
        assert reply.headers.get_content_type() == "text/html"
        assert "Inland" in reply.read().decode()


@pytest.mark.parametrize("service", ["resolver", "prometheus"])
def test_containers_have_no_rights(up: Up, service: str) -> None:
    told = up.container(service)
    assert told["HostConfig"]["ReadonlyRootfs"] is True
    assert told["HostConfig"]["CapDrop"] == ["ALL"]
    assert not told["HostConfig"]["CapAdd"]
    assert "no-new-privileges:true" in told["HostConfig"]["SecurityOpt"]
    assert told["Config"]["User"] not in ("", "0", "root")
    wait_until("healthy", lambda: up.container(service)["State"]["Health"]["Status"] == "healthy")


def test_it_comes_back_after_a_crash(up: Up) -> None:
    name = up.container("resolver")["Id"]
    before = up.container("resolver")["State"]["Pid"]
    os.kill(before, 9)
    wait_until(
        "started again by its restart policy",
        lambda: up.container("resolver")["State"]["Pid"] not in (0, before),
    )
    wait_until(
        "healthy", lambda: up.container("resolver")["State"]["Health"]["Status"] == "healthy"
    )
    assert up.container("resolver")["Id"] == name
    assert "status: NOERROR" in dig(up.dns, ".", "SOA")
