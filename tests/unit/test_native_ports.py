"""Sockets that serve again: a new port for each exchange, and nothing of the last one in the next.

RFC 5452 section 9.2. The kernel chooses here, from its range of ephemeral ports.
"""

import itertools
import time
from pathlib import Path

import pytest

from tests.unit.door_rig import NONE, TIMEOUT, Rigs, open_files
from tests.unit.upstreams import Upstream, reply_to, silence

REST = 0.02
"""As ``REST`` in native."""

ROUNDS = 40

pytestmark = pytest.mark.parametrize("rigs", [True], indirect=True)


def kernel_range() -> tuple[int, int]:
    """Least and greatest of the kernel's ephemeral ports."""
    least, most = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return int(least), int(most)


def test_each_exchange_has_another_port_though_one_socket_serves_all(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port, workers=1)
        before = open_files()
        for _ in range(ROUNDS):
            assert rig.one(server.address)[0] == NONE
            time.sleep(REST * 1.5)
        assert open_files() <= before + 1, "what other tests have left open may close meanwhile"
        assert rig.counters.scalars()["icmp_errors"] == 0
        ports = {port for _, port in server.datagrams}
        assert len(ports) >= ROUNDS - 1, "two may be equal by chance"


def test_ports_are_spread_over_the_whole_range_of_the_kernel(rigs: Rigs) -> None:
    least, most = kernel_range()
    with Upstream() as server:
        rig = rigs(server.port, workers=1, linger=0.0)
        for _ in range(20):
            rig.ask(server.address, 20)
            assert {end[0] for end in rig.outcomes(20).values()} == {NONE}
        ports = [port for _, port in server.datagrams]
    assert all(least <= port <= most for port in ports)
    quarter = (most - least + 1) / 4
    for number in range(4):
        low = least + number * quarter
        assert 50 < sum(low <= port < low + quarter for port in ports) < 150, "100 are expected"
    # A counter or a small step from port to port would show here.
    steps = {after - before for before, after in itertools.pairwise(ports)}
    assert len(steps) > 390


def test_what_comes_for_the_last_exchange_is_not_taken_for_the_next(rigs: Rigs) -> None:
    with Upstream() as server:
        rig = rigs(server.port, workers=1)
        assert rig.one(server.address)[0] == NONE
        query, port = server.datagrams[0]
        server.send_datagram(reply_to(query), port)  # at rest: counted
        rig.wait_for(lambda: rig.counters.scalars()["upstream_late"] == 1)
        time.sleep(REST * 1.5)
        assert rig.one(server.address)[0] == NONE
        server.send_datagram(reply_to(query), port)  # serving again: its old port is nobody's
        server.send_datagram(reply_to(query), server.datagrams[1][1])
        rig.wait_for(lambda: rig.counters.scalars()["upstream_late"] == 2)
        time.sleep(REST * 1.5)
        assert rig.one(server.address)[0] == NONE
        assert rig.counters.scalars()["upstream_late"] == 2
        assert rig.books()["replies"] == rig.books()["sent"] == 3


def test_a_socket_that_was_silent_does_not_serve_again(rigs: Rigs) -> None:
    with Upstream(udp=silence) as server:
        rig = rigs(server.port, workers=1)
        assert rig.one(server.address, timeout=0.02)[0] == TIMEOUT
        time.sleep(REST * 1.5)
        assert rig.one(server.address, timeout=0.02)[0] == TIMEOUT
        for query, port in server.datagrams:
            server.send_datagram(reply_to(query), port)
        rig.wait_for(lambda: rig.counters.scalars()["upstream_late"] == 2)


def test_by_default_the_range_decides(rigs: Rigs) -> None:
    least, most = kernel_range()
    is_wide = most - least + 1 >= 1 << 15
    with Upstream() as server:
        rig = rigs(server.port, workers=1, kernel_ports=None)
        for _ in range(ROUNDS):
            rig.one(server.address)
        outside = [port for _, port in server.datagrams if not least <= port <= most]
        assert is_wide == (not outside)
