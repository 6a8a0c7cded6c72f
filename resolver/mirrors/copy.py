"""A whole zone in memory: one run of octets in canonical order, found by binary search.

A name's key is its labels from the root down, each ended by a zero and escaped so that the order of
keys is the canonical order of names (RFC 4034 section 6.1), and all names below a name have its key
as a prefix. A million delegations take about what their records take on the wire.

::

    node     u8 flags (1: it has NSEC3), u16 length of key, key, u16 number of sets, sets
    set      u16 type, u16 type covered (RRSIG; else 0), u32 TTL, u16 number of records, records
    record   u16 length, rdata uncompressed, case kept

Limitations: class IN.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from resolver.model import RRset, Type
from resolver.names import Name, is_subdomain, labels, to_text

Kind = tuple[int, int]
"""Type, and the type covered (RRSIG; else 0)."""

Sets = Mapping[Kind, tuple[int, tuple[bytes, ...]]]
"""All records of one name: TTL and rdata by kind."""

_HEAD = struct.Struct("!BH")
_SET = struct.Struct("!HHIH")
_NSEC3 = 1


def key_of(name: Name) -> bytes:
    """The sort key of a name."""
    out = bytearray()
    for label in reversed(labels(name)):
        out += label.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")
        out.append(0)
    return bytes(out)


def name_of(key: bytes) -> Name:
    """The name of a sort key."""
    out = b"\0"
    for part in key.split(b"\0")[:-1]:
        label = part.replace(b"\1\1", b"\0").replace(b"\1\2", b"\1") if b"\1" in part else part
        out = bytes([len(label)]) + label + out
    return Name(out)


class Keys:
    """The keys of a copy as a sequence, for bisection."""

    def __init__(self, data: bytes, offsets: "array[int]") -> None:
        self._data = data
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, at: int) -> bytes:
        start = self._offsets[at]
        octets = int.from_bytes(self._data[start + 1 : start + 3])
        return self._data[start + 3 : start + 3 + octets]


@dataclass(frozen=True, slots=True, eq=False)
class ZoneCopy:
    """One version of one zone. ``records`` counts resource records."""

    apex: Name
    serial: int
    records: int
    data: bytes = field(repr=False)
    offsets: "array[int]" = field(repr=False)
    keys: Keys = field(repr=False)
    hashed: "array[int]" = field(repr=False)  # nodes that have NSEC3, in the order of hashes

    @classmethod
    def of(cls, apex: Name, records: int, data: bytes, offsets: "array[int]") -> "ZoneCopy":
        """The copy that these octets are. Raises ``ValueError`` when it has no SOA at its apex."""
        hashed = array("Q", (at for at, start in enumerate(offsets) if data[start] & _NSEC3))
        draft = cls(apex, 0, records, data, offsets, Keys(data, offsets), hashed)
        soa = draft.sets(apex).get((Type.SOA, 0))
        if soa is None or len(soa[1]) != 1 or len(soa[1][0]) < 22:
            raise ValueError(f"{to_text(apex)} has no SOA at its apex")
        serial = int.from_bytes(soa[1][0][-20:-16])
        return cls(apex, serial, records, data, offsets, draft.keys, hashed)

    @property
    def size(self) -> int:
        """Octets held."""
        return len(self.data) + self.offsets.itemsize * len(self.offsets)

    def soa(self) -> RRset:
        """The SOA with its signatures."""
        found = rrset(self.apex, self.sets(self.apex), Type.SOA)
        assert found is not None
        return found

    def index(self, key: bytes) -> int:
        """Where a key stands or would stand."""
        return bisect_left(self.keys, key)

    def holds(self, at: int, key: bytes) -> bool:
        """Whether the node at ``at`` has this very key."""
        return at < len(self.offsets) and self.keys[at] == key

    def exists(self, key: bytes) -> bool:
        """Whether the name has records or names below it (RFC 4592 section 2.2.2)."""
        at = self.index(key)
        return at < len(self.offsets) and self.keys[at].startswith(key)

    def sets(self, name: Name) -> Sets:
        """All records of a name; empty when it has none."""
        key = key_of(name)
        at = self.index(key)
        return self.sets_at(at) if self.holds(at, key) else {}

    def sets_at(self, at: int) -> Sets:
        """All records of a node."""
        start = self.offsets[at]
        return _unpack(self.data, start + 3 + int.from_bytes(self.data[start + 1 : start + 3]))

    def walk(self) -> Iterator[tuple[Name, Sets]]:
        """Every name with its records, in canonical order."""
        for at in range(len(self.offsets)):
            yield name_of(self.keys[at]), self.sets_at(at)


def rrset(name: Name, sets: Sets, rtype: int) -> RRset | None:
    """The records of one type with the signatures that cover them."""
    found = sets.get((rtype, 0))
    if found is None:
        return None
    signed = sets.get((Type.RRSIG, rtype))
    return RRset(name, rtype, found[0], found[1], signed[1] if signed else ())


class Assembly:
    """A copy in the making: what differs from ``base``, or all of it. A name's records are packed
    as soon as another name's turn comes, so that a large zone takes little more than its copy."""

    def __init__(self, apex: Name, base: ZoneCopy | None = None) -> None:
        self.apex = apex
        self.base = base
        self._packed: dict[Name, bytes] = {}
        self._name: Name | None = None
        self._open: dict[Kind, tuple[int, tuple[bytes, ...]]] = {}

    def sets(self, name: Name) -> dict[Kind, tuple[int, tuple[bytes, ...]]]:
        """The records of a name as they stand, to be changed in place until the next call."""
        if name != self._name:
            self._pack()
            self._name = name
            packed = self._packed.get(name)
            if packed is not None:
                self._open = _unpack(packed, 0)
            else:
                self._open = dict(self.base.sets(name)) if self.base is not None else {}
        return self._open

    def _pack(self) -> None:
        if self._name is not None:
            sets = {kind: found for kind, found in self._open.items() if found[1]}
            self._packed[self._name] = _pack(sets)

    def finish(self) -> ZoneCopy:
        """The new copy. Raises ``ValueError`` for a name outside the zone, or without a SOA."""
        self._pack()
        data = bytearray()
        offsets = array("Q")
        records = self.base.records if self.base is not None else 0
        done = 0
        for key, name in sorted((key_of(name), name) for name in self._packed):
            if not is_subdomain(name, self.apex):
                raise ValueError(f"{to_text(name)} is not in {to_text(self.apex)}")
            if self.base is not None:
                at = self.base.index(key)
                _copy_run(self.base, done, at, data, offsets)
                done = at
                if self.base.holds(at, key):
                    records -= _count(self.base.sets_at(at))
                    done += 1
            packed = self._packed.pop(name)
            sets = _unpack(packed, 0)
            if sets:
                records += _count(sets)
                offsets.append(len(data))
                flags = _NSEC3 if (Type.NSEC3, 0) in sets else 0
                data += _HEAD.pack(flags, len(key)) + key + packed
        if self.base is not None:
            _copy_run(self.base, done, len(self.base.offsets), data, offsets)
        return ZoneCopy.of(self.apex, records, bytes(data), offsets)


