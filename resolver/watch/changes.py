"""What has changed between two states of a delegation, in kinds from a closed set.

Pure. Addresses of both states are judged by the verdicts of now, so that new evidence about an
address that stayed is no change of the set. RFC 1034 section 4.2, RFC 4034 section 5.

Limitations: a change that was undone before the next look is not seen. Nothing is validated here:
who can forge answers to the resolver can raise a false alarm.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from resolver.limits_watch import WATCH_SHOWN_MAX
from resolver.model import Address, Verdict, address_text
from resolver.names import Name, to_text
from resolver.watch.seen import Seen

Judge = Callable[[Address], Verdict]
"""Where an address is, as far as is known now."""


class Kind(Enum):
    """What has changed. Those of :data:`ALARMS` are warned of."""

    MOVED_ABROAD = "moved_abroad"  # it had servers at home and has none any more
    FOREIGN_ADDED = "foreign_added"  # a server abroad came in beside those at home
    SHRUNK = "shrunk"  # fewer name servers, in the parent's set or its own, or fewer addresses
    OPERATOR_CHANGED = "operator_changed"  # others run its name servers
    NAMES_CHANGED = "names_changed"  # other name servers, and nothing of the above
    ADDRESSES_CHANGED = "addresses_changed"  # other addresses, and nothing of the above
    DS_CHANGED = "ds_changed"
    DS_REMOVED = "ds_removed"  # it cannot be validated any more
    DS_ADDED = "ds_added"
    DIFFERS = "differs"  # parent and zone do not name the same servers any more
    AGREES = "agrees"
    UNREACHABLE = "unreachable"  # no server of the zone gives a usable reply
    REACHABLE = "reachable"
    REMOVED = "removed"  # it is not delegated any more
    DELEGATED = "delegated"


ALARMS = frozenset(
    {
        Kind.MOVED_ABROAD,
        Kind.FOREIGN_ADDED,
        Kind.SHRUNK,
        Kind.OPERATOR_CHANGED,
        Kind.DS_CHANGED,
        Kind.DS_REMOVED,
        Kind.DIFFERS,
        Kind.UNREACHABLE,
        Kind.REMOVED,
    }
)


class Change(NamedTuple):
    """One thing that has changed, with words for people."""

    kind: Kind
    detail: str


class DelegationChanged(NamedTuple):
    """What the ledger will keep of a change."""

    time: float  # wall clock, seconds since the epoch
    zone: Name
    change: Change
    before: Seen
    after: Seen
    generation: str  # of the policy under which addresses were judged


def changes(before: Seen, after: Seen, judge: Judge) -> tuple[Change, ...]:
    """All changes from one state to the next; none when nothing has changed.

    ``after`` is complete as far as that is known (:meth:`Seen.over`).
    """
    if not after.delegated:
        was = _listed(map(to_text, before.names()))
        return (Change(Kind.REMOVED, f"was with {was}"),) if before.delegated else ()
    if not before.delegated:
        now = _listed(map(to_text, after.names()))
        return (Change(Kind.DELEGATED, f"to {now}"),)
    found = [*_place(before, after, judge), *_shrunk(before, after), *_operators(before, after)]
    if not found:
        found += _lesser(before, after)
    found += _ds(before, after)
    found += _state(before, after)
    return tuple(found)


def _place(before: Seen, after: Seen, judge: Judge) -> Iterator[Change]:
    was, is_now = before.places(), after.places()
    home = _at(was, Verdict.DOMESTIC, judge)
    if home and is_now and not _at(is_now, Verdict.DOMESTIC, judge):
        detail = f"at home were {_addresses(home)}; now all are at {_addresses(is_now)}"
        yield Change(Kind.MOVED_ABROAD, detail)
        return
    # Of a name that was there and whose addresses were not known, they are no news.
    known = dict(before.addresses)
    fresh = {
        address
        for name, found in after.addresses
        if name in known or name not in before.names()
        for address in found
    }
    came = _at(fresh - was, Verdict.FOREIGN, judge)
    if came:
        yield Change(Kind.FOREIGN_ADDED, f"abroad came in {_addresses(came)}")


def _at(addresses: Iterable[Address], verdict: Verdict, judge: Judge) -> set[Address]:
    return {address for address in addresses if judge(address) is verdict}


def _shrunk(before: Seen, after: Seen) -> Iterator[Change]:
    told = []
    pairs = (("the parent", before.parent, after.parent), ("the zone", before.child, after.child))
    for who, old, new in pairs:
        if old is not None and new is not None and len(new) < len(old):
            gone = _listed(map(to_text, sorted(set(old) - set(new))))
            told.append(f"{who} names {len(new)} servers, {len(old)} before (gone: {gone})")
    was, now = before.places(), after.places()
    is_known = after.names() <= {name for name, _ in after.addresses}
    if is_known and len(now) < len(was):
        gone = _addresses(was - now)
        told.append(f"{len(now)} addresses, {len(was)} before (gone: {gone})")
    if told:
        yield Change(Kind.SHRUNK, "; ".join(told))


def _operators(before: Seen, after: Seen) -> Iterator[Change]:
    was, now = before.operators(), after.operators()
    if was != now:
        yield Change(Kind.OPERATOR_CHANGED, f"run by {_names(now)}, before by {_names(was)}")


def _lesser(before: Seen, after: Seen) -> Iterator[Change]:
    """What is worth a word when nothing worse has happened."""
    was, now = before.names(), after.names()
    if was != now:
        yield Change(Kind.NAMES_CHANGED, f"served by {_names(now)}, before by {_names(was)}")
        return
    known = dict(before.addresses)
    moved = [name for name, found in after.addresses if known.get(name, found) != found]
    if moved:
        parts = (f"{to_text(n)} {_addresses(dict(after.addresses)[n])}" for n in moved)
        yield Change(Kind.ADDRESSES_CHANGED, f"now {_listed(parts)}")


def _ds(before: Seen, after: Seen) -> Iterator[Change]:
    was, now = before.ds, after.ds
    if was is None or now is None or set(was) == set(now):
        return
    tags = f"key tags {_tags(now)}, before {_tags(was)}"
    if not now:
        yield Change(Kind.DS_REMOVED, f"key tags were {_tags(was)}")
    elif not was:
        yield Change(Kind.DS_ADDED, f"key tags {_tags(now)}")
    else:
        yield Change(Kind.DS_CHANGED, tags)


def _state(before: Seen, after: Seen) -> Iterator[Change]:
    if after.differs != before.differs:
        sets = f"parent {_names(after.parent or ())}; zone {_names(after.child or ())}"
        yield Change(Kind.DIFFERS if after.differs else Kind.AGREES, sets)
    if after.answers != before.answers:
        kind = Kind.REACHABLE if after.answers else Kind.UNREACHABLE
        yield Change(kind, f"servers {_names(after.names())}")


def _tags(ds: Iterable[bytes]) -> str:
    """Key tags of DS records (RFC 4034 section 5.1.1)."""
    return _listed(str(tag) for tag in sorted(int.from_bytes(rdata[:2], "big") for rdata in ds))


def _names(names: Iterable[Name]) -> str:
    return _listed(map(to_text, sorted(names)))


def _addresses(addresses: Iterable[Address]) -> str:
    return _listed(map(address_text, sorted(addresses)))


def _listed(texts: Iterable[str]) -> str:
    found = list(texts)
    if not found:
        return "none"
    more = len(found) - WATCH_SHOWN_MAX
    shown = ", ".join(found[:WATCH_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown
