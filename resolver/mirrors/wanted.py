"""Which zones are mirrored, from whom, and on what terms: plain values made from the configuration.

The built-in sources of the root zone: ICANN's transfer service
(https://www.dns.icann.org/services/axfr/) and the root servers that permit transfer, as listed in
RFC 8806 appendix A, with the addresses of the root hints; then the file that IANA publishes
(https://www.internic.net/domain/root.zone). The built-in anchors are those that IANA publishes as
root-anchors.xml (https://data.iana.org/root-anchors/): KSK-2017 and KSK-2024.
"""

from dataclasses import dataclass
from pathlib import Path

from resolver.model import Address, address_from_text
from resolver.names import Name

ROOT_PRIMARIES = (
    "192.0.32.132",  # lax.xfr.dns.icann.org
    "2620:0:2d0:202::132",
    "192.0.47.132",  # iad.xfr.dns.icann.org
    "2620:0:2830:202::132",
    "170.247.170.2",  # b.root-servers.net
    "2801:1b8:10::b",
    "192.33.4.12",  # c.root-servers.net
    "2001:500:2::c",
    "199.7.91.13",  # d.root-servers.net
    "2001:500:2d::d",
    "192.5.5.241",  # f.root-servers.net
    "2001:500:2f::f",
    "192.112.36.4",  # g.root-servers.net
    "2001:500:12::d0d",
    "193.0.14.129",  # k.root-servers.net
    "2001:7fd::1",
)
ROOT_URL = "https://www.internic.net/domain/root.zone"
ROOT_ANCHORS = (
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a version must fulfil. ``anchors``: DS records in presentation form that one of the
    zone's keys must match; ``shrink_max``: percent by which it may shrink; ``public``: it has NS
    at its apex, and its serial goes up whatever its source."""

    zonemd: str = "check"  # require, check, off
    signatures: str = "check"
    anchors: tuple[str, ...] = ()
    shrink_max: int = 50
    public: bool = True


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key (RFC 8945): name and algorithm in presentation form, the secret in octets."""

    name: str
    algorithm: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class Primary:
    """A server that transfers the zone. ``tier``: the operator's order; tiers of the border come
    before it."""

    address: Address
    tier: int = 0
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A zone to mirror. ``url``: ``https://`` or ``http://``; ``file``: a zone file, both looked at
    after the primaries."""

    zone: Name
    primaries: tuple[Primary, ...]
    terms: Terms
    url: str | None = None
    file: Path | None = None


def root_primaries() -> tuple[Primary, ...]:
    """The built-in primaries of the root, in their order."""
    return tuple(Primary(address_from_text(text), tier) for tier, text in enumerate(ROOT_PRIMARIES))
