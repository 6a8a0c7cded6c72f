"""All of a policy changed each second at a real border, under load and loss: never half of it.

Rules (live and shadow), a policy zone from a file and a signed country pack change with each
reload; another policy zone comes by transfer, with a notice, meanwhile. Every version leaves marks:

* a rule answers ``f0.marks.`` to ``f3.marks.`` and ``p0.marks.`` to ``p3.marks.`` with ``other N``,
  N being the version of the rules;
* the zone from a file answers ``fI.marks.`` with ``file N`` before that, where I is N modulo 4;
* the pack lists ``pI.marks.`` as domestic, and a rule before that answers ``pack N`` for it;
* the transferred zone answers ``feed.example.`` with ``feed N``.

So ``other N`` for a name whose number is N modulo 4 was made from parts of two versions.
"""

import json
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from testbed.netns import RESOLVER_ADDRESS, Netns
from testbed.truth import Truth
from tests.border.marks import Row
from tests.border.rig import PORT, Rig, netns_or_skip
from tests.border.test_conservation import law
from tests.border.test_policy import ACCOUNT, closed_zones
from tests.system.primaries import Primary, need
from tests.unit.test_pack_store import KEY, write
from tests.unit.test_packs import MINIMAL

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FEED_AT = "11.0.250.1"
OWNER = {"authority": {"kind": "regulator", "name": "Test"}, "reference": "T-2"}
NOTICES = f"""
table inet notices {{
    counter replies {{ }}
    chain count {{
        type filter hook output priority 301; policy accept;
        udp sport {PORT} ip daddr {FEED_AT} counter name replies
    }}
}}
"""
"""Replies to notices go to a server, but are no exchanges: a counter of their own."""


@pytest.fixture
def net() -> Iterator[Netns]:
    with netns_or_skip("country:3", "knot") as net:
        yield net


def rules(number: int, zones: list[str]) -> str:
    """The rules of a version: some zones stay at home, others are not answered, by turns."""
    closed, others = zones[:-5][:number], zones[-5:]
    blocked = others[number % 2 :: 2]
    listed = {"listed": "domestic", "type": "TXT"}
    marked = [
        {"id": f"pack{number}", "match": listed, "effect": {"rewrite": [f'TXT "pack {number}"']}},
        {"id": f"other{number}", "match": {"suffix": "marks", "type": "TXT"},
         "effect": {"rewrite": [f'TXT "other {number}"']}},
    ]  # fmt: skip
    made = [
        marked[0] | ACCOUNT,
        {"rpz": "local"},
        marked[1] | ACCOUNT,
        {
            "id": f"no{number}",
            "match": {"suffix": blocked},
            "effect": {"block": "nxdomain"},
            **ACCOUNT,
        },
        {"id": f"stay{number}", "match": {"suffix": closed}, "effect": "domestic-only", **ACCOUNT},
    ]
    return json.dumps({"version": 1, "mode": "enforce", "enforce": closed, "rules": made})


def zone(apex: str, serial: int, marks: str, triggers: Iterable[str]) -> str:
    """A version of a policy zone, beside its marks with triggers."""
    head = f"{apex} 60 IN SOA ns.{apex} admin.{apex} {serial} 3600 600 86400 60\n"
    lines = [marks, *triggers, *(f"n{at}.nowhere.invalid.{apex} CNAME ." for at in range(500))]
    return head + f"{apex} 60 IN NS ns.{apex}\n" + "\n".join(lines) + "\n"


def pack(number: int) -> str:
    """A version of the country pack."""
    return MINIMAL.replace("version: 7", f"version: {number}").replace(
        "values: [gov.xa]", f"values: [gov.xa, p{number % 4}.marks]"
    )


