"""Response policy zones of a running resolver: their keeper, their shelf, and the policy with them.

Limitations: a zone whose source is a file is read with the configuration, so that its faults are
told before anything changes; a zone that is transferred and has no copy on disk matches nothing
until it has come."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import trio

from policy.border import Policy
from policy.govern import with_zones
from resolver.config import Config
from resolver.counters import Clock
from resolver.errors import Finding
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.keep import Keeper, Told
from resolver.mirrors.policy_file import ZoneFiles
from resolver.mirrors.refusal import Refused
from resolver.mirrors.round import Tools
from resolver.names import Name, from_text
from resolver.rpz_hits import HitLog
from resolver.rpz_of import RpzZone, rpz_of
from resolver.rpz_shelf import PolicyShelf
from resolver.rules_of import VALIDATING

_log = logging.getLogger("inland.rpz")

Command = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
Copies = Mapping[Name, ZoneCopy]


def read_files(zones: Sequence[RpzZone], files: ZoneFiles) -> tuple[Copies, list[Finding]]:
    """What stands in the files of zones that have no primaries, and what is wrong with them.
    Blocks."""
    copies: dict[Name, ZoneCopy] = {}
    findings = []
    for at, zone in enumerate(zones):
        path = zone.wanted.file
        if path is None or zone.wanted.primaries:
            continue
        try:
            copies[zone.terms.zone] = files.open(zone.terms.zone, path)
        except Refused as error:
            findings.append(Finding(f"policy.rpz[{at}].file", f"{path}: {error}"))
    return copies, findings


def with_zone_files(config: Config, policy: Policy) -> Policy:
    """The policy with the response policy zones that come from files, for who does not serve.
    Blocks.

    Raises:
        ConfigError: what is wrong with a file, or a secret that cannot be read.
    """
    zones = rpz_of(config)
    copies, findings = read_files(zones, ZoneFiles())
    if findings:
        raise config.with_lines(findings)
    if not zones:
        return policy
    shelf = PolicyShelf(lambda: None)
    shelf.configure(zones)
    for copy in copies.values():
        shelf.put(copy)
    shelf.settle()
    return with_zones(policy, shelf.zone_set(), VALIDATING)


@final
class ResponseZones:
    """All of it. ``changed``: called between two turns when another version is ready."""

    def __init__(
        self,
        tools: Tools,
        clock: Clock,
        folder: Path | None,
        told: Told | None,
        changed: Callable[[], None],
    ) -> None:
        files = ZoneFiles()
        tools = replace(tools, read=files.read, same=_same, what="response policy zone")
        self.shelf = PolicyShelf(changed)
        self.keeper = Keeper(tools, clock, folder, told, self.shelf)
        self.hits = HitLog()

    async def run(self) -> None:
        """Keep the zones; ends by cancellation."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.keeper.run)
            nursery.start_soon(self.shelf.run)

    def begin(self, zones: Sequence[RpzZone], copies: Copies) -> None:
        """Begin with these zones, what is on disk of them, and what was read. Blocks."""
        self.shelf.configure(zones)
        self.keeper.load([zone.wanted for zone in zones])
        self._take(zones, copies)

    def prepare(self, copies: Copies) -> None:
        """Compile what was read with a configuration, before it comes into force. Blocks."""
        self.shelf.prepare(copies)

    def configure(self, zones: Sequence[RpzZone], copies: Copies) -> None:
        """Other zones, or other terms of theirs. What was not prepared is compiled here."""
        self.shelf.configure(zones)
        self.keeper.configure([zone.wanted for zone in zones])
        self._take(zones, copies)

    def _take(self, zones: Sequence[RpzZone], copies: Copies) -> None:
        for zone, copy in copies.items():
            self.keeper.take(zone, copy, "file")
        self.shelf.settle()
        self.hits.quiet = frozenset(zone.terms.name for zone in zones if not zone.terms.log)

    def over(self, policy: Policy) -> Policy:
        """The policy with the zones as they are now."""
        if not self.shelf.known:
            return policy
        return with_zones(policy, self.shelf.zone_set(), VALIDATING)

    def command(self, mirrors: Keeper) -> Command:
        """``mirror`` of the control socket, for zones of both kinds."""

        async def look(request: Mapping[str, Any]) -> dict[str, Any]:
            text = request.get("zone")
            known = isinstance(text, str) and from_text(text) in self.keeper.mirrors
            return await (self.keeper if known else mirrors).command(request)

        return look

    def status(self) -> dict[str, Any]:
        """How each zone stands, by name."""
        kept = {zone: self.keeper.status_of(one) for zone, one in self.keeper.mirrors.items()}
        told: dict[str, Any] = {}
        for zone, name, held in self.shelf.status():
            facts = kept.get(zone, {})
            if "serial" in facts:  # what is in force may be the version before
                facts["fetched_serial"] = facts.pop("serial")
            told[name] = facts | held
        return told


def _same(held: ZoneCopy, copy: ZoneCopy) -> bool:
    """A file of an operator is what it holds, whatever its serial."""
    return held is copy or held.data == copy.data
