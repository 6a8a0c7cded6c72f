"""What the tests of deployments share: the wheel, images with a label of ours, containers that end.

Everything that is started carries one label of this run, and all that carries it is removed at the
end. A base image without a registry is made from Debian's packages by ``deploy/container/build.sh``
and kept under ``.run/``. Limitations: needs root and a Docker daemon; skipped, with the reason,
where there is none.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = f"inland-test-{os.getpid()}"
LABEL = f"org.inland.test={RUN}"
BUILD_SECONDS = 900.0
COMMAND_SECONDS = 120.0
READY_SECONDS = 90.0
CERTIFICATES = Path("/usr/local/share/ca-certificates")  # those that this machine adds


def run(
    *words: str | Path,
    timeout: float = COMMAND_SECONDS,
    check: bool = True,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """A command to its end, from the root of the clone; both of its outputs in the error."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def docker(*words: str | Path, timeout: float = COMMAND_SECONDS, check: bool = True) -> str:
    """What ``docker`` prints."""
    return run("docker", *words, timeout=timeout, check=check).stdout.strip()


_before: set[str] = set()  # bases that are not ours to remove


def needs_docker() -> None:
    """Skip where no daemon answers, or no base image can be had."""
    if shutil.which("docker") is None:
        pytest.skip("no docker: install the package docker.io")
    if run("docker", "version", check=False).returncode:
        pytest.skip("the Docker daemon does not answer")
    if os.geteuid() != 0:
        pytest.skip("making a base image from Debian's packages needs root")
    if shutil.which("debootstrap", path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
        pytest.skip("no debootstrap: install the package debootstrap")
    _before.update(_bases())


def build_wheel(folder: Path) -> Path:
    """A wheel of this clone, as ``pip`` makes it."""
    words = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    tools = str(Path(sys.executable).parent)
    run(
        *(sys.executable, "-m", "pip", "--quiet", "wheel", *words, str(ROOT)),
        timeout=BUILD_SECONDS,
        environment={"PATH": f"{tools}:{Path.home() / '.cargo/bin'}:{os.environ['PATH']}"},
    )
    (wheel,) = folder.glob("inland-*.whl")
    return wheel


def build_image(tag: str, **settings: str) -> str:
    """``deploy/container/build.sh`` with a base of our own and the host's network; the tag."""
    more = ("--force-rm", "--network=host", f"--label={LABEL}")
    words = (ROOT / "deploy/container/build.sh", tag, *more)
    settings = {"BASE": "debootstrap"} | settings
    with NamedTemporaryFile("w", suffix=".pem") as added:
        for path in sorted(CERTIFICATES.rglob("*.crt")):
            added.write(path.read_text())
        added.flush()
        if added.tell():
            settings["EXTRA_CA"] = added.name
        done = run(*words, timeout=BUILD_SECONDS, check=False, environment=settings)
    if done.returncode == 3:
        pytest.skip(f"Debian's packages cannot be had for a base image: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return tag


def _bases() -> set[str]:
    """Base images that build.sh has made."""
    return set(docker("images", "--format", "{{.Repository}}:{{.Tag}}", "inland-base").split())


def remove_all() -> None:
    """Remove what carries the label of this run, whatever state it is in, and what building left:
    the unnamed images of the build stage, and the base that was made here."""
    for kind, listing in (
        ("container", ("ps", "--all", "--quiet")),
        ("network", ("network", "ls", "--quiet")),
        ("volume", ("volume", "ls", "--quiet")),
        ("image", ("images", "--quiet")),
    ):
        found = docker(*listing, "--filter", f"label={LABEL}", check=False).split()
        if found:
            force = () if kind == "network" else ("--force",)
            more = ("--volumes",) if kind == "container" else ()
            docker(kind, "rm", *force, *more, *sorted(set(found)), check=False)
    docker("image", "prune", "--force", "--filter", "label=org.inland.stage=build", check=False)
    for base in _bases() - _before:
        docker("image", "rm", base, check=False)


class Container:
    """A running container; removed with its anonymous volumes by :func:`remove_all`."""

    def __init__(self, image: str, *command: str, options: Sequence[str] = ()) -> None:
        words = ("run", "--detach", "--label", LABEL, *options, image, *command)
        self.name = docker(*words)

    def exec(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        return run("docker", "exec", self.name, *words, check=check)

    def log(self) -> str:
        """Both outputs so far."""
        done = run("docker", "logs", self.name)
        return done.stdout + done.stderr

    def inspect(self, template: str) -> str:
        """A fact, by a Go template."""
        return docker("inspect", "--format", template, self.name)

    def remove(self) -> None:
        """End it."""
        docker("rm", "--force", "--volumes", self.name)


def wait_until(what: str, true: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Look again and again until it is so."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def dig(port: int, *words: str, server: str = "127.0.0.1") -> str:
    """What ``dig`` shows, one question."""
    if shutil.which("dig") is None:
        pytest.skip("no dig: install the package bind9-dnsutils")
    return run("dig", f"@{server}", "-p", str(port), "+tries=1", "+time=10", *words).stdout


def set_keys(tree: dict[str, object], over: Mapping[str, Mapping[str, object] | None]) -> None:
    """Replace keys of the second level; ``None`` takes a part out."""
    for part, keys in over.items():
        if keys is None:
            tree.pop(part, None)
            continue
        inner = tree.setdefault(part, {})
        assert isinstance(inner, dict)
        inner.update(keys)
