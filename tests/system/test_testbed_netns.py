"""The world in network namespaces: Knot agrees with dnslib, nftables with the senders."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import pytest

from testbed import netns
from testbed.authority import Authority
from testbed.model import Fault
from testbed.netns import Netns, Unavailable
from testbed.truth import Truth

PYTHON = [sys.executable, "-m", "tests.system.walker_in_namespace"]


def started(world: str, authority: str) -> Netns:
    if not shutil.which("dig"):
        pytest.skip("no dig: install the package bind9-dnsutils")
    try:
        return Netns(world, authority, speed=20).start()
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module", params=["knot", "dnslib"])
def running(request: pytest.FixtureRequest) -> Iterator[Netns]:
    with ExitStack() as stack:
        backend = started("small:1", request.param)
        stack.callback(backend.stop)
        yield backend


@pytest.fixture
def world(running: Netns) -> Iterator[Netns]:
    running.reset()
    yield running
    running.restore()
    running.loss(0)
    running.up(running.state.down)


def inside(backend: Netns, *args: str, told: Any = None) -> Any:
    process = backend.exec_in(
        [*PYTHON, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    out, _ = process.communicate(json.dumps(told), timeout=120)
    assert process.returncode == 0
    return json.loads(out)


def dig(backend: Netns, address: str, *args: str) -> str:
    process = backend.exec_in(
        ["dig", "+norec", "+short", "+tries=1", "+time=1", f"@{address}", *args],
        stdout=subprocess.PIPE,
        text=True,
    )
    out: str = process.communicate(timeout=20)[0]
    return "" if process.returncode else out.strip()


def test_walking_finds_every_true_answer_and_every_count_agrees(world: Netns) -> None:
    before = world.questions()
    found = inside(world, "walk", "small:1")
    assert not found["wrong"], f"{len(found['wrong'])} wrong, first: {found['wrong'][0]}"
    counters = world.counters()
    for place in ("resolver", "border"):
        assert counters[place]["udp_to"] == found["udp"], place
        assert counters[place]["syn_to"] == found["tcp"], place
        assert counters[place]["udp_other"]["packets"] == 0
        domestic = sum(n for at, n in found["udp"].items() if at.startswith("11."))
        assert counters[place]["udp_domestic"]["packets"] == domestic
        assert counters[place]["udp_foreign"]["packets"] == sum(found["udp"].values()) - domestic
    seen: Counter[str] = Counter()
    for address, _, count in world.roles():
        seen[address] += count
    assert seen == found["udp"]
    dead = {s.address for s in world.world.servers.values() if s.fault is Fault.DEAD}
    after = world.questions()
    assert after["udp"] - before["udp"] == sum(n for a, n in found["udp"].items() if a not in dead)
    assert after["tcp"] - before["tcp"] == sum(found["tcp"].values())


def test_the_border_sees_in_whose_role_servers_are_asked(world: Netns) -> None:
    truth = Truth(world.world)
    foreign = next(z.name for z in world.world.zones.values() if z.kind == "foreign")
    mixed = next(z.name for z in world.world.zones.values() if z.kind == "mixed")
    asked = []
    for zone in (foreign, mixed):
        servers = [address for _, address in world.world.delegations[zone].parent_set]
        abroad = next(at for at in servers if not world.world.servers[at].domestic)
        asked.append((abroad, zone, 1))
        assert dig(world, abroad, f"www.{zone}", "A")
    assert sorted(world.roles()) == sorted(asked)
    assert truth.avoidable_exchanges(world.roles()) == [asked[1]]


def parts(wire: bytes) -> dict[str, Any]:
    """What has to agree between servers: order inside a section is free, glue may be more."""
    reply = dns.message.from_wire(wire)
    return {
        "rcode": reply.rcode(),
        "aa": bool(reply.flags & dns.flags.AA),
        "answer": [(r.name, r.rdtype, r.ttl, frozenset(r)) for r in reply.answer],
        "authority": {
            (r.name, r.rdtype, r.ttl, frozenset(r))
            for r in reply.authority
            # Some servers put the zone's own NS beside a positive answer; it says nothing new.
            if not (reply.answer and reply.flags & dns.flags.AA and r.rdtype == dns.rdatatype.NS)
        },
        "glue": {
            (r.name, r.rdtype, r.ttl, frozenset(r))
            for r in reply.additional
            if not reply.answer and r.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        },
    }


def test_knot_and_dnslib_answer_every_true_question_alike() -> None:
    with ExitStack() as stack:
        backend = started("country:2", "knot")
        stack.callback(backend.stop)
        world, truth = backend.world, Truth(backend.world)
        authority = Authority(world)
        asked = sorted(
            {
                (address, name, question.rtype)
                for question, expected in truth.questions()
                for zone in expected.zones
                for _, address in world.delegations[zone].all()[:2]
                if world.servers[address].fault is Fault.NONE
                for name in {question.name, *(r.name for r in expected.answer)}
            }
        )
        replies = inside(backend, "ask", told=asked)
    differ = []
    for (address, name, rtype), (reply, by_tcp) in zip(asked, replies, strict=True):
        query = dns.message.make_query(name, rtype, use_edns=0, payload=1232)
        query.flags = 0
        ours = authority.answer(world.servers[address], query.to_wire(), True)
        over = authority.answer(world.servers[address], query.to_wire(), False)
        assert ours is not None and over is not None
        truncated = bool(over.wire[2] & 2)
        if parts(bytes.fromhex(reply)) != parts(ours.wire) or truncated != by_tcp:
            differ.append((address, name, rtype, reply, ours.wire.hex()))
    assert len(asked) > 2000
    assert not differ, f"{len(differ)} of {len(asked)} differ, first: {differ[0]}"


def test_loss_strikes_behind_both_counters(world: Netns) -> None:
    address = Truth(world.world).domestic_servers("xa.")[0]
    world.loss(1.0)
    assert dig(world, address, "xa.", "SOA") == ""
    world.loss(0)
    assert dig(world, address, "xa.", "SOA")
    counters = world.counters()
    assert counters["resolver"]["udp_to"] == counters["border"]["udp_to"] == {address: 2}


def test_cut_stops_only_what_is_abroad_and_is_counted(world: Netns) -> None:
    home = Truth(world.world).domestic_servers("xa.")[0]
    abroad = world.world.delegations["comx."].parent_set[0][1]
    world.cut()
    assert dig(world, abroad, "comx.", "SOA") == ""
    assert dig(world, home, "xa.", "SOA")
    world.restore()
    assert dig(world, abroad, "comx.", "SOA")
    assert world.counters()["border"]["udp_foreign"]["packets"] == 2


def test_servers_can_be_silenced_while_running(world: Netns) -> None:
    address = Truth(world.world).domestic_servers("xa.")[0]
    world.down([address])
    assert dig(world, address, "xa.", "SOA") == ""
    world.up([address])
    assert dig(world, address, "xa.", "SOA")


def test_packets_on_other_ports_and_of_other_protocols_are_counted(world: Netns) -> None:
    address = Truth(world.world).domestic_servers("xa.")[0]
    script = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"s.sendto(b'x', ('{address}', 4000)); s.sendto(b'x', ('198.51.100.1', 53))\n"
    )
    assert world.exec_in([sys.executable, "-c", script]).wait(20) == 0
    counters = world.counters()
    for place in ("resolver", "border"):
        assert counters[place]["udp_domestic"]["packets"] == 1
        assert counters[place]["udp_other"]["packets"] == 1


def test_stopping_removes_namespaces_and_processes() -> None:
    backend = started("small:1", "knot")
    places = [backend.place(name) for name in netns.PLACES]
    processes = [server.process for server in backend.knots]
    folder = backend.folder
    assert processes
    backend.stop()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert not [place for place in places if place in listed.stdout]
    assert all(process.returncode is not None for process in processes)
    assert not folder.exists()


def test_what_a_killed_run_left_behind_is_swept_away() -> None:
    started("small:1", "dnslib").stop()  # skips where namespaces cannot be made
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = f"{netns.PREFIX}-{gone.pid}-0-home"
    subprocess.run(["ip", "netns", "add", left], check=True)
    started("small:1", "dnslib").stop()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert left not in listed.stdout


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="root"):
        Netns("small").start()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match="install the package iproute2"):
        Netns("small").start()
