"""The keeper of the mirrors: loads what is on disk, looks at sources when it is time, puts good
versions on the shelf and takes expired ones off.

RFC 1034 section 4.3.5 (REFRESH, RETRY, EXPIRE, within the bounds of ``limits``), RFC 8806. EXPIRE
counts from the last look that found the copy current, over restarts too. What goes wrong with a
source is logged and counted, and what was in use stays.

Limitations: a zone is looked at by one task; a version that is being checked takes memory beside
the one in use.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import trio

from resolver import limits
from resolver.counters import Clock
from resolver.errors import ControlError, StateError
from resolver.mirrors import store
from resolver.mirrors.check import Checks, check
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.round import Current, Memory, Round, Tools, terms_now
from resolver.mirrors.store import Held
from resolver.mirrors.uses import MirrorUse, Use
from resolver.mirrors.wanted import Primary, Wanted
from resolver.model import Address, Books, Exchange, Purpose, Question, Rcode, Result, Type, Verdict
from resolver.names import Name, from_text, to_text

_log = logging.getLogger("inland.mirrors")

Told = Callable[[Question, Purpose, Result, Books], None]
"""Told of each look that cost an exchange: work without a client is a lookup too."""

STATES = ("current", "retrying", "expired", "absent")


OUTCOMES = ("current", "updated", "failed")


@dataclass(slots=True, eq=False)
class Mirror:
    """One mirrored zone. ``due``: time of the one clock."""

    wanted: Wanted
    held: Held | None = None
    state: str = "absent"
    due: float = 0.0
    gap: float = 0.0
    notified: float = float("-inf")
    looked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    refused: dict[Why, int] = field(default_factory=lambda: dict.fromkeys(Why, 0))
    last_refusals: list[str] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    wake: trio.Event = field(default_factory=trio.Event)
    ended: trio.CancelScope = field(default_factory=trio.CancelScope)
    looking: trio.Lock = field(default_factory=trio.Lock)

    def expires(self) -> float | None:
        """Wall time from which on the copy must not be used."""
        if self.held is None:
            return None
        stated = int.from_bytes(self.held.copy.soa().rdatas[0][-8:-4])
        life = min(max(stated, limits.MIRROR_EXPIRE_MIN), limits.MIRROR_EXPIRE_MAX)
        return self.held.checked + life


@final
class Keeper:
    """All mirrors of the process, or all response policy zones: ``use`` takes the copies.
    ``folder``: where they are kept, or ``None``."""

    def __init__(
        self,
        tools: Tools,
        clock: Clock,
        folder: Path | None,
        told: Told | None = None,
        use: Use | None = None,
    ) -> None:
        self.tools = tools
        self._use = use or MirrorUse(tools.core)
        self.what = tools.what
        self._clock = clock
        self._folder = folder
        self._told = told
        self._places = trio.CapacityLimiter(limits.MIRROR_TRANSFERS_MAX)
        self._nursery: trio.Nursery | None = None
        self.fetch = tools.fetch
        self.wire = tools.wire
        self.mirrors: dict[Name, Mirror] = {}

    def load(self, wanted: Sequence[Wanted]) -> None:
        """Begin with these zones, and with what is on disk of them. Blocks."""
        for one in wanted:
            mirror = self.mirrors[one.zone] = Mirror(one)
            self._begin(mirror, self._from_disk(one))

    def take(self, zone: Name, copy: ZoneCopy, source: str) -> None:
        """Use a version that was read elsewhere: a file, when the configuration was."""
        mirror = self.mirrors[zone]
        if mirror.held is not None and mirror.held.copy is copy and mirror.state == "current":
            return
        mirror.held = Held(copy, Checks(), source, self._clock.wall())
        mirror.state = "current"
        self._use.put(copy)

    def configure(self, wanted: Sequence[Wanted]) -> None:
        """Other zones, other sources, other terms (reload). What is as it was goes on. A copy in
        use stays in use when it was checked as the new terms want."""
        new = {one.zone: one for one in wanted}
        old = {zone: m for zone, m in self.mirrors.items() if new.get(zone) != m.wanted}
        for zone, mirror in old.items():
            mirror.ended.cancel()
            del self.mirrors[zone]
            held = mirror.held
            if zone not in new or held is None or not _fits(held, new[zone]):
                self._use.drop(zone)
                _log.info("%s of %s: not used any more", self.what, to_text(zone))
        for zone, one in new.items():
            if zone in self.mirrors:
                continue
            mirror = self.mirrors[zone] = Mirror(one)
            if zone in old and self._use.holds(zone):
                mirror.held, mirror.state = old[zone].held, old[zone].state
            if self._nursery is not None:
                self._nursery.start_soon(self._keep, mirror)

    async def run(self) -> None:
        """Keep the mirrors; ends by cancellation."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.tools.wire.run)
            for mirror in self.mirrors.values():
                nursery.start_soon(self._keep, mirror)
            while True:
                await trio.sleep(limits.MIRROR_TICK_SECONDS)
                self.expire()

    def expire(self) -> None:
        """Take off the shelf what is too old."""
        wall = self._clock.wall()
        for mirror in self.mirrors.values():
            ends = mirror.expires()
            if ends is not None and wall >= ends and mirror.state != "expired":
                mirror.state = "expired"
                self._expired(mirror, "expired")

    def notified(self, zone: Name) -> None:
        """A primary says that there is news (RFC 1996): look now, but not all the time."""
        mirror = self.mirrors.get(zone)
        if mirror is None:
            return
        now = self._clock.now()
        mirror.due = min(mirror.due, max(now, mirror.notified + limits.MIRROR_NOTIFY_GAP))
        mirror.notified = mirror.due
        mirror.wake.set()

    def primaries(self) -> Iterator[Primary]:
        """Those of all zones: who may send NOTIFY."""
        for mirror in self.mirrors.values():
            yield from mirror.wanted.primaries

    def notifiers(self) -> tuple[Address, ...]:
        """Addresses of all primaries."""
        return tuple(dict.fromkeys(one.address for one in self.primaries()))

    async def refresh(self, zone: Name, forced: bool) -> dict[str, Any]:
        """Look now, for the operator; how the mirror stands afterwards. ``forced``: take the whole
        zone anew, even when it has shrunk."""
        mirror = self.mirrors[zone]
        await self._look(mirror, forced)
        return self.status_of(mirror)

    async def command(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``mirror`` of the control socket: look now. Raises ``ControlError``, ``BadName``."""
        text = request.get("zone")
        if not isinstance(text, str):
            raise ControlError("mirror: give a zone")
        zone = from_text(text)
        if zone not in self.mirrors:
            raise ControlError(f"{to_text(zone)} is not mirrored")
        return await self.refresh(zone, request.get("force") is True)

    # --- one zone ------------------------------------------------------------------------------

    def _from_disk(self, wanted: Wanted) -> Held | None:
        """The copy on disk, if it may be used. Blocks; changes nothing."""
        if self._folder is None:
            return None
        wall = self._clock.wall()
        try:
            held = store.load(self._folder, wanted.zone)
            if held is None:
                return None
            checks = held.checks
            if not _fits(held, wanted):
                terms = terms_now(self.tools.core, wanted)
                checks = check(held.copy, None, terms, wall)
        except (StateError, Refused) as error:
            zone = to_text(wanted.zone)
            _log.error("%s of %s: the copy on disk is not used: %s", self.what, zone, error)
            return None
        # A clock that was plainly wrong must not make a copy last for ever.
        return Held(held.copy, checks, held.source, min(held.checked, wall))

    def _begin(self, mirror: Mirror, held: Held | None) -> None:
        mirror.held = held
        ends = mirror.expires()
        if held is None or ends is None:
            return
        zone, wall = to_text(mirror.wanted.zone), self._clock.wall()
        if wall >= ends:
            if self._expired(mirror, "the copy on disk has expired"):
                self._use.put(held.copy)
            return
        mirror.state = "current"
        self._use.put(held.copy)
        age, serial = wall - held.checked, held.copy.serial
        _log.info("%s of %s: serial %d from disk, %.0f s old", self.what, zone, serial, age)

    async def _keep(self, mirror: Mirror) -> None:
        with mirror.ended:
            if mirror.held is None:
                held = await trio.to_thread.run_sync(self._from_disk, mirror.wanted)
                self._begin(mirror, held)
            while True:
                while (ahead := mirror.due - self._clock.now()) > 0:
                    with trio.move_on_after(min(ahead, limits.MIRROR_TICK_SECONDS)):
                        await mirror.wake.wait()
                        mirror.wake = trio.Event()
                await self._look(mirror, forced=False)

    async def _look(self, mirror: Mirror, forced: bool) -> None:
        async with mirror.looking, self._places:
            look = Round(self.tools, mirror.wanted, mirror.held, mirror.memory, forced)
            try:
                found = await look.run()
                if isinstance(found, Held):
                    await self._install(mirror, found)
                elif found is not None:
                    await self._confirm(mirror, found)
                else:
                    self._failed(mirror)
            finally:
                mirror.last_refusals = [text for _, text in look.refusals]
                for why, _ in look.refusals:
                    mirror.refused[why] += 1
                self._book(mirror.wanted.zone, look.trail)

    async def _install(self, mirror: Mirror, found: Held) -> None:
        zone = to_text(mirror.wanted.zone)
        mirror.looked["updated"] += 1
        mirror.held = found
        mirror.state = "current"
        self._use.put(found.copy)
        self._schedule(mirror, 4)
        copy, checks = found.copy, found.checks
        _log.info("%s of %s: serial %d from %s, %d records (ZONEMD %s, signatures %s)",
                  self.what, zone, copy.serial, found.source, copy.records, checks.zonemd,
                  checks.signatures)  # fmt: skip
        await self._on_disk(store.save, found)

    async def _confirm(self, mirror: Mirror, found: Current) -> None:
        held = mirror.held
        assert held is not None
        mirror.looked["current"] += 1
        mirror.held = Held(held.copy, held.checks, found.source, self._clock.wall())
        if mirror.state != "current":
            mirror.state = "current"
            self._use.put(held.copy)
            _log.info("%s of %s: current again, by %s", self.what,
                      to_text(mirror.wanted.zone), found.source)  # fmt: skip
        self._schedule(mirror, 4)
        await self._on_disk(store.note, mirror.held)

    def _failed(self, mirror: Mirror) -> None:
        mirror.looked["failed"] += 1
        if mirror.state == "current":
            mirror.state = "retrying"
        self._schedule(mirror, 8)
        _log.warning("%s of %s: no source could be used; next look in %.0f s",
                     self.what, to_text(mirror.wanted.zone), mirror.gap)  # fmt: skip

    async def _on_disk(self, write: Callable[[Path, Held], None], held: Held) -> None:
        if self._folder is None:
            return
        try:
            await trio.to_thread.run_sync(write, self._folder, held)
        except StateError as error:
            _log.error("%s of %s: %s", self.what, to_text(held.copy.apex), error)

    def _expired(self, mirror: Mirror, why: str) -> bool:
        """Whether the copy stays in use."""
        mirror.state = "expired"
        stays = self._use.expired(mirror.wanted.zone)
        after = "still used" if stays else "not used"
        _log.error("%s of %s: %s; %s", self.what, to_text(mirror.wanted.zone), why, after)
        return stays

    def _schedule(self, mirror: Mirror, field_at: int) -> None:
        """When to look again. ``field_at``: where in the SOA's numbers the gap stands (4 REFRESH,
        8 RETRY); without a copy it doubles from try to try."""
        if mirror.held is None:
            gap = max(mirror.gap * 2, limits.MIRROR_RETRY_MIN)
            mirror.gap = min(gap, limits.MIRROR_RETRY_MAX)
        else:
            numbers = mirror.held.copy.soa().rdatas[0][-20:]
            stated = int.from_bytes(numbers[field_at : field_at + 4])
            least, most = _BOUNDS[field_at]
            mirror.gap = min(max(stated, least), most)
        # Spread, so that the mirrors of a country do not all come at once.
        mirror.due = self._clock.now() + mirror.gap * (0.9 + 0.1 * self.tools.core.chance.random())

    def _book(self, zone: Name, trail: list[Exchange]) -> None:
        if not trail or self._told is None:
            return
        escapes = [x for x in trail if x.label.verdict is not Verdict.DOMESTIC]
        books = Books(len(trail), len(escapes), trail=trail)
        if escapes:
            books.reason = escapes[0].label.reason
        question = Question(zone, Type.SOA)
        self._told(question, Purpose.MIRROR_REFRESH, Result(Rcode.NOERROR, cacheable=False), books)

    # --- what is told --------------------------------------------------------------------------

    def status(self) -> dict[str, dict[str, Any]]:
        """How each mirror stands, by zone in presentation form."""
        return {to_text(zone): self.status_of(mirror) for zone, mirror in self.mirrors.items()}

    def status_of(self, mirror: Mirror) -> dict[str, Any]:
        """How one mirror stands."""
        held, ends = mirror.held, mirror.expires()
        told: dict[str, Any] = {"state": mirror.state}
        if held is not None and ends is not None:
            wall = self._clock.wall()
            told |= {
                "serial": held.copy.serial,
                "age_seconds": round(max(0.0, wall - held.checked), 1),
                "expires_in_seconds": round(ends - wall, 1),
                "source": held.source,
                "records": held.copy.records,
                "bytes": held.copy.size,
                "zonemd": held.checks.zonemd,
                "signatures": held.checks.signatures,
            }
        told["next_look_in_seconds"] = round(max(0.0, mirror.due - self._clock.now()), 1)
        if mirror.last_refusals:
            told["refusals"] = mirror.last_refusals
        return told


_BOUNDS = {
    4: (limits.MIRROR_REFRESH_MIN, limits.MIRROR_REFRESH_MAX),
    8: (limits.MIRROR_RETRY_MIN, limits.MIRROR_RETRY_MAX),
}


def _fits(held: Held, wanted: Wanted) -> bool:
    """Whether what was checked when the copy came is all that is wanted now."""
    terms, checks = wanted.terms, held.checks
    digest = checks.zonemd == "verified" or (terms.zonemd == "check" and checks.zonemd == "absent")
    signed = checks.signatures in ("verified", "apex") or (
        terms.signatures == "check" and checks.signatures in ("unsigned", "no anchor")
    )
    return (terms.zonemd == "off" or digest) and (terms.signatures == "off" or signed)
