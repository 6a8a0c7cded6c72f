"""Mirrors at a real border: transfers are in the books, and a cut border is survived from a start.

The primaries are Knot DNS, one at home and one abroad, beside the world's own servers.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from resolver.control import request
from resolver.counters import read_counters
from testbed.control import configuration
from testbed.knot import zone_text
from testbed.netns import Netns
from testbed.truth import State, Truth
from testbed.zones import SERVFAIL
from tests.border.rig import Rig, netns_or_skip
from tests.border.test_conservation import law
from tests.system.primaries import Primary

pytestmark = [pytest.mark.netns, pytest.mark.slow]

OWN = ("verification", "mirror_refresh")
AT_HOME, ABROAD = "11.0.250.1", "12.0.250.1"


@pytest.fixture
def net() -> Iterator[Netns]:
    with netns_or_skip("country:7", "knot") as net:
        yield net


def primary(net: Netns, folder: Path, place: str, address: str) -> Primary:
    prefix = ["ip", "netns", "exec", net.place(place)]
    return Primary("knot", folder, ".", address, 53, prefix=prefix)


def root_text(net: Netns, serial: int) -> str:
    """The world's root zone with another serial."""
    soa, rest = zone_text(net.world.zones["."]).split("\n", 1)
    return re.sub(r"(SOA \S+ \S+) \d+", rf"\1 {serial}", soa) + "\n" + rest


def mirrors(*primaries: str) -> dict[str, object]:
    entry = {"zone": ".", "primaries": list(primaries), "signatures": "off"}
    return {"zones": [entry]}


def proving(net: Netns) -> dict[str, object]:
    """The border of the world, with a place from which servers are proven by questions of our
    own."""
    place = {"at": [19.076, 72.878], "uncertainty": "1km", "border": "1500km"}
    known: dict[str, object] = configuration(net.world, net)["border"]
    return known | {"place": place, "verify": "probe"}


def test_conservation_with_transfers_and_probes_running(net: Netns, tmp_path: Path) -> None:
    questions = [(q.name, q.rtype) for q in net.world.questions]
    with (
        primary(net, tmp_path, "home", AT_HOME) as home,
        primary(net, tmp_path, "abroad", ABROAD) as abroad,
    ):
        home.publish(root_text(net, 1))
        abroad.publish(root_text(net, 1))
        net.reset()
        with Rig(net, tmp_path, mirrors=mirrors(ABROAD, AT_HOME), border=proving(net)) as rig:
            rig.wait_for(lambda: b"mirror of .: serial 1" in rig.log(), 20, "copy")
            clients = rig.ask(questions, cancel=0.2, repeat=2, clients=100)
            serial = 1
            while clients.poll() is None:
                serial += 1
                (home if serial < 6 else abroad).publish(root_text(net, serial))
                if serial == 6:
                    home.stop()
                told = request(rig.folder / "control.sock", {"command": "mirror", "zone": "."})
                assert told["state"] in ("current", "retrying")
            assert clients.returncode == 0
            assert serial > 6, "transfers ran from both sides of the border"
            rig.settle()
            books, seen = rig.books(), rig.border()
            law(books, seen)
            law(books, rig.border("border"))
            assert books.connections == seen.connections
            rows = read_counters(rig.counters).exchanges
            sent = {purpose: sum(r.sent for r in rows if r.purpose == purpose) for purpose in OWN}
            assert all(sent.values()), sent
            near = [at for at, server in net.world.servers.items() if server.domestic]
            proven = [at for at in near if rig.command("where", address=at)["finding"]]
            assert proven, "there were proofs to renew"
            status = rig.status()
            assert status["needless_escapes"] == 0
            assert status["mirrors"]["."]["source"] == ABROAD
            assert (
                Truth(net.world).avoidable_exchanges(
                    [row for row in net.roles() if row[0] != ABROAD]
                )
                == []
            )


def test_a_cold_start_with_the_border_cut(net: Netns, tmp_path: Path) -> None:
    truth = Truth(net.world)
    roots = {address for _, address in net.world.delegations["."].parent_set}
    state = State(True, frozenset(roots), frozenset({"."}))
    inside = [
        question
        for question in net.world.questions
        if truth.expected(question.name, question.rtype, state).rcode != SERVFAIL
    ]
    with primary(net, tmp_path, "home", AT_HOME) as home:
        home.publish(root_text(net, 1))
        with Rig(net, tmp_path, mirrors=mirrors(AT_HOME)) as rig:
            rig.wait_for(lambda: b"mirror of .: serial 1" in rig.log(), 20, "copy")
    net.cut()
    net.down(roots)
    net.reset()
    with Rig(net, tmp_path, mirrors=mirrors(AT_HOME)) as rig:
        assert b"serial 1 from disk" in rig.log()
        crowd = rig.ask([(q.name, q.rtype) for q in inside], clients=30)
        assert crowd.wait(240) == 0
        told = rig.told()
        assert len(told) == len(inside) > 200
        wrong = [
            (inside[index], reply and reply[3] & 15)
            for index, _, reply in told
            if reply is None
            or reply[3] & 15 != truth.expected(inside[index].name, inside[index].rtype, state).rcode
        ]
        assert not wrong
        rig.settle()
        law(rig.books(), rig.border())
        assert rig.status()["needless_escapes"] == 0
        assert truth.avoidable_exchanges(net.roles(), state) == []
