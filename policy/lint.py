"""What is right in a policy, but unwise or without effect.

Responsible for rules that can never match or are over, that an earlier rule hides, that treat
clients differently without saying why, that would cut domestic zones, that end soon, and that no
mode lets act. Each remark is certain: where the linter cannot know, it is silent.

Limitations: an earlier rule hides another only when it does so alone; what response policy zones
hold is not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from policy.cover import below, covers, prefix_within
from policy.evaluate import Index
from policy.prefixes import Network
from policy.rules import DOMESTIC, Match, Rule, Ruleset
from policy.spot import Spot
from resolver.limits_policy import SAID_MAX, SOON_DAYS
from resolver.model import Security, Type
from resolver.names import ROOT, Name, is_subdomain, to_text

_SOON = SOON_DAYS * 86_400
_WITH_ADDRESSES = {Type.A, Type.AAAA, Type.ANY}


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know. ``level``: ``error`` or ``warning``."""

    level: str
    spot: Spot
    message: str

    def __str__(self) -> str:
        line = f"line {self.spot.line}: " if self.spot.line else ""
        return f"{line}{self.spot.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What rules are judged by: domestic zones (``None``: not known) and prefixes, home, whether
    signatures are checked, and the time (seconds since the epoch)."""

    domestic: frozenset[Name] | None
    prefixes: tuple[Network, ...]
    home: frozenset[str]
    validating: bool
    now: float


def lint(ruleset: Ruleset, grounds: Grounds) -> list[Remark]:
    """All remarks, a bounded number of each kind."""
    linter = _Linter(ruleset, grounds)
    kinds = (
        linter.over,
        linter.never,
        linter.hidden,
        linter.cuts,
        linter.unequal,
        linter.unequal_modes,
        linter.powerless,
        linter.soon,
    )
    out = [remark for kind in kinds for remark in islice(kind(), SAID_MAX)]
    order = {source: number for number, source in enumerate(ruleset.sources)}
    out.sort(key=lambda r: (order.get(r.spot.source, 0), r.spot.line or 0))
    return out


def _date(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M UTC")


class _Linter:
    def __init__(self, ruleset: Ruleset, grounds: Grounds) -> None:
        self.ruleset = ruleset
        self.grounds = grounds
        self.index = Index(ruleset.rules)
        now = grounds.now
        self.alive = [rule for rule in ruleset.rules if rule.ends > now]
        known = grounds.domestic is not None
        self.told = [rule for rule in self.alive if known or DOMESTIC not in rule.match.lists]
        self.place = {rule.name: number for number, rule in enumerate(ruleset.rules)}

    def over(self) -> Iterator[Remark]:
        for rule in self.ruleset.rules:
            if rule.ends <= self.grounds.now:
                yield _warn(rule, f"{rule.name} is over since {_date(rule.ends)}; take it out")

    def soon(self) -> Iterator[Remark]:
        for rule in self.alive:
            if rule.ends <= self.grounds.now + _SOON:
                yield _warn(rule, f"{rule.name} ends soon: {_date(rule.ends)}")

    def never(self) -> Iterator[Remark]:
        for rule in self.told:
            if why := self._why_never(rule):
                yield _warn(rule, f"{rule.name} can never match: {why}")

    def _why_never(self, rule: Rule) -> str:
        match = rule.match
        if match.lists and not (match.names or match.suffixes):
            return "its lists hold no names"
        if match.window is not None:
            is_open, change = match.window.at(max(rule.begins, self.grounds.now))
            if not is_open and change >= rule.ends:
                return "its hours do not come before it ends"
        statuses = match.securities
        if statuses and not self.grounds.validating and Security.INDETERMINATE not in statuses:
            return "signatures are not checked, so the status of every answer is indeterminate"
        if match.answer_countries and match.types and not match.types & _WITH_ADDRESSES:
            return "answers of these types hold no addresses"
        return ""

    def hidden(self) -> Iterator[Remark]:
        for rule in self.told:
            earlier = self._hider(rule)
            if earlier is not None:
                words = f"{rule.name} never counts: {earlier.name} ({earlier.spot}) matches first"
                yield _warn(rule, words)

    def _hider(self, rule: Rule) -> Rule | None:
        """The first earlier rule that matches whenever this one does. Only those that may match
        one of its names are looked at: a rule that covers it is among them."""
        match, number = rule.match, self.place[rule.name]
        some = next(iter((*match.suffixes, *match.names)), ROOT)
        views = len(self.ruleset.views)
        for ready in self.index.candidates(some):
            if ready.number >= number:
                return None
            if covers(ready.rule, rule, views, self.grounds.now):
                return ready.rule
        return None

    def cuts(self) -> Iterator[Remark]:
        for rule in self.alive:
            if rule.effect.alters:
                partly = bool(
                    rule.match.types
                    or rule.match.views
                    or rule.match.window is not None
                    or rule.match.of_result
                )
                for words in islice(self._cut(rule), 3):
                    level = "warning" if partly else "error"
                    part = " for some lookups" if partly else ""
                    message = f"{rule.name} would cut {words}{part}"
                    yield Remark(level, rule.spot, message)

    def _cut(self, rule: Rule) -> Iterator[str]:
        match, home = rule.match, self.grounds.home
        if match.all_names and not match.of_result:
            yield "every domestic zone"
            return
        if match.all_names:
            if inside := sorted(match.server_countries & home):
                yield f"every zone with a name server in {', '.join(inside)}"
            if inside := sorted(match.answer_countries & home):
                yield f"every answer with an address in {', '.join(inside)}"
            for prefix in self.grounds.prefixes:
                if any(prefix_within(prefix, outer) for outer in match.server_addresses):
                    yield f"what is served from {prefix}, which is stated to be domestic"
        for zone in sorted(self.grounds.domestic or ()):
            text = to_text(zone).rstrip(".")
            if below(zone, match.suffixes) and not self._spared(rule, zone):
                yield f"the domestic zone {text}"
            if match.all_names and any(is_subdomain(zone, name) for name in match.server_names):
                yield f"what is served by name servers below {text}"

    def _spared(self, rule: Rule, zone: Name) -> bool:
        """Whether an earlier rule that alters nothing covers what this one does to a zone."""
        match: Match = replace(rule.match, names=(), suffixes=(zone,), lists=())
        part = replace(rule, match=match)
        number = self.place[rule.name]
        views = len(self.ruleset.views)
        return any(
            not ready.rule.effect.alters and covers(ready.rule, part, views, self.grounds.now)
            for ready in self.index.candidates(zone)
            if ready.number < number
        )

    def unequal(self) -> Iterator[Remark]:
        for rule in self.alive:
            if rule.match.views and not rule.reference:
                yield _warn(
                    rule, f"{rule.name} treats views differently without a reference that says why"
                )

    def unequal_modes(self) -> Iterator[Remark]:
        for entry in self.ruleset.modes.entries:
            if entry.view is not None and not entry.reference:
                message = "treats a view differently without a reference that says why"
                yield Remark("warning", entry.spot, message)

    def powerless(self) -> Iterator[Remark]:
        for rule in self.told:
            if not rule.effect.closes:
                continue
            match = rule.match
            zones = (ROOT,) if match.all_names else (*match.suffixes, *match.names)
            if not any(map(self.ruleset.modes.may_close, zones)):
                yield _warn(
                    rule,
                    f"{rule.name} only counts: no mode and list of zones enforces"
                    f" {rule.effect.word} for its names",
                )


def _warn(rule: Rule, message: str) -> Remark:
    return Remark("warning", rule.spot, message)
