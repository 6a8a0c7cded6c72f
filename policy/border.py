"""The border: where an address is, in which tier its server is asked, and what it counts as.

Responsible for the :class:`Policy`, the one immutable object that the core asks. It holds the
operator's prefixes, the listed zones, the addresses that are never asked and the sources of
evidence, and gives verdict, tier, reason and destination. What all sources say of an address comes
from one search of the compiled table; each combination of voices is weighed once.

Limitations: the mode here is that of choosing servers where no rule speaks; rules have modes of
their own (:mod:`policy.modes`). Proofs, claims and ways may change a verdict while the policy is in
force; destinations do not follow them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from policy.as_numbers import AsNumbers
from policy.cctld import country_zones
from policy.decision import Rulebook, Silent
from policy.findings import Findings, Ways
from policy.inputs import Mode, PolicyInputs, generation_of
from policy.place import Place
from policy.prefixes import Network, PrefixTable
from policy.rules import Ruleset
from policy.sources import Registry, Source, Table
from policy.verdict import (
    NO_COUNTRY,
    Claim,
    Egress,
    Heard,
    Location,
    Origin,
    Proof,
    Statement,
    weigh,
)
from policy.views import ClientClass
from resolver.limits import LOCATIONS_MAX
from resolver.model import (
    Address,
    Destination,
    Label,
    Purpose,
    Reason,
    Standing,
    Verdict,
)
from resolver.names import Name, ancestors

__all__ = ["Mode", "Policy", "Voices", "make_policy"]


@dataclass(frozen=True, slots=True)
class Voices:
    """The sources in the order of the table's columns. The first column is the operator's
    statements, the second special use; then anycast lists, then the rest."""

    table: Table
    statements: tuple[Statement, ...]
    special_use: tuple[str, ...]
    anycast: tuple[Source, ...]
    sources: tuple[Source, ...]
    registry: Registry | None = None  # asked at each decision

    def origins(self) -> tuple[Origin, ...]:
        """Of all sources of evidence, the operator apart."""
        own = (self.registry.origin,) if self.registry else ()
        return (*own, *(source.origin for source in (*self.sources, *self.anycast)))

    def hear(self, combination: int, code: str | None) -> Heard:
        """What they say where the table holds ``combination`` and the registry says ``code``."""
        stated, special, *said = self.table.values(combination)
        lists = len(self.anycast)
        known = [
            source.say(value)
            for source, value in zip(self.anycast, said[:lists], strict=True)
            if value
        ]
        voices = [self.registry.say(code)] if self.registry else []
        voices += [
            source.say(value) for source, value in zip(self.sources, said[lists:], strict=True)
        ]
        return Heard(
            self.statements[stated - 1] if stated else None,
            self.special_use[special - 1] if special else None,
            tuple(known),
            tuple(voices) if not special else (),
        )


Key = tuple[int, str | None, Egress | None, Proof | Claim | None]
"""A combination of the table, what the registry says, and what holds only for now."""

Stood = tuple[Standing, Egress | None, Proof | Claim | None]
"""What an address is as a server, and what of that holds only for now."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Everything that decides where a question may go. Two policies of one generation decide
    alike. Not for use by several threads at once: verdicts are remembered without a lock."""

    home: frozenset[str]
    mode: Mode
    patience: float  # seconds
    zones: tuple[Name, ...]
    interfaces: tuple[tuple[str, Verdict], ...]
    generation: str
    generation_number: int
    never: PrefixTable[bool]
    voices: Voices
    domestic_zones: frozenset[Name]
    place: Place | None
    findings: Findings | None = None
    ways: Ways | None = None
    as_numbers: AsNumbers | None = None
    rules: Rulebook = field(default_factory=Silent)
    shadow: Rulebook | None = None  # tried beside: only counted
    views: tuple[ClientClass, ...] = ()  # classes of clients, from number 1
    ruleset: Ruleset | None = None  # what ``rules`` was made of, to be read
    shadow_ruleset: Ruleset | None = None
    ground: str = ""  # the generation without rules
    _weighed: dict[Key, Location] = field(default_factory=dict, repr=False)
    # Not handed on to a policy that is made from this one by ``replace``: it may say otherwise.
    _standings: dict[Address, Stood] = field(default_factory=dict, init=False, repr=False)
    _labels: dict[tuple[Verdict, str, Purpose, bool], Label] = field(
        default_factory=dict, init=False, repr=False
    )

    def locate(self, address: Address) -> Location:
        """The verdict on an address with all its evidence, as it is now."""
        return self._locate(
            address,
            self.ways.to(address) if self.ways is not None else None,
            self.findings.of(address) if self.findings is not None else None,
        )

    def _locate(
        self, address: Address, egress: Egress | None, finding: Proof | Claim | None
    ) -> Location:
        voices = self.voices
        code = None
        if voices.registry is not None:
            # IPv6 in full is valid text too, and quick to make.
            if len(address) == 4:
                text = f"{address[0]}.{address[1]}.{address[2]}.{address[3]}"
            else:
                text = address.hex(":", 2)
            code = voices.registry.get(text)
        key = (voices.table.find(address), code, egress, finding)
        location = self._weighed.get(key)
        return location if location is not None else self._weigh(key)

    def _weigh(self, key: Key) -> Location:
        combination, code, egress, finding = key
        if len(self._weighed) >= LOCATIONS_MAX:
            self._weighed.clear()
        location = weigh(self.home, self.voices.hear(combination, code), egress, finding)
        self._weighed[key] = location
        return location

    def standing(self, address: Address) -> Standing:
        """What the address is as a server: all that the choice of one depends on.

        Remembered with what was found out of the address and the way to it: while these are the
        same, so is the answer.
        """
        egress = self.ways.to(address) if self.ways is not None else None
        finding = self.findings.of(address) if self.findings is not None else None
        known = self._standings.get(address)
        if known is not None:
            standing, by_egress, by_finding = known
            if by_finding is finding and (by_egress is egress or by_egress == egress):
                return standing
        location = self._locate(address, egress, finding)
        verdict, country = location.verdict, location.country
        never, claimed = self.never_ask(address), self._is_claimed(location)
        standing = Standing(verdict, country, self._tier(verdict), never, claimed)
        if len(self._standings) >= LOCATIONS_MAX:
            self._standings.clear()
        self._standings[address] = standing, egress, finding
        return standing

    def verdict(self, address: Address) -> Verdict:
        """Where the address is, without the evidence."""
        return self.locate(address).verdict

    def tier(self, address: Address) -> int:
        """Order in which the servers of a zone are asked: 0 domestic, 1 unknown, 2 foreign.

        In observe mode every server is in tier 0: selection as if there were no border.
        """
        return self._tier(self.verdict(address))

    def _is_claimed(self, location: Location) -> bool:
        return location.grade == "claim" and self.mode is not Mode.OBSERVE

    def _tier(self, verdict: Verdict) -> int:
        if verdict is Verdict.DOMESTIC or self.mode is Mode.OBSERVE:
            return 0
        return 1 if verdict is Verdict.UNKNOWN else 2

    def reason(self, verdict: Verdict, domestic_known: bool) -> Reason:
        """Why an exchange with an address of this verdict is not domestic.

        ``domestic_known``: the zone has a domestic server that could have been asked.
        """
        if verdict is Verdict.DOMESTIC:
            return Reason.NONE
        if domestic_known:
            return Reason.POLICY if self.mode is Mode.OBSERVE else Reason.DOMESTIC_FAILED
        return Reason.UNLOCATED if verdict is Verdict.UNKNOWN else Reason.NO_DOMESTIC_SERVER

    def label(self, address: Address, purpose: Purpose, domestic_known: bool) -> Label:
        """What an exchange with this address is counted under."""
        verdict, country, *_ = self.standing(address)
        key = (verdict, country, purpose, domestic_known)
        label = self._labels.get(key)
        if label is None:
            label = Label(verdict, country, purpose, self.reason(verdict, domestic_known))
            self._labels[key] = label
        return label

    def side(self, address: Address) -> int:
        """What an address in an answer says of the destination: 0 domestic, 1 foreign, 2 nothing
        (a special-use address that no statement covers). The same for the whole life of the
        policy, since native remembers it: proofs and ways do not count here."""
        location = self._locate(address, None, None)
        if location.evidence and location.evidence[0].source == "special-use":
            return 2
        return 0 if location.verdict is Verdict.DOMESTIC else 1

    def destination(self, addresses: Iterable[Address], name: Name) -> Destination:
        """Where a lookup was bound: by the addresses in the answer, without any by the zone.

        Domestic when every address is, foreign when none is, else mixed: an address of unknown
        place counts as not domestic. Special-use addresses that no statement covers (loopback,
        block-list codes) have no place and are left out. Without addresses: domestic for names
        under a listed zone or a country's top-level domain of home, else none.
        """
        sides = set()
        for address in addresses:
            side = self.side(address)
            if side != 2:
                sides.add(side == 0)
        if len(sides) == 2:
            return Destination.MIXED
        if sides:
            return Destination.DOMESTIC if sides.pop() else Destination.FOREIGN
        return Destination.DOMESTIC if self.at_home(name) else Destination.NONE

    def at_home(self, name: Name) -> bool:
        """Whether a name is under a listed zone or a country's top-level domain of home."""
        return any(zone in self.domestic_zones for zone in ancestors(name))

    def never_ask(self, address: Address) -> bool:
        """Whether nothing may ever be sent to this address."""
        return self.never.match(address) is not None


