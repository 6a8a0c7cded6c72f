"""What is known of a name, told over DNS to clients that may know: TXT below a zone of our own.

``TXT www.example.in.where.inland.internal`` asks for what a lookup of ``www.example.in A``
met and would meet: rules, records, zone cut, servers with where they stand, and how the last lookup
of the client's own view went. Another type stands before the zone behind an underscore:
``www.example.in._mx.where.inland.internal``. Each TXT record is a list of ``key=value`` words that
begins with what it is about (after RFC 1464).

Nothing is asked of anybody and nothing is looked up: the books and caches are read as they stand,
so the zone can neither probe nor amplify. A name of which nothing is known does not exist
(RFC 2308). Data of records are not told, only how many there are and where their addresses stand;
of a name that a rule answers at once, nothing but the rule. The work and the size of an answer are
bounded, and no answer is kept: TTL 0.

Limitations: views are told of their own lookups only, but of all records in the cache, whoever
caused them to be there; what is below a name does not make the name exist.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, final

from policy.border import Policy
from policy.decision import Asked, Way
from policy.rule_units import read_type, type_text
from resolver import local
from resolver.compose import addresses_in
from resolver.core import Core
from resolver.decide import Decider, effect_of
from resolver.forge import ALTERING
from resolver.limits_where import (
    EXCHANGES_MAX,
    LINKS_MAX,
    NOTES_MAX,
    OCTETS_MAX,
    SERVERS_MAX,
    WORD_MAX,
)
from resolver.model import (
    Address,
    Books,
    Cached,
    CachedKind,
    Exchange,
    Question,
    Rcode,
    Reason,
    Result,
    Route,
    RRset,
    Type,
    address_text,
)
from resolver.names import ROOT, Name, ancestors, from_wire, is_subdomain, labels, to_text
from resolver.response import synthesise
from resolver.tags import NO_EFFECT, Effect

Line = tuple[str, ...]
"""The words of one record."""


class Note(NamedTuple):
    """How a lookup went. ``wall``: when it ended, seconds since the epoch."""

    wall: float
    rcode: int
    route: Route
    reason: Reason
    exchanges: int
    abroad: int
    trail: tuple[Exchange, ...]
    effect: Effect


@final
class Notes:
    """How the last lookups went of views that are told; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._notes: OrderedDict[tuple[int, Question], Note] = OrderedDict()

    def __len__(self) -> int:
        """Lookups that are remembered."""
        return len(self._notes)

    def put(
        self, view: int, question: Question, wall: float, rcode: int, books: Books, effect: Effect
    ) -> None:
        """A lookup has ended."""
        self._notes[view, question] = Note(
            wall,
            rcode,
            books.route,
            books.reason,
            books.exchanges,
            books.abroad,
            tuple(books.trail[:EXCHANGES_MAX]),
            effect,
        )
        self._notes.move_to_end((view, question))
        if len(self._notes) > NOTES_MAX:
            self._notes.popitem(last=False)

    def get(self, view: int, question: Question) -> Note | None:
        """The last lookup of a question for a view."""
        return self._notes.get((view, question))

    def clear(self) -> None:
        """Another policy: views have other numbers."""
        self._notes.clear()


