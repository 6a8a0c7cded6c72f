"""Response policy zones in their order: one rulebook of them all.

draft-vixie-dnsop-dns-rpz section 5: what matches nearer to the question on a chain of aliases goes
before what matches farther on (5.1), then the earlier zone before the later (5.2), then what
:mod:`policy.rpz_zone` says of one zone. One match alone decides, PASSTHRU too. Addresses in the
answer are those of the end of the chain; name servers are those of the zones at and above each
name.

A match on the client or on the name is decided before any work, unless an earlier zone has triggers
on results. Names that aliases lead to are asked for as questions of their own when they are listed
(:meth:`PolicyZones.concerned_tables`), so that nothing is sent for them either.

Limitations: ``DISABLED`` zones are counted and decide nothing. Whether data are secure, and which
mode holds, is weighed by who asks."""

from collections.abc import Sequence
from typing import Final, final

from policy.decision import (
    NEVER,
    NOTHING,
    PLAIN,
    Action,
    Asked,
    Decision,
    Facts,
    Hit,
    Names,
    Ranges,
    Selection,
)
from policy.rpz_action import Effect, local_data
from policy.rpz_client import NO_CLASSES, ClientClasses
from policy.rpz_zone import Match, PolicyZone
from resolver.model import Address, RRset, Type
from resolver.names import Name, from_wire

ALIASES_MAX: Final = 32
"""Names of a chain that are looked at: more than any resolution follows."""

SERVERS_MAX: Final = 256
"""Name servers that are looked at: 13 of 20 zones on the way."""

_TOLD = (Action.NXDOMAIN, Action.NODATA, Action.REWRITE)
_Found = tuple[PolicyZone, Match]


@final
class PolicyZones:
    """Some zones, the first first. ``classes``: of clients, whose rows are in the order of the
    zones; a question carries the number of the class of its client."""

    def __init__(self, zones: Sequence[PolicyZone], classes: ClientClasses = NO_CLASSES) -> None:
        self.zones = tuple(zones)
        self._rows = classes.rows
        bounds = {zone.terms.begins for zone in zones} | {zone.terms.ends for zone in zones}
        self._bounds = sorted(bounds - {-NEVER, NEVER})

    def on_question(self, asked: Asked) -> Decision:
        """See :class:`policy.decision.Rulebook`."""
        until = self._until(asked.wall)
        hits: tuple[Hit, ...] = ()
        waits = False
        for at, zone in enumerate(self.zones):
            if not zone.in_force(asked.wall):
                continue
            match = self._of_question(at, zone, asked)
            if match is None:
                waits = waits or (zone.by_result and zone.enabled)
            elif not zone.enabled:
                hits = (*hits, zone.hit(match))
            elif waits:
                return Decision(until=until, waits=True, pending=True)
            else:
                return _decision((zone, match), (), asked, asked.name, until, hits)
        if waits:
            return Decision(until=until, waits=True)
        if until == NEVER and not hits:
            return NOTHING
        return Decision(until=until, hits=hits)

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        """See :class:`policy.decision.Rulebook`."""
        until = self._until(asked.wall)
        hits: tuple[Hit, ...] = ()
        counted: set[int] = set()  # disabled zones that have matched
        chain = _chain(asked, facts)
        for stage, (name, aliases) in enumerate(chain):
            last = stage + 1 == len(chain)
            for at, zone in enumerate(self.zones):
                if at in counted or not zone.in_force(asked.wall):
                    continue
                match = self._of_stage(at, zone, asked, facts, name, last)
                if match is None:
                    continue
                if zone.enabled:
                    return _decision((zone, match), aliases, asked, name, until, hits)
                hits = (*hits, zone.hit(match))
                counted.add(at)
        return Decision(until=until, hits=hits)

    def uniform(self, zone: Name) -> Selection | None:
        """These zones choose no servers."""
        del zone
        return PLAIN

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        """All are in tables."""
        return ()

    def concerned_tables(self) -> Sequence[Names]:
        """The names of each zone."""
        return [zone.content.names for zone in self.zones if zone.by_name]

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        """Whether a trigger on name servers matches one of these."""
        del countries
        return any(zone.concerns_servers(names, addresses) for zone in self.zones)

    def concerns_servers(self) -> bool:
        """Whether a zone has triggers on name servers."""
        return any(zone.by_server for zone in self.zones)

    def concerned_ranges(self) -> Sequence[Ranges]:
        """The prefixes of each zone that has triggers on addresses in answers."""
        return [zone.content.ranges for zone in self.zones if zone.content.ranges is not None]

    def concerns_answers(self) -> bool:
        """Addresses are in ranges, and nothing else of an answer triggers."""
        return False

    def _of_question(self, at: int, zone: PolicyZone, asked: Asked) -> Match | None:
        if asked.client:
            match = zone.of_client(self._rows[asked.client][at])
            if match is not None:
                return match
        return zone.of_name(asked.name) if zone.by_name else None

    def _of_stage(
        self, at: int, zone: PolicyZone, asked: Asked, facts: Facts, name: Name, last: bool
    ) -> Match | None:
        if name == asked.name:
            match = self._of_question(at, zone, asked)
        else:
            match = zone.of_name(name) if zone.by_name else None
        if match is None and last and zone.by_address and facts.addresses:
            match = zone.of_addresses([address for address, _ in facts.addresses])
        if match is None and zone.by_server:
            match = zone.of_servers(name, facts.servers[:SERVERS_MAX])
        return match

    def _until(self, wall: float) -> float:
        for bound in self._bounds:
            if bound > wall:
                return bound
        return NEVER


def _decision(
    found: _Found,
    aliases: tuple[RRset, ...],
    asked: Asked,
    name: Name,
    until: float,
    hits: tuple[Hit, ...],
) -> Decision:
    """What a match leads to. ``name``: to which ``aliases`` led."""
    zone, match = found
    rule = zone.rule(match.trigger)
    hits = (*hits, zone.hit(match))
    action, records = _answer(match.effect, aliases, name, asked.rtype, zone.terms.ttl_max)
    told = zone.terms.ede if action in _TOLD else None
    return Decision(action, rule=rule, records=records, ede=told, until=until, hits=hits)


def _answer(
    effect: Effect, aliases: tuple[RRset, ...], name: Name, rtype: int, ttl_max: int
) -> tuple[Action, tuple[RRset, ...]]:
    """What is done, and the records for it."""
    action = effect.action
    if action is not Action.REWRITE:
        return action, aliases if action in _TOLD else ()
    records = local_data(effect, name, rtype, ttl_max)
    if records is None:
        return Action.NXDOMAIN, aliases
    return (Action.REWRITE if records else Action.NODATA), aliases + records


def _chain(asked: Asked, facts: Facts) -> list[tuple[Name, tuple[RRset, ...]]]:
    """The names from the question to the end of its aliases, each with what led to it."""
    chain: list[tuple[Name, tuple[RRset, ...]]] = [(asked.name, ())]
    if asked.rtype in (Type.CNAME, Type.ANY):
        return chain
    links = {rrset.name: rrset for rrset in facts.answer if rrset.rtype == Type.CNAME}
    name = asked.name
    before: tuple[RRset, ...] = ()
    while name in links and len(chain) < ALIASES_MAX:
        link = links.pop(name)
        before = (*before, link)
        name = from_wire(link.rdatas[0])
        chain.append((name, before))
    return chain
