"""The mirrors in use: what resolutions look at. Written by :mod:`resolver.mirrors.keep` alone."""

from resolver.mirrors.copy import ZoneCopy
from resolver.names import Name, ancestors


class Shelf:
    """Copies that may be used now, by zone. A copy that has expired is taken off."""

    def __init__(self) -> None:
        self._copies: dict[Name, ZoneCopy] = {}
        self._above: frozenset[Name] = frozenset()

    def __len__(self) -> int:
        """Copies in use."""
        return len(self._copies)

    def get(self, zone: Name) -> ZoneCopy | None:
        """The copy of exactly this zone."""
        return self._copies.get(zone)

    def closest(self, name: Name) -> ZoneCopy | None:
        """The copy of the deepest mirrored zone at or above the name."""
        if self._copies:
            for zone in ancestors(name):
                if (found := self._copies.get(zone)) is not None:
                    return found
        return None

    def is_above(self, zone: Name) -> bool:
        """Whether the zone is mirrored or has a mirrored zone below: not all names below its cut
        are asked for."""
        return zone in self._above

    def put(self, copy: ZoneCopy) -> None:
        """Use this copy from now on."""
        self._copies[copy.apex] = copy
        self._gather()

    def drop(self, zone: Name) -> None:
        """Use no copy of this zone any more."""
        self._copies.pop(zone, None)
        self._gather()

    def _gather(self) -> None:
        self._above = frozenset(above for zone in self._copies for above in ancestors(zone))