def make_policy(inputs: PolicyInputs, voices: Voices) -> Policy:
    """Build the policy from checked inputs and compiled sources."""
    origins = voices.origins()
    generation = generation_of(inputs, [f"{o.source} {o.date} {o.digest}" for o in origins])
    return Policy(
        home=inputs.home,
        mode=inputs.mode,
        patience=inputs.patience,
        zones=inputs.zones,
        interfaces=inputs.interfaces,
        generation=generation,
        generation_number=int(generation[:16], 16) >> 1,
        never=PrefixTable((network, True) for network in inputs.never_ask),
        voices=voices,
        domestic_zones=_top_levels(inputs) | frozenset(inputs.zones),
        place=inputs.place,
    )


def _top_levels(inputs: PolicyInputs) -> frozenset[Name]:
    return country_zones(inputs.home) if inputs.top_levels is None else inputs.top_levels


def statements_of(inputs: PolicyInputs) -> Iterator[tuple[Network, Statement]]:
    """What the operator states of prefixes."""
    # A home of one country leaves no doubt which country a domestic prefix is in.
    sole = next(iter(inputs.home)) if len(inputs.home) == 1 else NO_COUNTRY
    for entry in inputs.domestic:
        country = sole if entry.country == NO_COUNTRY else entry.country
        detail = f"border.domestic {entry.network}"
        yield entry.network, Statement(Verdict.DOMESTIC, country, detail)
    for entry in inputs.foreign:
        detail = f"border.foreign {entry.network}"
        yield entry.network, Statement(Verdict.FOREIGN, entry.country, detail)
