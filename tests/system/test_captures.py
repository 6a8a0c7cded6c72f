"""Recordings of questions as other programs write them: tcpdump, BIND and kdig."""

import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dpkt
import pytest

from resolver.captures import TORN, read_dnstap, read_pcap
from resolver.drill import read_asking, read_queries
from resolver.errors import SourceError
from resolver.model import address_text
from resolver.names import to_text
from testbed.control import Loopback
from tests.ports import free_port
from tests.system.serving import Serving, inland
from tests.system.test_serve_policy import rule

ASKED = [
    ("one.example.", "A", "-4"), ("two.example.", "AAAA", "-4"), ("three.example.", "MX", "-6"),
]  # fmt: skip
SECONDS = 20.0


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def dig(port: int, *words: str) -> None:
    """Ask; whatever comes."""
    subprocess.run(
        ["dig", "-p", str(port), "+tries=1", "+time=2", *words],
        stdout=subprocess.DEVNULL, timeout=30, check=False,
    )  # fmt: skip


def wait_for(true: "object", seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def bind(folder: Path, port: int, tap: str = "") -> Iterator[None]:
    """BIND that finds nobody to ask, and perhaps records in dnstap."""
    need("named")
    options = f"""
        options {{ directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/key";
          listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 port {port} {{ ::1; }};
          recursion yes; forward only; forwarders {{ 127.0.0.1 port 9; }};
          allow-recursion {{ any; }}; dnssec-validation no; {tap} }};
        controls {{ }};
    """
    file = folder / "named.conf"
    file.write_text(options)
    words = ["named", "-g", "-n", "1", "-c", str(file)]
    with (folder / "named.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        wait_for(lambda: b"running" in (folder / "named.log").read_bytes())
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """What tcpdump sees of dig's questions, over UDP and TCP, IPv4 and IPv6, and of the replies."""
    need("tcpdump")
    folder = tmp_path_factory.mktemp("pcap")
    port, file = free_port(), folder / "asked.pcap"
    with bind(folder, port):
        dump = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-U", "-Z", "root", "-w", str(file), "port", str(port)],
            stderr=subprocess.PIPE,
        )
        try:
            assert dump.stderr is not None
            line = dump.stderr.readline()
            if b"listening" not in line:
                pytest.skip(f"tcpdump: {line.decode().strip()}")
            for name, rtype, family in ASKED:
                at = "@::1" if family == "-6" else "@127.0.0.1"
                dig(port, at, name, rtype)
                dig(port, at, "+tcp", name, rtype)
            dig(port, "@127.0.0.1", "ch", "txt", "version.bind")
            wait_for(lambda: b"version" in file.read_bytes())
        finally:
            dump.terminate()
            dump.communicate(timeout=SECONDS)
    return file, port


def test_a_capture_of_packets_tells_who_asked_what(captured: tuple[Path, int]) -> None:
    file, port = captured
    found = read_pcap(file, port)
    told = Counter(
        (to_text(q.name), q.rtype, address_text(client)) for q, client in found.questions if client
    )
    assert told == {
        ("one.example.", 1, "127.0.0.1"): 2,
        ("two.example.", 28, "127.0.0.1"): 2,
        ("three.example.", 15, "::1"): 2,
    }
    assert found.skipped[f"not to port {port}"] >= 7, "replies"
    assert found.skipped["of other classes, or meta-types"] == 1
    assert read_asking(file, port).questions == [tuple(one) for one in found.questions]


def test_a_capture_in_the_newer_form(captured: tuple[Path, int], tmp_path: Path) -> None:
    file, port = captured
    newer = tmp_path / "asked.pcapng"
    with file.open("rb") as old, newer.open("wb") as new:
        writer = dpkt.pcapng.Writer(new)
        writer.writepkts(list(dpkt.pcap.Reader(old)))
    assert read_asking(newer, port).questions == read_asking(file, port).questions


def test_a_capture_without_dns_on_the_port_is_told(captured: tuple[Path, int]) -> None:
    with pytest.raises(SourceError, match=r"holds no questions \(\d+ not to port 9\)"):
        read_pcap(captured[0], 9)


@pytest.fixture(scope="module")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What BIND records of its clients."""
    folder = tmp_path_factory.mktemp("tap")
    port, file = free_port(), folder / "asked.tap"
    with bind(folder, port, f'dnstap {{ client; }}; dnstap-output file "{file}";'):
        for name, rtype, family in ASKED:
            dig(port, "@::1" if family == "-6" else "@127.0.0.1", name, rtype)
    return file


def test_a_file_of_dnstap_tells_who_asked_what(tapped: Path) -> None:
    found = read_dnstap(tapped)
    told = [(to_text(q.name), q.rtype, address_text(c)) for q, c in found.questions if c]
    assert told == [
        ("one.example.", 1, "127.0.0.1"),
        ("two.example.", 28, "127.0.0.1"),
        ("three.example.", 15, "::1"),
    ]
    assert found.skipped["not of clients, or replies"] == 3
    assert TORN not in found.skipped


def test_what_kdig_records_is_read(tmp_path: Path) -> None:
    need("kdig")
    file, port = tmp_path / "kdig.tap", free_port()
    with bind(tmp_path, port):
        words = ["kdig", "-E", str(file), "-p", str(port), "@127.0.0.1", "one.example", "A"]
        subprocess.run(words, stdout=subprocess.DEVNULL, timeout=30, check=True)
    assert [to_text(q.name) for q, _ in read_dnstap(file).questions] == ["one.example."]


@pytest.mark.parametrize("which", ["captured", "tapped"])
def test_torn_files_end_early_or_with_one_error(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    given = request.getfixturevalue(which)
    file, port = given if isinstance(given, tuple) else (given, 53)
    whole, data = read_asking(file, port), file.read_bytes()
    torn, told = tmp_path / "torn", 0
    for end in range(8, len(data), 7):
        torn.write_bytes(data[:end])
        try:
            found = read_asking(torn, port)
        except SourceError as error:
            assert len(error.args) == 1
            assert str(torn) in str(error)
            continue
        told += TORN in found.skipped
        assert found.questions == whole.questions[: len(found.questions)]
    assert told > 0


@pytest.mark.parametrize("which", ["captured", "tapped"])
def test_garbage_is_counted_or_one_error(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    given = request.getfixturevalue(which)
    file, port = given if isinstance(given, tuple) else (given, 53)
    data = file.read_bytes()
    broken = tmp_path / "broken"
    for at in range(0, len(data), 5):
        broken.write_bytes(data[:at] + b"\xff\xff\xff" + data[at + 3 :])
        try:
            read_asking(broken, port)
        except SourceError as error:
            assert str(broken) in str(error)


def test_other_streams_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.fstrm"
    content = b"protobuf:something.Else"
    control = b"\0\0\0\2" + b"\0\0\0\1" + len(content).to_bytes(4, "big") + content
    file.write_bytes(b"\0\0\0\0" + len(control).to_bytes(4, "big") + control)
    with pytest.raises(SourceError, match="other content than protobuf:dnstap"):
        read_asking(file)
    file.write_bytes(b"\0\0\0\0\xff\xff\xff\xff")
    with pytest.raises(SourceError, match="not a Frame Stream"):
        read_asking(file)


def test_text_is_text_as_before(tmp_path: Path) -> None:
    file = tmp_path / "asked"
    file.write_text("one.example A 192.0.2.1\n")
    assert read_asking(file).questions == read_queries(file)


def test_a_drill_over_what_a_running_server_was_asked(world: Loopback, tmp_path: Path) -> None:
    need("tcpdump")
    names = [z for z in world.world.zones if z.endswith("xa.") and z != "xa."][:3]
    rules, file = tmp_path / "rules.yaml", tmp_path / "asked.pcap"
    policy = {"version": 1, "rules": [rule(1, names[0], {"block": "refused"})]}
    rules.write_text(json.dumps(policy))
    with Serving(world, tmp_path) as serving:
        words = ["tcpdump", "-i", "lo", "-U", "-Z", "root", "-w", str(file)]
        dump = subprocess.Popen([*words, "port", str(serving.port)], stderr=subprocess.PIPE)
        assert dump.stderr is not None
        if b"listening" not in dump.stderr.readline():
            pytest.skip("tcpdump cannot listen here")
        for name in names:
            dig(serving.port, "@127.0.0.1", name, "SOA")
        wait_for(lambda: file.read_bytes().count(b"\x00\x06\x00\x01") >= 2 * len(names))
        dump.terminate()
        dump.communicate(timeout=SECONDS)
        shown = inland(
            "drill", "--policy", str(rules), "--queries", str(file), "--json",
            "--port", str(serving.port), "-c", str(serving.file),
        )  # fmt: skip
    assert shown.returncode == 4, shown.stderr
    report = json.loads(shown.stdout)
    assert report["questions"] == 3
    assert report["fates"]["fails"] == 1
    assert "left out" in shown.stderr
