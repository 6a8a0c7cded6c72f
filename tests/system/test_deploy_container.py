"""The image: who runs in it, that it serves read-only without a capability, and how it ends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.control import make_world
from testbed.truth import Truth
from tests.system.deployed import ROOT, Container, dig, docker, run, wait_until

PORTS = "10240 65535"
IMAGE_MIB_MAX = 400  # the figure itself is printed, and stands in docs/operations.md
HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
    "--sysctl=net.ipv4.ip_unprivileged_port_start=53",
    f"--sysctl=net.ipv4.ip_local_port_range={PORTS}",
    "--tmpfs=/tmp",
    "--health-interval=1s",
    "--health-retries=1",
)
CONFIG = ROOT / "deploy" / "compose" / "world.yaml"


@pytest.fixture(scope="module")
def running(image: str) -> Iterator[Container]:
    """The resolver of a simulated country, with all its rights taken."""
    container = Container(
        image,
        *("serve", "--world", "small", "-c", "/etc/inland/inland.yaml"),
        options=(
            *HARDENED,
            f"--volume={CONFIG}:/etc/inland/inland.yaml:ro",
            "--publish=127.0.0.1::53/udp",
            "--publish=127.0.0.1::53/tcp",
        ),
    )
    wait_until("healthy", lambda: healthy(container) or not alive(container))
    assert alive(container), container.log()
    yield container
    container.remove()


def healthy(container: Container) -> bool:
    return container.inspect("{{.State.Health.Status}}") == "healthy"


def alive(container: Container) -> bool:
    return container.inspect("{{.State.Running}}") == "true"


def port(container: Container, transport: str) -> int:
    return int(docker("port", container.name, f"53/{transport}").splitlines()[0].split(":")[-1])


def test_the_image_says_how_it_is_run(image: str) -> None:
    (told,) = json.loads(docker("image", "inspect", image))
    config = told["Config"]
    assert config["User"] == "10053:10053"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "inland", "control", "health"]
    assert set(config["ExposedPorts"]) == {"53/udp", "53/tcp", "9153/tcp"}
    assert set(config["Volumes"]) == {"/var/lib/inland", "/run/inland"}
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    mib = told["Size"] / 2**20
    print(f"image: {mib:.0f} MiB")
    assert mib < IMAGE_MIB_MAX


def test_nothing_to_build_with_is_left_in_it(image: str) -> None:
    look = "for word in cc gcc cargo rustc pip git make; do command -v $word; done; true"
    words = ("run", "--rm", "--entrypoint", "sh", image, "-c")
    assert docker(*words, look) == ""
    assert docker(*words, "find /opt/inland /etc/inland -writable ! -type l") == ""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_answers_as_the_world_says(running: Container, transport: str) -> None:
    world = Truth(make_world("small"))
    asked = [
        (question, expected)
        for question, expected in world.questions()
        if question.tag == "positive" and question.rtype == "A" and expected.rcode == 0
    ][:5]
    for question, expected in asked:
        words = ("+short", "+tcp" if transport == "tcp" else "+notcp", question.name, "A")
        shown = dig(port(running, transport), *words).split()
        assert sorted(shown) == sorted(r for rrset in expected.answer for r in rrset.rdatas)


def test_it_has_no_right_and_no_place_but_its_own(running: Container) -> None:
    status = running.exec("cat", "/proc/1/status").stdout
    facts = dict(re.findall(r"^(\w+):\t(.*)$", status, re.M))
    assert facts["Uid"].split() == ["10053"] * 4
    assert facts["NoNewPrivs"] == "1"
    assert {facts[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert running.exec("touch", "/opt/inland/x", check=False).returncode != 0
    assert running.exec("touch", "/var/lib/inland/x").returncode == 0


def test_it_sees_a_range_of_source_ports_of_its_own(running: Container) -> None:
    shown = running.exec("cat", "/proc/sys/net/ipv4/ip_local_port_range").stdout
    assert shown.split() == PORTS.split()


def test_the_modules_on_the_path_of_a_lookup_run_compiled(running: Container) -> None:
    status = json.loads(running.exec("inland", "control", "status", "--json").stdout)
    assert status["compiled"] is True
    assert status["pid"] == 1


def test_one_that_hangs_is_found_unhealthy_and_recovers(running: Container) -> None:
    docker("kill", "--signal=STOP", running.name)
    try:
        wait_until("unhealthy", lambda: not healthy(running))
    finally:
        docker("kill", "--signal=CONT", running.name)
    wait_until("healthy again", lambda: healthy(running))


def test_it_stops_in_order_and_finds_its_state_again(running: Container) -> None:
    before = running.exec("ls", "/var/lib/inland").stdout.split()
    assert "counters" in before
    docker("stop", "--time=30", running.name)
    assert running.inspect("{{.State.ExitCode}}") == "0"
    assert "stopping" in running.log()
    docker("start", running.name)
    wait_until("healthy after a new start", lambda: healthy(running))
    assert "counters.previous" in running.exec("ls", "/var/lib/inland").stdout.split()


def test_a_bad_configuration_is_told_and_ends_it(image: str, tmp_path: Path) -> None:
    file = tmp_path / "inland.yaml"
    file.write_text("home: [Belgium]\n")
    tmp_path.chmod(0o755)
    mounted = f"--volume={file}:/etc/inland/inland.yaml:ro"
    done = run("docker", "run", "--rm", mounted, image, check=False)
    assert done.returncode == 1
    assert "line 1: home" in done.stderr
    done = run("docker", "run", "--rm", image, check=False)
    assert done.returncode == 1
    assert "/etc/inland/inland.yaml" in done.stderr
    assert "Traceback" not in done.stderr
