"""What leaves the country at the wire: labels as counted, no more than needed, nothing of clients.

The testbed's name servers keep every question as it came. RFC 7871 (client subnet), RFC 7873
(cookies), RFC 7830 (padding): none of these options is ever sent.
"""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from resolver.counters import read_counters
from testbed.control import Loopback
from testbed.model import World
from testbed.truth import Truth
from testbed.zones import parent
from tests.system.serving import Serving

OF_CLIENTS = (
    dns.edns.ECSOption("203.0.113.0", 24),
    dns.edns.CookieOption(b"clientco", b""),
    dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(20)),
    dns.edns.GenericOption(dns.edns.OptionType.NSID, b""),
    dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"subscriber 17"),
)
CLIENT_ID = 0x1234
AT_ONCE = 24


def labels(name: str) -> int:
    """Labels of a name in text, the root's left out."""
    return len(name.rstrip(".").split(".")) if name != "." else 0


def ask(port: int, name: str, rtype: str) -> int:
    """One question with all that a client can tell of itself; the rcode of the reply."""
    query = dns.message.make_query(
        name.upper(), rtype, use_edns=0, payload=4096, options=list(OF_CLIENTS)
    )
    query.id = CLIENT_ID
    query.flags |= dns.flags.AD | dns.flags.CD
    return dns.query.udp_with_fallback(query, "127.0.0.1", 15, port)[0].rcode()


def ask_all(port: int, asked: list[tuple[str, str]]) -> None:
    """All of them, some at once: servers that are silent take their time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda one: ask(port, *one), asked))


def questions(world: World) -> list[tuple[str, str]]:
    """What the world has, and names that lie deep below each zone."""
    asked = [(q.name, q.rtype) for q, _ in Truth(world).questions()]
    for zone in world.delegations:
        base = "" if zone == "." else zone
        asked += [(f"a.b.c.d.{base}", "A"), (f"www.very.deep.below.{base}", "AAAA")]
    return asked


def shown_abroad(world: Loopback) -> list[tuple[str, dns.message.Message]]:
    """Questions that servers abroad were sent, with their addresses."""
    servers = world.world.servers
    return [
        (address, dns.message.from_wire(wire))
        for address, wire in world.messages()
        if not servers[address].domestic
    ]


def too_much(world: World, address: str, name: str, rtype: str) -> bool:
    """Whether a server was shown a label too many: one that is neither next to the zone in whose
    role it was asked, nor below a name that this very zone holds."""
    role = world.servers[address].role(name, rtype)
    return labels(name) > labels(role) + 1 and world.zone_of(parent(name), "A").name != role


@pytest.mark.parametrize("plans", [True, False])
@pytest.mark.parametrize("minimise", [True, False])
def test_servers_abroad_see_what_is_counted_and_no_more_than_needed(
    world: Loopback, tmp_path: Path, plans: bool, minimise: bool
) -> None:
    serving = Serving(world, tmp_path)
    serving.configure(
        resolution={"plans": plans, "qname_minimisation": minimise, "case_randomisation": False}
    )
    world.reset()
    with serving:
        ask_all(serving.port, questions(world.world))
        serving.end()
        counted = read_counters(serving.folder / "counters").exchanges
    abroad = [row for row in counted if row.verdict != "domestic"]
    seen = shown_abroad(world)
    assert len(seen) == sum(row.sent for row in abroad) > 50
    assert sum(labels(m.question[0].name.to_text()) for _, m in seen) == sum(
        row.labels for row in abroad
    )
    assert sum(row.labels_beyond for row in abroad) < sum(row.labels for row in abroad) / 5
    for address, message in seen:
        name = message.question[0].name.to_text()
        rtype = dns.rdatatype.to_text(message.question[0].rdtype)
        assert not too_much(world.world, address, name, rtype), (address, name, rtype)
        assert name == name.lower()  # the client's letters are not passed on
        assert (message.options, message.flags) == ((), 0)
        assert message.id != CLIENT_ID or len(seen) > 1
        assert message.payload in (0, 1232)
    assert len({message.id for _, message in seen}) > len(seen) / 2


def test_relaxed_servers_abroad_are_shown_more_and_that_is_counted(
    world: Loopback, tmp_path: Path
) -> None:
    serving = Serving(world, tmp_path)
    serving.configure(border={"privacy": "relaxed"}, resolution={"qname_minimisation": False})
    world.reset()
    with serving:
        ask_all(serving.port, questions(world.world))
        beyond = serving.total("inland_exchange_labels_beyond_total", verdict="foreign")
        exchanges = serving.total("inland_exchanges_total", verdict="foreign")
        assert beyond > exchanges / 2
    seen = shown_abroad(world)
    assert any(
        too_much(world.world, at, m.question[0].name.to_text().lower(), "A") for at, m in seen
    )


def test_labels_survive_a_crash_with_the_exchanges(world: Loopback, tmp_path: Path) -> None:
    world.reset()
    with Serving(world, tmp_path) as serving:
        ask_all(serving.port, questions(world.world)[:20])
        serving.end(signal.SIGKILL)
    rows = read_counters(tmp_path / "counters").exchanges
    sent = [dns.message.from_wire(wire) for _, wire in world.messages()]
    assert sum(row.sent for row in rows) == len(sent) > 20
    shown = sum(labels(m.question[0].name.to_text()) for m in sent)
    assert sum(row.labels for row in rows) == shown
