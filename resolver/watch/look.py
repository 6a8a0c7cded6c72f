"""One look at a delegation: which questions are asked, and what their answers show.

Pure: a look is a generator that yields questions and is sent their results. Each is an ordinary
lookup, so tiers, hold-downs and quotas are those of clients' lookups, and nothing is asked abroad
that a lookup of the same question would not ask there. Two rules keep it closer to home still: a
question is not asked again before the TTL of its answer ends, and the addresses of name servers
outside the listed zones are only asked for when no server of the zone at home is known (a lookup in
the zone would then look them up as well); else they are those that the resolver happens to know.

The parent's set is that of the cut which lookups use: when it ends, the lookup of the zone's own NS
set begins at the parent (RFC 1034 section 4.3.2, RFC 2181 section 5.4.1). DS is asked of the parent
(RFC 4035 section 3.1.4.1).

Limitations: where the parent's servers serve the zone too, the parent's set is hidden behind it.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple, final

from resolver.core import Core
from resolver.delegation import Delegation
from resolver.limits_watch import WATCH_GAP_MAX, WATCH_NAMES_MAX, WATCH_RETRY_SECONDS
from resolver.model import Address, Question, Rcode, Result, Type, Verdict
from resolver.names import ROOT, Name, ancestors, from_wire
from resolver.watch.seen import Seen

Steps = Generator[Question, Result, Seen | None]
"""A look: yields questions, is sent results, returns what it saw; ``None``: nothing."""

Answer = Generator[Question, Result, "Part"]
Places = tuple[tuple[Name, tuple[Address, ...]], ...]


class Part(NamedTuple):
    """What one question has shown. ``rdatas`` is ``None`` when nothing; ``until``: when it is to be
    asked again, monotonic seconds."""

    rdatas: tuple[bytes, ...] | None
    until: float


class Terms(NamedTuple):
    """What looks keep to. ``listed``: zones whose names are at home; ``gap``: the least time
    between two questions for one set, seconds."""

    listed: frozenset[Name]
    gap: float


@final
class Looker:
    """Looks at one zone, again and again. ``clock``: monotonic seconds."""

    def __init__(self, core: Core, zone: Name, clock: Callable[[], float]) -> None:
        self._core = core
        self._zone = zone
        self._clock = clock
        self._parts: dict[Question, Part] = {}
        self._used: set[Question] = set()
        self._had_cut = False
        self._before = Seen(False)
        self._terms = Terms(frozenset(), 0.0)

    def due(self) -> float:
        """When the first of what the last look has shown ends."""
        return min((part.until for part in self._parts.values()), default=0.0)

    def look(self, before: Seen | None, terms: Terms, anew: bool = False) -> Steps:
        """A look. ``before``: what was known until now; ``anew``: whatever TTLs say."""
        self._before = before or Seen(False)
        self._terms = terms
        self._used = set()
        if anew:
            self._parts.clear()
        seen = yield from self._look()
        self._parts = {asked: part for asked, part in self._parts.items() if asked in self._used}
        return seen

    def _look(self) -> Steps:
        own = yield from self._ask(Question(self._zone, Type.NS))
        now = self._clock()
        cut = self._core.cuts.get(self._zone, now)
        if cut is None and own.rdatas is None:
            return None
        if cut is None and not own.rdatas:
            return Seen(False)
        self._end_with(cut, own, now)
        child = None if own.rdatas is None else tuple(sorted(set(map(from_wire, own.rdatas))))
        parent = None if cut is None else tuple(sorted(cut.parent))
        ds = None
        if self._zone != ROOT:
            ds = (yield from self._ask(Question(self._zone, Type.DS))).rdatas
        own_set = child if child is not None else self._before.child or ()
        names = tuple(dict.fromkeys((*(parent or ()), *own_set)))[:WATCH_NAMES_MAX]
        addresses: Places = ()
        if own.rdatas is not None:  # else what was known stands: their lookups would fail as well
            addresses = yield from self._addresses(names, cut)
        return Seen(True, parent, child, ds, addresses, own.rdatas is not None)

    def _end_with(self, cut: Delegation | None, own: Part, now: float) -> None:
        """What the parent said ends with the cut, so the question for NS is asked again then. A cut
        that ended while we asked the zone is looked for once more."""
        until = own.until
        if cut is not None or self._had_cut:
            until = min(until, max(cut.expires if cut else now, now + self._terms.gap))
        self._had_cut = cut is not None
        self._parts[Question(self._zone, Type.NS)] = own._replace(until=until)

    # --- one question --------------------------------------------------------------------------

    def _ask(self, question: Question) -> Answer:
        """The answer that still holds, or a new one."""
        self._used.add(question)
        part = self._parts.get(question)
        if part is None or part.until <= self._clock():
            result = yield question
            part = self._parts[question] = self._read(question, result)
        return part

    def _read(self, question: Question, result: Result) -> Part:
        now = self._clock()
        if result.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            return Part(None, now + WATCH_RETRY_SECONDS)
        found = [r for r in result.answer if (r.name, r.rtype) == question]
        rdatas = tuple(sorted({rdata for rrset in found for rdata in rrset.rdatas}))
        # Without records the SOA says for how long (RFC 2308 section 5); it stands first.
        ttls = [rrset.ttl for rrset in found or result.authority[:1]]
        life = min(max([self._terms.gap, *ttls]), WATCH_GAP_MAX)
        return Part(rdatas, now + life)

    # --- addresses -----------------------------------------------------------------------------

    def _addresses(
        self, names: tuple[Name, ...], cut: Delegation | None
    ) -> Generator[Question, Result, Places]:
        known: dict[Name, tuple[Address, ...]] = {}
        glue = cut.addresses if cut is not None else {}
        others = [name for name in names if not self._is_listed(name)]
        for name in names:
            if name not in others:
                known |= yield from self._asked(name, glue.get(name, ()))
        at_hand = {name: found for name in others if (found := self._at_hand(name, glue))}
        if self._any_at_home({**known, **at_hand}):
            known |= at_hand
        else:
            for name in others:
                known |= yield from self._asked(name, glue.get(name, ()))
        return tuple(sorted((name, tuple(sorted(set(found)))) for name, found in known.items()))

    def _is_listed(self, name: Name) -> bool:
        return any(zone in self._terms.listed for zone in ancestors(name))

    def _any_at_home(self, known: dict[Name, tuple[Address, ...]]) -> bool:
        standing = self._core.policy.standing
        return any(standing(a).verdict is Verdict.DOMESTIC for at in known.values() for a in at)

    def _asked(
        self, name: Name, glue: tuple[Address, ...]
    ) -> Generator[Question, Result, dict[Name, tuple[Address, ...]]]:
        """The addresses that the name's own zone gives it; what the parent says when it has none,
        since lookups use that."""
        found: list[Address] = []
        is_known = True
        for rtype, octets in self._families():
            part = yield from self._ask(Question(name, rtype))
            if part.rdatas is None:
                old = [a for a in dict(self._before.addresses).get(name, ()) if len(a) == octets]
                is_known &= bool(old)
                found += old
            else:
                found += self._core.usable(map(Address, part.rdatas))
        found = found or list(self._core.usable(glue))
        return {name: tuple(found)} if found or is_known else {}

    def _at_hand(self, name: Name, glue: dict[Name, tuple[Address, ...]]) -> tuple[Address, ...]:
        """The addresses of a name that is not asked for: what the records hold, else what was known
        before, else what the parent said. In this order, so that what lookups happen to have
        remembered makes no change."""
        (cached,) = self._core.records.addresses((name,), self._clock())
        before = dict(self._before.addresses).get(name, ())
        found: list[Address] = []
        for _, octets in self._families():
            for source in (map(Address, cached), before, glue.get(name, ())):
                if here := [address for address in source if len(address) == octets]:
                    found += here
                    break
        return self._core.usable(found)

    def _families(self) -> list[tuple[Type, int]]:
        settings = self._core.settings
        both = ((Type.A, 4, settings.ipv4), (Type.AAAA, 16, settings.ipv6))
        return [(rtype, octets) for rtype, octets, on in both if on]
