"""One look at the sources of a zone: primaries in their tiers, then the file behind the address,
then the file on this machine, until one has shown that our copy is current or given a newer one.

A later source is asked only when each before it has failed: a domestic primary that answers is
believed, so that nothing goes abroad to find out whether it lags. RFC 1034 section 4.3.5.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from resolver import limits
from resolver.core import Core
from resolver.fetch import Fetch, FetchError
from resolver.mirrors.check import Checks, check, newer
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import read_zone
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.store import Held
from resolver.mirrors.transfer import Asked
from resolver.mirrors.wanted import Primary, Terms, Wanted
from resolver.mirrors.wire import Wire
from resolver.model import Address, Exchange, Purpose, Type, Verdict, address_text
from resolver.names import Name, parent, to_text

_log = logging.getLogger("inland.mirrors")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a round works with. ``wall``: seconds since the epoch; ``read``: reads a zone file;
    ``same``: whether a file is what is held; ``what``: how messages call the zones."""

    core: Core
    wire: Wire
    fetch: Fetch
    wall: Callable[[], float]
    read: Callable[[Name, bytes], ZoneCopy] = read_zone
    same: Callable[[ZoneCopy, ZoneCopy], bool] = lambda held, copy: held.serial == copy.serial
    what: str = "mirror"


@dataclass(slots=True)
class Memory:
    """What one zone's rounds remember: serials that primaries announced and did not have (and
    until when that is held against them), and what files looked like when they were read."""

    lies: dict[Address, tuple[int, float]] = field(default_factory=dict)
    tag: str | None = None
    file: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """A source has the version that we have."""

    source: str


@dataclass(slots=True)
class Round:
    """The state of one look. ``trail`` and ``refusals`` are filled as it goes."""

    tools: Tools
    wanted: Wanted
    held: Held | None
    memory: Memory
    forced: bool
    trail: list[Exchange] = field(default_factory=list)
    refusals: list[tuple[Why, str]] = field(default_factory=list)

    async def run(self) -> Held | Current | None:
        """A newer version, already checked; that ours is current; or nothing."""
        primaries = self._in_order()
        if self.wanted.primaries and not primaries:
            why = "no primary may be asked (resolution.never_ask, ipv4, ipv6)"
            self.refusals.append((Why.UNREACHABLE, why))
        for primary in primaries:
            source = address_text(primary.address)
            found = await self._try(source, self._from_primary, primary, primaries)
            if found is not None:
                return found
        if self.wanted.url is not None:
            found = await self._try(self.wanted.url, self._from_url, self.wanted.url)
            if found is not None:
                return found
        if self.wanted.file is not None:
            return await self._try(str(self.wanted.file), self._from_file, self.wanted.file)
        return None

    def _in_order(self) -> list[Primary]:
        core = self.tools.core
        usable = set(core.usable(primary.address for primary in self.wanted.primaries))
        allowed = [primary for primary in self.wanted.primaries if primary.address in usable]
        return sorted(allowed, key=lambda one: (core.policy.standing(one.address).tier, one.tier))

    async def _try(
        self, source: str, way: Callable[..., Awaitable[Held | Current]], *args: object
    ) -> Held | Current | None:
        try:
            return await way(source, *args)
        except Refused as refused:
            zone = to_text(self.wanted.zone)
            _log.warning("%s of %s: %s: %s", self.tools.what, zone, source, refused)
            self.refusals.append((refused.why, f"{source}: {refused}"))
            return None

    async def _from_primary(
        self, source: str, primary: Primary, all_of_them: list[Primary]
    ) -> Held | Current:
        core = self.tools.core
        domestic_known = any(
            core.policy.standing(one.address).verdict is Verdict.DOMESTIC for one in all_of_them
        )
        label = core.policy.label(primary.address, Purpose.MIRROR_REFRESH, domestic_known)
        tier = core.policy.standing(primary.address).tier
        asked = Asked(self.tools.wire, self.wanted.zone, primary, label, tier, self.trail)
        announced = await asked.serial()
        ours = self.held.copy if self.held is not None else None
        if ours is not None and not self.forced:
            if announced == ours.serial:
                self.memory.lies.pop(primary.address, None)
                return Current(source)
            if not newer(ours.serial, announced):
                text = f"serial {announced} is older than our {ours.serial}"
                raise Refused(Why.SERIAL, text)
        lied, until = self.memory.lies.get(primary.address, (None, 0.0))
        if lied == announced and self.tools.wall() < until and not self.forced:
            raise Refused(Why.SERIAL, f"still announces serial {announced}, which it did not have")
        base = ours if ours is not None and newer(ours.serial, announced) else None
        try:
            copy = await asked.zone_data(base, announced)
        except Refused as refused:
            if refused.why is Why.SERIAL:
                until = self.tools.wall() + limits.MIRROR_RETRY_MAX
                self.memory.lies[primary.address] = announced, until
            raise
        self.memory.lies.pop(primary.address, None)
        return await self._checked(copy, source)

    async def _from_url(self, source: str, url: str) -> Held | Current:
        tag = self.memory.tag if self.held is not None and not self.forced else None
        try:
            fetched = await trio.to_thread.run_sync(
                self.tools.fetch.get,
                url,
                tag,
                limits.MIRROR_OCTETS_MAX,
                limits.MIRROR_TRANSFER_SECONDS,
                abandon_on_cancel=True,
            )
        except FetchError as error:
            raise Refused(Why.UNREACHABLE, str(error)) from error
        if fetched.body is None:
            return Current(source)
        found = await self._read(source, fetched.body)
        self.memory.tag = fetched.tag
        return found

    async def _from_file(self, source: str, path: Path) -> Held | Current:
        try:
            looks = path.stat()
            as_it_is = (looks.st_mtime_ns, looks.st_size)
            if as_it_is == self.memory.file and self.held is not None and not self.forced:
                return Current(source)
            if looks.st_size > limits.MIRROR_OCTETS_MAX:
                raise Refused(Why.SIZE, f"over {limits.MIRROR_OCTETS_MAX:,} octets")
            octets = await trio.to_thread.run_sync(path.read_bytes)
        except OSError as error:
            raise Refused(Why.UNREACHABLE, error.strerror or str(error)) from error
        found = await self._read(source, octets)
        self.memory.file = as_it_is
        return found

    async def _read(self, source: str, octets: bytes) -> Held | Current:
        copy = await trio.to_thread.run_sync(self.tools.read, self.wanted.zone, octets)
        held = self.held.copy if self.held is not None else None
        if held is not None and not self.forced and self.tools.same(held, copy):
            return Current(source)
        return await self._checked(copy, source)

    async def _checked(self, copy: ZoneCopy, source: str) -> Held:
        before = self.held.copy if self.held is not None else None
        terms = terms_now(self.tools.core, self.wanted)
        wall = self.tools.wall()
        checks: Checks = await trio.to_thread.run_sync(
            check, copy, before, terms, wall, self.forced
        )
        return Held(copy, checks, source, wall)


def terms_now(core: Core, wanted: Wanted) -> Terms:
    """The terms with the anchors that the mirrored parent knows, where none are stated."""
    terms = wanted.terms
    above = core.mirrors.closest(parent(wanted.zone)) if not terms.anchors else None
    if above is None or above.apex == wanted.zone:
        return terms
    ds = above.sets(wanted.zone).get((Type.DS, 0))
    if ds is None:
        return terms
    texts = (f"{int.from_bytes(r[:2])} {r[2]} {r[3]} {r[4:].hex()}" for r in ds[1])
    return replace(terms, anchors=tuple(texts))
