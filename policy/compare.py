"""Two policies side by side: what differs for lookups, rule by rule.

Responsible for telling rules that came, went, changed or moved, and what changed of views, modes
and forwarders. Texts and files are not compared, only what decides and what clients are told.

Limitations: rules are known by their identifiers; a rule under a new one has gone and come.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from policy.modes import ModeEntry
from policy.rules import Rule, Ruleset, ZonePlace, canonical
from policy.words import (
    authority_words,
    dates_words,
    effect_words,
    few,
    match_words,
    name_text,
    rule_words,
    view_name,
)
from resolver.model import address_text
from resolver.names import ROOT, Name


class Change(NamedTuple):
    """One difference. ``kind``: ``added``, ``removed``, ``changed`` or ``moved``."""

    kind: str
    subject: str
    words: str


def changes(old: Ruleset, new: Ruleset) -> list[Change]:
    """What the new policy does otherwise."""
    return [*_modes(old, new), *_views(old, new), *_forwarders(old, new), *_items(old, new)]


def _items(old: Ruleset, new: Ruleset) -> Iterator[Change]:
    before = {rule.name: rule for rule in old.rules}
    after = {rule.name: rule for rule in new.rules}
    for name, rule in before.items():
        if name not in after:
            yield Change("removed", f"rule {name}", rule_words(rule, old))
    for name, rule in after.items():
        if name not in before:
            yield Change("added", f"rule {name}", rule_words(rule, new))
        elif words := "; ".join(_rule(before[name], rule, old, new)):
            yield Change("changed", f"rule {name}", words)
    yield from _moved(_order(old), _order(new))


def _rule(one: Rule, other: Rule, old: Ruleset, new: Ruleset) -> Iterator[str]:
    was, now = canonical(one), canonical(other)
    if was["match"] != now["match"]:
        yield from _match(one, other, old, new)
    if any(was[key] != now[key] for key in ("effect", "forwarders", "records")):
        yield f"effect was {effect_words(one.effect)}, is {effect_words(other.effect)}"
    if (one.begins, one.ends) != (other.begins, other.ends):
        yield f"was {dates_words(one) or 'always'}, is {dates_words(other) or 'always'}"
    if (one.authority, one.reference) != (other.authority, other.reference):
        was_by, is_by = (authority_words(rule) or "nobody" for rule in (one, other))
        yield f"was by {was_by}, is by {is_by}"


def _match(one: Rule, other: Rule, old: Ruleset, new: Ruleset) -> Iterator[str]:
    named = False
    for what, before, after in (
        ("names", one.match.names, other.match.names),
        ("suffixes", one.match.suffixes, other.match.suffixes),
    ):
        for verb, gone in (
            ("no longer", set(before) - set(after)),
            ("now also", set(after) - set(before)),
        ):
            if gone:
                named = True
                yield f"{verb} {what} {few(sorted(map(name_text, gone)))}"
    was, now = match_words(one.match, old), match_words(other.match, new)
    if was != now and not named:
        yield f"matched {was}, matches {now}"


def _order(ruleset: Ruleset) -> list[str]:
    return [
        f"rpz {item.zone}" if isinstance(item, ZonePlace) else f"rule {item.name}"
        for item in ruleset.items
    ]


def _moved(old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """Items that are not in the longest run whose order stayed."""
    place = {name: at for at, name in enumerate(old)}
    common = [name for name in new if name in place]
    stayed = set(_longest_rising(common, place))
    for at, name in enumerate(common):
        if name not in stayed:
            after = f"after {common[at - 1]}" if at else "first"
            yield Change("moved", name, f"now stands {after}")
    for name in old:
        if name.startswith("rpz ") and name not in new:
            yield Change("removed", name, "has no place among the rules any more")
    for name in new:
        if name.startswith("rpz ") and name not in place:
            yield Change("added", name, "has a place among the rules now")


def _longest_rising(names: Sequence[str], place: dict[str, int]) -> Iterator[str]:
    ends: list[int] = []  # least place at which a run of each length ends
    last: list[int] = []
    previous: list[int] = []
    for at, name in enumerate(names):
        length = bisect_left(ends, place[name])
        previous.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(place[name])
            last.append(at)
        else:
            ends[length], last[length] = place[name], at
    at = last[-1] if last else -1
    while at >= 0:
        yield names[at]
        at = previous[at]


def _modes(old: Ruleset, new: Ruleset) -> Iterator[Change]:
    one, other = old.modes, new.modes
    if one.general is not other.general:
        yield Change("changed", "mode", f"was {one.general.value}, is {other.general.value}")
    before = {(_zone(e.zone), _of_view(e, old)): e.mode.value for e in one.entries}
    after = {(_zone(e.zone), _of_view(e, new)): e.mode.value for e in other.entries}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            was, now = (modes.get(key, "that of all") for modes in (before, after))
            yield Change(
                "changed", f"mode of {' '.join(filter(None, key))}", f"was {was}, is {now}"
            )
    yield from _names("enforced zones", one.enforced, other.enforced)


def _zone(zone: Name) -> str:
    return "" if zone == ROOT else name_text(zone)


def _of_view(entry: ModeEntry, ruleset: Ruleset) -> str:
    return "" if entry.view is None else f"view {view_name(ruleset, entry.view)}"


def _names(what: str, old: Iterable[Name], new: Iterable[Name]) -> Iterator[Change]:
    gone, come = set(old) - set(new), set(new) - set(old)
    if gone:
        yield Change("removed", what, few(sorted(map(name_text, gone))))
    if come:
        yield Change("added", what, few(sorted(map(name_text, come))))


def _views(old: Ruleset, new: Ruleset) -> Iterator[Change]:
    before, after = ({view.name: view for view in side.views} for side in (old, new))
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is None and now is not None:
            yield Change("added", f"view {name}", f"clients {few(map(str, now.clients))}")
        elif was is not None and now is None:
            yield Change("removed", f"view {name}", f"clients {few(map(str, was.clients))}")
        elif was is not None and now is not None:
            words = []
            if set(was.clients) != set(now.clients):
                words.append(f"clients are {few(map(str, now.clients))}")
            words += [
                f"{key} is {str(getattr(now, key)).lower()}"
                for key in ("rewrite_secure", "explain")
                if getattr(was, key) != getattr(now, key)
            ]
            if words:
                yield Change("changed", f"view {name}", "; ".join(words))


def _forwarders(old: Ruleset, new: Ruleset) -> Iterator[Change]:
    before, after = ({f.name: set(f.addresses) for f in side.forwarders} for side in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        kind = "added" if name not in before else "removed" if name not in after else "changed"
        shown = few(sorted(map(address_text, after.get(name) or before[name])))
        yield Change(kind, f"forwarder {name}", f"addresses {shown}")
