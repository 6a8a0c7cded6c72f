"""The truth about a world: right answers, who could have served them, which escapes were avoidable.

A zone is reachable when its parent is, and a server of it serves and can be found: its address
comes as glue or its name's zone is reachable. The least such set is taken, so circles do not count.

Limitations: a name server's own name is never an alias; slow servers count as serving.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.model import Question, World
from testbed.zones import SERVFAIL, End, RRset, is_subdomain, lookup

CHAIN_MAX: Final = 16  # zones that a chain may visit; ours visit at most six


@dataclass(frozen=True, slots=True)
class State:
    """What has been done to a world while it runs."""

    cut: bool = False  # nothing passes the border
    down: frozenset[str] = frozenset()  # addresses made silent
    mirrored: frozenset[str] = frozenset()  # zones of which the resolver has a copy


@dataclass(frozen=True, slots=True)
class Expected:
    """The right answer: RCODE and the whole chain in order. SERVFAIL: nobody can serve it."""

    rcode: int
    answer: tuple[RRset, ...]
    zones: tuple[str, ...]  # holders of the chain's parts, in order


INTACT: Final = State()


@dataclass
class Truth:
    """Questions about a world; results are kept per state."""

    world: World
    _reachable: dict[State, frozenset[str]] = field(default_factory=dict)

    def serves(self, zone: str, address: str, state: State = INTACT) -> bool:
        """Whether a server gives the zone's data to who asks it."""
        server = self.world.servers[address]
        return (
            server.fault.serves
            and zone in server.zones
            and address not in state.down
            and (server.domestic or not state.cut)
        )

    def reachable(self, state: State = INTACT) -> frozenset[str]:
        """Zones that a resolver can get answers from (least fixed point)."""
        known = self._reachable.get(state)
        if known is None:
            found: set[str] = set()
            size = -1
            while len(found) != size:
                size = len(found)
                found.update(z for z in self.world.zones if self._reaches(z, found, state))
            known = self._reachable[state] = frozenset(found)
        return known

    def _reaches(self, zone: str, found: Iterable[str], state: State) -> bool:
        if zone in state.mirrored:
            return True
        delegation = self.world.delegations[zone]
        if zone != "." and delegation.parent not in found:
            return False
        return any(
            self.serves(zone, address, state) and self._has_address(zone, ns, found)
            for ns, address in delegation.parent_set
        )

    def _has_address(self, zone: str, ns: str, found: Iterable[str]) -> bool:
        """Whether a name server of the parent's set can be found: glue, or its zone answers."""
        if zone == "." or is_subdomain(ns, zone):
            return True
        parent_zone = self.world.zones[self.world.delegations[zone].parent]
        if parent_zone.get(ns, "A") is not None:
            return True
        return self.world.zone_of(ns, "A").name in found

    def expected(self, name: str, rtype: str, state: State = INTACT) -> Expected:
        """The right answer to a question."""
        answer: list[RRset] = []
        holders: list[str] = []
        for _ in range(CHAIN_MAX):
            zone = self.world.zone_of(name, rtype)
            holders.append(zone.name)
            if zone.name not in self.reachable(state):
                return Expected(SERVFAIL, (), tuple(holders))
            found = lookup(zone, name, rtype)
            answer += found.answer
            if found.end not in (End.ALIAS, End.REFERRAL):
                return Expected(found.rcode, tuple(answer), tuple(holders))
            assert found.target is not None
            name = found.target
        return Expected(SERVFAIL, (), tuple(holders))

    def domestic_servers(self, zone: str, state: State = INTACT) -> list[str]:
        """Domestic servers of the parent's set that serve the zone and can be found."""
        found = self.reachable(state)
        return [
            address
            for ns, address in self.world.delegations[zone].parent_set
            if self.world.servers[address].domestic
            and self.serves(zone, address, state)
            and self._has_address(zone, ns, found)
        ]

    def avoidable(self, zone: str, address: str, state: State = INTACT) -> bool:
        """Whether an exchange with an address, in its role for a zone, need not have left home.

        Servers that only the zone's own NS set names do not count: to learn of them one has to
        ask a server of the parent's set first.
        """
        server = self.world.servers.get(address)
        if server is None or server.domestic or zone not in self.world.zones:
            return False
        return bool(self.domestic_servers(zone, state))

    def avoidable_exchanges(
        self, roles: Iterable[tuple[str, str, int]], state: State = INTACT
    ) -> list[tuple[str, str, int]]:
        """Those of ``(address, zone, questions)``, as backends report them, that were avoidable."""
        return [entry for entry in roles if self.avoidable(entry[1], entry[0], state)]

    def questions(self) -> list[tuple[Question, Expected]]:
        """Every listed question with its answer."""
        return [(q, self.expected(q.name, q.rtype)) for q in self.world.questions]

    def export(self) -> dict[str, Any]:
        """All of it as plain data: zones with servers, servers, questions with answers."""
        island = State(cut=True)
        reach, reach_cut = self.reachable(), self.reachable(island)
        return {
            "world": self.world.name,
            "seed": self.world.seed,
            "zones": {
                name: {
                    "kind": zone.kind,
                    "parent": self.world.delegations[name].parent,
                    "reachable": name in reach,
                    "reachable_when_cut": name in reach_cut,
                    "servers": [self._server(name, ns, at) for ns, at in self._servers(name)],
                }
                for name, zone in sorted(self.world.zones.items())
            },
            "questions": [
                {
                    "name": question.name,
                    "type": question.rtype,
                    "tag": question.tag,
                    "rcode": expected.rcode,
                    "answer": [[r.name, r.rtype, r.ttl, list(r.rdatas)] for r in expected.answer],
                    "rcode_when_cut": self.expected(question.name, question.rtype, island).rcode,
                }
                for question, expected in self.questions()
            ],
        }

    def export_json(self) -> str:
        """:meth:`export` as JSON, the same text for the same world."""
        return json.dumps(self.export(), indent=1, sort_keys=True) + "\n"

    def _servers(self, zone: str) -> tuple[tuple[str, str], ...]:
        return self.world.delegations[zone].all()

    def _server(self, zone: str, ns: str, address: str) -> dict[str, Any]:
        server = self.world.servers[address]
        delegation = self.world.delegations[zone]
        return {
            "name": ns,
            "address": address,
            "country": server.country,
            "domestic": server.domestic,
            "live": self.serves(zone, address),
            "fault": server.fault.value,
            "latency_ms": round(server.latency * 1000),
            "parent_names_it": (ns, address) in delegation.parent_set,
            "child_names_it": (ns, address) in delegation.child_set,
        }
