"""The border: where an address is, in which tier its server is asked, and what it counts as.

Responsible for the :class:`Policy`, the one immutable object that the core asks. It holds the
operator's prefixes, the listed zones, the addresses that are never asked and the sources of
evidence, and gives verdict, tier, reason and destination.

Limitations: modes are *prefer* and *observe*; interfaces are held but are not evidence yet.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from policy.cctld import country_zones
from policy.inputs import Mode, PolicyInputs, generation_of
from policy.place import Place
from policy.prefixes import Network, PrefixTable
from policy.sources import Source
from policy.special import ANYCAST, SPECIAL_USE
from policy.verdict import (
    NO_COUNTRY,
    Evidence,
    Location,
    Statement,
    by_operator,
    by_special_use,
    by_voices,
)
from resolver.limits import LOCATIONS_MAX
from resolver.model import (
    Address,
    Destination,
    Label,
    Purpose,
    Reason,
    Verdict,
    address_text,
)
from resolver.names import Name, ancestors

__all__ = ["Mode", "Policy", "make_policy"]


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
    statements: PrefixTable[Statement]
    never: PrefixTable[bool]
    sources: tuple[Source, ...]
    domestic_zones: frozenset[Name]
    place: Place | None
    _located: dict[Address, Location] = field(default_factory=dict, repr=False)
    _shared: dict[Location, Location] = field(default_factory=dict, repr=False)

    def locate(self, address: Address) -> Location:
        """The verdict on an address with all its evidence. The same answer for the whole life of
        the policy."""
        located = self._located.get(address)
        return located if located is not None else self._remember(address)

    def _remember(self, address: Address) -> Location:
        if len(self._located) >= LOCATIONS_MAX:
            # Dropping all is safe against floods: looking up again costs microseconds.
            self._located.clear()
            self._shared.clear()
        location = self._weigh(address)
        location = self._shared.setdefault(location, location)
        self._located[address] = location
        return location

    def _weigh(self, address: Address) -> Location:
        statement = self.statements.match(address)
        purpose = SPECIAL_USE.match(address)
        if statement is None and purpose is not None:
            return by_special_use(purpose)
        voices = () if purpose is not None else self._voices(address)
        if statement is not None:
            return by_operator(statement, voices)
        return by_voices(self.home, voices, ANYCAST.match(address))

    def _voices(self, address: Address) -> Sequence[Evidence]:
        text = address_text(address)
        return tuple(source.hear(text) for source in self.sources)

    def verdict(self, address: Address) -> Verdict:
        """Where the address is, without the evidence."""
        return self.locate(address).verdict

    def tier(self, address: Address) -> int:
        """Order in which the servers of a zone are asked: 0 domestic, 1 unknown, 2 foreign.

        In observe mode every server is in tier 0: selection as if there were no border.
        """
        if self.mode is Mode.OBSERVE:
            return 0
        verdict = self.verdict(address)
        if verdict is Verdict.DOMESTIC:
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
        location = self.locate(address)
        reason = self.reason(location.verdict, domestic_known)
        return Label(location.verdict, location.country, purpose, reason)

    def side(self, address: Address) -> int:
        """What an address in an answer says of the destination: 0 domestic, 1 foreign, 2 nothing
        (a special-use address that no statement covers)."""
        location = self.locate(address)
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
        at_home = any(zone in self.domestic_zones for zone in ancestors(name))
        return Destination.DOMESTIC if at_home else Destination.NONE

    def never_ask(self, address: Address) -> bool:
        """Whether nothing may ever be sent to this address."""
        return self.never.match(address) is not None


def make_policy(inputs: PolicyInputs, sources: Sequence[Source]) -> Policy:
    """Build the policy from checked inputs and open sources.

    Raises ``ValueError`` when a prefix is stated twice.
    """
    generation = generation_of(inputs, [source.identity for source in sources])
    return Policy(
        home=inputs.home,
        mode=inputs.mode,
        patience=inputs.patience,
        zones=inputs.zones,
        interfaces=inputs.interfaces,
        generation=generation,
        generation_number=int(generation[:16], 16) >> 1,
        statements=PrefixTable(_statements(inputs)),
        never=PrefixTable((network, True) for network in inputs.never_ask),
        sources=tuple(sources),
        domestic_zones=_top_levels(inputs) | frozenset(inputs.zones),
        place=inputs.place,
    )


def _top_levels(inputs: PolicyInputs) -> frozenset[Name]:
    return country_zones(inputs.home) if inputs.top_levels is None else inputs.top_levels


def _statements(inputs: PolicyInputs) -> Iterator[tuple[Network, Statement]]:
    # A home of one country leaves no doubt which country a domestic prefix is in.
    sole = next(iter(inputs.home)) if len(inputs.home) == 1 else NO_COUNTRY
    for entry in inputs.domestic:
        country = sole if entry.country == NO_COUNTRY else entry.country
        detail = f"border.domestic {entry.network}"
        yield entry.network, Statement(Verdict.DOMESTIC, country, detail)
    for entry in inputs.foreign:
        detail = f"border.foreign {entry.network}"
        yield entry.network, Statement(Verdict.FOREIGN, entry.country, detail)
