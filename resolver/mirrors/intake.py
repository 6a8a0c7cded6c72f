"""How differences and zone files come in: through dnspython's transfer machine and its reader of
files, into the form of a copy, record by record. Whole transfers: :mod:`resolver.mirrors.whole`.

dnspython reads messages and text; the records are kept as wire octets at once, so that a large
zone never stands in memory as objects. RFC 5936, RFC 1995, RFC 1035 section 5.

Limitations: blocks while it reads: callers run it in a thread.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.name
import dns.node
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.tokenizer
import dns.transaction
import dns.zonefile

from resolver.limits import MIRROR_OCTETS_MAX, MIRROR_RECORDS_MAX
from resolver.mirrors.copy import Assembly, Kind, ZoneCopy
from resolver.mirrors.refusal import Refused, Why
from resolver.names import Name, lower, to_text


class Manager(dns.transaction.TransactionManager):
    """What dnspython writes into: ``base`` with changes, or a new copy. ``copy`` is the outcome."""

    def __init__(self, zone: Name, base: ZoneCopy | None) -> None:
        self.zone = zone
        self.base = base
        self.copy: ZoneCopy | None = None
        self.origin = dns.name.from_wire(bytes(zone), 0)[0]

    def reader(self) -> dns.transaction.Transaction:
        """Nobody reads through dnspython."""
        raise AssertionError("a copy is read through its own methods")

    def writer(self, replacement: bool = False) -> dns.transaction.Transaction:
        """A transaction; ``replacement``: it begins with nothing."""
        return _Writing(self, replacement, None if replacement else self.base)

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        """Names stay absolute."""
        return self.origin, False, self.origin

    def get_class(self) -> dns.rdataclass.RdataClass:
        """IN."""
        return dns.rdataclass.IN


class _Writing(dns.transaction.Transaction):
    """Records go straight into an :class:`Assembly`."""

    def __init__(self, manager: Manager, replacement: bool, base: ZoneCopy | None) -> None:
        super().__init__(manager, replacement)
        self._kept = manager
        self._assembly = Assembly(manager.zone, base)
        self._records = base.records if base is not None else 0

    def add(self, *args: Any) -> None:
        """``(name, rdataset)`` or ``(name, ttl, rdata)``."""
        name, ttl, kind, rdatas = _read(args)
        here = self._assembly.sets(name)
        old_ttl, old = here.get(kind, (ttl, ()))
        new = tuple(rdata for rdata in rdatas if rdata not in old)
        # RFC 2181 section 5.2: one TTL for all records of a set, the least when they differ.
        here[kind] = min(ttl, old_ttl), old + new
        self._records += len(new)
        if self._records > MIRROR_RECORDS_MAX:
            raise Refused(Why.SIZE, f"over {MIRROR_RECORDS_MAX:,} records")

    def replace(self, *args: Any) -> None:
        """The set in the place of what stands there."""
        name, ttl, kind, rdatas = _read(args)
        self._assembly.sets(name)[kind] = ttl, tuple(rdatas)

    def delete_exact(self, *args: Any) -> None:
        """Records that must be there (RFC 1995 section 4: a difference of what we hold)."""
        name, _, kind, rdatas = _read(args)
        here = self._assembly.sets(name)
        ttl, old = here.get(kind, (0, ()))
        if any(rdata not in old for rdata in rdatas):
            raise Refused(Why.TORN, "a difference deletes records that are not there")
        here[kind] = ttl, tuple(rdata for rdata in old if rdata not in rdatas)
        self._records -= len(rdatas)

    def _end_transaction(self, commit: bool) -> None:
        if commit:
            try:
                self._kept.copy = self._assembly.finish()
            except ValueError as error:
                raise Refused(Why.CONSISTENCY, str(error)) from error

    def _get_node(self, name: dns.name.Name) -> dns.node.Node | None:
        return None  # asked for by a check of zone files that ours makes good for

    def _set_origin(self, origin: dns.name.Name) -> None:
        """Names are absolute whatever ``$ORIGIN`` says."""

    def _changed(self) -> bool:
        return True


def _read(args: tuple[Any, ...]) -> tuple[Name, int, Kind, list[bytes]]:
    if len(args) == 3:
        owner, ttl, rdata = args
        rdatas, rtype, covers = [rdata], rdata.rdtype, rdata.covers()
    else:
        owner, rdataset = args
        rdatas, ttl = list(rdataset), rdataset.ttl
        rtype, covers = rdataset.rdtype, rdataset.covers
    name = Name(lower(owner.to_wire()))
    return name, ttl, (int(rtype), int(covers)), [rdata.to_wire() for rdata in rdatas]


def read_zone(zone: Name, octets: bytes) -> ZoneCopy:
    """The copy that a zone file holds; gzip is unpacked.

    Raises:
        Refused: not a zone file, of another zone, or too large.
    """
    manager = Manager(zone, None)
    try:
        text = unpacked(octets).decode("utf-8")
        with manager.writer(True) as writing:
            tokens = dns.tokenizer.Tokenizer(text, filename=to_text(zone))
            dns.zonefile.Reader(tokens, dns.rdataclass.IN, writing).read()
    except Refused:
        raise
    except (dns.exception.DNSException, ValueError, zlib.error) as error:
        raise Refused(Why.TORN, f"not a zone file: {error or type(error).__name__}") from error
    assert manager.copy is not None
    return manager.copy


def unpacked(octets: bytes) -> bytes:
    """What a file holds: gzip is unpacked. Raises ``Refused`` and ``zlib.error``."""
    if octets[:2] != b"\x1f\x8b":
        return octets
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    out = unpacking.decompress(octets, MIRROR_OCTETS_MAX)
    if unpacking.unconsumed_tail:
        raise Refused(Why.SIZE, f"over {MIRROR_OCTETS_MAX:,} octets when unpacked")
    if not unpacking.eof:
        raise Refused(Why.TORN, "a gzip file that ends too early")
    return out


def wire_rdatasets(zone: ZoneCopy) -> Iterator[tuple[dns.name.Name, dns.rdataset.Rdataset]]:
    """The copy as dnspython's objects, one set after the other, in canonical order."""
    for name, sets in zone.walk():
        owner = dns.name.from_wire(bytes(name), 0)[0]
        for kind, (ttl, rdatas) in sets.items():
            yield owner, rdataset_of(kind, ttl, rdatas)


def rdataset_of(kind: Kind, ttl: int, rdatas: tuple[bytes, ...]) -> dns.rdataset.Rdataset:
    """One set as dnspython's object."""
    rtype, covers = map(dns.rdatatype.RdataType.make, kind)
    out = dns.rdataset.Rdataset(dns.rdataclass.IN, rtype, covers, ttl)
    for wire in rdatas:
        out.add(dns.rdata.from_wire(dns.rdataclass.IN, rtype, wire, 0, len(wire)))
    return out