@final
class WhereZone:
    """Answers below one zone, under one policy."""

    def __init__(self, zone: Name, core: Core, policy: Policy, decider: Decider, notes: Notes):
        self.zone = zone
        self._core = core
        self._policy = policy
        self._decider = decider
        self._notes = notes

    def answer(self, view: int, question: Question, now: float, wall: float) -> Result | None:
        """What a client of a view is told; ``None``: the question is not below the zone, or it is
        one for strangers, to whom the zone is empty (:mod:`resolver.local`)."""
        name = question.name
        if name == self.zone or not name.endswith(self.zone) or not is_subdomain(name, self.zone):
            return None
        if not self._decider.explains(view):
            return None
        about = _asked_about(Name(name[: len(name) - len(self.zone)] + b"\0"))
        lines = self._lines(view, about, now, wall) if about is not None else []
        soa = (local.soa(self.zone, ttl=0),)
        if not lines:
            return Result(Rcode.NXDOMAIN, authority=soa, cacheable=False)
        if question.rtype not in (Type.TXT, Type.ANY):
            return Result(Rcode.NOERROR, authority=soa, cacheable=False)
        return Result(Rcode.NOERROR, (RRset(name, Type.TXT, 0, _bounded(lines)),), cacheable=False)

    def _lines(self, view: int, about: Question, now: float, wall: float) -> list[Line]:
        """All that is known; nothing: the name is not."""
        lines: list[Line] = []
        source, known, name = "network", False, about.name
        passed: list[Name] = []
        zones: list[Name] = []
        while name not in passed and len(passed) < LINKS_MAX:
            passed.append(name)
            link = Question(name, about.rtype)
            made, way = self._rule(view, link, wall, lines)
            known |= made is not None
            if made:
                source = "policy"
                break
            if way in _ELSEWHERE:
                source = way.value
                break
            if local.zone_of(name, self._core.settings.local_zones) is not None:
                source, known = "local", True
                break
            self._cut(name, now, zones, lines)
            cached = self._core.records.find(name, about.rtype, now)
            if cached is None:
                source = "network"
                break
            source, known = "cache", True
            target = self._records(link, cached, lines)
            if target is None:
                break
            name = target
        note = self._notes.get(view, about)
        if note is not None:
            known = True
            lines += self._lookup(note, wall)
        if not known:
            return []
        first = ("about=name", f"name={to_text(about.name)}", f"type={type_text(about.rtype)}")
        policy = self._policy
        state = (f"source={source}", f"mode={policy.mode.value}", f"generation={policy.generation}")
        return [(*first, *state), *lines]

    def _rule(
        self, view: int, link: Question, wall: float, lines: list[Line]
    ) -> tuple[bool | None, Way]:
        """Whether a rule answers a name at once (``None``: no rule speaks of it), and how its
        servers are chosen."""
        asked = Asked(view, link.name, link.rtype, wall)
        decision = self._policy.rules.on_question(asked)
        effect = effect_of(decision)
        way = decision.selection.way
        if effect == NO_EFFECT and not decision.waits:
            return None, way
        words = ["about=rule", f"name={to_text(link.name)}", *_ruled(effect)]
        lines.append((*words, "waits=yes") if decision.waits else tuple(words))
        return decision.action in ALTERING and not decision.waits, way

    def _records(self, link: Question, cached: Cached, lines: list[Line]) -> Name | None:
        """What the cache holds of a name; the target of an alias."""
        rrset = cached.rrset
        words = ["about=records", f"name={to_text(link.name)}", f"type={type_text(link.rtype)}"]
        target = None
        if rrset is None:
            ttl = min((proof.ttl for proof in cached.proofs), default=0)
            kind = "nxdomain" if cached.kind is CachedKind.NXDOMAIN else "nodata"
        else:
            ttl, kind = rrset.ttl, "records"
            target = _target(rrset, link)
            if target is not None:
                kind = "alias"
        words += [f"kind={kind}", f"ttl={ttl}", f"security={cached.security.name.lower()}"]
        if rrset is not None:
            words.append(f"count={len(rrset.rdatas)}")
            addresses = addresses_in((rrset,))
            if target is None:
                words.append(f"destination={self._policy.destination(addresses, link.name).value}")
            if addresses:
                words.append(f"countries={self._countries(addresses)}")
        words += self._place(cached.origin) if cached.origin else ["address=local"]
        lines.append(tuple(words))
        return target

    def _cut(self, name: Name, now: float, seen: list[Name], lines: list[Line]) -> None:
        """The closest known cut above a name with its servers, or the copy that is closer."""
        core = self._core
        copy = core.mirrors.closest(name)
        for zone in ancestors(name):
            if zone in seen:
                return
            if copy is not None and copy.apex == zone:
                seen.append(zone)
                lines.append(("about=mirror", f"zone={to_text(zone)}", f"serial={copy.serial}"))
                return
            cut = core.cuts.get(zone, now)
            if cut is None or zone == ROOT:
                continue
            seen.append(zone)
            names = cut.names()
            lines.append(("about=zone", f"zone={to_text(zone)}", f"servers={len(names)}"))
            found = zip(names, core.records.addresses(names, now), strict=True)
            rows = [
                (server, address)
                for server, more in found
                for address in dict.fromkeys((*cut.addresses.get(server, ()), *map(Address, more)))
            ]
            told = "about=server", f"zone={to_text(zone)}"
            for server, address in rows[:SERVERS_MAX]:
                tier = self._policy.standing(address).tier
                words = f"server={to_text(server)}", *self._place(address), f"tier={tier}"
                lines.append((*told, *words))
            return

    def _lookup(self, note: Note, wall: float) -> list[Line]:
        """How the last lookup went."""
        try:
            rcode = Rcode(note.rcode).name
        except ValueError:
            rcode = str(int(note.rcode))
        summary = (
            "about=lookup", f"age={max(0, int(wall - note.wall))}", f"rcode={rcode}",
            f"route={note.route.value}", f"reason={note.reason.value}",
            f"exchanges={note.exchanges}", f"abroad={note.abroad}", *_ruled(note.effect),
        )  # fmt: skip
        return [summary, *(self._exchange(at, one) for at, one in enumerate(note.trail, 1))]

    def _exchange(self, number: int, exchange: Exchange) -> Line:
        """One of its exchanges: with the verdict of then, and the grade of now."""
        label = exchange.label
        return (
            "about=exchange", f"number={number}", f"zone={to_text(exchange.zone)}",
            f"server={to_text(exchange.server) if exchange.server else 'none'}",
            f"address={address_text(exchange.address)}", f"verdict={label.verdict.value}",
            f"country={label.country}", f"grade={self._policy.locate(exchange.address).grade}",
            f"tier={exchange.tier}", f"purpose={label.purpose.value}",
            f"reason={label.reason.value}", f"transport={exchange.transport.value}",
            f"outcome={exchange.outcome}", f"rtt={exchange.rtt * 1000:.1f}ms",
        )  # fmt: skip

    def _place(self, address: Address) -> list[str]:
        location = self._policy.locate(address)
        return [
            f"address={address_text(address)}",
            f"verdict={location.verdict.value}",
            f"country={location.country}",
            f"grade={location.grade}",
        ]

    def _countries(self, addresses: Iterable[Address]) -> str:
        return ",".join(dict.fromkeys(self._policy.locate(one).country for one in addresses))


