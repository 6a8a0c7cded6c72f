"""Addresses whose place no registry and no database can tell: special-use and known anycast.

Sources: the IANA special-purpose address registries (RFC 6890, RFC 8190), multicast (RFC 5771,
RFC 4291 section 2.7); AS112 (RFC 7534, RFC 7535); the addresses of the root servers and of the
servers of ``com`` and ``net`` as published in the root zone of 2026-08-22. The latter are anycast
(RFC 4786), so where they are registered says nothing about the instance that answers.

Limitations: most anycast addresses of the world are not listed; being listed proves anycast, being
absent proves nothing.
"""

import hashlib
from ipaddress import ip_network

from policy.listing import Listing, Said, read_prefix
from policy.prefixes import PrefixTable
from policy.verdict import Origin

_SPECIAL = """
0.0.0.0/8           this network (RFC 791)
10.0.0.0/8          private use (RFC 1918)
100.64.0.0/10       shared address space (RFC 6598)
127.0.0.0/8         loopback (RFC 1122)
169.254.0.0/16      link-local (RFC 3927)
172.16.0.0/12       private use (RFC 1918)
192.0.0.0/24        IETF protocol assignments (RFC 6890)
192.0.2.0/24        documentation (RFC 5737)
192.88.99.0/24      6to4 relay anycast (RFC 7526)
192.168.0.0/16      private use (RFC 1918)
198.18.0.0/15       benchmarking (RFC 2544)
198.51.100.0/24     documentation (RFC 5737)
203.0.113.0/24      documentation (RFC 5737)
224.0.0.0/4         multicast (RFC 5771)
240.0.0.0/4         reserved (RFC 1112)
::/128              unspecified (RFC 4291)
::1/128             loopback (RFC 4291)
::ffff:0:0/96       IPv4-mapped (RFC 4291)
64:ff9b::/96        IPv4-IPv6 translation (RFC 6052)
64:ff9b:1::/48      IPv4-IPv6 translation (RFC 8215)
100::/64            discard-only (RFC 6666)
2001::/32           Teredo (RFC 4380)
2001:2::/48         benchmarking (RFC 5180)
2001:10::/28        ORCHID (RFC 4843)
2001:20::/28        ORCHIDv2 (RFC 7343)
2001:db8::/32       documentation (RFC 3849)
2002::/16           6to4 (RFC 3056)
3fff::/20           documentation (RFC 9637)
5f00::/16           segment routing (RFC 9602)
fc00::/7            unique local (RFC 4193)
fe80::/10           link-local (RFC 4291)
fec0::/10           site-local (RFC 3879)
ff00::/8            multicast (RFC 4291)
"""

_ROOT = """
198.41.0.4      2001:503:ba3e::2:30
170.247.170.2   2801:1b8:10::b
192.33.4.12     2001:500:2::c
199.7.91.13     2001:500:2d::d
192.203.230.10  2001:500:a8::e
192.5.5.241     2001:500:2f::f
192.112.36.4    2001:500:12::d0d
198.97.190.53   2001:500:1::53
192.36.148.17   2001:7fe::53
192.58.128.30   2001:503:c27::2:30
193.0.14.129    2001:7fd::1
199.7.83.42     2001:500:9f::42
202.12.27.33    2001:dc3::35
"""

_GTLD = """
192.5.6.30    192.33.14.30  192.26.92.30   192.31.80.30   192.12.94.30  192.35.51.30
192.42.93.30  192.54.112.30 192.43.172.30  192.48.79.30   192.52.178.30 192.41.162.30
192.55.83.30
2001:503:a83e::2:30 2001:503:231d::2:30 2001:503:83eb::30 2001:500:856e::30 2001:502:1ca1::30
2001:503:d414::30   2001:503:eea3::30   2001:502:8cc::30  2001:503:39c1::30 2001:502:7094::30
2001:503:d2d::30    2001:500:d937::30   2001:501:b1f9::30
"""

_AS112 = "192.31.196.0/24 192.175.48.0/24 2001:4:112::/48 2620:4f:8000::/48"


def special_use() -> Listing:
    """Prefixes of special use, with what each is for."""
    listing = Listing()
    for line in _SPECIAL.strip().splitlines():
        prefix, what = line.split(maxsplit=1)
        listing.add(*read_prefix(prefix), Said(None, what), 0)
    return listing


def known_anycast() -> Listing:
    """Well-known anycast addresses, with whose they are."""
    listing = Listing(date=DATE)
    for kind, block in (("root server", _ROOT), ("gTLD server", _GTLD), ("AS112", _AS112)):
        said = Said(None, f"{kind}: served from many countries")
        for text in block.split():
            listing.add(*read_prefix(text), said, 0)
    return listing


DATE = "2026-08-22"
"""Of the root zone that the addresses were taken from."""

BUILT_IN = Origin(
    "anycast", "built-in", DATE, hashlib.sha256((_ROOT + _GTLD + _AS112).encode()).hexdigest()
)
"""The list of well-known anycast addresses as a source of evidence."""


def _root_letters() -> PrefixTable[str]:
    rows = zip("abcdefghijklm", _ROOT.strip().splitlines(), strict=True)
    return PrefixTable((ip_network(text), letter) for letter, row in rows for text in row.split())


ROOT_LETTERS: PrefixTable[str] = _root_letters()
"""Address of a root server → its letter in lower case."""
