"""Root hints: names and addresses of the root servers to start from (RFC 9609 section 2).

Responsible for reading the built-in file or one of the operator's, in the zone-file form of
``named.root``.

Limitations: only NS records of the root and addresses of the servers they name are read; a file
in which nothing else is usable is refused.
"""

from importlib import resources
from pathlib import Path

import dns.exception
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.NS
import dns.zone

from resolver.errors import SourceError
from resolver.limits import HINTS_OCTETS_MAX
from resolver.model import Address, address_from_text
from resolver.names import Name

Hints = tuple[tuple[Name, tuple[Address, ...]], ...]
"""Root servers with their addresses, in the order of names."""


def read_hints(path: Path | None = None) -> Hints:
    """Root servers from a file, or the built-in ones.

    Raises:
        SourceError: unreadable, not a zone file, or without a root server that has an address.
    """
    if path is None:
        text = resources.files("resolver").joinpath("data/root.hints").read_text("ascii")
        return _parse(text, "built-in root hints")
    try:
        if path.stat().st_size > HINTS_OCTETS_MAX:
            raise SourceError(f"{path}: over {HINTS_OCTETS_MAX} octets, not a file of root hints")
        text = path.read_text("ascii")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not ASCII text") from error
    return _parse(text, str(path))


def _parse(text: str, source: str) -> Hints:
    try:
        zone = dns.zone.from_text(
            text, origin=dns.name.root, relativize=False, check_origin=False, allow_include=False
        )
    except (dns.exception.DNSException, ValueError) as error:
        raise SourceError(f"{source}: {error}") from error
    servers = zone.get_rdataset(dns.name.root, dns.rdatatype.NS) or ()
    found = []
    for server in sorted(record.target for record in servers):
        addresses = _addresses(zone, server)
        if addresses:
            found.append((Name(server.to_wire().lower()), addresses))
    if not found:
        raise SourceError(f"{source}: no root server with an address")
    return tuple(found)


def _addresses(zone: dns.zone.Zone, server: dns.name.Name) -> tuple[Address, ...]:
    out = []
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        records = zone.get_rdataset(server, kind) or ()
        out += sorted(address_from_text(record.address) for record in records)
    return tuple(out)
