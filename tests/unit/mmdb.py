"""A small writer of MaxMind DB files (format 2.0) for tests; values are text, numbers, maps."""

from collections.abc import Mapping
from ipaddress import ip_network

MARKER = b"\xab\xcd\xefMaxMind.com"
Value = str | int | dict[str, "Value"]
BUILT = 1_780_000_000  # 2026-05-28


def write_mmdb(networks: Mapping[str, Value], ip_version: int = 6) -> bytes:
    """The file for disjoint networks; IPv4 ones stand below ::/96 in an IPv6 tree."""
    nodes: list[list[int | None]] = [[None, None]]
    data = bytearray()
    for text, value in networks.items():
        # Negative numbers stand for data offsets until the number of nodes is known.
        _insert(nodes, text, -1 - len(data), ip_version)
        data += _encode(value)
    count = len(nodes)
    tree = b"".join(_record(side, count) for node in nodes for side in node)
    metadata = {
        "binary_format_major_version": _number(5, 2),
        "binary_format_minor_version": _number(5, 0),
        "build_epoch": _number(9, BUILT),
        "database_type": _encode("test"),
        "description": _encode({}),
        "ip_version": _number(5, ip_version),
        "languages": bytes([0, 11 - 7]),  # an empty array
        "node_count": _number(6, count),
        "record_size": _number(5, 24),
    }
    entries = b"".join(_encode(key) + value for key, value in metadata.items())
    return tree + bytes(16) + bytes(data) + MARKER + bytes([7 << 5 | len(metadata)]) + entries


def _insert(nodes: list[list[int | None]], text: str, value: int, ip_version: int) -> None:
    network = ip_network(text)
    bits, length = int(network.network_address), network.prefixlen
    width = network.max_prefixlen
    if network.version == 4 and ip_version == 6:
        width, length = 128, length + 96
    at = 0
    for depth in range(length):
        side = bits >> (width - 1 - depth) & 1
        if depth == length - 1:
            nodes[at][side] = value
            return
        following = nodes[at][side]
        if following is None:
            nodes.append([None, None])
            following = nodes[at][side] = len(nodes) - 1
        at = following


def _record(side: int | None, count: int) -> bytes:
    if side is None:
        side = count
    elif side < 0:
        side = count + 16 + (-1 - side)
    return side.to_bytes(3, "big")


def _encode(value: Value) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        assert len(text) < 285
        if len(text) < 29:
            return bytes([2 << 5 | len(text)]) + text
        return bytes([2 << 5 | 29, len(text) - 29]) + text
    if isinstance(value, int):
        return _number(6, value)
    inner = b"".join(_encode(key) + _encode(entry) for key, entry in value.items())
    return bytes([7 << 5 | len(value)]) + inner


def _number(kind: int, value: int) -> bytes:
    """Kinds: 5 of 16 bits, 6 of 32, 9 of 64 (an extended type: its number minus 7 follows)."""
    octets = value.to_bytes(8, "big").lstrip(b"\0")
    start = bytes([kind << 5 | len(octets)]) if kind < 8 else bytes([len(octets), kind - 7])
    return start + octets
