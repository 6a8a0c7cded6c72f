"""Rules and decisions in words, for people.

Responsible for one sentence a rule, and for what a decision means. The words are those of the keys
in a policy file, so that a reader finds them there.

Limitations: long lists are cut short; moments are shown in UTC.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dns.rdata
import dns.rdataclass
import dns.rdatatype

from policy.decision import NEVER, Action, Decision, Way
from policy.engine import word_of
from policy.rule_units import DAYS, type_text
from policy.rules import Effect, Match, Rule, Ruleset
from policy.views import OTHERS
from policy.windows import ALL_DAY, Hours, Window
from resolver.model import address_text
from resolver.names import Name, to_text

SHOWN = 6  # values of a criterion in a sentence


def moment(wall: float) -> str:
    """A moment in UTC, to the minute."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M UTC")


def name_text(name: Name) -> str:
    """A name as files write it."""
    return to_text(name).rstrip(".") or "."


def few(values: Iterable[str]) -> str:
    """The first values of a list, and how many more there are."""
    all_of = list(values)
    more = f" and {len(all_of) - SHOWN} more" if len(all_of) > SHOWN else ""
    return ", ".join(all_of[:SHOWN]) + more


def view_name(ruleset: Ruleset, number: int) -> str:
    """The name of a view by its number."""
    return ruleset.views[number - 1].name if number else OTHERS


def match_words(match: Match, ruleset: Ruleset) -> str:
    """What a rule matches on."""
    parts = list(_match_parts(match, ruleset))
    return "; ".join(parts) if parts else "every lookup"


def _match_parts(match: Match, ruleset: Ruleset) -> Iterator[str]:
    names = [f"name {name_text(name)}" for name in match.names]
    names += [f"list {name}" for name in match.lists]
    if not match.lists:
        names += [f"{name_text(name)} and below" for name in match.suffixes]
    elif match.suffixes:
        names += [f"{len(match.suffixes)} suffixes in all"]
    if names:
        yield few(names)
    criteria = (
        ("type", sorted(map(type_text, match.types))),
        ("view", [view_name(ruleset, number) for number in sorted(match.views)]),
        ("server_country", sorted(match.server_countries)),
        ("server_as", [f"AS{number}" for number in sorted(match.server_as)]),
        ("server_address", list(map(str, match.server_addresses))),
        ("server_name", list(map(name_text, match.server_names))),
        ("answer_country", sorted(match.answer_countries)),
        ("security", sorted(status.name.lower() for status in match.securities)),
    )
    for key, values in criteria:
        if values:
            yield f"{key} {few(values)}"
    if match.window is not None:
        yield window_words(match.window)


def window_words(window: Window) -> str:
    """Days and hours."""
    days = "every day" if len(window.days) == 7 else few(DAYS[day] for day in sorted(window.days))
    hours = "" if window.hours == (ALL_DAY,) else " " + few(map(_hours, window.hours))
    return f"time {days}{hours} {window.zone_name}"


def _hours(hours: Hours) -> str:
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in hours)


def effect_words(effect: Effect) -> str:
    """What a rule does."""
    if effect.way is Way.FORWARD:
        return f"forward: {effect.forwarder} ({few(map(address_text, effect.forwarders))})"
    if effect.way is not None or effect.action is Action.PASS:
        return effect.word
    if effect.action is Action.REWRITE:
        return f"rewrite: {few(_records(effect))}"
    if effect.action is Action.SINKHOLE:
        return f"block: sinkhole {few(_records(effect))}"
    return f"block: {effect.word}"


def _records(effect: Effect) -> Iterator[str]:
    for rrset in effect.records:
        for rdata in rrset.rdatas:
            yield f"{type_text(rrset.rtype)} {_rdata(rrset.rtype, rdata)} (TTL {rrset.ttl})"


def _rdata(rtype: int, rdata: bytes) -> str:
    from_wire = dns.rdata.from_wire(
        dns.rdataclass.IN, dns.rdatatype.RdataType.make(rtype), rdata, 0, len(rdata)
    )
    return from_wire.to_text()


def dates_words(rule: Rule) -> str:
    """From when until when; empty: always."""
    begins = f"from {moment(rule.begins)}" if rule.begins > -NEVER else ""
    ends = f"until {moment(rule.ends)}" if rule.ends < NEVER else ""
    return " ".join(part for part in (begins, ends) if part)


def authority_words(rule: Rule) -> str:
    """Who ordered it, and on what ground; empty: nobody is named."""
    parts = [rule.reference] if rule.reference else []
    if rule.authority is not None:
        parts.append(f"{rule.authority.name} ({rule.authority.kind})")
    return ", ".join(parts)


def rule_words(rule: Rule, ruleset: Ruleset) -> str:
    """A rule in one sentence."""
    parts = [f"{effect_words(rule.effect)} for {match_words(rule.match, ruleset)}"]
    parts += [words for words in (dates_words(rule), authority_words(rule)) if words]
    return "; ".join(parts)


def decision_words(found: Decision) -> str:
    """What a decision means for a lookup."""
    if found.waits:
        way = found.selection.way.value
        return f"only the result can tell; until then servers are chosen by {way}"
    if not found.rule:
        return "no rule matches"
    if found.would:
        return f"nothing is done; rule {found.rule} would have it {found.would}"
    return f"{word_of(found)} by rule {found.rule}"
