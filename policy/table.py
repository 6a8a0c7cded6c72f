"""The compiled table of all sources, in native: who says what of each address, found in one search.

Responsible for handing native the ranges of listings and the search trees of databases. A million
stretches take about 16 MB and a fifth of a second to compile; a search half a microsecond.

Limitations: what is compiled is never changed; a reload compiles anew.
"""

from collections.abc import Sequence

from policy.listing import Listing
from policy.sources import Table
from resolver import _native

Layer = _native.RangeLayer
"""One column of the table."""


def layer_of(listing: Listing) -> Layer | None:
    """The column of a listing; ``None`` when two of its ranges cross, which is noted as a fault."""
    try:
        return Layer.from_rows(bytes(listing.rows4), bytes(listing.rows6))
    except ValueError as error:
        listing.overlap(*error.args)
        return None


def layer_of_tree(data: bytes, nodes: int, record_bits: int, ip_version: int) -> Layer:
    """The column of an MMDB. Raises ``ValueError`` when its search tree is damaged."""
    return Layer.from_mmdb(data, nodes, record_bits, ip_version)


def compile_layers(layers: Sequence[Layer]) -> Table:
    """The table of these columns."""
    return _native.RangeTable(layers)
