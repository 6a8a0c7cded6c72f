"""``inland serve`` on the small world, asked and looked at as its users do."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
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
from resolver.errors import ControlError
from testbed.clients import Heard, ask_all
from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.serving import Serving, inland


@pytest.fixture(scope="module")
def world() -> Iterator[Loopback]:
    with Loopback("small") as running:
        yield running


@pytest.fixture
def serving(world: Loopback, tmp_path: Path) -> Iterator[Serving]:
    with Serving(world, tmp_path) as running:
        yield running


def query(
    serving: Serving,
    name: str,
    rtype: str = "A",
    *,
    tcp: bool = False,
    do: bool = False,
    flags: int = dns.flags.RD,
    rclass: str = "IN",
) -> dns.message.Message:
    asked = dns.message.make_query(name, rtype, rclass, use_edns=0, want_dnssec=do, flags=flags)
    if tcp:
        return dns.query.tcp(asked, "127.0.0.1", 15, serving.port)
    reply, _ = dns.query.udp_with_fallback(asked, "127.0.0.1", 15, serving.port)
    return reply


def tagged(world: Loopback, tag: str, rtype: str | None = None) -> str:
    """A name of the world whose question tries this."""
    return next(
        question.name
        for question, expected in Truth(world.world).questions()
        if question.tag == tag and rtype in (None, question.rtype) and expected.rcode in (0, 3)
    )


def test_every_answer_equals_the_truth_and_no_escape_is_needless(serving: Serving) -> None:
    truth = Truth(serving.world.world)
    wrong: list[Heard] = []

    def done(heard: Heard) -> None:
        if heard.wrong:
            wrong.append(heard)

    serving.world.reset()
    trio.run(ask_all, ("127.0.0.1", serving.port), truth.questions(), done)
    assert not wrong
    assert truth.avoidable_exchanges(serving.world.roles()) == []
    assert serving.total("inland_needless_escapes_total") == 0
    assert serving.total("inland_faults_total") == 0


def test_dig_shows_a_plain_recursive_answer(serving: Serving) -> None:
    dig = shutil.which("dig")
    if dig is None:
        pytest.skip("dig is not installed")
    name = tagged(serving.world, "positive", "A")
    command = [dig, "@127.0.0.1", "-p", str(serving.port), name, "A"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "status: NOERROR" in shown
    assert "flags: qr rd ra;" in shown
    assert "WARNING" not in shown


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("tag", ["positive", "nodata", "nxdomain", "alias_across", "dname", "tcp"])
def test_kinds_of_answers_over_both_transports(serving: Serving, tag: str, tcp: bool) -> None:
    truth = Truth(serving.world.world)
    question, expected = next(
        (question, expected)
        for question, expected in truth.questions()
        if question.tag == tag and expected.rcode in (0, 3)
    )
    for _ in ("from a lookup", "from the cache"):
        reply = query(serving, question.name, question.rtype, tcp=tcp)
        assert int(reply.rcode()) == expected.rcode
        assert reply.flags & dns.flags.RA
        assert not reply.flags & dns.flags.AD
        assert [rrset.name.to_text() for rrset in reply.answer] == [
            rrset.name for rrset in expected.answer
        ]
        if not expected.answer:
            assert [rrset.rdtype for rrset in reply.authority] == [dns.rdatatype.SOA]


def test_hits_are_counted_as_local_lookups(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    for _ in range(4):
        query(serving, name)
    query(serving, name, tcp=True)
    assert serving.total("inland_lookups_total", transport="udp") == 4
    assert serving.total("inland_lookups_total", transport="udp", route="local") == 3
    assert serving.total("inland_lookups_total", transport="tcp", route="local") == 1
    assert serving.total("inland_lookup_seconds_count") == 5
    assert serving.total("inland_misses_total") == 1
    assert serving.total("inland_cache_entries", cache="answers") == 1


def test_exchanges_equal_what_the_servers_counted(serving: Serving) -> None:
    serving.world.reset()
    truth = Truth(serving.world.world)
    for question, _ in truth.questions()[::9]:
        query(serving, question.name, question.rtype)
    counted = serving.world.stats()["addresses"].values()
    for transport in ("udp", "tcp"):
        sent = serving.total("inland_exchanges_total", transport=transport)
        assert sent == sum(server[transport] for server in counted)


def test_signatures_only_for_a_client_that_wants_them(serving: Serving) -> None:
    name = tagged(serving.world, "nxdomain")
    plain, wanted = query(serving, name), query(serving, name, do=True)
    assert {rrset.rdtype for rrset in plain.authority} == {dns.rdatatype.SOA}
    assert wanted.ednsflags & dns.flags.DO
    assert not plain.ednsflags & dns.flags.DO
    assert wanted.rcode() == plain.rcode() == dns.rcode.NXDOMAIN


def test_joined_clients_cost_one_lookup(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    asked = [dns.message.make_query(name, "A") for _ in range(20)]
    serving.world.reset()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(15)
        client.connect(("127.0.0.1", serving.port))
        for question in asked:
            client.send(question.to_wire())
        ids = {dns.message.from_wire(client.recv(4096)).id for _ in asked}
    assert ids == {question.id for question in asked}
    questions = [entry for entry in serving.world.log() if entry[2] == name and entry[3] == "A"]
    assert len(questions) == 1
    assert serving.total("inland_lookups_total") == 20


@pytest.mark.parametrize(
    ("rtype", "rclass", "flags", "rcode"),
    [
        ("A", "IN", 0, dns.rcode.REFUSED),  # RD clear
        ("TXT", "CH", dns.flags.RD, dns.rcode.REFUSED),
        ("MAILB", "IN", dns.flags.RD, dns.rcode.NOTIMP),
    ],
)
def test_questions_that_are_turned_away(
    serving: Serving, rtype: str, rclass: str, flags: int, rcode: dns.rcode.Rcode
) -> None:
    reply = query(serving, "version.bind.", rtype, rclass=rclass, flags=flags)
    assert reply.rcode() == rcode
    assert serving.total("inland_exchanges_total") == 0


def test_status_tells_what_a_user_asks_first(serving: Serving) -> None:
    query(serving, tagged(serving.world, "positive", "A"))
    shown = inland("control", "status", "--socket", str(serving.socket))
    assert shown.returncode == 0, shown.stderr
    assert "mode" in shown.stdout
    status = serving.ask_control("status")
    assert status["home"] == ["XA"]
    assert status["lookups"] == 1
    assert status["exchanges"] == serving.total("inland_exchanges_total")


def test_flush_forgets_a_name(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    query(serving, name)
    serving.world.log()
    query(serving, name)
    assert serving.world.log() == []
    shown = inland("control", "flush", name, "--socket", str(serving.socket))
    assert shown.returncode == 0, shown.stderr
    query(serving, name)
    assert [entry[2] for entry in serving.world.log()] == [name]


def test_flush_all_forgets_the_root(serving: Serving) -> None:
    name = tagged(serving.world, "positive", "A")
    query(serving, name)
    serving.ask_control("flush", all=True)
    serving.world.log()
    query(serving, name)
    assert "" in {entry[2].rstrip(".") for entry in serving.world.log()}


def test_flush_of_no_name_is_an_error(serving: Serving) -> None:
    with pytest.raises(ControlError, match="empty label"):
        serving.ask_control("flush", name="a..b")


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


def test_serve_with_a_world_needs_no_configuration(tmp_path: Path) -> None:
    file = tmp_path / "ports.yaml"
    control = tmp_path / "control"
    file.write_text(
        f"listen: {{dns: ['127.0.0.1:0']}}\n"
        f"metrics: {{listen: '127.0.0.1:0'}}\n"
        f"control: {{socket: {control}}}\n"
    )
    with Loopback("small") as elsewhere:
        serving = Serving(elsewhere, tmp_path)
        try:
            serving.start("--world", "small", "-c", str(file))
            name = tagged(elsewhere, "positive", "A")
            assert query(serving, name).rcode() == dns.rcode.NOERROR
            assert serving.end(signal.SIGINT) == 0
        finally:
            serving.__exit__(None, None, None)


def test_explain_shows_each_exchange() -> None:
    shown = inland("explain", "--world", "small", "--json", ".", "SOA")
    assert shown.returncode == 0, shown.stderr
    assert '"verdict": "domestic"' in shown.stdout
    table = inland("explain", "--world", "small", ".", "SOA")
    assert "route domestic" in table.stdout
    assert os.linesep in table.stdout
