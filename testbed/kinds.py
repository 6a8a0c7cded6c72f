"""The kinds of zones that a country has: who serves them, under which names, and what is wrong.

Each kind makes one zone (the deep ones make several) at a seeded name below one of its suffixes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from testbed.build import Builder, vanity
from testbed.content import fill, side_of
from testbed.model import HOME, Fault, NameServer

Make = Callable[[Builder, str, int, int], None]

AT_HOME: Final = ("co.xa.", "gov.xa.", "ac.xa.", "xa.", "med.xa.", "org.xa.", "xa.")
# org.xa. and med.xa. are no zones: delegations below them are cut two labels below xa.
ABROAD_TLDS: Final = ("comx.", "netx.", "orgx.", "xb.", "xc.", "xd.", "xe.")
LAME: Final = (Fault.REFUSED, Fault.SERVFAIL, Fault.UPWARD, Fault.NON_AUTHORITATIVE)
ONSETS: Final = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
VOWELS: Final = ("a", "e", "i", "o", "u")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of zone; ``weight`` zones of it in each turn of a larger world."""

    name: str
    make: Make
    weight: int = 1


def _name(builder: Builder, suffix: str) -> str:
    """A new name one label below a suffix."""
    while True:
        syllables = [
            builder.rng.choice(ONSETS) + builder.rng.choice(VOWELS)
            for _ in range(builder.rng.randint(2, 4))
        ]
        name = "".join(syllables) + "." + suffix
        if not any(name in (zone.name, *zone.records) for zone in builder.world.zones.values()):
            return name


def _suffix(builder: Builder, home: bool = True) -> str:
    return builder.rng.choice(AT_HOME if home else ABROAD_TLDS)


def _pick(
    builder: Builder, zone: str, home: int, abroad: int, number: int
) -> tuple[NameServer, ...]:
    """Servers of good hosters, ``home`` and ``abroad`` of them, under hosters' or own names."""
    out: list[NameServer] = []
    used: list[str] = []
    for country, count in ((HOME, home), ("*", abroad)):
        for at in range(count):
            if at % 2 == 0:
                hoster = builder.well(country, zone, used)
                used.append(hoster.zone)
            out.append(hoster.named()[at % 2])
    builder.rng.shuffle(out)
    return vanity(zone, out) if number % 2 else tuple(out)


def _plain(home: int, abroad: int, at_home: bool | None = True) -> Make:
    """Zones with so many good servers at home and abroad; ``None``: names on both sides."""

    def make(builder: Builder, kind: str, number: int, turn: int) -> None:
        under_home = bool(turn % 2) if at_home is None else at_home
        name = _name(builder, _suffix(builder, under_home))
        zone = builder.zone(name, kind, _pick(builder, name, home, abroad, number))
        fill(builder, zone, side_of(builder, number, home > 0), number)

    return make


def _hosted(*hosters: str, suffixes: Sequence[str], abroad: int = 0) -> Make:
    """Zones with one of the named hosters, and good servers abroad with glue beside it."""

    def make(builder: Builder, kind: str, number: int, turn: int) -> None:
        name = _name(builder, suffixes[turn % len(suffixes)])
        hoster = builder.hosters[hosters[turn % len(hosters)]]
        away = vanity(name, _pick(builder, name, 0, abroad, 0)) if abroad else ()
        kept = hoster.named()[:1] if abroad else hoster.named()
        zone = builder.zone(name, kind, (*away, *kept))
        fill(builder, zone, side_of(builder, number, hoster.country == HOME), number)

    return make


def _ill_beside(faults: Sequence[Fault], home: int, abroad: int) -> Make:
    """Zones with an ill server at home, first in the list, and so many good ones."""

    def make(builder: Builder, kind: str, number: int, turn: int) -> None:
        fault = faults[(turn + home + 2 * abroad) % len(faults)]
        name = _name(builder, _suffix(builder))
        good = _pick(builder, name, home, abroad, 0)
        ill = builder.ill(fault).named()
        servers = (*(ill[:1] if good else ill), *good)
        if number % 2:
            servers = vanity(name, servers)
        zone = builder.zone(name, f"{kind}_{fault.value}" if len(faults) > 1 else kind, servers)
        fill(builder, zone, side_of(builder, number, True), number)

    return make


def _unconfigured(builder: Builder, kind: str, number: int, turn: int) -> None:
    """A healthy server at home that was never told of the zone (REFUSED), beside a good one."""
    name = _name(builder, _suffix(builder))
    good = _pick(builder, name, turn % 2, 1 - turn % 2, 0)
    stranger = builder.hosters["coopdns.xa."].named()[:1]
    if stranger[0] in good:
        stranger = builder.hosters["coopdns.xa."].named()[1:]
    zone = builder.zone(name, kind, (*stranger, *good), unconfigured=stranger)
    fill(builder, zone, side_of(builder, number, True), number)


