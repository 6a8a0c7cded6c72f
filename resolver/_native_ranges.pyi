"""Of the contract of ``resolver._native``: tables of address ranges.

A stub alone: at run time these stand in ``resolver._native``.
"""

from collections.abc import Sequence
from typing import final

@final
class RangeLayer:
    """What one source says of each address: a number, 0 for nothing."""

    @staticmethod
    def from_rows(v4: bytes, v6: bytes) -> RangeLayer:
        """Rows of (first, last, value): two addresses, the value as u32 of the machine. The
        narrowest speaks. Raises ``ValueError(family, row, row)`` when two are equal or cross."""

    @staticmethod
    def from_mmdb(data: bytes, node_count: int, record_size: int, ip_version: int) -> RangeLayer:
        """The search tree of an MMDB; values are offsets in its data section plus one. Raises
        ``ValueError`` when the tree is damaged."""

    def steps(self) -> tuple[int, int]: ...

@final
class RangeTable:
    """Several layers over each other: one search finds what all of them say."""

    def __new__(cls, layers: Sequence[RangeLayer]) -> RangeTable: ...
    def find(self, address: bytes) -> int:
        """The combination that holds at an address of 4 or 16 octets."""
    def values(self, combination: int) -> tuple[int, ...]:
        """What each layer says in a combination, in their order."""
    def sizes(self) -> tuple[int, int, int, int]:
        """Steps of IPv4 and of IPv6, combinations, octets held."""
