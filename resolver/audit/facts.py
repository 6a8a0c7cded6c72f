"""What a survey knows so far of one zone and of one walk to a name: its working memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from resolver.audit.closure import Path, Standing
from resolver.model import Address, Verdict
from resolver.names import ROOT, Name, label_count, suffix


class Cut(Enum):
    """What stands at a name, seen from the zone above."""

    ASKING = auto()
    ZONE = auto()  # a delegation
    NONE = auto()  # no delegation: names below may still be delegated
    END = auto()  # nothing is delegated here or below: a DNAME
    DENIED = auto()  # the same: there is no such name
    UNTOLD = auto()  # servers had no use for the question


Then = Callable[[], None]


@dataclass(slots=True)
class ZoneFacts:
    """A zone that is known to be delegated. ``waiting``: what is to be done once a server of it
    is known to answer."""

    apex: Name
    parent: Name
    by_parent: tuple[Name, ...]
    glue: dict[Name, tuple[Address, ...]]
    depth: int
    child: dict[Name, None] = field(default_factory=dict)
    own: dict[Name, tuple[Address, ...]] = field(default_factory=dict)
    standing: dict[Address, Standing] = field(default_factory=dict)
    verdicts: dict[Address, Verdict] = field(default_factory=dict)
    asking: int = 0
    looking: int = 0  # walks to names of its servers that have not ended
    waiting: list[tuple[Then, Then]] = field(default_factory=list)
    hidden: bool = False  # its parent's servers all serve it too, so no referral was seen
    over: bool = False  # every server has been asked, and none serves

    def names(self) -> tuple[Name, ...]:
        """Name servers, the parent's first."""
        return tuple(dict.fromkeys((*self.by_parent, *self.child)))

    def serving(self, home_only: bool = False) -> list[Address]:
        """Addresses that answer for the zone, domestic ones first."""
        found = [a for a, s in self.standing.items() if s is Standing.SERVES]
        if home_only:
            found = [a for a in found if self.verdicts[a] is Verdict.DOMESTIC]
        return sorted(found, key=lambda a: TIERS[self.verdicts[a]])

    @property
    def domestic_known(self) -> bool:
        """Whether an address of it stands at home, as the reason of an escape wants to know."""
        return Verdict.DOMESTIC in self.verdicts.values()


TIERS = {Verdict.DOMESTIC: 0, Verdict.UNKNOWN: 1, Verdict.FOREIGN: 2}


@dataclass(slots=True)
class Walk:
    """The way down to one name of one type. ``path`` is set when it has ended."""

    name: Name
    rtype: int
    depth: int
    at: Name = ROOT  # the deepest zone reached
    reached: Name = ROOT  # the deepest name about which it is known whether it is a cut
    addresses: tuple[Address, ...] = ()
    path: Path | None = None
    done: list[Then] = field(default_factory=list)
    alias: Name | None = None
    end: Cut = Cut.NONE

    @property
    def is_far(self) -> bool:
        """Whether the zone is not known to hold the name just above this one, and will not say:
        what servers abroad are not shown (RFC 9156; ``border.privacy``)."""
        short = self.end in (Cut.DENIED, Cut.UNTOLD)
        return short and label_count(self.name) > label_count(self.reached) + 1

    @property
    def shown(self) -> Name:
        """What the zone is asked of: the whole name, but below a DNAME no more than finds it."""
        count = label_count(self.reached) + 1
        return suffix(self.name, count) if self.end is Cut.END else self.name
