"""What becomes of an answer that a response policy zone matches: its records, read.

draft-vixie-dnsop-dns-rpz section 3: a CNAME to ``.`` is NXDOMAIN, to ``*.`` NODATA, to
``rpz-passthru.``, ``rpz-drop.`` and ``rpz-tcp-only.`` what they say; any other records are local
data, and a CNAME to ``*.garden.example`` leads to the name asked for, below ``garden.example``. An
operator's override stands in the place of all of them (section 6.1 of the draft and BIND's
``policy``).

Limitations: a CNAME to another name of the form ``rpz-….`` is reserved (section 3.7) and is not
applied."""

from collections.abc import Sequence
from typing import NamedTuple

from policy.decision import Action
from resolver.model import RRset, Type, Word
from resolver.names import OCTETS_MAX, ROOT, Name, lower

Records = Sequence[tuple[int, int, Sequence[bytes]]]
"""(type, TTL, rdatas) of one owner."""

SYNTHETIC = Name(b"\x01*\0")


class Override(Word):
    """What the operator wants of a zone in place of what its records say."""

    GIVEN = "given"  # what the records say
    DISABLED = "disabled"  # nothing, but matches are counted
    PASSTHRU = "passthru"
    DROP = "drop"
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    TCP_ONLY = "tcp-only"
    CNAME = "cname"  # to a name that the operator states


class Effect(NamedTuple):
    """What a match asks for. ``records``: of REWRITE. ``ttl``: seconds that a negative answer
    lasts."""

    action: Action
    records: tuple[tuple[int, int, tuple[bytes, ...]], ...] = ()
    ttl: int = 0


_TARGETS = {
    ROOT: Action.NXDOMAIN,
    SYNTHETIC: Action.NODATA,
    Name(b"\x0crpz-passthru\0"): Action.PASS,
    Name(b"\x08rpz-drop\0"): Action.DROP,
    Name(b"\x0crpz-tcp-only\0"): Action.TRUNCATE,
}
_OVERRIDES = {
    Override.PASSTHRU: Action.PASS,
    Override.DROP: Action.DROP,
    Override.NXDOMAIN: Action.NXDOMAIN,
    Override.NODATA: Action.NODATA,
    Override.TCP_ONLY: Action.TRUNCATE,
}


def read_effect(records: Records) -> Effect | None:
    """What the records of an owner ask for; ``None`` when they cannot be read."""
    for rtype, ttl, rdatas in records:
        if rtype == Type.CNAME:
            target = Name(lower(rdatas[0]))
            action = _TARGETS.get(target)
            if action is not None:
                return Effect(action, ttl=ttl)
            if target[0] and target[1 + target[0] :] == ROOT and target[1:5] == b"rpz-":
                return None
            return Effect(Action.REWRITE, ((rtype, ttl, (rdatas[0],)),), ttl)
    if not records:
        return None
    kept = tuple((rtype, ttl, tuple(rdatas)) for rtype, ttl, rdatas in records)
    return Effect(Action.REWRITE, kept, min(ttl for _, ttl, _ in kept))


def overridden(effect: Effect, override: Override, target: Name | None) -> Effect:
    """What the operator wants instead. ``target``: of :attr:`Override.CNAME`."""
    if override is Override.CNAME:
        assert target is not None
        return Effect(
            Action.REWRITE, ((int(Type.CNAME), effect.ttl, (bytes(target),)),), effect.ttl
        )
    action = _OVERRIDES.get(override)
    return effect if action is None else Effect(action, ttl=effect.ttl)


def local_data(effect: Effect, name: Name, rtype: int, ttl_max: int) -> tuple[RRset, ...] | None:
    """The records for a question, of ``name``; empty: the name has none of the type; ``None``: the
    name that they lead to would be too long."""
    out = []
    for kind, ttl, rdatas in effect.records:
        if kind == Type.CNAME:
            target = rdatas[0]
            if target[:2] == b"\x01*" and target != SYNTHETIC:
                target = name[:-1] + target[2:]
                if len(target) > OCTETS_MAX:
                    return None
            return (RRset(name, kind, min(ttl, ttl_max), (target,)),)
        if rtype in (kind, Type.ANY):
            out.append(RRset(name, kind, min(ttl, ttl_max), rdatas))
    return tuple(out)
