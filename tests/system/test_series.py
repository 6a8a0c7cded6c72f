"""Whoever asks chooses names, and none of them makes a series: the exporter's stay those that they
are. ``benchmarks/series.py`` asks ten million."""

import socket
from collections.abc import Sequence
from pathlib import Path

import dns.message

from testbed.control import Loopback
from tests.system.mirror_serving import until
from tests.system.serving import Serving, query, tagged

AT_ONCE = 50


def ask_all(port: int, names: Sequence[str]) -> int:
    """Ask these, some at once; how many replies came."""
    replies = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(10)
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            for number, name in enumerate(some):
                asked = dns.message.make_query(name, "A", use_edns=0, id=start + number)
                client.send(asked.to_wire())
            for _ in some:
                client.recv(4096)
                replies += 1
    return replies


def test_random_names_make_no_series(near_world: Loopback, tmp_path: Path) -> None:
    zone = tagged(near_world, "positive", "A").split(".", 1)[1]
    names = [f"random{number:x}.{zone}" for number in range(3300)]
    with Serving(near_world, tmp_path) as serving:
        query(serving, names[0])
        assert ask_all(serving.port, names[:300]) == 300
        before = serving.metrics().keys()
        assert ask_all(serving.port, names[300:]) == 3000
        # What native answers by itself is told in sums, a moment later.
        until(lambda: serving.total("inland_lookups_total", transport="udp") == 3301, "lookups")
        after = serving.metrics()
        assert after.keys() == before, "of 3,000 new names"
        assert not [series for series in after if "random" in str(series)]
