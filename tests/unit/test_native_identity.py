"""NSID (RFC 5001) through real sockets, under plans and by Python's own exchanges."""

from itertools import count

import dns.edns
import dns.message
import pytest

from policy.place import Place
from policy.proof import Proofs
from resolver.model import Address
from tests.unit.door_rig import Rig
from tests.unit.plan_rig import PlanRig
from tests.unit.plan_zone import APEX, ask, sound, tcp
from tests.unit.upstreams import Upstream
from tests.virtual_servers import address

PLACE = Place(0.0, 0.0, 0.0, 20_000.0, "as stated")  # 132 ms: loopback is near on any machine
NSID = dns.edns.OptionType.NSID


def asks_identity(query: bytes) -> bool:
    return any(option.otype == NSID for option in dns.message.from_wire(query).options)


def named(query: bytes) -> list[bytes]:
    """A sound reply, with an identity when it is asked for (RFC 5001 section 2.2)."""
    reply = sound(query)
    if asks_identity(query):
        reply.use_edns(0, payload=1232, options=[dns.edns.GenericOption(NSID, b"ns1.bom")])
    return [reply.to_wire()]


@pytest.mark.parametrize("edns", [0, 1, 2])
def test_the_door_asks_as_it_is_told(edns: int) -> None:
    with Upstream() as upstream:
        rig = Rig(upstream.port)
        try:
            rig.door.submit(
                [(1, upstream.address, b"\3www\0", 1, rig.slot, 5.0, False, edns, True, 2)]
            )
            rig.outcomes(1)
        finally:
            rig.door.close()
        ((query, _),) = upstream.datagrams
        sent = dns.message.from_wire(query)
        assert (sent.edns, asks_identity(query)) == ((0 if edns else -1), edns == 2)
        if edns == 2:
            assert sent.options[0].to_wire() == b""


@pytest.mark.parametrize("planned", [True, False])
def test_replies_prove_the_server_with_its_identity(planned: bool) -> None:
    with PlanRig(named, tcp) as rig:
        proofs = rig.core.proofs = Proofs(rig.clock.now)
        proofs.stand(PLACE, frozenset({"XA"}))
        if planned:
            rig.plan()
        servers: list[Address] = [address(found) for found in ("127.0.0.1", "127.0.0.2")]
        numbers = count()

        def proven() -> bool:
            rig.ask(ask(f"n{next(numbers)}.{APEX}"))
            return any(proofs.published.of(server) for server in servers)

        rig.turn_until(proven)
        found = next(it for it in map(proofs.published.of, servers) if it is not None)
        assert "identity ns1.bom" in found.detail
        shown = [it for server in servers for it in proofs.shown(server, rig.clock.now())]
        assert {it.identity for it in shown} == {"ns1.bom"}, "a reply not asked for it counts not"


def test_without_a_place_nobody_is_asked() -> None:
    with PlanRig(named, tcp) as rig:
        rig.plan()
        for number in range(5):
            rig.ask(ask(f"n{number}.{APEX}"))
        queries = [query for up in rig.upstreams for query, _ in up.datagrams]
        assert queries
        assert not any(map(asks_identity, queries))
