"""A very small iterative resolver on dnspython, to walk a testbed world and compare with the truth.

It knows no border and no cache worth the name: it starts from the hints, follows referrals, tries
the servers of a zone one after the other, and remembers who was silent or lame.
"""

from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from testbed.truth import Expected
from testbed.zones import SERVFAIL, ancestors, parent

Chain = list[tuple[str, str, frozenset[dns.rdata.Rdata]]]
DEPTH_MAX = 8


def expected_chain(expected: Expected) -> Chain:
    """The truth's answer as :meth:`Walker.resolve` gives it."""
    return [
        (
            rrset.name,
            rrset.rtype,
            frozenset(dns.rdata.from_text("IN", rrset.rtype, text) for text in rrset.rdatas),
        )
        for rrset in expected.answer
    ]


@dataclass
class Walker:
    """One walk through a world; ``sent`` lists ``(address, name, type, transport)``."""

    hints: dict[str, str]
    port: int
    timeout: float = 0.5
    cuts: dict[str, list[str]] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    bad: set[tuple[str, str]] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)
    sent: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cuts["."] = list(self.hints)
        self.addresses.update({name: [address] for name, address in self.hints.items()})

    def resolve(self, name: str, rtype: str, depth: int = 0) -> tuple[int, Chain]:
        """RCODE and the whole chain; SERVFAIL without a chain when nobody answers."""
        chain: Chain = []
        for _ in range(12):
            reply = self._find(name, rtype, depth)
            if reply is None:
                return SERVFAIL, []
            chain += [_plain(rrset) for rrset in reply.answer]
            if not reply.answer or reply.rcode() != dns.rcode.NOERROR:
                return int(reply.rcode()), chain
            _, kind, rdatas = chain[-1]
            if kind != "CNAME" or rtype == "CNAME":
                return 0, chain
            if any(rrset.rdtype == dns.rdatatype.SOA for rrset in reply.authority):
                return 0, chain
            name = next(iter(rdatas)).to_text()
        raise AssertionError(f"{name} {rtype}: alias without end")

    def _find(self, name: str, rtype: str, depth: int) -> dns.message.Message | None:
        start = parent(name) if rtype == "DS" and name != "." else name
        zone = next(at for at in ancestors(start) if at in self.cuts)
        while True:
            reply = self._ask_zone(zone, name, rtype, depth)
            if reply is None or reply.answer or reply.flags & dns.flags.AA:
                return reply
            zone = self._follow(reply)

    def _follow(self, reply: dns.message.Message) -> str:
        cut = next(r for r in reply.authority if r.rdtype == dns.rdatatype.NS)
        zone = str(cut.name).lower()
        self.cuts[zone] = [str(rdata.target).lower() for rdata in cut]
        for rrset in reply.additional:
            if rrset.rdtype == dns.rdatatype.A:
                known = [rdata.address for rdata in rrset]
                self.addresses.setdefault(str(rrset.name).lower(), known)
        return zone

    def _ask_zone(self, zone: str, name: str, rtype: str, depth: int) -> dns.message.Message | None:
        for server in self.cuts[zone]:
            if server not in self.addresses and depth < DEPTH_MAX:
                _, chain = self.resolve(server, "A", depth + 1)
                self.addresses[server] = [r.to_text() for _, _, rdatas in chain for r in rdatas]
            for address in self.addresses.get(server, []):
                if (zone, address) in self.bad or address in self.silent:
                    continue
                reply = self._ask(address, name, rtype)
                if reply is not None and _useful(reply, zone, name):
                    return reply
                self.bad.add((zone, address))
        return None

    def _ask(self, address: str, name: str, rtype: str) -> dns.message.Message | None:
        edns = -1 if address in self.plain else 0
        query = dns.message.make_query(name, rtype, use_edns=edns, payload=1232)
        query.flags &= ~dns.flags.RD
        self.sent.append((address, name, rtype, "udp"))
        try:
            reply = dns.query.udp(query, address, self.timeout, self.port)
            if reply.flags & dns.flags.TC:
                self.sent.append((address, name, rtype, "tcp"))
                reply = dns.query.tcp(query, address, self.timeout * 5, self.port)
        except (dns.exception.Timeout, OSError):
            self.silent.add(address)
            return None
        if reply.rcode() == dns.rcode.FORMERR and edns >= 0:
            self.plain.add(address)
            return self._ask(address, name, rtype)
        return reply


def _plain(rrset: dns.rrset.RRset) -> tuple[str, str, frozenset[dns.rdata.Rdata]]:
    return str(rrset.name).lower(), dns.rdatatype.to_text(rrset.rdtype), frozenset(rrset)


def _useful(reply: dns.message.Message, zone: str, name: str) -> bool:
    """An authoritative answer, or a referral to a zone below and above the name; else lame."""
    if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return False
    if reply.flags & dns.flags.AA:
        return True
    cut = next((r for r in reply.authority if r.rdtype == dns.rdatatype.NS), None)
    if reply.answer or cut is None:
        return False
    below = dns.name.from_text(zone)
    return (
        cut.name != below
        and cut.name.is_subdomain(below)
        and (dns.name.from_text(name).is_subdomain(cut.name))
    )
