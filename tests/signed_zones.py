"""Zones made for tests of mirrors: signed with a key of their own, with a digest, as text."""

import time
from dataclasses import dataclass
from functools import cache

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rdata
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.zonetypes import DigestHashAlgorithm

RECORDS_A_MESSAGE = 8  # of a transfer, so that a small zone takes several messages

ROOT = """
. 86400 IN SOA a.root. host.root. {serial} {refresh} {retry} {expire} 900
. 86400 IN NS a.root.
. 86400 IN NS b.root.
a.root. 86400 IN A 12.0.0.1
b.root. 86400 IN A 11.0.0.1
root. 86400 IN NS a.root.
xa. 86400 IN NS ns1.xa.
xa. 86400 IN NS ns2.xa.
xa. 86400 IN DS 4711 13 2 {digest}
ns1.xa. 86400 IN A 11.0.1.1
ns2.xa. 86400 IN A 12.0.1.1
comx. 86400 IN NS ns.comx.
ns.comx. 86400 IN A 12.0.2.1
"""
SHOP = """
shop. 3600 IN SOA ns.shop. host.shop. {serial} {refresh} {retry} {expire} 300
shop. 3600 IN NS ns.shop.
ns.shop. 3600 IN A 11.0.7.1
www.shop. 300 IN A 11.9.9.9
www.shop. 300 IN TXT "Mixed Case"
alias.shop. 300 IN CNAME WWW.shop.
*.wild.shop. 300 IN TXT "any"
tree.shop. 300 IN DNAME other.shop.
a.b.c.shop. 300 IN A 11.9.9.7
cut.shop. 3600 IN NS ns.cut.shop.
ns.cut.shop. 3600 IN A 11.0.8.1
mail.shop. 300 IN MX 65 Mail.SHOP.
srv.shop. 300 IN SRV 1 2 3 Target.SHOP.
"""


@dataclass(frozen=True)
class Signer:
    """A key of a zone; ``anchor`` is its DS in presentation form."""

    private: ec.EllipticCurvePrivateKey
    dnskey: dns.rdtypes.ANY.DNSKEY.DNSKEY

    def anchor(self, origin: str) -> str:
        """The DS of the key."""
        return dns.dnssec.make_ds(dns.name.from_text(origin), self.dnskey, "SHA256").to_text()


@cache
def signer() -> Signer:
    """One key for all zones of a run."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    return Signer(private, dns.dnssec.make_dnskey(public, "ECDSAP256SHA256", flags=257))


def text_of(
    text: str,
    serial: int = 1,
    refresh: int = 3600,
    retry: int = 600,
    expire: int = 86400,
) -> str:
    """A zone's text with the numbers of its SOA."""
    return text.format(
        serial=serial, refresh=refresh, retry=retry, expire=expire, digest="AB" * 32
    ).lstrip()


def zone_of(origin: str, text: str) -> dns.zone.Zone:
    """The text as dnspython's zone, names absolute."""
    return dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False)


def signed(
    origin: str,
    text: str,
    algorithm: DigestHashAlgorithm | None = DigestHashAlgorithm.SHA384,
    inception: float | None = None,
) -> dns.zone.Zone:
    """The zone signed (NSEC) and, with an algorithm, digested (RFC 8976 section 3)."""
    zone = zone_of(origin, text)
    apex = dns.name.from_text(origin)
    soa_ttl = zone.find_rdataset(apex, "SOA").ttl
    began = time.time() - 3600 if inception is None else inception
    key = signer()
    if algorithm is not None:
        zone.find_rdataset(apex, "ZONEMD", create=True).add(
            dns.rdata.from_text("IN", "ZONEMD", f"1 1 1 {'00' * 48}"), soa_ttl
        )
    dns.dnssec.sign_zone(
        zone, keys=[(key.private, key.dnskey)], inception=began, lifetime=14 * 86400
    )
    if algorithm is not None:
        zone.delete_rdataset(apex, "RRSIG", "ZONEMD")
        digest = dns.rdataset.from_rdata(soa_ttl, zone.compute_digest(algorithm))
        zone.replace_rdataset(apex, digest)
        signature = dns.dnssec.sign(
            (apex, digest), key.private, apex, key.dnskey, began, lifetime=14 * 86400
        )
        zone.find_rdataset(apex, "RRSIG", "ZONEMD", create=True).add(signature, soa_ttl)
    return zone


def written(zone: dns.zone.Zone) -> str:
    """The zone as text, names absolute."""
    out: str = zone.to_text(relativize=False)
    return out


def transfer_of(zone: dns.zone.Zone, query: dns.message.Message) -> list[dns.message.Message]:
    """The messages of a whole transfer, as a primary sends them: a few records in each."""
    apex = zone.origin
    assert apex is not None
    soa = zone.find_rrset(apex, "SOA")
    rest = [
        dns.rrset.from_rdata(owner, rdataset.ttl, rdata)
        for owner, rdataset in zone.iterate_rdatasets()
        for rdata in rdataset
        if rdataset.rdtype != dns.rdatatype.SOA
    ]
    records = [soa, *rest, soa]
    out = []
    for start in range(0, len(records), RECORDS_A_MESSAGE):
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        reply.answer = records[start : start + RECORDS_A_MESSAGE]
        out.append(reply)
    return out
