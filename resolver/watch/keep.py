"""The watcher: looks at the delegations of listed zones when it is time, and tells what changed.

One task of seconds. Each look is a chain of ordinary lookups with purpose ``verification``
(:mod:`resolver.watch.look`), each of which counts as work without a client. The watch has a budget
of its own: so many zones at once, so many exchanges a second; beyond it looks are late, which is
shown. A change raises a counter, a line in the log and a record. What is known survives a restart:
it is written to disk after each change, once that has been told.

Limitations: a change that was told just before a crash is told again.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, final

import trio

from resolver import limits_watch as limits
from resolver.core import Core
from resolver.errors import BadName, ControlError, StateError
from resolver.model import Address, Books, Purpose, Question, Result, Verdict
from resolver.names import Name, from_text, to_text
from resolver.watch import store
from resolver.watch.changes import ALARMS, DelegationChanged, Kind, changes
from resolver.watch.look import Looker, Steps, Terms
from resolver.watch.seen import Seen
from resolver.watch.store import Kept, Told

_log = logging.getLogger("inland.watch")

Done = Callable[[Result, Books], None]


class Clocks(Protocol):
    """The one clock."""

    def now(self) -> float:
        """Monotonic seconds."""

    def wall(self) -> float:
        """Seconds since the epoch."""


class Lookup(Protocol):
    """How a lookup is begun (:meth:`resolver.resolve.Driver.lookup`)."""

    def __call__(self, question: Question, done: Done, purpose: Purpose) -> None:
        """Begin; ``done`` is called once."""


class Telling(NamedTuple):
    """Who is told: of each lookup that cost an exchange, and of each change."""

    work: Callable[[Question, Purpose, Result, Books], None]
    change: Callable[[DelegationChanged], None]


class Followed(NamedTuple):
    """What is to be followed. ``left_out``: zones beyond the bound; ``terms``: of looks;
    ``generation``: of the policy in force."""

    zones: tuple[Name, ...]
    left_out: int
    terms: Terms
    generation: str


@dataclass(slots=True, eq=False)
class Watched:
    """One zone. ``due``: time of the one clock; ``looked``: wall time of the last look that found
    something out."""

    zone: Name
    looker: Looker
    due: float
    kept: Kept | None = None
    looked: float | None = None
    steps: Steps | None = None
    anew: bool = False
    silent: int = 0
    ended: trio.Event = field(default_factory=trio.Event)
    changes: int = 0  # told since the start
    verdicts: dict[str, int] = field(default_factory=dict)  # addresses by verdict, at the last look

    @property
    def state(self) -> str:
        """In one word, of :data:`STATES`."""
        if self.kept is None:
            return "new"
        if not self.kept.seen.delegated:
            return "not_delegated"
        return "followed" if self.kept.seen.answers else "unreachable"


STATES = ("new", "followed", "unreachable", "not_delegated")


@final
class Watcher:
    """All watched zones of the process. ``folder``: where what is known is kept, or ``None``."""

    def __init__(self, core: Core, clock: Clocks, folder: Path | None, telling: Telling) -> None:
        self._core = core
        self._clock = clock
        self._folder = folder
        self._telling = telling
        self._followed = Followed((), 0, Terms(frozenset(), 0.0), "")
        self._news: deque[tuple[Watched, Steps, Result]] = deque()
        self._wake = trio.Event()
        self._credit = limits.WATCH_EXCHANGES_BURST
        self._credited = clock.now()
        self._dirty = self._stopped = False
        self._known: dict[Name, Kept] = {}
        self.zones: dict[Name, Watched] = {}
        self.changed: Counter[Kind] = Counter()
        self.looks = {"done": 0, "failed": 0}
        self.exchanges = 0

    @property
    def left_out(self) -> int:
        """Zones that are listed but not followed, being too many."""
        return self._followed.left_out

    def load(self) -> None:
        """Read what was known before the start. Blocks."""
        if self._folder is None:
            return
        try:
            self._known = store.load(self._folder)
        except StateError as error:
            _log.error("watch: what was known is not used: %s", error)

    def configure(self, followed: Followed) -> None:
        """Follow these zones from now on (start, reload). What is known of those that stay is
        kept."""
        if followed.left_out:
            _log.warning("watch: %d listed zones are not followed: watch.zones_max is %d",
                         followed.left_out, len(followed.zones))  # fmt: skip
        old, now = self.zones, self._clock.now()
        zones: dict[Name, Watched] = {}
        for zone in followed.zones:
            if zone in old:
                zones[zone] = old[zone]
                continue
            # Spread, so that not all are looked at at once.
            ahead = limits.WATCH_START_SECONDS * (0.5 + self._core.chance.random() / 2)
            looker = Looker(self._core, zone, self._clock.now)
            zones[zone] = Watched(zone, looker, now + ahead, self._known.pop(zone, None))
        self._followed, self.zones = followed, zones
        for zone in old.keys() - zones.keys():
            self._dirty = True
            old[zone].ended.set()  # nobody shall wait for a look that does not come

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True

    async def run(self, lookup: Lookup) -> None:
        """Look when it is time; ends by cancellation."""
        while True:
            self.tick(lookup)
            await self.save()
            with trio.move_on_after(limits.WATCH_TICK_SECONDS):
                await self._wake.wait()
            self._wake = trio.Event()

    def tick(self, lookup: Lookup) -> None:
        """Go on with looks that have news, and begin those whose time has come."""
        while self._news:
            watched, steps, result = self._news.popleft()
            self._step(watched, steps, result, lookup)
        if self._stopped:
            return
        now = self._clock.now()
        earned = (now - self._credited) * limits.WATCH_EXCHANGES_PER_SECOND
        self._credit = min(limits.WATCH_EXCHANGES_BURST, self._credit + earned)
        self._credited = now
        room = limits.WATCH_AT_ONCE - sum(w.steps is not None for w in self.zones.values())
        if room <= 0 or self._credit <= 0:
            return
        due = [w for w in self.zones.values() if w.due <= now and w.steps is None]
        for watched in sorted(due, key=lambda w: w.due)[:room]:
            before = watched.kept.seen if watched.kept is not None else None
            watched.steps = watched.looker.look(before, self._followed.terms, watched.anew)
            watched.anew = False
            self._step(watched, watched.steps, None, lookup)

    def _step(self, watched: Watched, steps: Steps, result: Result | None, lookup: Lookup) -> None:
        try:
            question = next(steps) if result is None else steps.send(result)
        except StopIteration as stop:
            self._end(watched, stop.value)
            return

        def done(result: Result, books: Books) -> None:
            # By the driver, within a turn: what follows is begun by our own task.
            self._credit -= books.exchanges
            self.exchanges += books.exchanges
            if books.exchanges:
                self._telling.work(question, Purpose.VERIFICATION, result, books)
            self._news.append((watched, steps, result))
            self._wake.set()

        lookup(question, done, Purpose.VERIFICATION)

    # --- the end of a look ---------------------------------------------------------------------

    def _end(self, watched: Watched, seen: Seen | None) -> None:
        watched.steps = None
        ended, watched.ended = watched.ended, trio.Event()
        ended.set()
        if not self._is_followed(watched):
            return
        before = watched.kept.seen if watched.kept is not None else None
        self.looks["failed" if seen is None else "done"] += 1
        if seen is not None:
            watched.looked = self._clock.wall()
        elif before is not None:
            seen = before._replace(answers=False)
        now = self._clock.now()
        failed = seen is None or not seen.answers
        ahead = limits.WATCH_RETRY_SECONDS if failed else limits.WATCH_TICK_SECONDS
        watched.due = now if watched.anew else max(watched.looker.due(), now + ahead)
        if seen is not None:
            self._compare(watched, before, self._believed(watched, before, seen))

    def _believed(self, watched: Watched, before: Seen | None, seen: Seen) -> Seen:
        """A zone is called unreachable after some looks in a row only."""
        watched.silent = 0 if seen.answers or not seen.delegated else watched.silent + 1
        if 0 < watched.silent < limits.WATCH_SILENT_LOOKS:
            return seen._replace(answers=before is None or before.answers)
        return seen

    def _compare(self, watched: Watched, before: Seen | None, seen: Seen) -> None:
        seen = seen if before is None else seen.over(before)
        watched.verdicts = self._verdicts(seen)
        if watched.kept is None or before is None:
            watched.kept, self._dirty = Kept(seen), True
            words = f"{len(seen.names())} servers" if seen.delegated else "not delegated"
            _log.info("watch: %s: followed from now on (%s)", to_text(watched.zone), words)
            return
        if seen == before:
            return
        found = changes(before, seen, self._verdict)
        wall = self._clock.wall()
        told = tuple(Told(wall, change) for change in found)
        watched.kept, self._dirty = watched.kept.grown(seen, told), True
        watched.changes += len(found)
        for change in found:
            self._tell(DelegationChanged(wall, watched.zone, change, before, seen,
                                         self._followed.generation))  # fmt: skip

    def _tell(self, changed: DelegationChanged) -> None:
        kind, detail = changed.change
        self.changed[kind] += 1
        level = logging.WARNING if kind in ALARMS else logging.INFO
        _log.log(level, "watch: %s: %s: %s", to_text(changed.zone), kind.value, detail)
        self._telling.change(changed)

    def _verdict(self, address: Address) -> Verdict:
        return self._core.policy.standing(address).verdict

    def _verdicts(self, seen: Seen) -> dict[str, int]:
        counts = Counter(self._verdict(address) for address in seen.places())
        return {verdict.value: counts[verdict] for verdict in Verdict}

    async def save(self) -> None:
        """Write what is known to disk, if it has changed."""
        if not self._dirty or self._folder is None:
            return
        self._dirty = False
        known = {zone: w.kept for zone, w in self.zones.items() if w.kept is not None}
        try:
            await trio.to_thread.run_sync(store.save, self._folder, known)
        except StateError as error:
            _log.error("watch: %s", error)

    # --- what is told --------------------------------------------------------------------------

    def behind(self) -> float:
        """By how many seconds the look that is most overdue is late."""
        now = self._clock.now()
        waiting = [now - w.due for w in list(self.zones.values()) if w.steps is None]
        return max([0.0, *waiting]) if not self._stopped else 0.0

    def status(self) -> dict[str, Any]:
        """How the watch does, in short."""
        states = Counter(watched.state for watched in list(self.zones.values()))
        return {
            "zones": len(self.zones),
            "left_out": self.left_out,
            **{state: states[state] for state in STATES},
            "changes": self.changed.total(),
            "behind_seconds": round(self.behind(), 1),
        }

    async def command(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``watch`` of the control socket: how zones stand; with ``look``, after a look now.

        Raises:
            ControlError: the zone is not followed.
        """
        text = request.get("zone")
        chosen = list(self.zones.values())
        if text is not None:
            try:
                found = self.zones.get(from_text(str(text)))
            except BadName as error:
                raise ControlError(f"watch: {error}") from error
            if found is None:
                raise ControlError(f"watch: {text} is not followed")
            chosen = [found]
        if request.get("look") is True:
            await self._look_now(chosen)
        return {"zones": {to_text(watched.zone): self.status_of(watched) for watched in chosen}}

    async def _look_now(self, chosen: list[Watched]) -> None:
        for watched in chosen:
            watched.anew, watched.due = True, self._clock.now()
        self._wake.set()
        for watched in chosen:
            # A look that is under way may have begun before what is to be seen.
            while self._is_followed(watched) and (watched.anew or watched.steps is not None):
                await watched.ended.wait()

    def _is_followed(self, watched: Watched) -> bool:
        return self.zones.get(watched.zone) is watched

    def status_of(self, watched: Watched) -> dict[str, Any]:
        """How one zone stands."""
        wall, now = self._clock.wall(), self._clock.now()
        out: dict[str, Any] = {"state": watched.state}
        if watched.kept is not None:
            seen = watched.kept.seen
            out |= seen.plain() | {
                "key_tags": sorted(int.from_bytes(rdata[:2], "big") for rdata in seen.ds or ()),
                "operators": sorted(map(to_text, seen.operators())),
                "parent_and_zone_differ": seen.differs,
                "verdicts": watched.verdicts,
                "changes": [
                    {
                        "seconds_ago": round(wall - one.time, 1),
                        "kind": one.change.kind.value,
                        "detail": one.change.detail,
                    }
                    for one in watched.kept.told
                ],
            }
        if watched.looked is not None:
            out["looked_seconds_ago"] = round(max(0.0, wall - watched.looked), 1)
        out["next_look_in_seconds"] = round(max(0.0, watched.due - now), 1)
        return out