def _child_differs(parents: tuple[int, int], children: tuple[int, int]) -> Make:
    """Zones whose own NS set is not their parent's: servers at home and abroad of each."""

    def make(builder: Builder, kind: str, number: int, turn: int) -> None:
        name = _name(builder, _suffix(builder, bool(turn % 2)))
        told = vanity(name, _pick(builder, name, *parents, 0))
        own = tuple(
            (f"own{at}.{name}", address)
            for at, (_, address) in enumerate(_pick(builder, name, *children, 0), 1)
        )
        kept = tuple(ns for ns in told if builder.world.servers[ns[1]].domestic)
        if children[0] and parents[0] and turn % 2:
            own = (*kept[:1], *own)
        zone = builder.zone(name, kind, told, own)
        fill(builder, zone, side_of(builder, number, parents[0] > 0), number)

    return make


def _all_ill(builder: Builder, kind: str, number: int, turn: int) -> None:
    """Zones that nobody serves: dead or lame, at home, abroad or both."""
    name = _name(builder, _suffix(builder, turn % 3 != 2))
    at_home = builder.ill((Fault.DEAD, Fault.REFUSED, Fault.SERVFAIL)[number % 3]).named()
    abroad = builder.ill((Fault.DEAD, Fault.REFUSED)[number % 2], "XD").named()
    servers = (at_home, abroad, (at_home[0], abroad[0]))[turn % 3]
    fill(builder, builder.zone(name, kind, servers), HOME, number)


def _deep(builder: Builder, kind: str, number: int, turn: int) -> None:
    """Four levels below the registry, cuts one and two labels apart, hosted here and there."""
    name = _name(builder, _suffix(builder))
    for level in range(4):
        home, abroad = ((1, 0), (0, 1), (1, 1), (2, 0))[(level + turn) % 4]
        zone = builder.zone(name, kind, _pick(builder, name, home, abroad, number + level))
        fill(builder, zone, side_of(builder, number, home > 0), number + level)
        # Every second cut stands two labels below its parent, with an empty name between.
        step = "unit.dept" if level % 2 else f"level{level + 1}"
        name = f"{step}.{name}"


KINDS: Final = (
    Kind("home", _plain(2, 0), 2),
    Kind("home_under_foreign", _plain(2, 0, at_home=False)),
    Kind("mixed", _plain(1, 1), 2),
    Kind("mixed_many", _plain(2, 2, at_home=None)),
    Kind("foreign", _plain(0, 2)),
    Kind("foreign_under_foreign", _plain(0, 2, at_home=False), 2),
    Kind("out_of_bailiwick_home", _hosted("homedns.net.xa.", suffixes=("gov.xa.", "co.xa."))),
    Kind(
        "out_of_bailiwick_abroad",
        _hosted("localdns.comx.", suffixes=("co.xa.", "xa.", "netx.", "xb.")),
    ),
    Kind("nested_addresses", _hosted("nestdns.comx.", suffixes=("ac.xa.", "org.xa.", "orgx."))),
    Kind(
        "one_domestic_without_glue",
        _hosted(
            "localdns.comx.",
            "homedns.net.xa.",
            "nestdns.comx.",
            suffixes=("co.xa.", "gov.xa.", "xa."),
            abroad=2,
        ),
        2,
    ),
    Kind("child_adds_domestic", _child_differs((0, 1), (1, 1))),
    Kind("child_drops_foreign", _child_differs((1, 1), (1, 0))),
    Kind("child_moved_at_home", _child_differs((1, 0), (1, 0))),
    Kind("child_forgets_domestic", _child_differs((1, 1), (0, 1))),
    Kind("dead_beside_home", _ill_beside((Fault.DEAD,), 1, 0)),
    Kind("dead_beside_abroad", _ill_beside((Fault.DEAD,), 0, 1)),
    Kind("dead_beside_both", _ill_beside((Fault.DEAD,), 1, 1)),
    Kind("lame_beside_home", _ill_beside(LAME, 1, 0)),
    Kind("lame_beside_abroad", _ill_beside(LAME, 0, 1)),
    Kind("lame_beside_both", _ill_beside(LAME, 1, 1)),
    Kind("unconfigured", _unconfigured),
    Kind("slow_beside_home", _ill_beside((Fault.SLOW,), 1, 0)),
    Kind("slow_beside_abroad", _ill_beside((Fault.SLOW,), 0, 1)),
    Kind("slow_only", _ill_beside((Fault.SLOW,), 0, 0)),
    Kind("no_edns", _ill_beside((Fault.NO_EDNS,), 0, 0)),
    Kind("no_edns_beside_abroad", _ill_beside((Fault.NO_EDNS,), 0, 1)),
    Kind("breaks_case", _ill_beside((Fault.CASE,), 0, 0)),
    Kind("breaks_case_beside_abroad", _ill_beside((Fault.CASE,), 0, 1)),
    Kind("nobody_serves", _all_ill),
    Kind("deep", _deep),
)
