"""Longest-prefix match over packed addresses (RFC 4632 section 5.1, RFC 4291 section 2.3).

Responsible for answering "which stated prefix covers this address" in a few dictionary look-ups:
one dictionary for each prefix length in use, longest first.

Limitations: built once, never changed; IPv4-mapped IPv6 addresses are IPv6 addresses here.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, TypeVar, final

from resolver.model import Address

Network = IPv4Network | IPv6Network
T = TypeVar("T")


@final
class PrefixTable(Generic[T]):
    """An immutable map from prefixes to values, asked by address."""

    __slots__ = ("_v4", "_v6")

    def __init__(self, entries: Iterable[tuple[Network, T]]) -> None:
        """Build the table. Raises ``ValueError`` when a prefix comes twice."""
        found: dict[tuple[int, int], dict[int, T]] = {}
        for network, value in entries:
            shift = network.max_prefixlen - network.prefixlen
            values = found.setdefault((network.version, shift), {})
            key = int(network.network_address) >> shift
            if key in values:
                raise ValueError(f"{network} stated twice")
            values[key] = value
        # The smallest shift is the longest prefix, so the first hit is the answer.
        self._v4 = tuple((s, found[v, s]) for v, s in sorted(found) if v == 4)
        self._v6 = tuple((s, found[v, s]) for v, s in sorted(found) if v == 6)

    def match(self, address: Address) -> T | None:
        """The value of the longest prefix that covers ``address``, or ``None``."""
        number = int.from_bytes(address, "big")
        for shift, values in self._v4 if len(address) == 4 else self._v6:
            value = values.get(number >> shift)
            if value is not None:
                return value
        return None
