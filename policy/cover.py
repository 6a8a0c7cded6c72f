"""Whether one rule matches whenever another does.

Responsible for a test that is sound: when it says so, it is so for every question, every result and
every moment from now on. It says nothing of rules that only together cover another.

Limitations: windows of time cover each other only when they are written alike.
"""

from collections.abc import Collection, Sequence

from policy.prefixes import Network
from policy.rules import Match, Rule
from resolver.names import Name, ancestors


def covers(one: Rule, other: Rule, views: int, now: float) -> bool:
    """Whether ``one`` matches whenever ``other`` does, from ``now`` on. ``views``: how many
    there are; clients in none of them are number 0."""
    a, b = one.match, other.match
    return (
        one.begins <= max(other.begins, now)
        and one.ends >= other.ends
        and _same_hours(a, b)
        and covers_names(a, b)
        and _within(b.types, a.types)
        and (_within(b.views, a.views) or a.views >= set(range(views + 1)))
        and _within(b.server_countries, a.server_countries)
        and _within(b.server_as, a.server_as)
        and _prefixes_within(b.server_addresses, a.server_addresses)
        and _names_within(b.server_names, a.server_names)
        and _within(b.answer_countries, a.answer_countries)
        and _within(b.securities, a.securities)
    )


def covers_names(a: Match, b: Match) -> bool:
    """Whether ``a`` speaks of every name that ``b`` speaks of."""
    if a.all_names:
        return True
    if b.all_names:
        return False
    suffixes, names = set(a.suffixes), set(a.names)
    return all(below(name, suffixes) for name in b.suffixes) and all(
        name in names or below(name, suffixes) for name in b.names
    )


def below(name: Name, suffixes: Collection[Name]) -> bool:
    """Whether a name is one of these or below one."""
    return any(zone in suffixes for zone in ancestors(name))


def _within(inner: frozenset[object], outer: frozenset[object]) -> bool:
    """Whether a criterion lets through no more than another; an empty one lets all through."""
    return not outer or (bool(inner) and inner <= outer)


def _names_within(inner: Sequence[Name], outer: Sequence[Name]) -> bool:
    return not outer or (bool(inner) and all(below(name, set(outer)) for name in inner))


def _prefixes_within(inner: Sequence[Network], outer: Sequence[Network]) -> bool:
    return not outer or (
        bool(inner) and all(any(prefix_within(a, b) for b in outer) for a in inner)
    )


def prefix_within(inner: Network, outer: Network) -> bool:
    """Whether a prefix lies in another."""
    if inner.version != outer.version or inner.prefixlen < outer.prefixlen:
        return False
    shift = inner.max_prefixlen - outer.prefixlen
    return int(inner.network_address) >> shift == int(outer.network_address) >> shift


def _same_hours(a: Match, b: Match) -> bool:
    one, other = a.window, b.window
    if one is None:
        return True
    return (
        other is not None
        and one.days == other.days
        and set(one.hours) == set(other.hours)
        and one.zone_name == other.zone_name
    )
