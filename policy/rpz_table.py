"""From a copy of a response policy zone to what it holds: the names in native, the rest here.

A million names take about a second off the interpreter and some 30 octets each; a version that
differs in ten names is made from the one before in a few hundredths of a second. What cannot be
read as a trigger or as an action is counted, told with its owner, and never applied.

Limitations: blocks; callers run it in a thread.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from policy.prefixes import Network, PrefixTable
from policy.rpz_action import Effect, Records, read_effect
from policy.rpz_trigger import BadTrigger, Prefix, Special, Trigger, read_special
from policy.rpz_zone import Content, Prefixed
from resolver import _native
from resolver.limits_rpz import RPZ_ACTIONS_READ, RPZ_FAULTS_TOLD, RPZ_SPECIALS_MAX
from resolver.names import Name


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A version with what the next one is made from."""

    content: Content
    native: _native.PolicyZone
    data: bytes


class TooMuch(ValueError):
    """More triggers than are held."""


class _Faults:
    def __init__(self, count: int) -> None:
        self.count = count
        self.told: list[str] = []

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < RPZ_FAULTS_TOLD:
            self.told.append(text)


def compile_zone(apex: Name, serial: int, data: bytes, before: Compiled | None = None) -> Compiled:
    """Read a copy. ``data``: octets in the form of ``resolver.mirrors.copy``; ``before``: an older
    version, if it is known.

    Raises:
        TooMuch: more triggers on addresses and name servers than :data:`RPZ_SPECIALS_MAX`.
        ValueError: not the octets of a copy.
    """
    if before is None:
        native = _native.PolicyZone(apex, data)
    else:
        native = before.native.changed(before.data, data)
    unusable, size = native.sizes()
    faults = _Faults(unusable)
    if unusable:
        faults.told.append(f"{unusable:,} names have no records that an answer may hold")
    if native.actions() <= RPZ_ACTIONS_READ:
        for number in range(native.actions()):
            _check(native.action(number), faults)
    specials = _specials(native.specials(), faults)
    servers = specials[Trigger.NSDNAME]
    server_effects = [effect for _, effect in servers]
    content = Content(
        serial,
        native.names,
        native.action,
        name_table((special.name, at) for at, (special, _) in enumerate(servers) if special.name),
        server_effects,
        _prefixed(specials[Trigger.CLIENT_IP]),
        _table(specials[Trigger.IP]),
        _ranges(specials[Trigger.IP]),
        _table(specials[Trigger.NSIP]),
        {Trigger.QNAME: len(native.names)} | {kind: len(all_) for kind, all_ in specials.items()},
        tuple(faults.told),
        faults.count,
        size,
    )
    return Compiled(content, native, data)


def name_table(entries: Iterable[tuple[Name, int]]) -> _native.NameTable:
    """A native table of these names."""
    return _native.NameTable(b"".join(name + number.to_bytes(4) for name, number in entries))


def read_file(
    zone: Name, text: bytes, records_max: int
) -> tuple[int, bytes, bytes, list[tuple[bytes, int]]]:
    """A zone file as (records, octets of a copy, where its nodes start, (owner, line) of owners
    that are not of the name of a question). Raises ``ValueError`` with a list of (line, what is
    wrong)."""
    return _native.read_zone_file(zone, text, records_max)


_IN = (1).to_bytes(4, sys.byteorder)
_Found = dict[Trigger, list[tuple[Special, Effect]]]


def _check(records: Records, faults: _Faults) -> None:
    if read_effect(records) is None:
        rdata = records[0][2][0]
        faults.add(f"a CNAME to {rdata!r} is reserved: names with it are not applied")


def _specials(owners: Iterable[tuple[bytes, Records]], faults: _Faults) -> _Found:
    owners = list(owners)
    if len(owners) > RPZ_SPECIALS_MAX:
        raise TooMuch(f"{len(owners):,} triggers on addresses and name servers; at most"
                      f" {RPZ_SPECIALS_MAX:,}")  # fmt: skip
    found: _Found = {kind: [] for kind in Trigger if kind is not Trigger.QNAME}
    known: set[tuple[Trigger, Prefix]] = set()
    for owner, records in owners:
        try:
            special = read_special(Name(owner))
        except BadTrigger as error:
            faults.add(str(error))
            continue
        effect = read_effect(records)
        if effect is None:
            faults.add(f"{owner!r}: its CNAME is reserved")
            continue
        if special.prefix is not None:
            if (special.kind, special.prefix) in known:
                faults.add(f"{owner!r}: the same prefix stands there in another form")
                continue
            known.add((special.kind, special.prefix))
        found[special.kind].append((special, effect))
    return found


def _prefixed(specials: list[tuple[Special, Effect]]) -> list[Prefixed]:
    return [(special.prefix, effect) for special, effect in specials if special.prefix is not None]


def _table(specials: list[tuple[Special, Effect]]) -> PrefixTable[Prefixed]:
    return PrefixTable((_network(entry[0]), entry) for entry in _prefixed(specials))


def _ranges(specials: list[tuple[Special, Effect]]) -> _native.RangeLayer | None:
    """The addresses in these prefixes, for native: which prefix it is, is asked here."""
    if not specials:
        return None
    rows: dict[int, list[bytes]] = {4: [], 16: []}
    for prefix, _ in _prefixed(specials):
        size = len(prefix.address)
        first = int.from_bytes(prefix.address)
        last = first | ((1 << (8 * size - prefix.bits)) - 1)
        rows[size].append(prefix.address + last.to_bytes(size) + _IN)
    return _native.RangeLayer.from_rows(b"".join(rows[4]), b"".join(rows[16]))


def _network(prefix: Prefix) -> Network:
    if len(prefix.address) == 4:
        return IPv4Network((bytes(prefix.address), prefix.bits))
    return IPv6Network((bytes(prefix.address), prefix.bits))
