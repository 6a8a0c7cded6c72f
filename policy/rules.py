"""Rules as values: what a rule matches on, what it does, who is accountable for it.

Responsible for the shape of a policy after it was read and checked, and for its canonical form:
policies that decide alike have equal forms. A rule matches when every criterion that it names does;
of the values of one criterion one is enough. Exact names, suffixes and lists are one criterion.

Source: RFC 8914 sections 4.16 to 4.19 (who ordered a block decides the extended error).

Limitations: a rule speaks of one name; the core asks for each name on a chain of aliases.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from policy.decision import NEVER, Action, Way
from policy.inputs import Mode
from policy.modes import Modes
from policy.prefixes import Network
from policy.spot import NOWHERE, Spot
from policy.views import View
from policy.windows import Window
from resolver.limits_policy import EXTRA_TEXT_OCTETS_MAX
from resolver.model import Address, Ede, RRset, Security, address_text
from resolver.names import Name, to_text

CODES = {
    "law": Ede.CENSORED,
    "court": Ede.CENSORED,
    "regulator": Ede.CENSORED,
    "operator": Ede.BLOCKED,
    "subscriber": Ede.FILTERED,
    "access": Ede.PROHIBITED,
}
"""Kinds of authority, and the extended error that tells of them: imposed on the operator from
outside (16), the operator's own (15), wished by the client (17), not for this client (18)."""


DOMESTIC = "domestic"
"""The list of the domestic zones of the border: those that are stated, and the top-level domains of
home."""


class Authority(NamedTuple):
    """Who stands behind a rule. ``kind`` is a key of :data:`CODES`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule matches on; an empty criterion matches everything."""

    names: tuple[Name, ...] = ()
    suffixes: tuple[Name, ...] = ()  # the name and all below it; those of lists among them
    lists: tuple[str, ...] = ()  # where some of the suffixes are from, for people
    types: frozenset[int] = frozenset()
    views: frozenset[int] = frozenset()  # numbers; 0: clients in no view
    server_countries: frozenset[str] = frozenset()
    server_as: frozenset[int] = frozenset()
    server_addresses: tuple[Network, ...] = ()
    server_names: tuple[Name, ...] = ()  # these and all below them
    answer_countries: frozenset[str] = frozenset()
    securities: frozenset[Security] = frozenset()
    window: Window | None = None

    @property
    def all_names(self) -> bool:
        """Whether the rule is not about some names only."""
        return not (self.names or self.suffixes or self.lists)

    @property
    def of_servers(self) -> bool:
        """Whether it asks for the name servers on the way to the answer."""
        return bool(
            self.server_countries or self.server_as or self.server_addresses or self.server_names
        )

    @property
    def of_result(self) -> bool:
        """Whether only the result of a resolution can tell."""
        return self.of_servers or bool(self.answer_countries or self.securities)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule does: ``way`` says how servers are chosen, or ``action`` what becomes of the
    answer; never both. ``records`` have the root as owner, in place of the name asked for."""

    way: Way | None = None
    action: Action = Action.NONE
    forwarder: str = ""
    forwarders: tuple[Address, ...] = ()
    records: tuple[RRset, ...] = ()

    @property
    def word(self) -> str:
        """The label value of metrics."""
        return self.way.value if self.way is not None else self.action.value

    @property
    def alters(self) -> bool:
        """Whether clients get another answer than the one there is."""
        return self.action in ALTERING

    @property
    def closes(self) -> bool:
        """Whether it may leave a lookup without any answer."""
        return self.way in (Way.DOMESTIC_ONLY, Way.MIRROR_ONLY)


FORGING = (Action.NXDOMAIN, Action.NODATA, Action.SINKHOLE, Action.REWRITE)
"""Actions that put something false in place of an answer."""

ALTERING = (*FORGING, Action.REFUSED, Action.DROP)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``begins`` and ``ends`` are wall times in seconds, the end not included."""

    name: str
    match: Match
    effect: Effect
    authority: Authority | None = None
    reference: str = ""
    begins: float = -NEVER
    ends: float = NEVER
    note: str = ""
    spot: Spot = NOWHERE

    @property
    def ede(self) -> tuple[int, str] | None:
        """What the client is told: a code by the kind of authority, and the reference."""
        if self.authority is None or self.effect.action is Action.DROP:
            return None
        if not (self.effect.alters or self.effect.closes):
            return None
        return int(CODES[self.authority.kind]), _shortened(self.reference, self.authority.name)


def _shortened(reference: str, authority: str) -> str:
    """As much of both as there is room for; the reference comes first."""
    text = f"{reference} ({authority})"
    octets = text.encode()
    if len(octets) <= EXTRA_TEXT_OCTETS_MAX:
        return text
    return octets[: EXTRA_TEXT_OCTETS_MAX - len("…".encode())].decode(errors="ignore") + "…"


class ZonePlace(NamedTuple):
    """Where among the rules a response policy zone is asked."""

    zone: str
    spot: Spot


class Forwarder(NamedTuple):
    """Servers in home that lookups may be handed to."""

    name: str
    addresses: tuple[Address, ...]
    spot: Spot


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A whole policy of rules, from one file or several."""

    items: tuple[Rule | ZonePlace, ...] = ()
    modes: Modes = field(default_factory=lambda: Modes(Mode.PREFER))
    views: tuple[View, ...] = ()
    forwarders: tuple[Forwarder, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules alone, in order."""
        return tuple(item for item in self.items if isinstance(item, Rule))

    @property
    def placed(self) -> tuple[str, ...]:
        """Response policy zones that have a place among the rules."""
        return tuple(item.zone for item in self.items if isinstance(item, ZonePlace))

    def digest(self) -> str:
        """SHA-256 in hex over the canonical form: equal when two policies decide alike."""
        content = {
            "modes": self.modes.canonical(),
            "views": [[v.name, sorted(map(str, v.clients)), v.rewrite_secure] for v in self.views],
            "items": [
                canonical(item) if isinstance(item, Rule) else {"rpz": item.zone}
                for item in self.items
            ],
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def canonical(rule: Rule) -> dict[str, object]:
    """All of a rule that decides, or that a client is told; as plain values."""
    effect = rule.effect
    return {
        "id": rule.name,
        "match": dict(_criteria(rule.match)),
        "effect": effect.word,
        "forwarders": [address_text(address) for address in effect.forwarders],
        "records": [[r.rtype, r.ttl, [data.hex() for data in r.rdatas]] for r in effect.records],
        "ede": rule.ede,
        "from": None if rule.begins == -NEVER else rule.begins,
        "until": None if rule.ends == NEVER else rule.ends,
    }


def _criteria(match: Match) -> Iterator[tuple[str, object]]:
    """The criteria that a match has, by the key under which files write them."""
    values: list[tuple[str, object]] = [
        ("name", sorted(map(to_text, set(match.names)))),
        ("suffix", sorted(map(to_text, set(match.suffixes)))),
        ("listed", sorted(match.lists)),
        ("type", sorted(match.types)),
        ("view", sorted(match.views)),
        ("server_country", sorted(match.server_countries)),
        ("server_as", sorted(match.server_as)),
        ("server_address", sorted(map(str, match.server_addresses))),
        ("server_name", sorted(map(to_text, match.server_names))),
        ("answer_country", sorted(match.answer_countries)),
        ("security", sorted(status.name.lower() for status in match.securities)),
    ]
    yield from ((key, value) for key, value in values if value)
    window = match.window
    if window is not None:
        hours = sorted(window.hours)
        yield "time", [sorted(window.days), [list(h) for h in hours], window.zone_name]