@dataclass
class Changes:
    """What was put in force and when: the number, and the times around it."""

    rig: Rig
    feed: Primary
    zones: list[str]
    folder: Path
    begun: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    feed_done: list[float] = field(default_factory=list)

    def closed(self, number: int) -> list[str]:
        """What must stay at home from this version on."""
        return self.zones[:-5][:number]

    def write(self, number: int) -> None:
        """All files of a version; the next one's rules are the shadow."""
        for at, name in ((number, "live"), (number + 1, "shadow")):
            (self.folder / f"{name}.yaml").write_text(rules(at, self.zones))
        mark = f'f{number % 4}.marks.local.rpz. TXT "file {number}"'
        where = ["24.0.2.0.192.rpz-ip.local.rpz. CNAME ."] if number % 3 == 0 else []
        (self.folder / "local.zone").write_text(zone("local.rpz.", 1, mark, where))
        write(self.folder / "signed", pack(number))

    def reload(self, number: int) -> None:
        """Another version in force when this returns."""
        self.write(number)
        self.begun.append(time.monotonic())
        assert self.rig.command("reload")["changed"]
        self.done.append(time.monotonic())

    def publish(self, number: int) -> None:
        """Another version of the transferred zone in force when this returns."""
        mark = f'feed.example.feed.rpz. TXT "feed {number}"'
        where = ["ns.nowhere.invalid.rpz-nsdname.feed.rpz. CNAME ."] if number % 2 else []
        self.feed.publish(zone("feed.rpz.", number, mark, where))
        self.rig.wait_for(
            lambda: self.rig.status()["rpz"]["feed"].get("serial") == number, 20, "version of feed"
        )
        self.feed_done.append(time.monotonic())


def judge(rows: list[Row], done: list[float], begun: list[float] | None) -> list[Any]:
    """What no order of versions explains: of rows ``[began, ended, name, "WORD N"]``.

    A version is in force at the latest when it was told so, never before it was asked for, and
    never again after a reply of a later one.
    """
    replies = sorted((row[1], number_of(row)) for row in rows)
    ends = [ended for ended, _ in replies]
    newest = list(accumulate((number for _, number in replies), max))
    wrong: list[Any] = []
    for row in rows:
        began, ended, name, text = row
        number, before = number_of(row), bisect_left(ends, began)
        if number < max(bisect_left(done, began), newest[before - 1] if before else 0, 1):
            wrong.append(("of old", name, text))
        elif begun is not None and number > bisect_left(begun, ended):
            wrong.append(("too early", name, text))
        elif begun is not None and str(text).startswith("other") == (number % 4 == int(name[1])):
            wrong.append(("of two versions", name, text))
    return wrong


def number_of(row: Row) -> int:
    """The version that gave this reply; 0: none did."""
    word, _, number = str(row[3]).partition(" ")
    return int(number) if word in ("other", "file", "pack", "feed") else 0


def abroad(net: Netns, zones: list[str]) -> int:
    """Questions in the role of these zones that have crossed the border."""
    servers = net.world.servers
    return sum(n for at, role, n in net.roles() if role in zones and not servers[at].domestic)


def configure(rig: Rig, folder: Path) -> None:
    """Everything that can be reloaded, in a configuration."""
    rig.config.pop("home")  # what the pack is about
    rig.config |= {
        "pack": "XA",
        "packs": {"path": str(folder / "signed"), "keys": [str(KEY.public)]},
        "listen": {"dns": [f"127.0.0.1:{PORT}", f"{RESOLVER_ADDRESS}:{PORT}"]},
        "policy": {
            "files": [str(folder / "live.yaml")],
            "shadow": [str(folder / "shadow.yaml")],
            "rpz": [
                {"zone": "local.rpz", "name": "local", "file": str(folder / "local.zone"), **OWNER},
                {"zone": "feed.rpz", "name": "feed", "primaries": [FEED_AT], **OWNER},
            ],
        },
    }
    rig.write()


