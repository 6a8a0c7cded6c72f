"""From the form of one rule to the rule, held against what it refers to.

Responsible for what an effect needs, for who is accountable, and for names of views, lists and
forwarders that a rule uses.

Limitations: what is wrong is collected, not raised; a rule with a fault is not made.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from policy.decision import NEVER, Action, Way
from policy.inputs import Mode
from policy.rule_file import FileRead, finding_at
from policy.rule_form import EffectForm, MatchForm, RuleForm
from policy.rule_units import moment_in, type_text
from policy.rules import Authority, Effect, Forwarder, Match, Rule
from policy.spot import Spot
from policy.views import OTHERS, View
from policy.windows import Window
from resolver.errors import Finding
from resolver.model import Address, RRset, Type, Verdict
from resolver.names import ROOT, Name


@dataclass(frozen=True, slots=True)
class Around:
    """What the rest of the configuration says. ``verdict``: where an address is; ``None`` when
    there is no border to ask. ``zones``: the response policy zones; ``None``: not known."""

    domestic: frozenset[Name] = frozenset()
    general: Mode = Mode.PREFER
    has_as_numbers: bool = False
    verdict: Callable[[Address], Verdict] | None = None
    zones: frozenset[str] | None = None


@dataclass(slots=True)
class Known:
    """What rules may refer to, and what was found wrong so far. ``complete``: all files could be
    read, so what is not here is nowhere."""

    around: Around
    complete: bool = True
    views: dict[str, tuple[int, View]] = field(default_factory=dict)  # number and view, by name
    forwarders: dict[str, Forwarder] = field(default_factory=dict)
    lists: dict[str, tuple[Name, ...]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def find(self, spot: Spot, message: str) -> None:
        """Note what is wrong there."""
        self.findings.append(finding_at(spot, message))

    def view_number(self, name: str, spot: Spot) -> int | None:
        """The number of a view; one that is not there is noted."""
        if name == OTHERS:
            return 0
        if name in self.views:
            return self.views[name][0]
        if self.complete:
            self.find(spot, f"no view {name}; {known_words('views', (*self.views, OTHERS))}")
        return None


def known_words(what: str, names: Iterable[str]) -> str:
    """What there is instead, for an error."""
    shown = sorted(names)
    more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    return f"known {what}: {', '.join(shown[:12])}{more}" if shown else f"there are no {what}"


@dataclass(slots=True)
class RuleMaker:
    """One rule, made from its form."""

    known: Known
    file: FileRead
    number: int
    form: RuleForm

    def _spot(self, *path: str | int) -> Spot:
        return self.file.spot("rules", self.number, *path)

    def _find(self, message: str, *path: str | int) -> None:
        self.known.find(self._spot(*path), message)

    def rule(self) -> Rule | None:
        """The rule; ``None`` when something is wrong with it."""
        form, before = self.form, len(self.known.findings)
        assert self.file.form is not None or not self.known.complete
        zone = self.file.form.timezone.info if self.file.form is not None else None
        begins, ends = -NEVER, NEVER
        if zone is not None:
            if form.begins is not None:
                begins = moment_in(form.begins, zone, end=False)
            if form.until is not None:
                ends = moment_in(form.until, zone, end=True)
        if begins >= ends:
            self._find("ends before it begins", "until")
        match, effect = self._match(form.match), self._effect(form.effect)
        self._accountable(effect)
        if effect.way is not None and match.of_result:
            self._find(
                "how servers are chosen cannot depend on what they answered; with server_…,"
                " answer_country and security use block, rewrite or pass",
                "effect",
            )
        if len(self.known.findings) > before:
            return None
        authority = form.authority
        return Rule(
            form.id,
            match,
            effect,
            Authority(authority.kind, authority.name) if authority is not None else None,
            form.reference or "",
            begins,
            ends,
            form.note or "",
            self._spot(),
        )

    def _accountable(self, effect: Effect) -> None:
        if not (effect.alters or effect.closes):
            return
        given = {
            "authority": self.form.authority,
            "reference": self.form.reference,
            "from": self.form.begins,
            "until": self.form.until,
        }
        missing = [key for key, value in given.items() if value is None]
        if missing:
            what = "changes or refuses answers" if effect.alters else "may refuse answers"
            self._find(f"{effect.word} {what}, so the rule needs {' and '.join(missing)}")

    def _match(self, form: MatchForm) -> Match:
        views = set()
        for index, name in enumerate(form.view):
            spot = self._spot("match", "view", index)
            if (number := self.known.view_number(name, spot)) is not None:
                views.add(number)
        suffixes = list(form.suffix)
        for index, name in enumerate(form.listed):
            if name in self.known.lists:
                suffixes += self.known.lists[name]
            elif self.known.complete:
                known = known_words("lists", self.known.lists)
                self._find(f"no list {name}; {known}", "match", "listed", index)
        if form.server_as and not self.known.around.has_as_numbers:
            self._find(
                "no file says which AS addresses are in; name one in border.as_numbers",
                "match",
                "server_as",
            )
        return Match(
            form.name,
            tuple(suffixes),
            form.listed,
            frozenset(form.type),
            frozenset(views),
            frozenset(form.server_country),
            frozenset(form.server_as),
            form.server_address,
            form.server_name,
            frozenset(form.answer_country),
            frozenset(form.security),
            self._window(form),
        )

    def _window(self, form: MatchForm) -> Window | None:
        if form.time is None or self.file.form is None:
            return None
        zone = form.time.timezone or self.file.form.timezone
        days = frozenset(day for days in form.time.days for day in days)
        return Window(days, form.time.hours, zone.info, zone.name)

    def _effect(self, form: EffectForm) -> Effect:
        if form.way == "pass":
            return Effect(action=Action.PASS)
        if form.way is not None:
            return Effect(way=Way(form.way))
        if form.forward is not None:
            found = self.known.forwarders.get(form.forward)
            if found is None and self.known.complete:
                names = known_words("forwarders", self.known.forwarders)
                self._find(f"no forwarder {form.forward}; {names}", "effect", "forward")
            addresses = found.addresses if found is not None else ()
            return Effect(way=Way.FORWARD, forwarder=form.forward, forwarders=addresses)
        if form.block is not None:
            return Effect(action=Action(form.block), records=_sinkhole(form))
        return Effect(action=Action.REWRITE, records=self._records(form))

    def _records(self, form: EffectForm) -> tuple[RRset, ...]:
        by_type: dict[int, list[bytes]] = {}
        for index, record in enumerate(form.rewrite):
            known = by_type.setdefault(record.rtype, [])
            if record.rdata in known:
                self._find("stands twice", "effect", "rewrite", index)
            known.append(record.rdata)
        types = self.form.match.type
        if types and Type.ANY not in types and not set(types) & set(by_type):
            asked = ", ".join(map(type_text, sorted(types)))
            self._find(f"no record is of a type that the rule matches ({asked})", "effect")
        return tuple(RRset(ROOT, t, int(form.ttl), tuple(d)) for t, d in by_type.items())


def _sinkhole(form: EffectForm) -> tuple[RRset, ...]:
    by_type: dict[int, list[bytes]] = {}
    for address in dict.fromkeys(form.addresses):
        rtype = Type.A if len(address) == 4 else Type.AAAA
        by_type.setdefault(int(rtype), []).append(bytes(address))
    return tuple(RRset(ROOT, t, int(form.ttl), tuple(d)) for t, d in by_type.items())
