"""The response policy zones in force: copies come in, are compiled off the loop, and are swapped.

A :class:`PolicyShelf` is what the keeper of the zones puts its copies on. A copy is compiled in a
thread, and native does so off the interpreter; what is in force meanwhile is the version before.
When all that has come is compiled, ``changed`` is told, once: whoever holds the policy puts a new
one in force, with :meth:`PolicyShelf.zone_set`. Nothing is ever half there.

Limitations: a zone that has not come yet matches nothing.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, final

import trio

from policy.rpz_action import Override
from policy.rpz_client import ClientClasses, client_classes
from policy.rpz_set import ZoneSet
from policy.rpz_table import Compiled, compile_zone
from policy.rpz_trigger import Trigger
from policy.rpz_zone import PolicyZone
from resolver.mirrors.copy import ZoneCopy
from resolver.names import Name, to_text
from resolver.rpz_of import RpzZone

_log = logging.getLogger("inland.rpz")


@final
class PolicyShelf:
    """All zones of a configuration. ``changed``: called between two turns."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._zones: dict[Name, RpzZone] = {}
        self._compiled: dict[Name, tuple[Compiled, str]] = {}
        self._coming: dict[Name, ZoneCopy] = {}
        self._prepared: dict[Name, tuple[ZoneCopy, tuple[Compiled, str] | None]] = {}
        self._wake = trio.Event()
        self.refused: dict[Name, int] = {}
        """Versions that could not be compiled, by zone."""

    def configure(self, zones: Iterable[RpzZone]) -> None:
        """These zones in this order from now on; what is known of them stays."""
        self._zones = {one.terms.zone: one for one in zones}
        for zone in [*self._compiled, *self._coming]:
            if zone not in self._zones:
                self._compiled.pop(zone, None)
                self._coming.pop(zone, None)

    @property
    def coming(self) -> bool:
        """Whether something waits to be compiled."""
        return bool(self._coming)

    @property
    def known(self) -> bool:
        """Whether there are any zones."""
        return bool(self._zones)

    # --- for the keeper (:class:`resolver.mirrors.uses.Use`) -------------------------------------

    def holds(self, zone: Name) -> bool:
        """Whether a copy of the zone is in force, or about to be."""
        return zone in self._compiled or zone in self._coming

    def put(self, copy: ZoneCopy) -> None:
        """Have this copy in force as soon as it is compiled."""
        self._coming[copy.apex] = copy
        self._wake.set()

    def drop(self, zone: Name) -> None:
        """The zone is not configured any more, or not in this way."""
        self._coming.pop(zone, None)
        if self._compiled.pop(zone, None) is not None:
            self._changed()

    def expired(self, zone: Name) -> bool:
        """Whether it stays in force, past its time: the operator says so."""
        known = self._zones.get(zone)
        if known is None or known.keep_expired:
            return True
        self.drop(zone)
        return False

    # --- compiling -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Compile what comes, for ever; ends by cancellation."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            coming = dict(self._coming)
            if not coming:  # it was settled meanwhile
                continue
            done = await trio.to_thread.run_sync(self._compile, coming, dict(self._compiled))
            self._take(coming, done)
            self._changed()

    def settle(self) -> None:
        """Compile what has come, now. Blocks: for the start and for reloads, in a thread."""
        coming = dict(self._coming)
        done = {zone: self._prepared_of(zone, copy) for zone, copy in coming.items()}
        left = {zone: copy for zone, copy in coming.items() if done[zone] is None}
        self._take(coming, done | self._compile(left, dict(self._compiled)))
        self._prepared = {}

    def _compile(
        self, coming: dict[Name, ZoneCopy], known: dict[Name, tuple[Compiled, str]]
    ) -> dict[Name, tuple[Compiled, str] | None]:
        done: dict[Name, tuple[Compiled, str] | None] = {}
        for zone, copy in coming.items():
            before = known.get(zone)
            try:
                compiled = compile_zone(zone, copy.serial, copy.data, before[0] if before else None)
            except ValueError as error:
                _log.error("response policy zone %s: serial %d is not used: %s", to_text(zone),
                           copy.serial, error)  # fmt: skip
                done[zone] = None
                continue
            digest = hashlib.blake2b(copy.data, digest_size=16).hexdigest()
            self._tell(zone, compiled)
            done[zone] = compiled, digest
        return done

    def _tell(self, zone: Name, compiled: Compiled) -> None:
        content = compiled.content
        counts = ", ".join(f"{n:,} {kind.value}" for kind, n in content.entries.items() if n)
        _log.info("response policy zone %s: serial %d: %s", to_text(zone), content.serial,
                  counts or "no trigger")  # fmt: skip
        for fault in content.faults:
            _log.warning("response policy zone %s: not applied: %s", to_text(zone), fault)

    def _take(
        self,
        coming: dict[Name, ZoneCopy],
        done: dict[Name, tuple[Compiled, str] | None],
    ) -> None:
        for zone, made in done.items():
            if self._coming.get(zone) is coming[zone]:  # no newer one has come
                del self._coming[zone]
            if made is None:
                self.refused[zone] = self.refused.get(zone, 0) + 1
            elif zone in self._zones:
                self._compiled[zone] = made

    def prepare(self, copies: Mapping[Name, ZoneCopy]) -> None:
        """Compile these copies, to be taken by the next :meth:`settle`. Blocks; may run in a thread
        while what is in force is asked."""
        known = dict(self._compiled)
        new = {zone: copy for zone, copy in copies.items() if self._prepared_of(zone, copy) is None}
        done = self._compile(new, known)
        self._prepared = {zone: (new[zone], made) for zone, made in done.items()}

    def _prepared_of(self, zone: Name, copy: ZoneCopy) -> tuple[Compiled, str] | None:
        """This very copy, compiled."""
        known = self._compiled.get(zone)
        if known is not None and known[0].data is copy.data:
            return known
        ready = self._prepared.get(zone)
        return ready[1] if ready is not None and ready[0] is copy else None

    # --- what is in force ------------------------------------------------------------------------

    def zones(self) -> tuple[PolicyZone, ...]:
        """Those that are there, in their order."""
        return tuple(
            PolicyZone(one.terms, self._compiled[zone][0].content)
            for zone, one in self._zones.items()
            if zone in self._compiled
        )

    def zone_set(self) -> ZoneSet:
        """All of them, to put a policy together."""
        zones = self.zones()
        return ZoneSet(zones, self._classes(zones), self._digest())

    def _classes(self, zones: Sequence[PolicyZone]) -> ClientClasses:
        try:
            return client_classes([zone.content.clients for zone in zones])
        except ValueError as error:
            _log.error("response policy zones: no trigger on clients is applied: %s", error)
            return ClientClasses((), ((None,) * len(zones),))

    def _digest(self) -> str:
        summed = hashlib.blake2b(digest_size=16)
        for zone, one in self._zones.items():
            known = self._compiled.get(zone)
            summed.update(repr((one.terms, known[1] if known else None)).encode())
        return summed.hexdigest()

    def disabled(self) -> frozenset[str]:
        """Names of zones that are only counted."""
        off = Override.DISABLED
        return frozenset(z.terms.name for z in self._zones.values() if z.terms.override is off)

    def status(self) -> Iterator[tuple[Name, str, dict[str, Any]]]:
        """Each zone with its name, and what of it is in force."""
        for zone, one in self._zones.items():
            told: dict[str, Any] = {"zone": to_text(zone), "override": one.terms.override.value}
            known = self._compiled.get(zone)
            if known is not None:
                content = known[0].content
                told["serial"] = content.serial
                told["entries"] = {kind.value: content.entries.get(kind, 0) for kind in Trigger}
                told["not_applied"] = content.fault_count
                told["bytes"] = content.size
            yield zone, one.terms.name, told
