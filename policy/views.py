"""Views: which clients a policy tells apart, and the classes that follow.

Responsible for the shape of a view and for the classes of clients under which lookups are kept
apart: a class is a set of clients for which neither the policy in force nor its shadow makes a
difference. Class 0 is all clients that no view names. Whoever finds the class of an address takes
the longest of all prefixes (RFC 4632 section 5.1).

Limitations: a client is known by its address only.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from policy.prefixes import Network

OTHERS = "others"
"""The name under which rules speak of the clients that no view names."""


class View(NamedTuple):
    """A named group of clients. The longest prefix says in which view a client is."""

    name: str
    clients: tuple[Network, ...]
    rewrite_secure: bool = False  # these clients agree that answers proven by DNSSEC are altered
    explain: bool = False  # they may be told route and reason


class ClientClass(NamedTuple):
    """Clients whose lookups are kept apart from those of others. ``view`` and ``shadow``: number
    of the view in the policy in force and in its shadow, from 1; 0: in none."""

    clients: tuple[Network, ...]
    view: int
    shadow: int
    name: str  # of the view in force, with that of the shadow where it is another
    explain: bool
    zoned: int = 0  # class that response policy zones see (:mod:`policy.rpz_client`); 0: others


class Zoned(Protocol):
    """Clients that response policy zones tell apart."""

    def networks(self) -> Iterable[Network]:
        """The prefixes that they name."""

    def of(self, prefix: Network) -> int:
        """The class of a prefix."""


def classes_of(
    views: Sequence[View], shadow: Sequence[View], zoned: Zoned | None = None
) -> tuple[ClientClass, ...]:
    """The classes, the first of which has number 1. There are as many as views when there is no
    shadow, or one with the same views, and no zone tells clients apart."""
    prefixes = {prefix for view in (*views, *shadow) for prefix in view.clients}
    if zoned is not None:
        prefixes.update(zoned.networks())
    found: dict[tuple[int, int, int], list[Network]] = {}
    for prefix in sorted(prefixes, key=_order):
        seen = zoned.of(prefix) if zoned is not None else 0
        triple = (_view_of(prefix, views), _view_of(prefix, shadow), seen)
        found.setdefault(triple, []).append(prefix)
    out = []
    for (live, shade, seen), clients in sorted(found.items()):
        if live == 0 and shade == 0 and seen == 0:
            continue
        view = views[live - 1] if live else None
        name = view.name if view is not None else OTHERS
        other = shadow[shade - 1].name if shade else OTHERS
        if shadow and other != name:
            name += f"/{other}"
        explain = view is not None and view.explain
        out.append(ClientClass(tuple(clients), live, shade, name, explain, seen))
    return tuple(out)


def _order(prefix: Network) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def _view_of(prefix: Network, views: Sequence[View]) -> int:
    """Number of the view whose longest prefix covers this one; 0: none does."""
    best, length = 0, -1
    for number, view in enumerate(views, 1):
        for other in view.clients:
            if other.version == prefix.version and other.prefixlen > length:
                shift = prefix.max_prefixlen - other.prefixlen
                if other.prefixlen <= prefix.prefixlen and (
                    int(prefix.network_address) >> shift == int(other.network_address) >> shift
                ):
                    best, length = number, other.prefixlen
    return best
