"""What a policy decides of a lookup: how its servers are chosen, and whether its answer is altered.

These values are what the rules (:mod:`policy.evaluate`), the response policy zones and the shadow
policy give, and all that the core and the listener's service take. A lookup has one effect: that of
the first rule that matches. Some rules can be held against the question alone; others need what the
resolution has found, so there are two moments: :meth:`Rulebook.on_question` before any work, and
:meth:`Rulebook.on_answer` when there is a result.

RFC 8914 (extended errors: 4 forged answer, 15 blocked, 16 censored, 17 filtered, 18 prohibited).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from resolver.model import Address, RRset, Security, Verdict, Word
from resolver.names import Name

NEVER: Final = float("inf")


class Way(Word):
    """How the servers of a lookup are chosen."""

    PREFER = "prefer"  # domestic first, then the rest
    DOMESTIC_ONLY = "domestic-only"  # domestic or not at all; fails closed
    MIRROR_ONLY = "mirror-only"  # local copies of zones only: no exchange at all
    ANY = "any"  # as if there were no border
    FORWARD = "forward"  # to named forwarders in home


class Action(Word):
    """What becomes of the answer. The values are the label values of the metric."""

    NONE = "none"  # nothing matched, or only how servers are chosen
    PASS = "pass"
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    REFUSED = "refused"
    DROP = "drop"
    SINKHOLE = "sinkhole"  # addresses of the operator's own
    REWRITE = "rewrite"  # records of the rule in place of what was asked for
    TRUNCATE = "truncate"  # over UDP: come back by TCP (response policy zones)


class Selection(NamedTuple):
    """How servers are chosen for a lookup and for all work done on its account.

    Equal selections may share one resolution. ``rule`` is part of it, since the client is told.
    """

    way: Way = Way.PREFER
    forwarders: tuple[Address, ...] = ()
    rule: str = ""


PLAIN: Final = Selection()


class Hit(NamedTuple):
    """A trigger of a response policy zone that matched. All but ``owner`` are of closed sets."""

    zone: str  # as the configuration calls it
    trigger: str  # client-ip, qname, ip, nsdname or nsip
    action: Action  # what the zone wants; what became of it is the decision's
    owner: Name  # of the trigger, without the name of the zone


class Decision(NamedTuple):
    """One effect with what made it. ``until``: wall time (seconds since the epoch) at which another
    decision may be due, since a rule begins or ends; nothing made under it lives longer.

    ``ede``: of an action it goes with the answer (beside code 4, forged answer, where
    ``records`` stand in it); of a selection it is told when the lookup fails under it.

    ``records`` of SINKHOLE and REWRITE are the answer. When they end with an alias and something
    else was asked for, its target is resolved without response policy zones, and follows. Of
    NXDOMAIN and NODATA they are the aliases from the question to the name that matched."""

    action: Action = Action.NONE
    selection: Selection = PLAIN
    rule: str = ""  # identifier of the rule, or of the response policy zone
    records: tuple[RRset, ...] = ()  # what stands in the answer: see below
    ede: tuple[int, str] | None = None  # what the client is told
    until: float = NEVER
    waits: bool = False  # only the result can tell whether an earlier rule matches
    would: str = ""  # effect that the mode, or the status secure, held back; counted, not done
    pending: bool = False  # with ``waits``: a rule has matched, unless an earlier one will
    hits: tuple[Hit, ...] = ()  # in response policy zones: disabled ones, then the one that decided


NOTHING: Final = Decision()


class Asked(NamedTuple):
    """One question with all that rules may ask of it before any work."""

    view: int  # class of clients (see :mod:`policy.views`); 0: all others
    name: Name
    rtype: int
    wall: float  # seconds since the epoch
    client: int = 0  # class of clients that response policy zones tell apart; 0: all others


class ServerFact(NamedTuple):
    """A name server of a zone on the way to the answer."""

    zone: Name
    name: Name
    address: Address | None  # None: not known
    verdict: Verdict
    country: str  # ISO 3166-1 alpha-2, or "none"


class Facts(NamedTuple):
    """What a resolution has found. ``addresses``: of the A and AAAA records in the answer, each
    with its country or "none"."""

    rcode: int
    answer: tuple[RRset, ...]
    addresses: tuple[tuple[Address, str], ...]
    servers: tuple[ServerFact, ...]
    security: Security


class Names(Protocol):
    """A table of names (``resolver._native.NameTable`` is one)."""

    def find(self, name: bytes) -> tuple[int, int] | None:
        """Whether the name, or a wildcard above it, is listed, and with what."""


class Ranges(Protocol):
    """A table of addresses (``resolver._native.RangeLayer`` is one)."""

    def steps(self) -> tuple[int, int]:
        """Its size: steps of IPv4 and of IPv6."""


class Rulebook(Protocol):
    """A policy's word on lookups. Immutable, bounded work, no clock and no chance of its own."""

    def on_question(self, asked: Asked) -> Decision:
        """Before any work. With ``waits`` the action is :attr:`Action.NONE`, the selection holds
        for the resolution, and :meth:`on_answer` is to be asked."""

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        """With the result of the resolution: the final word."""

    def uniform(self, zone: Name) -> Selection | None:
        """The one selection that holds for every name at and below a zone, every view and every
        time, names of :meth:`concerned` apart; ``None`` when there is no such."""

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        """Names for which rules may alter an answer or choose otherwise for some view or time;
        true: with everything below it. Native leaves questions for them to Python. Rules for all
        names that ask only for servers, or for what an answer holds, are not among them: see
        the next two."""

    def concerned_tables(self) -> Sequence[Names]:
        """More such names, too many to be listed one by one. A name that an answer leads to by an
        alias concerns the rulebook like the name of a question."""

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        """Whether a rule may match on these name servers: then no plan is made for their zone.
        ``countries``: of the addresses, in their order; left out, any country is possible."""

    def concerns_answers(self) -> bool:
        """Whether some rule for all names matches on what an answer holds, or on its status, apart
        from :meth:`concerned_ranges`."""

    def concerns_servers(self) -> bool:
        """Whether some rule for all names matches on name servers: then :meth:`concerned_servers`
        is asked, and again when more is known of them."""

    def concerned_ranges(self) -> Sequence[Ranges]:
        """Addresses on which a rule for all names matches where they stand in an answer. Native
        leaves such answers to Python."""


class Silent:
    """The rulebook without rules."""

    def on_question(self, asked: Asked) -> Decision:
        """Nothing matches."""
        del asked
        return NOTHING

    def on_answer(self, asked: Asked, facts: Facts) -> Decision:
        """Nothing matches."""
        del asked, facts
        return NOTHING

    def uniform(self, zone: Name) -> Selection | None:
        """The plain selection, everywhere."""
        del zone
        return PLAIN

    def concerned(self) -> Sequence[tuple[Name, bool]]:
        """No name."""
        return ()

    def concerned_tables(self) -> Sequence[Names]:
        """None."""
        return ()

    def concerned_servers(
        self,
        names: Sequence[Name],
        addresses: Sequence[Address],
        countries: Sequence[str] | None = None,
    ) -> bool:
        """None is."""
        del names, addresses, countries
        return False

    def concerns_answers(self) -> bool:
        """None does."""
        return False

    def concerns_servers(self) -> bool:
        """None does."""
        return False

    def concerned_ranges(self) -> Sequence[Ranges]:
        """None."""
        return ()
