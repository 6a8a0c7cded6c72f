"""All response policy zones of a configuration at one moment, for whoever puts a policy together.

Limitations: a value; a new version of any zone is a new set.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from policy.prefixes import Network
from policy.rpz import PolicyZones
from policy.rpz_client import NO_CLASSES, ClientClasses
from policy.rpz_trigger import Prefix
from policy.rpz_zone import PolicyZone


class ZoneSet(NamedTuple):
    """``zones`` in their order; ``classes``: of the clients that they tell apart; ``digest``: what
    identifies all of it."""

    zones: tuple[PolicyZone, ...] = ()
    classes: ClientClasses = NO_CLASSES
    digest: str = ""

    def books(self, placed: Sequence[str]) -> dict[str, PolicyZones]:
        """Rulebooks by name: each of ``placed`` (those that have a place among rules) alone, all
        others in one under the empty name."""
        books = {name: self._book([name]) for name in placed}
        rest = [zone.terms.name for zone in self.zones if zone.terms.name not in placed]
        if rest:
            books[""] = self._book(rest)
        return books

    def _book(self, names: Sequence[str]) -> PolicyZones:
        some = [at for at, zone in enumerate(self.zones) if zone.terms.name in names]
        rows = tuple(tuple(row[at] for at in some) for row in self.classes.rows)
        zones = [self.zones[at] for at in some]
        return PolicyZones(zones, self.classes._replace(rows=rows))

    def networks(self) -> Iterable[Network]:
        """The prefixes of clients that zones name."""
        return [_network(prefix) for prefix, _ in self.classes.prefixes]

    def of(self, prefix: Network) -> int:
        """The class that zones see of clients in a prefix: that of the longest of theirs that
        covers it."""
        return self.classes.of(prefix.network_address.packed, prefix.prefixlen)


NO_ZONES = ZoneSet()


def _network(prefix: Prefix) -> Network:
    if len(prefix.address) == 4:
        return IPv4Network((bytes(prefix.address), prefix.bits))
    return IPv6Network((bytes(prefix.address), prefix.bits))
