"""The service under a real systemd: port 53 without being root, hardened, watched, reloaded."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.control import make_world
from testbed.truth import Truth
from tests.system.deployed import LABEL, ROOT, RUN, Container, run, wait_until

UNIT = ROOT / "deploy" / "systemd" / "inland.service"
EXPOSURE_MAX = 1.6  # of 10; a plain service has 9.6. What is left is the network and port 53
NET_BIND_SERVICE = 1 << 10
# systemd as process 1 of a container, the image's tree, a world as a second service. It may write
# to the groups of processes below its own; the last word lets it take the older kind of them.
RECIPE = """
FROM {image}
USER 0
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
      systemd bind9-dnsutils procps \\
 && rm -rf /var/lib/apt/lists/*
COPY deploy /src/deploy
RUN userdel inland; ROOT=/ /src/deploy/systemd/install.sh \\
 && printf '[Service]\\nExecStart=/opt/inland/bin/inland testbed up country\\n' \\
      >/etc/systemd/system/world.service \\
 && systemctl mask getty.target console-getty.service
STOPSIGNAL SIGRTMIN+3
HEALTHCHECK NONE
ENTRYPOINT []
CMD mount -o remount,bind,rw /sys/fs/cgroup/systemd 2>/dev/null \\
 || mount -o remount,bind,rw /sys/fs/cgroup; \\
 exec /lib/systemd/systemd SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
"""


def needs_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze: install the package systemd")
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of the service as they are installed, and what they refer to."""
    run(ROOT / "deploy" / "systemd" / "install.sh", environment={"ROOT": str(tmp_path)})
    for name in ("opt/inland/bin/inland", "bin/kill"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_the_unit_has_no_fault(root: Path) -> None:
    analyze = needs_analyze()
    path = root / "usr/local/lib/systemd/system/inland.service"
    text = path.read_text().replace("/opt/inland", str(root / "opt/inland"))
    copy = root / "inland.service"
    copy.write_text(text)
    done = run(analyze, "verify", "--man=no", copy, check=False)
    about = [line for line in done.stderr.splitlines() if "inland" in line]
    assert (done.returncode, about) == (0, [])


def test_the_service_is_little_exposed() -> None:
    analyze = needs_analyze()
    done = run(analyze, "security", "--offline=true", "--no-pager", UNIT, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        pytest.skip(f"systemd-analyze is too old: {done.stderr.strip()}")
    print(found.group())
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


def test_only_port_53_is_granted() -> None:
    text = UNIT.read_text()
    assert (
        re.findall(r"^(?:Ambient|CapabilityBounding)\w+=(.*)$", text, re.M)
        == ["CAP_NET_BIND_SERVICE"] * 2
    )


class Booted(Container):
    """A container whose process 1 is systemd."""

    def __init__(self, image: str, config: Path) -> None:
        super().__init__(
            image,
            options=(
                *("--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp", "--network=none"),
                *("--env=container=docker", "--cgroupns=private", "--cap-add=SYS_ADMIN"),
                *("--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"),
                f"--volume={config}:/etc/inland/inland.yaml:ro",
                f"--volume={ROOT / 'config' / 'examples' / 'lab.hints'}:/etc/inland/lab.hints:ro",
            ),
        )

    def up(self) -> bool:
        """Whether all that boots has booted; some of it may have failed, as in any container."""
        told = self.exec("systemctl", "is-system-running", check=False).stdout.strip()
        return told in ("running", "degraded")

    def show(self, *names: str, unit: str = "inland") -> dict[str, str]:
        """Properties of a unit."""
        words = [f"--property={name}" for name in names]
        told = self.exec("systemctl", "show", unit, *words).stdout
        return dict(line.split("=", 1) for line in told.splitlines())

    def dig(self, *words: str) -> str:
        """A question asked inside, at port 53."""
        return self.exec("dig", "@127.0.0.1", "+tries=1", "+time=10", *words).stdout


@pytest.fixture(scope="module")
def booted(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine with the service, enabled and started."""
    tag = f"{RUN}-systemd"
    recipe = RECIPE.format(image=image)
    words = (
        "docker",
        "build",
        "--force-rm",
        "--network=host",
        "--label",
        LABEL,
        "-t",
        tag,
        "-f",
        "-",
        ".",
    )
    done = subprocess.run(
        words, cwd=ROOT, input=recipe, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path_factory.mktemp("systemd")
    config = folder / "inland.yaml"
    tree = yaml.safe_load((ROOT / "config/examples/lab.yaml").read_text())
    tree["listen"]["dns"] = ["127.0.0.1:53"]
    tree["control"] = {"socket": "/run/inland/control"}
    tree["state"] = {"directory": "/var/lib/inland"}
    config.write_text(yaml.safe_dump(tree))
    machine = Booted(tag, config)
    try:
        wait_until("systemd has booted", machine.up)
    except AssertionError:
        log = machine.log()
        machine.remove()
        pytest.skip(f"systemd does not boot in a container here: {log}")
    machine.exec("systemctl", "start", "world.service")
    machine.exec("systemctl", "enable", "--now", "inland")
    yield machine
    machine.remove()


def test_it_answers_on_port_53(booted: Booted) -> None:
    question, expected = next(
        (question, expected)
        for question, expected in Truth(make_world("country")).questions()
        if question.tag == "positive" and question.rtype == "A" and expected.rcode == 0
    )
    shown = booted.dig("+short", question.name, "A").split()
    assert sorted(shown) == sorted(r for rrset in expected.answer for r in rrset.rdatas)
    assert booted.show("StatusText")["StatusText"].startswith("ready: listening on 127.0.0.1:53")


def test_the_process_has_one_capability_and_a_user_of_its_own(booted: Booted) -> None:
    pid = booted.show("MainPID")["MainPID"]
    facts = dict(
        re.findall(r"^(\w+):\t(.*)$", booted.exec("cat", f"/proc/{pid}/status").stdout, re.M)
    )
    user = booted.exec("id", "-u", "inland").stdout.strip()
    assert user != "0"
    assert facts["Uid"].split() == [user] * 4
    for kind in ("Prm", "Eff", "Bnd", "Amb"):
        assert int(facts[f"Cap{kind}"], 16) == NET_BIND_SERVICE, kind
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    # As the unit says, or as far as the container lets process 1 go.
    most = min(262144, open_files(booted, "1")[1])
    assert open_files(booted, pid) == (most, most)


def open_files(booted: Booted, pid: str) -> tuple[int, int]:
    """The soft and the hard limit of a process."""
    limits = booted.exec("cat", f"/proc/{pid}/limits").stdout
    found = re.search(r"Max open files +(\d+) +(\d+)", limits)
    assert found is not None
    return int(found[1]), int(found[2])


def test_the_watchdog_and_a_reload(booted: Booted) -> None:
    assert booted.show("WatchdogUSec")["WatchdogUSec"] == "30s"
    assert int(booted.show("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"]) > 0
    before = booted.show("MainPID", "NRestarts")
    booted.exec("systemctl", "reload", "inland")
    wait_until(
        "reloaded",
        lambda: booted.show("StatusText")["StatusText"].startswith("policy "),
    )
    assert booted.show("MainPID", "NRestarts") == before


def test_metrics_and_control_work_within_the_walls(booted: Booted) -> None:
    words = ("/opt/inland/bin/inland", "control", "health", "--socket", "/run/inland/control")
    assert "answers" in booted.exec(*words).stdout
    program = (
        "from urllib.request import urlopen;"
        "print(urlopen('http://127.0.0.1:9153/metrics').read().decode())"
    )
    shown = booted.exec("/opt/inland/bin/python", "-c", program).stdout
    assert "inland_lookups_total" in shown
    assert "process_open_fds" in shown


def test_one_that_hangs_is_started_anew(booted: Booted) -> None:
    """The watchdog's own time is too long for a test: it is shortened for this run."""
    drop_in = "[Service]\nWatchdogSec=2\n"
    booted.exec("mkdir", "-p", "/run/systemd/system/inland.service.d")
    path = "/run/systemd/system/inland.service.d/watchdog.conf"
    booted.exec("sh", "-c", f"printf '%s' '{drop_in}' >{path}")
    booted.exec("systemctl", "daemon-reload")
    booted.exec("systemctl", "restart", "inland")
    pid = booted.show("MainPID")["MainPID"]
    booted.exec("kill", "-STOP", pid)
    wait_until(
        "another process serves",
        lambda: (
            booted.show("MainPID", "ActiveState")
            not in ({"MainPID": pid, "ActiveState": "active"},)
            and booted.show("ActiveState")["ActiveState"] == "active"
        ),
    )
    assert int(booted.show("NRestarts")["NRestarts"]) >= 1
    assert "status: NOERROR" in booted.dig(".", "SOA")


def test_it_stops_in_order_and_its_state_stays(booted: Booted) -> None:
    booted.exec("systemctl", "stop", "inland")
    assert booted.show("Result", "ActiveState") == {"Result": "success", "ActiveState": "inactive"}
    listing = booted.exec("stat", "-c", "%U %a %n", "/var/lib/inland", "/etc/inland").stdout
    assert "inland 700 /var/lib/inland" in listing
    assert "counters" in booted.exec("ls", "/var/lib/inland").stdout
    assert booted.exec("ls", "/run/inland/control", check=False).returncode != 0


def test_it_is_taken_away_and_what_the_site_has_stays(booted: Booted) -> None:
    booted.exec("systemctl", "start", "inland")
    booted.exec("/src/deploy/systemd/install.sh", "--remove")
    assert booted.show("LoadState", "ActiveState") == {
        "LoadState": "not-found",
        "ActiveState": "inactive",
    }
    for gone in ("/opt/inland", "/usr/local/bin/inland", "/usr/local/lib/sysctl.d/60-inland.conf"):
        assert booted.exec("ls", gone, check=False).returncode != 0, gone
    assert "counters" in booted.exec("ls", "/var/lib/inland").stdout
    assert "inland.yaml" in booted.exec("ls", "/etc/inland").stdout
