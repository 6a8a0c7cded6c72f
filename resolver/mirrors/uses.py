"""What becomes of the copies that a keeper keeps: for mirrors, the shelf that resolutions look
at."""

from typing import Protocol, final

from resolver.core import Core
from resolver.mirrors.copy import ZoneCopy
from resolver.names import Name, ancestors


class Use(Protocol):
    """Takes the copies that may be used. Called between two turns; nothing here waits."""

    def holds(self, zone: Name) -> bool:
        """Whether a copy of the zone is in use."""

    def put(self, copy: ZoneCopy) -> None:
        """Use this copy from now on."""

    def drop(self, zone: Name) -> None:
        """Use no copy of this zone any more: it is not configured."""

    def expired(self, zone: Name) -> bool:
        """The copy is too old; whether it stays in use nevertheless."""


@final
class MirrorUse:
    """Mirrors: resolutions begin at them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def holds(self, zone: Name) -> bool:
        """See :class:`Use`."""
        return self._core.mirrors.get(zone) is not None

    def put(self, copy: ZoneCopy) -> None:
        """See :class:`Use`."""
        first = not self.holds(copy.apex)
        self._core.mirrors.put(copy)
        if first:  # what was planned for its names goes to servers
            for zone in ancestors(copy.apex):
                self._core.planner.forget(zone, subtree=False)

    def drop(self, zone: Name) -> None:
        """See :class:`Use`."""
        self._core.mirrors.drop(zone)

    def expired(self, zone: Name) -> bool:
        """RFC 1034 section 4.3.5: what is too old is not used."""
        self._core.mirrors.drop(zone)
        return False
