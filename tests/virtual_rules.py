"""The small Internet, served under rules in virtual time."""

from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import dns.message
import pytest

from policy.border import Policy
from policy.decision import Selection, Way
from policy.inputs import PolicyInputs, Stated
from policy.load import load_policy
from policy.views import ClientClass
from resolver import local
from resolver.counters import Counters
from resolver.metrics_policy import marks, shadow_labels
from resolver.model import Address
from resolver.names import Name
from tests.rulebook import Book, Line, ruled
from tests.small_internet import internet
from tests.virtual_service import Client, Served

OTHER = Address(bytes((198, 51, 100, 9)))
CLASS = ClientClass((ip_network("198.51.100.0/24"),), 1, 0, "other", explain=False)
TELLING = CLASS._replace(explain=True)
AT_HOME = Selection(Way.DOMESTIC_ONLY)
NO_HITS = Counters(None, areas=1)


def base() -> Policy:
    return load_policy(
        PolicyInputs(
            home=frozenset({"XA"}),
            domestic=(Stated(ip_network("11.0.0.0/8"), "XA"),),
            foreign=(Stated(ip_network("12.0.0.0/8"), "XB"),),
            registry=False,
        )
    )


class World:
    """The small Internet, served under rules."""

    def __init__(
        self,
        *lines: Line,
        shadow: Book | None = None,
        classes: tuple[ClientClass, ...] = (),
        plans: bool = False,
        where: Name | None = None,
        shadow_lookups: int = 0,
    ) -> None:
        net = internet()
        hints = tuple(net._hints)
        self.policy = base()
        self.number = 1
        policy = self._ruled(lines, shadow, classes)
        settings: dict[str, Any] = {
            "qname_minimisation": False,
            "shadow_lookups": shadow_lookups,
        }
        if where is not None:
            settings |= {"where_zone": where, "local_zones": local.zones() | {where}}
        self.served = Served(net.hosts, hints, policy, plans=plans, **settings)

    def _ruled(
        self, lines: tuple[Line, ...], shadow: Book | None, classes: tuple[ClientClass, ...]
    ) -> Policy:
        book = Book(*lines)
        return ruled(self.policy, book, shadow, classes, self.number)

    def reload(
        self, *lines: Line, shadow: Book | None = None, classes: tuple[ClientClass, ...] = ()
    ) -> None:
        """Other rules, as a reload puts them in force."""
        self.number += 1
        self.served.reload(self._ruled(lines, shadow, classes))

    def ask(self, text: str, kind: str = "A", **how: Any) -> dns.message.Message | None:
        """A client's reply; ``None``: none came."""
        client = self.served.ask(text, kind, **how)
        return self.reply(client)

    def rcode(self, text: str, kind: str = "A", **how: Any) -> int:
        """The code of a client's reply."""
        reply = self.ask(text, kind, **how)
        assert reply is not None
        return reply.rcode()

    def reply(self, client: Client) -> dns.message.Message | None:
        wire = self.served.finish(client)
        return dns.message.from_wire(wire) if wire else None

    @property
    def sent(self) -> int:
        return len(self.served.door.sent)

    def marks(self) -> Counter[tuple[str, ...]]:
        """Lookups by rule and effect, of the live policy."""
        found: Counter[tuple[str, ...]] = Counter()
        served = self.served
        for mark, count in marks(served.in_force.tags, served.tally, NO_HITS):
            found[mark.live.rule, mark.live.action] += count
        return found

    def shades(self) -> Counter[tuple[str, ...]]:
        """Lookups by what the shadow would have done."""
        found: Counter[tuple[str, ...]] = Counter()
        served = self.served
        for mark, count in marks(served.in_force.tags, served.tally, NO_HITS):
            if mark.shadow.action:
                found[shadow_labels(mark)] += count
        return found


@pytest.fixture
def opened() -> Iterator[list[World]]:
    worlds: list[World] = []
    yield worlds
    for world in worlds:
        world.served.close()


@pytest.fixture
def make(opened: list[World]) -> Callable[..., World]:
    def begin(*lines: Line, **how: Any) -> World:
        world = World(*lines, **how)
        opened.append(world)
        return world

    return begin
