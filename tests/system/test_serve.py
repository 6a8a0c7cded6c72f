"""``inland serve`` on the small world, asked and looked at as its users do."""

import os
import shutil
import signal
import socket
import subprocess
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

from resolver.errors import ControlError
from testbed.clients import Heard, ask_all
from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.serving import Serving, inland, query, tagged


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


def test_a_lookup_that_fails_is_counted_as_failed(serving: Serving) -> None:
    questions = Truth(serving.world.world).questions()
    question = next(q for q, expected in questions if expected.rcode == dns.rcode.SERVFAIL)
    assert query(serving, question.name, question.rtype).rcode() == dns.rcode.SERVFAIL
    assert serving.total("inland_failed_lookups_total") == 1
    assert serving.total("inland_lookups_total", transport="udp") == 1


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
