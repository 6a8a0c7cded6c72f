"""The conservation law: what the resolver says it sent is what the border's own counters saw.

UDP: datagrams that the kernel accepted equal what nftables saw, exactly. Streams: questions equal
the servers' own count. After ``kill -9`` the law holds within one batch a thread.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from resolver.counters import read_counters
from testbed.netns import Netns
from tests.border.rig import Rig, Totals, netns_or_skip

pytestmark = [pytest.mark.netns, pytest.mark.slow]

BATCH_PER_THREAD = 64
"""Most exchanges that a thread of the door has begun and not yet counted as sent."""


WIDE, SMALL = "10240 65535", "32768 60999"


def law(books: Totals, seen: Totals) -> None:
    """Fails unless the books are those of the border."""
    assert books.udp_domestic == seen.udp_domestic
    assert books.udp_foreign == seen.udp_foreign
    assert books.udp_other == seen.udp_other == 0


@pytest.fixture
def net() -> Iterator[Netns]:
    with netns_or_skip("country:7") as net:
        yield net


def names(net: Netns, every: int = 1) -> list[tuple[str, str]]:
    return [(q.name, q.rtype) for q in net.world.questions][::every]


@pytest.mark.parametrize(("loss", "ports"), [(0.0, WIDE), (0.05, WIDE), (0.05, SMALL), (0.2, WIDE)])
def test_under_load_and_loss(net: Netns, tmp_path: Path, loss: float, ports: str) -> None:
    """Joined questions, clients that leave, TCP fallback, retries: all at once. With a wide range
    of ports sockets serve again, with a small one each exchange has its own."""
    with Rig(net, tmp_path, ports) as rig:
        assert rig.status()["source_ports"] == ("kernel" if ports == WIDE else "own")
        net.loss(loss)
        clients = rig.ask(names(net), cancel=0.2, repeat=2, clients=100)
        assert clients.wait(120) == 0
        rig.settle()
        books, seen = rig.books(), rig.border()
        law(books, seen)
        law(books, rig.border("border"))
        assert books.udp_domestic > 300 and books.udp_foreign > 100, "there was something to count"
        assert books.tcp_questions > 0
        if not loss:
            assert books.tcp_questions == seen.tcp_questions
            assert books.connections == seen.connections


def test_reload_every_second(net: Netns, tmp_path: Path) -> None:
    """Each reload changes the policy, so its generation changes and answers are made again."""
    with Rig(net, tmp_path) as rig:
        clients = rig.ask(names(net) * 2, clients=20, repeat=2)
        reloads = 0
        while clients.poll() is None:
            rig.config["border"]["patience"] = f"{1500 + reloads}ms"
            rig.write()
            rig.reload()
            reloads += 1
            rig.wait_for(lambda due=reloads: rig.log().count(b"reloaded:") >= due, 10, "reload")
            with suppress(TimeoutExpired):
                clients.wait(1)
        assert clients.returncode == 0
        assert reloads >= 2
        rig.settle()
        law(rig.books(), rig.border())


def test_kill_in_mid_run(net: Netns, tmp_path: Path) -> None:
    """After a crash the file still tells: sent <= seen <= intended, a batch a thread apart."""
    with Rig(net, tmp_path) as rig:
        net.loss(0.05)
        clients = rig.ask(names(net), clients=100, seconds=0.3)
        rig.wait_for(lambda: rig.books().intended > 200, 60, "traffic")
        rig.kill()
        clients.kill()
        clients.wait()
        books, seen = rig.books(), rig.border()
    total = seen.udp_domestic + seen.udp_foreign
    sent = books.udp_domestic + books.udp_foreign
    assert seen.udp_other == 0
    assert sent <= total <= books.intended
    assert books.intended - sent <= 2 * BATCH_PER_THREAD


def test_cut_border_and_back(net: Netns, tmp_path: Path) -> None:
    """What is sent towards a cut border was sent all the same."""
    with Rig(net, tmp_path) as rig:
        net.cut()
        assert rig.ask(names(net, 5), clients=100, seconds=3).wait(120) == 0
        net.restore()
        assert rig.ask(names(net, 3), clients=50).wait(120) == 0
        rig.settle()
        law(rig.books(), rig.border())


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_while_delegations_are_watched(net: Netns, tmp_path: Path, loss: float) -> None:
    """The looks of the watch are exchanges like others, and none of them escapes without need."""
    followed = [z for z in net.world.delegations if z.endswith("xa.")]
    watch = {"zones": followed, "gap": "1s"}
    with Rig(net, tmp_path, watch=watch) as rig:
        net.loss(loss)
        clients = rig.ask(names(net, 2), clients=50)
        rig.command("watch", look=True)
        assert clients.wait(120) == 0
        told = rig.status()
        assert told["watch"]["followed"] > 100
        assert told["watch"]["changes"] <= told["watch"]["unreachable"]  # no false alarm
        assert told["needless_escapes"] == 0
        rig.config["watch"] = {"listed": False}
        rig.write()
        rig.command("reload")
        rig.settle()
        law(rig.books(), rig.border())
        purposes = {row.purpose for row in read_counters(rig.counters).exchanges}
        assert "verification" in purposes


def test_one_datagram_left_out_breaks_the_law() -> None:
    """The comparison itself can fail."""
    seen = Totals(10, 5, 0, 1, 1, 15)
    law(seen, seen)
    for books in (
        replace(seen, udp_domestic=9),
        replace(seen, udp_foreign=6),
        replace(seen, udp_other=1),
    ):
        with pytest.raises(AssertionError):
            law(books, seen)
