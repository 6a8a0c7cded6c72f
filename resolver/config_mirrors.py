"""The part of the configuration on mirrors: local copies of zones (RFC 8806).

Limitations: secrets of TSIG keys stand in files of their own, so that a configuration can be shown.
"""

import re
from typing import Annotated

from pydantic import Field

from resolver.config_base import Section, key, short
from resolver.config_units import (
    FilePath,
    OptionalPath,
    Switch,
    Unit,
    choice,
    integer,
    shown,
    string,
    text_of,
)
from resolver.errors import BadName
from resolver.model import Address, address_from_text
from resolver.names import Name, from_text


def read_any_zone(value: object) -> Name:
    expected = 'a domain name, such as "in" or "."'
    try:
        return from_text(text_of(value, expected))
    except BadName as error:
        raise ValueError(f"expected {expected}: {error}") from None


def _host(value: object) -> Address:
    expected = 'an IP address, such as "192.0.2.53" or "2001:db8::53"'
    try:
        return address_from_text(text_of(value, expected))
    except ValueError:
        raise ValueError(f"expected {expected}, got {shown(value)}") from None


def _url(value: object) -> str:
    expected = 'an address such as "https://example.org/zone"'
    text = text_of(value, expected)
    if not re.fullmatch(r"https?://[!-~]{1,2000}", text):
        raise ValueError(f"expected {expected}, got {shown(value)}")
    return text


def _anchor(value: object) -> str:
    expected = "a DS record: key tag, algorithm, digest type, digest in hexadecimal"
    text = " ".join(text_of(value, expected).split())
    found = re.fullmatch(r"([0-9]{1,5}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9A-Fa-f ]+)", text)
    if not found or int(found[1]) > 65535 or max(int(found[2]), int(found[3])) > 255:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    digest = found[4].replace(" ", "").upper()
    if len(digest) != _DIGESTS.get(int(found[3]), 0):
        raise ValueError(f"expected {expected} (SHA-256 or SHA-384, whole), got {shown(value)}")
    return f"{found[1]} {found[2]} {found[3]} {digest}"


_DIGESTS = {2: 64, 4: 96}  # RFC 4509, RFC 6605; SHA-1 is not to be used any more (RFC 8624)


AnyZone = Annotated[Name, Unit(read_any_zone, string())]
Host = Annotated[Address, Unit(_host, string())]
Url = Annotated[str, Unit(_url, string("https?://.+"))]
Anchor = Annotated[str, Unit(_anchor, string())]
_MODES = choice("require", "check", "off")


class TransferKey(Section):
    """A TSIG key (RFC 8945)."""

    name: AnyZone = Field(description="its name, as the primaries know it")
    algorithm: Annotated[
        str, choice("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1")
    ] = key("hmac-sha256", "its algorithm")
    secret_file: FilePath = Field(description="file with its secret in Base64")


class PrimaryEntry(Section):
    """A server that transfers a zone: the long form of an entry of mirrors.zones.primaries."""

    address: Host = Field(description="its address")
    tier: Annotated[int, integer(0, 9)] = key(
        0, "order among the primaries; domestic ones always come first"
    )
    key: AnyZone | None = key(None, "name of the TSIG key to use")


class MirrorEntry(Section):
    """A zone of which a copy is kept."""

    zone: AnyZone = Field(description='the zone; "." for the root')
    primaries: tuple[Annotated[PrimaryEntry, short("address", PrimaryEntry)], ...] = key(
        [], "servers that transfer it: ADDRESS or {address, tier, key}"
    )
    url: Url | None = key(None, "https:// address of its zone file, for when no primary serves")
    file: FilePath | None = key(None, "its zone file on this machine, looked at last")
    zonemd: Annotated[str, _MODES] = key(
        "check", "its digest (RFC 8976): require it, check it when there is one, or off"
    )
    signatures: Annotated[str, _MODES] = key(
        "check", "its own signatures: require them, check them when there are any, or off"
    )
    anchors: tuple[Anchor, ...] = key(
        [], "DS records of its keys; left out: those in the mirrored parent, for the root IANA's"
    )
    shrink_max: Annotated[int, integer(1, 100)] = key(
        50, "percent of its records that a new version may lack"
    )


class MirrorsSection(Section):
    """Copies of whole zones, so that lookups need not leave for them (RFC 8806)."""

    root: Switch = key(False, "keep a copy of the root zone, from the servers that publish it")
    zones: tuple[MirrorEntry, ...] = key(
        [], "other zones (or the root from other sources): {zone, primaries, url, file, …}"
    )
    keys: tuple[TransferKey, ...] = key([], "TSIG keys: {name, algorithm, secret_file}")
    directory: OptionalPath = key(
        None, "where the last good copies are kept; null: mirrors in state.directory"
    )