def ask_for_marks(net: Netns, folder: Path) -> "subprocess.Popen[bytes]":
    names = [f"{kind}{at}.marks." for at in range(4) for kind in "fp"]
    plan = folder / "marks.json"
    plan.write_text(json.dumps({"server": ["127.0.0.1", PORT], "names": [*names, "feed.example."]}))
    command = [sys.executable, "-m", "tests.border.marks", str(plan)]
    return net.exec_in(command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE)


def run(net: Netns, changes: Changes, truth: Truth) -> list[Any]:
    """Change everything, once a second, while clients ask; questions abroad that were forbidden."""
    rig = changes.rig
    marks = ask_for_marks(net, changes.folder)
    net.loss(0.05)
    questions = [(q.name, q.rtype) for q, _ in truth.questions()]
    clients = rig.ask(questions, clients=60, cancel=0.1, repeat=2)
    number, forbidden = 1, []
    while clients.poll() is None:
        number += 1
        changes.reload(number)
        closed = changes.closed(number)
        before = abroad(net, closed)
        if number % 3 == 0:
            changes.publish(number // 3 + 1)
        with suppress(subprocess.TimeoutExpired):
            clients.wait(1)
        if abroad(net, closed) != before:
            forbidden.append((number, before, abroad(net, closed)))
    assert clients.returncode == 0
    marks.communicate(timeout=20)
    assert marks.returncode == 0
    return forbidden


def balance(net: Netns, rig: Rig) -> int:
    """Hold the books against the kernel's at a moment when nothing is sent; replies to notices."""
    rig.settle()
    for _ in range(50):  # servers that failed are probed now and then, for as long as they fail
        books = rig.books()
        seen, replies = rig.border(), replies_to_notices(net)
        if rig.books() == books:
            break
    law(books, replace(seen, udp_domestic=seen.udp_domestic - replies))
    return replies


def replies_to_notices(net: Netns) -> int:
    """Datagrams of ours to the feed's server that were replies to its notices."""
    listed = json.loads(net._nft("resolver", None))["nftables"]
    found: list[int] = [
        item["counter"]["packets"]
        for item in listed
        if item.get("counter", {}).get("table") == "notices"
    ]
    return sum(found)


@pytest.mark.parametrize("kind", ["knot", "nsd"])
def test_everything_is_reloaded_each_second_and_never_by_half(
    net: Netns, tmp_path: Path, kind: str
) -> None:
    need(kind)
    truth = Truth(net.world)
    prefix = ["ip", "netns", "exec", net.place("home")]
    towards: Any = {"notify": PORT, "notify_host": RESOLVER_ADDRESS, "prefix": prefix}
    rig = Rig(net, tmp_path)
    configure(rig, tmp_path)
    with Primary(kind, tmp_path, "feed.rpz.", FEED_AT, 53, **towards) as feed:
        changes = Changes(rig, feed, closed_zones(truth), tmp_path)
        changes.write(1)
        feed.publish(zone("feed.rpz.", 1, 'feed.example.feed.rpz. TXT "feed 1"', []))
        net._nft("resolver", NOTICES)
        net.reset()
        with rig:
            now = time.monotonic()
            changes.begun, changes.done, changes.feed_done = [now], [now], [now]
            rig.wait_for(
                lambda: rig.status()["rpz"]["feed"].get("serial") == 1, 20, "first version of feed"
            )
            assert run(net, changes, truth) == []
            replies = balance(net, rig)
            assert (replies > 0) == (kind == "nsd"), "Knot DNS sends its notices over TCP"
            status = rig.status()
            assert (status["needless_escapes"], status["faults"]) == (0, 0)
    rows: list[Row] = [tuple(row) for row in json.loads((tmp_path / "marks.json.out").read_text())]
    marks = [row for row in rows if row[2] != "feed.example."]
    assert judge(marks, changes.done, changes.begun) == []
    assert judge([row for row in rows if row[2] == "feed.example."], changes.feed_done, None) == []
    assert {row[3].split()[0] for row in marks if row[3]} == {"other", "file", "pack"}
    assert len(changes.done) > 8 and len(changes.feed_done) > 2 and len(rows) > 500