def _copy_run(base: ZoneCopy, start: int, end: int, data: bytearray, offsets: "array[int]") -> None:
    """Take over nodes ``start`` to ``end`` as they are."""
    if start >= end:
        return
    begin = base.offsets[start]
    stop = base.offsets[end] if end < len(base.offsets) else len(base.data)
    shift = len(data) - begin
    offsets.extend(offset + shift for offset in base.offsets[start:end])
    data += base.data[begin:stop]


def _count(sets: Sets) -> int:
    return sum(len(rdatas) for _, rdatas in sets.values())


def _pack(sets: Sets) -> bytes:
    out = bytearray(len(sets).to_bytes(2))
    for (rtype, covers), (ttl, rdatas) in sorted(sets.items()):
        out += _SET.pack(rtype, covers, ttl, len(rdatas))
        for rdata in rdatas:
            out += len(rdata).to_bytes(2) + rdata
    return bytes(out)


def _unpack(data: bytes, here: int) -> dict[Kind, tuple[int, tuple[bytes, ...]]]:
    """The sets that are packed from ``here`` on."""
    count = int.from_bytes(data[here : here + 2])
    here += 2
    out: dict[Kind, tuple[int, tuple[bytes, ...]]] = {}
    for _ in range(count):
        rtype, covers, ttl, size = _SET.unpack_from(data, here)
        here += _SET.size
        rdatas = []
        for _ in range(size):
            end = here + 2 + int.from_bytes(data[here : here + 2])
            rdatas.append(data[here + 2 : end])
            here = end
        out[rtype, covers] = ttl, tuple(rdatas)
    return out
