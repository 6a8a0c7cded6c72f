"""Clients that response policy zones tell apart, folded into classes.

A view is an equivalence class of all that policy may ask of a client, found once for each client.
What the zones ask is: which effect does each of you have for this address. Addresses for which all
zones give the same are of one class, however many prefixes there are.

Limitations: the owner of the prefix that matched is not kept: it makes no difference to an answer.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from policy.rpz_action import Effect
from policy.rpz_trigger import Prefix
from policy.rpz_zone import Prefixed

CLASSES_MAX: Final = 256
"""Each class has answers of its own in the cache, so it must not be for anyone to make many."""

PREFIXES_MAX: Final = 65_536
"""Prefixes of clients of all zones: native holds each client against them."""


class ClientClasses(NamedTuple):
    """``prefixes``: each with its class; the longest that covers a client speaks, and none is class
    0. ``rows``: for each class the effect in each zone, in the order of the zones."""

    prefixes: tuple[tuple[Prefix, int], ...]
    rows: tuple[tuple[Effect | None, ...], ...]
    known: Mapping[tuple[int, int], Mapping[int, int]] = MappingProxyType({})

    def of(self, packed: bytes, bits: int) -> int:
        """The class of the longest prefix that covers this one."""
        number = int.from_bytes(packed) >> (8 * len(packed) - bits)
        for shorter in range(bits, 0, -1):
            found = self.known.get((len(packed), shorter))
            if found is not None:
                row = found.get(number >> (bits - shorter))
                if row is not None:
                    return row
        return 0


NO_CLASSES = ClientClasses((), ((),))


def client_classes(zones: Sequence[Sequence[Prefixed]]) -> ClientClasses:
    """The classes that these zones make; of each zone its prefixes of clients.

    Raises:
        ValueError: more than :data:`CLASSES_MAX` classes, or :data:`PREFIXES_MAX` prefixes.
    """
    if sum(map(len, zones)) > PREFIXES_MAX:
        raise ValueError(f"more than {PREFIXES_MAX:,} prefixes of clients")
    tables = [_table(entries) for entries in zones]
    if not any(tables):
        return ClientClasses((), ((None,) * len(tables),))
    rows: dict[tuple[Effect | None, ...], int] = {(None,) * len(tables): 0}
    prefixes: dict[Prefix, int] = {}
    for table in tables:
        for length, bits in sorted(table):
            for number in table[length, bits]:
                prefix = Prefix.of(length, bits, number)
                if prefix not in prefixes:
                    row = tuple([_covering(table, length, bits, number) for table in tables])
                    prefixes[prefix] = rows.setdefault(row, len(rows))
                    if len(rows) > CLASSES_MAX:
                        raise ValueError(f"more than {CLASSES_MAX} classes of clients")
    known: dict[tuple[int, int], dict[int, int]] = {}
    for prefix, row_number in prefixes.items():
        octets = len(prefix.address)
        number = int.from_bytes(prefix.address) >> (8 * octets - prefix.bits)
        known.setdefault((octets, prefix.bits), {})[number] = row_number
    return ClientClasses(tuple(prefixes.items()), tuple(rows), known)


_Table = dict[tuple[int, int], dict[int, Effect]]


def _table(entries: Sequence[Prefixed]) -> _Table:
    """Effects by octets of the address and length of the prefix, then by the prefix as a number."""
    table: _Table = {}
    for prefix, effect in entries:
        length = len(prefix.address)
        number = int.from_bytes(prefix.address) >> (8 * length - prefix.bits)
        table.setdefault((length, prefix.bits), {})[number] = effect
    return table


def _covering(table: _Table, length: int, bits: int, number: int) -> Effect | None:
    """The effect of the longest prefix that covers another one."""
    for shorter in range(bits, 0, -1):
        known = table.get((length, shorter))
        if known is not None:
            effect = known.get(number >> (bits - shorter))
            if effect is not None:
                return effect
    return None
