"""What is known of one delegation: the sets of parent and child, DS, addresses.

RFC 1034 section 4.2 (the parent's NS set and the zone's own), RFC 4034 section 5 (DS). A set that
could not be seen is ``None``, which is not the same as empty; :meth:`Seen.over` puts what was known
before in its place. The plain form is for files and people.

Limitations: one server of the parent and one of the zone speak for all of them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from resolver.model import Address, address_from_text, address_text
from resolver.names import Name, from_text, to_text
from resolver.operators import operator_of

Names = tuple[Name, ...]


class Seen(NamedTuple):
    """What a look has shown, or what is known by all looks so far. Sets are sorted."""

    delegated: bool
    parent: Names | None = None  # None: not seen apart from the zone's own set
    child: Names | None = None  # None: no server of the zone gave it
    ds: tuple[bytes, ...] | None = None  # rdata; empty: the zone is not signed for its parent
    addresses: tuple[tuple[Name, tuple[Address, ...]], ...] = ()  # of the names whose are known
    answers: bool = True  # a server of the zone gave a usable reply

    def names(self) -> frozenset[Name]:
        """Name servers, of whichever set."""
        return frozenset((*(self.parent or ()), *(self.child or ())))

    def places(self) -> frozenset[Address]:
        """All addresses known."""
        return frozenset(address for _, found in self.addresses for address in found)

    def operators(self) -> frozenset[Name]:
        """Who runs the name servers."""
        return frozenset(map(operator_of, self.names()))

    @property
    def differs(self) -> bool:
        """Whether parent and child say different sets (RFC 1034 section 4.2.2 wants them equal)."""
        return None not in (self.parent, self.child) and self.parent != self.child

    def over(self, before: "Seen") -> "Seen":
        """This look with what it could not see as it was before."""
        if not self.delegated or not before.delegated:
            return self
        whole = self._replace(
            parent=before.parent if self.parent is None else self.parent,
            child=before.child if self.child is None else self.child,
            ds=before.ds if self.ds is None else self.ds,
        )
        known = {**dict(before.addresses), **dict(self.addresses)}
        names = whole.names()
        kept = tuple(sorted((name, found) for name, found in known.items() if name in names))
        return whole._replace(addresses=kept)

    def plain(self) -> dict[str, Any]:
        """As values of JSON."""
        return {
            "delegated": self.delegated,
            "parent": _texts(self.parent),
            "child": _texts(self.child),
            "ds": None if self.ds is None else [rdata.hex() for rdata in self.ds],
            "addresses": {to_text(n): [address_text(a) for a in at] for n, at in self.addresses},
            "answers": self.answers,
        }


def from_plain(value: Mapping[str, Any]) -> Seen:
    """What :meth:`Seen.plain` gave.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, BadName: it is no such value.
    """
    ds = value["ds"]
    return Seen(
        _flag(value["delegated"]),
        _names(value["parent"]),
        _names(value["child"]),
        None if ds is None else tuple(sorted(bytes.fromhex(text) for text in ds)),
        tuple(
            sorted(
                (from_text(name), tuple(sorted(address_from_text(text) for text in found)))
                for name, found in value["addresses"].items()
            )
        ),
        _flag(value["answers"]),
    )


def _texts(names: Names | None) -> list[str] | None:
    return None if names is None else [to_text(name) for name in names]


def _names(texts: object) -> Names | None:
    if texts is None:
        return None
    if not isinstance(texts, list):
        raise TypeError(f"{texts!r} is no list of names")
    return tuple(sorted(from_text(text) for text in texts))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value
