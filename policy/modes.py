"""Modes: how far a policy may go, everywhere, by zone and by view.

Responsible for which mode holds for a question, and for what a mode makes of an effect:

- *observe*: nothing is altered; what a rule would do is counted.
- *prefer*: rules act, but nothing fails closed: domestic-only and mirror-only choose servers as
  without a rule.
- *enforce*: domestic-only and mirror-only fail closed for names at and below the zones that are
  listed for it, and act as in *prefer* for all others.

Of the entries that fit a question the one with the longest zone counts; of two with the same zone,
the one that names the view.

Limitations: modes have no dates.
"""

from collections.abc import Iterable
from typing import NamedTuple, final

from policy.inputs import Mode
from policy.spot import NOWHERE, Spot
from resolver.names import ROOT, Name, ancestors, is_subdomain, to_text


class ModeEntry(NamedTuple):
    """An exception from the general mode. ``zone``: for it and all below; the root for all.
    ``view``: number; ``None`` for all."""

    zone: Name
    view: int | None
    mode: Mode
    reference: str = ""  # why a view is treated differently
    spot: Spot = NOWHERE


@final
class Modes:
    """Which mode holds where."""

    __slots__ = ("_by_zone", "_constant", "enforced", "entries", "general")

    def __init__(
        self, general: Mode, entries: Iterable[ModeEntry] = (), enforced: Iterable[Name] = ()
    ) -> None:
        self.general = general
        self.entries = tuple(entries)
        self.enforced = frozenset(enforced)
        self._by_zone: dict[Name, dict[int | None, Mode]] = {}
        for entry in self.entries:
            self._by_zone.setdefault(entry.zone, {})[entry.view] = entry.mode
        self._constant = not self.entries

    def of(self, name: Name, view: int) -> Mode:
        """The mode for a question."""
        if self._constant:
            return self.general
        for zone in ancestors(name):
            by_view = self._by_zone.get(zone)
            if by_view is not None:
                mode = by_view.get(view)
                if mode is None:
                    mode = by_view.get(None)
                if mode is not None:
                    return mode
        return self.general

    def closes(self, name: Name, view: int) -> bool:
        """Whether a rule may fail closed for a question."""
        return self.of(name, view) is Mode.ENFORCE and any(
            zone in self.enforced for zone in ancestors(name)
        )

    def may_close(self, zone: Name) -> bool:
        """Whether a rule may fail closed for some name at or below a zone, for some view."""
        modes = [self.general, *(entry.mode for entry in self.entries)]
        if Mode.ENFORCE not in modes:
            return False
        return any(is_subdomain(zone, one) or is_subdomain(one, zone) for one in self.enforced)

    def differ(self) -> bool:
        """Whether there are exceptions from the general mode."""
        return not self._constant

    def canonical(self) -> object:
        """Plain values that are equal when modes are."""
        entries = [
            (to_text(e.zone), -1 if e.view is None else e.view, e.mode.value) for e in self.entries
        ]
        zones = sorted(map(to_text, self.enforced))
        return {"general": self.general.value, "entries": sorted(entries), "enforced": zones}


EVERYWHERE = ROOT
"""The zone of an entry that names none."""