_ELSEWHERE = (Way.FORWARD, Way.MIRROR_ONLY)
"""Selections under which neither the cache's records nor the zone's servers are used."""


def _ruled(effect: Effect) -> tuple[str, ...]:
    if effect == NO_EFFECT:
        return ()
    held = "yes" if effect.held else "no"
    return f"rule={effect.rule}", f"action={effect.action}", f"held={held}"


def _asked_about(rest: Name) -> Question | None:
    """The question that is meant by what stands before the zone; ``None``: there is none such."""
    parts = labels(rest)
    rtype = int(Type.A)
    if parts[-1].startswith(b"_"):
        try:
            rtype = read_type(parts[-1][1:].decode("ascii").upper())
        except (UnicodeDecodeError, ValueError):
            return None
        rest = Name(rest[: len(rest) - len(parts[-1]) - 2] + b"\0")
    return Question(rest, rtype) if rest != ROOT else None


def _target(rrset: RRset, link: Question) -> Name | None:
    """Where an alias leads that stands in the place of the records asked for."""
    if rrset.rtype == link.rtype and rrset.name == link.name:
        return None
    if rrset.rtype == Type.CNAME:
        return from_wire(rrset.rdatas[0])
    made = synthesise(rrset, link.name) if rrset.rtype == Type.DNAME else None
    return from_wire(made.rdatas[0]) if made is not None else None


def _bounded(lines: Sequence[Line]) -> tuple[bytes, ...]:
    """Rdata of TXT: a character-string for each word, as many records as fit."""
    out: list[bytes] = []
    room = OCTETS_MAX
    for at, line in enumerate(lines):
        words = [word.encode("ascii", "replace")[:WORD_MAX] for word in line]
        rdata = b"".join(bytes((len(word),)) + word for word in words)
        room -= len(rdata)
        if room < 0:
            left = b"left=%d" % (len(lines) - at)
            return (*out, b"\x0aabout=more" + bytes((len(left),)) + left)
        out.append(rdata)
    return tuple(out)


def where_zone(policy: Policy, decider: Decider | None, notes: Notes) -> WhereZone | None:
    """The zone as a policy has it; ``None`` when there is none, or no view is told."""
    if decider is None or not any(one.explain for one in policy.views):
        return None
    zone = decider.core.settings.where_zone
    return None if zone is None else WhereZone(zone, decider.core, policy, decider, notes)
