"""The world on loopback: every true answer can be walked to, faults bite, counts are exact."""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import pytest

from testbed.control import configuration, list_worlds, start
from testbed.loopback import Loopback
from testbed.remote import BackendError
from testbed.truth import State, Truth
from testbed.world import Fault
from tests.system.walker import Walker, expected_chain


@pytest.fixture(scope="module")
def running() -> Iterator[Loopback]:
    with Loopback("small", speed=30) as backend:
        yield backend


@pytest.fixture
def world(running: Loopback) -> Iterator[Loopback]:
    running.reset()
    yield running
    running.restore()
    running.loss(0)
    running.up(running.state.down)


def walker(backend: Loopback, timeout: float = 0.5) -> Walker:
    return Walker(dict(backend.world.delegations["."].parent_set), backend.port, timeout)


def udp(backend: Loopback, address: str, name: str, rtype: str = "A") -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, rtype), address, 1.0, backend.port)


@pytest.mark.parametrize("name", ["small:1", "small:2", "country:3"])
def test_walking_from_the_hints_finds_every_true_answer(name: str) -> None:
    with Loopback(name, speed=30) as backend:
        walk = walker(backend)
        wrong = []
        for question, expected in Truth(backend.world).questions():
            found = walk.resolve(question.name, question.rtype)
            if found != (expected.rcode, expected_chain(expected)):
                wrong.append((question, found, expected))
        assert not wrong, f"{len(wrong)} wrong, first: {wrong[0]}"
        assert backend.stats()["kernel_drops"] == 0


def test_counts_agree_with_what_was_sent(world: Loopback) -> None:
    walk = walker(world)
    for question in world.world.questions[:60]:
        walk.resolve(question.name, question.rtype)
    counted = {
        address: tally["udp"] + tally["tcp"]
        for address, tally in world.stats()["addresses"].items()
    }
    assert counted == Counter(sent[0] for sent in walk.sent)
    assert [(*e[1:4], e[5]) for e in world.log()] == walk.sent
    assert sum(count for _, _, count in world.roles()) == len(walk.sent)


def test_cut_lets_only_reachable_zones_answer(world: Loopback) -> None:
    world.cut()
    truth, walk = Truth(world.world), walker(world, 0.2)
    outcomes = []
    for question in world.world.questions:
        expected = truth.expected(question.name, question.rtype, world.state)
        outcomes.append(expected.rcode)
        found = walk.resolve(question.name, question.rtype)
        assert found == (expected.rcode, expected_chain(expected)), question
    assert Counter(outcomes)[0] > 50
    assert world.state == State(cut=True)
    world.restore()
    abroad = world.world.delegations["comx."].parent_set[0][1]
    assert udp(world, abroad, "comx.", "SOA").answer


def test_questions_that_meet_a_cut_are_still_counted(world: Loopback) -> None:
    abroad = world.world.delegations["comx."].parent_set[0][1]
    world.cut()
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(dns.message.make_query("comx.", "SOA"), abroad, 0.2, world.port)
    tally = world.stats()["addresses"][abroad]
    assert (tally["udp"], tally["answered"]) == (1, 0)


def test_a_downed_server_is_silent_until_it_is_up(world: Loopback) -> None:
    address = world.world.delegations["xa."].parent_set[0][1]
    world.down([address])
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(dns.message.make_query("xa.", "SOA"), address, 0.2, world.port)
    world.up([address])
    assert udp(world, address, "xa.", "SOA").answer


def test_loss_strikes_both_ways_after_counting(world: Loopback) -> None:
    address = world.world.delegations["xa."].parent_set[0][1]
    world.loss(0.2)
    wire = dns.message.make_query("xa.", "SOA").to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(400):
            sock.sendto(wire, (address, world.port))
        tally = {"udp": 0}
        until = time.monotonic() + 5
        while tally["udp"] < 400 and time.monotonic() < until:
            tally = world.stats()["addresses"].get(address, tally)
    assert tally["udp"] == 400
    assert 0.54 < tally["answered"] / 400 < 0.74  # 0.8 squared is 0.64; four sigma each way


def test_latency_is_that_of_the_server() -> None:
    with Loopback("small") as backend:
        slow = next(s for s in backend.world.servers.values() if s.fault is Fault.SLOW)
        began = time.monotonic()
        assert udp(backend, slow.address, min(slow.zones), "SOA").answer
        assert time.monotonic() - began >= slow.latency


def test_one_stream_carries_many_questions(world: Loopback) -> None:
    address = world.world.delegations["xa."].parent_set[0][1]
    with socket.create_connection((address, world.port), 5) as sock:
        sock.settimeout(5)
        queries = [dns.message.make_query("xa.", rtype) for rtype in ("SOA", "NS", "TXT")]
        for query in queries:
            dns.query.send_tcp(sock, query)
        ids = {dns.query.receive_tcp(sock)[0].id for _ in queries}
    assert ids == {query.id for query in queries}
    tally = world.stats()["addresses"][address]
    assert (tally["tcp"], tally["connections"]) == (3, 1)


@pytest.mark.skipif(not shutil.which("dig"), reason="no dig: install bind9-dnsutils")
def test_dig_can_ask(world: Loopback) -> None:
    address = world.world.delegations["."].parent_set[2][1]
    out = subprocess.run(
        ["dig", "+norec", "+short", "-p", str(world.port), f"@{address}", ".", "NS"],
        capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    assert set(out.stdout.split()) == {ns for ns, _ in world.world.delegations["."].parent_set}


def test_one_core_answers_at_least_1500_questions_a_second(world: Loopback) -> None:
    server = world.world.servers[world.world.delegations["xa."].parent_set[0][1]]
    wires = [
        dns.message.make_query(q.name, q.rtype).to_wire()
        for q in world.world.questions if q.name.endswith(".xa.")
    ]  # fmt: skip
    total, window, received = 6000, 100, 0
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        for at in range(total):
            sock.sendto(wires[at % len(wires)], (server.address, world.port))
            if at >= window:
                sock.recv(4096)
                received += 1
        while received < total:
            sock.recv(4096)
            received += 1
    assert total / (time.monotonic() - began) >= 1500


def test_a_taken_port_is_an_error_that_says_so(world: Loopback) -> None:
    with pytest.raises(BackendError, match="in use"):
        Loopback("small", port=world.port).start()


def test_a_bad_command_is_refused_and_the_world_lives_on(world: Loopback) -> None:
    with pytest.raises(BackendError, match="no command"):
        world.command("explode")
    with pytest.raises(BackendError, match="rate"):
        world.command("loss")
    assert world.stats()["ok"]


def test_configuration_names_hints_port_and_borders(world: Loopback) -> None:
    settings = configuration(world.world, world)
    assert settings["home"] == ["XA"]
    assert settings["resolution"]["upstream_port"] == world.port
    assert settings["border"]["domestic"] == ["127.11.0.0/16"]
    assert {"prefix": "127.12.0.0/16", "country": "XB"} in settings["border"]["foreign"]
    assert Path(settings["resolution"]["root_hints"]).read_text().count(" A 127.") == 5
    assert json.dumps(settings)


def test_stopping_leaves_nothing_behind() -> None:
    backend = start("small:9", speed=50)
    folder, process = backend.folder, backend._process
    backend.stop()
    assert process is not None and process.returncode == 0
    assert not folder.exists()
    assert "country" in {spec.name for spec in list_worlds()}
