"""Start, reload, stop and crash of ``inland serve``."""

import signal
import socket
from pathlib import Path

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
import trio

from resolver.counters import read_counters
from testbed.clients import Heard, ask_all
from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.serving import Serving, inland, query, tagged


def test_reload_changes_mode_and_generation(serving: Serving) -> None:
    before = serving.ask_control("status")
    serving.configure(border={"mode": "observe"})
    reply = serving.ask_control("reload")
    assert reply["changed"] is True
    after = serving.ask_control("status")
    assert (before["mode"], after["mode"]) == ("prefer", "observe")
    assert before["generation"] != after["generation"]


def test_answers_of_the_old_policy_are_made_again_without_an_exchange(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    query(serving, name)
    serving.configure(border={"patience": "1s"})
    assert serving.ask_control("reload")["changed"] is True
    exchanges = serving.total("inland_exchanges_total")
    misses = serving.total("inland_misses_total")
    query(serving, name)
    assert serving.total("inland_misses_total") == misses + 1
    assert serving.total("inland_exchanges_total") == exchanges


def test_reload_without_a_change_keeps_ready_answers(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    query(serving, name)
    assert serving.ask_control("reload")["changed"] is False
    misses = serving.total("inland_misses_total")
    query(serving, name)
    assert serving.total("inland_misses_total") == misses


def test_a_bad_reload_changes_nothing_and_says_why(serving: Serving) -> None:
    before = serving.ask_control("status")["generation"]
    serving.configure(border={"mode": "enforced"}, colour="blue")
    shown = inland("control", "reload", "--socket", str(serving.socket))
    assert shown.returncode == 1
    assert "border.mode" in shown.stderr
    assert "colour" in shown.stderr
    assert serving.ask_control("status")["generation"] == before
    assert query(serving, tagged(serving.world, "positive", "A")).rcode() == dns.rcode.NOERROR
    serving.wait_for("reload refused, nothing changed")
    assert serving.total("inland_last_reload_successful") == 0
    assert serving.total("inland_reloads_total", result="refused") == 1


def test_reloads_amid_lookups_lose_nothing(serving: Serving) -> None:
    serving.world.reset()
    questions = Truth(serving.world.world).questions()[::3]
    heard: list[Heard] = []

    async def reload() -> None:
        for turn in range(10**6):
            serving.configure(border={"patience": f"{1500 + turn % 50}ms"})
            reply = await trio.to_thread.run_sync(serving.ask_control, "reload")
            assert reply["changed"] is True
            await trio.sleep(0.1)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload)
            await ask_all(("127.0.0.1", serving.port), questions, heard.append)
            nursery.cancel_scope.cancel()

    trio.run(run)
    assert [one for one in heard if one.wrong] == []
    assert len(heard) == len(questions)
    counted = serving.world.stats()["addresses"].values()
    sent = serving.total("inland_exchanges_total")
    assert sent == sum(server["udp"] + server["tcp"] for server in counted)
    assert serving.total("inland_needless_escapes_total") == 0


def test_hangup_reloads(serving: Serving) -> None:
    serving.configure(border={"mode": "observe"}, cache={"answers": "64MiB"})
    assert serving.process is not None
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_for("cache.answers changed, but takes effect at the next start only")
    assert serving.ask_control("status")["mode"] == "observe"


def test_reload_changes_who_may_ask(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    serving.configure(access={"allow": ["192.0.2.0/24"]})
    serving.ask_control("reload")
    assert query(serving, name).rcode() == dns.rcode.REFUSED
    assert serving.total("inland_refused_total") == 1


def test_sigterm_answers_who_waits_and_turns_new_clients_away(serving: Serving) -> None:
    slow = [q.name for q, _ in Truth(serving.world.world).questions() if q.rtype == "A"][:60]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(15)
        client.connect(("127.0.0.1", serving.port))
        for name in slow:
            client.send(dns.message.make_query(name, "A").to_wire())
        first = dns.message.from_wire(client.recv(4096))
        assert first.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
        assert serving.end(signal.SIGTERM) == 0
        rcodes = []
        try:
            client.settimeout(0.2)
            while True:
                rcodes.append(dns.message.from_wire(client.recv(4096)).rcode())
        except (TimeoutError, ConnectionRefusedError):
            pass
    assert len(rcodes) + 1 == len(slow)
    assert "stopping" in serving.log
    assert not serving.socket.exists()


def test_a_start_after_a_crash_works_and_keeps_the_old_counters(
    world: Loopback, tmp_path: Path
) -> None:
    world.reset()
    with Serving(world, tmp_path) as serving:
        query(serving, tagged(world, "positive", "A"))
        assert serving.end(signal.SIGKILL) == -signal.SIGKILL
        assert serving.socket.exists()
    counted = sum(server["udp"] for server in world.stats()["addresses"].values())
    with Serving(world, tmp_path) as again:
        assert query(again, tagged(world, "positive", "A")).rcode() == dns.rcode.NOERROR
    books = read_counters(tmp_path / "counters.previous")
    assert sum(row.sent for row in books.exchanges) == counted > 0


def test_a_second_server_with_the_same_control_socket_does_not_start(serving: Serving) -> None:
    shown = inland("serve", "-c", str(serving.file))
    assert shown.returncode == 1
    assert "a running server holds" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert serving.ask_control("status")["pid"]


def test_an_address_in_use_is_a_clear_error(serving: Serving, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = serving.file.read_text().replace("127.0.0.1:0", f"127.0.0.1:{serving.port}")
    other.write_text(text.replace(str(serving.socket), str(tmp_path / "other")))
    shown = inland("serve", "-c", str(other))
    assert shown.returncode == 1
    assert f"127.0.0.1:{serving.port}" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_bad_configuration_does_not_start(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("home: [Belgium]\nlisten: {dns: [nowhere]}\n")
    shown = inland("serve", "-c", str(bad))
    assert shown.returncode == 1
    assert "line 1: home" in shown.stderr
    assert "line 2: listen.dns" in shown.stderr


def test_the_service_manager_is_told(
    world: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        with Serving(world, tmp_path) as serving:
            told = [manager.recv(4096)]
            serving.ask_control("reload")
            told += [manager.recv(4096), manager.recv(4096)]
            assert serving.end() == 0
            told.append(manager.recv(4096))
    words = [one.split(b"\n")[0] for one in told]
    assert words == [b"READY=1", b"RELOADING=1", b"READY=1", b"STOPPING=1"]


def test_the_watchdog_is_fed_while_it_serves(
    world: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        with Serving(world, tmp_path):
            told = [manager.recv(4096).split(b"\n")[0] for _ in range(4)]
    assert told == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]


def test_health_of_a_server_that_serves_and_of_one_that_hangs(serving: Serving) -> None:
    words = ("control", "health", "--socket", str(serving.socket), "--timeout", "5")
    shown = inland(*words)
    assert (shown.returncode, shown.stdout) == (0, f"127.0.0.1:{serving.port}  answers\n")
    assert serving.total("inland_lookups_total") == 0
    assert serving.process is not None
    serving.process.send_signal(signal.SIGSTOP)
    try:
        shown = inland(*words[:-1], "0.2")
    finally:
        serving.process.send_signal(signal.SIGCONT)
    assert shown.returncode == 3
    assert "did not reply" in shown.stderr
