"""A testbed world in virtual time: its authoritative servers behind the in-memory door.

The replies are those of the testbed's own servers (dnslib), read by the native codec, so a world
of hundreds of zones is resolved in a second, with any loss, and compared with its truth.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

import dns.rdata
import dns.rdatatype

from resolver.model import Address, Ask, Failure, Message, RRset, Transport, Verdict
from resolver.names import to_text
from resolver.wire import build_query, parse_message
from testbed.authority import Authority
from testbed.model import Fault, Server, World
from testbed.zones import RRset as WorldRRset
from tests.virtual import Border, Internet
from tests.virtual_servers import Host, address, name

Flat = list[tuple[str, int, list[bytes]]]


class WorldHost(Host):
    """One server of a world."""

    def __init__(self, authority: Authority, server: Server) -> None:
        super().__init__([], server.latency)
        self._authority = authority
        self._server = server

    def forget(self) -> None:
        """The world's zones have been changed: replies are made anew."""
        self._authority.forget()

    def reply(self, ask: Ask) -> Message | Failure | None:
        """What the testbed's server says, as the door would hand it over."""
        sent = build_query(ask.question, 1, edns=ask.edns, randomise_case=ask.randomise_case)
        reply = self._authority.answer(self._server, sent, ask.transport is Transport.TCP)
        if reply is None:
            return None
        if self._server.fault is Fault.CASE and ask.randomise_case:
            return Failure.CASE  # even if chance has drawn no capital letter
        name_end = 12 + len(ask.question.name)
        if reply.wire[12:name_end] != sent[12:name_end]:
            return Failure.CASE
        return parse_message(reply.wire)


class WorldBorder(Border):
    """Home by the world's prefixes."""

    def __init__(self, world: World) -> None:
        super().__init__(home_zone=name("xa."))
        self._home = [ip_network(prefix) for prefix in world.domestic_prefixes]

    def verdict(self, at: Address) -> Verdict:
        inside = any(ip_address(bytes(at)) in network for network in self._home)
        return Verdict.DOMESTIC if inside else Verdict.FOREIGN


def world_hosts(world: World) -> dict[Address, Host]:
    """All servers of a world, by address."""
    authority = Authority(world)
    return {
        address(server.address): WorldHost(authority, server) for server in world.servers.values()
    }


def world_internet(world: World, seed: int, loss: float = 0.0) -> Internet:
    """An Internet of all servers of a world."""
    net = Internet(seed, loss)
    net.border = WorldBorder(world)
    net.hosts.update(world_hosts(world))
    for server_name, at in world.delegations["."].parent_set:
        net.hint(server_name, at)
    return net


def flat(answer: Iterable[RRset]) -> Flat:
    """Answer of the resolver, comparable: order of RRsets kept, order within them not."""
    return [(to_text(r.name), r.rtype, sorted(_lower(r.rtype, r.rdatas))) for r in answer]


def flat_expected(answer: Iterable[WorldRRset]) -> Flat:
    """Answer of the truth, in the same form."""
    out = []
    for rrset in answer:
        rtype = dns.rdatatype.from_text(rrset.rtype)
        wire = [dns.rdata.from_text("IN", rtype, text).to_wire() for text in rrset.rdatas]
        owner = to_text(name(rrset.name))
        out.append((owner, int(rtype), sorted(_lower(rtype, (w for w in wire if w)))))
    return out


def _lower(rtype: int, rdatas: Iterable[bytes]) -> list[bytes]:
    """Names in rdata compare without case; texts keep theirs."""
    is_text = rtype == dns.rdatatype.TXT
    return [rdata if is_text else rdata.lower() for rdata in rdatas]
