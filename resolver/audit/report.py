"""The audit as plain values: names with verdicts and fixes, sums by zone, operator and country.

What tables, JSON, CSV and HTML show is made here, once.

Limitations: the operator of a server is the registrable domain of its name.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from resolver.audit.closure import Closure, Path, Zone
from resolver.audit.fixes import Fix, cheapest, lacking
from resolver.audit.verdict import Finding, Kind, Reaches, judge, reaches
from resolver.model import Verdict, address_text
from resolver.names import Name, to_text
from resolver.operators import operator_of

UNLOCATED = "unknown"
"""The country of an address whose place is not known."""


@dataclass(frozen=True, slots=True)
class Row:
    """One name."""

    name: str
    verdict: str  # in words
    kind: str  # "stays home", "survives a cut", "breaks"
    survives_bare: bool
    survives_with_root_mirror: bool
    survives_with_root_and_cctld_mirrors: bool
    breaks_at: str
    because: str
    fix: str  # empty: none is needed, or no single change does
    lacking: tuple[str, ...]  # zones without a server left, where no single change does
    outcome: str
    aliases: tuple[str, ...]
    zones: tuple[str, ...]  # all zones that the name depends on, in the order of need
    operators: tuple[str, ...]
    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """What hangs on one zone, operator or country: names that need it, names that break and would
    need a change of it."""

    what: str
    names: int
    breaks: int
    servers: int  # different addresses


@dataclass(frozen=True, slots=True)
class Report:
    """The whole audit."""

    home: tuple[str, ...]
    rows: tuple[Row, ...]
    zones: tuple[Sum, ...]
    operators: tuple[Sum, ...]
    countries: tuple[Sum, ...]
    verdicts: Mapping[str, int]
    exchanges: Mapping[str, int]  # by verdict
    exchanges_abroad_by_country: Mapping[str, int]
    mirrored: tuple[str, ...]
    seconds: float
    closure: Closure
    paths: Mapping[str, Path]
    reach: Reaches

    def plain(self) -> dict[str, object]:
        """Values for JSON; zones with every server and address."""
        return {
            "home": list(self.home),
            "mirrored": list(self.mirrored),
            "seconds": round(self.seconds, 3),
            "exchanges": dict(self.exchanges),
            "exchanges_abroad_by_country": dict(self.exchanges_abroad_by_country),
            "verdicts": dict(self.verdicts),
            "names": [asdict(row) for row in self.rows],
            "by_zone": [asdict(s) for s in self.zones],
            "by_operator": [asdict(s) for s in self.operators],
            "by_country": [asdict(s) for s in self.countries],
            "zones": {to_text(z.apex): zone_plain(z) for z in self.closure.zones.values()},
        }


def make_report(
    closure: Closure,
    paths: Mapping[Name, Path],
    home: Iterable[str],
    cctlds: frozenset[Name],
    mirrored: frozenset[Name],
    exchanges: Mapping[tuple[Verdict, str], int],
    seconds: float,
) -> Report:
    """Judge every name and sum up."""
    reach = reaches(closure, cctlds, mirrored)
    fixes: dict[tuple[object, ...], Fix | None] = {}
    rows, needs = [], {}
    for name, path in paths.items():
        finding = judge(closure, path, reach)
        key = (path.zones, path.stuck, path.outcome == "loop")
        if key not in fixes:
            fixes[key] = cheapest(closure, path, cctlds, mirrored)
        needs[to_text(name)] = needed = closure.needs(path)
        known = fixes[key] is None and path.stuck is None and path.outcome != "loop"
        lack = lacking(closure, path, reach.here) if known else ()
        rows.append(_row(closure, finding, fixes[key], lack, needed))
    by_verdict: Counter[str] = Counter()
    abroad: Counter[str] = Counter()
    for (verdict, country), count in exchanges.items():
        by_verdict[verdict.value] += count
        if verdict is not Verdict.DOMESTIC:
            abroad[_country(verdict, country)] += count
    return Report(
        tuple(sorted(home)),
        tuple(rows),
        *_sums(closure, rows, needs),
        _verdicts(rows),
        {verdict.value: by_verdict[verdict.value] for verdict in Verdict},
        dict(abroad.most_common()),
        tuple(sorted(map(to_text, mirrored))),
        seconds,
        closure,
        {to_text(name): path for name, path in paths.items()},
        reach,
    )


def _verdicts(rows: list[Row]) -> dict[str, int]:
    """Names by verdict, the best first; all that break together."""
    counted = Counter("breaks" if row.kind == "breaks" else row.verdict for row in rows)
    return {word: counted[word] for word in sorted(counted, key=lambda w: (w == "breaks", w))}


def _row(
    closure: Closure,
    finding: Finding,
    fix: Fix | None,
    lack: tuple[Name, ...],
    needed: tuple[Name, ...],
) -> Row:
    path = finding.path
    zones = [closure.zones[z] for z in needed]
    countries = {_country(s.verdict, s.country) for zone in zones for s in zone.sites()}
    return Row(
        to_text(path.name),
        finding.words,
        finding.kind.value,
        finding.bare,
        finding.root,
        finding.cctld,
        to_text(finding.breaks_at) if finding.breaks_at is not None else "",
        finding.because,
        fix.words if fix is not None else "",
        tuple(map(to_text, lack)),
        path.outcome,
        tuple(map(to_text, path.aliases)),
        tuple(map(to_text, needed)),
        tuple(sorted({to_text(operator_of(s.name)) for zone in zones for s in zone.servers})),
        tuple(sorted(countries)),
    )


def _sums(
    closure: Closure, rows: list[Row], needs: Mapping[str, tuple[Name, ...]]
) -> tuple[tuple[Sum, ...], tuple[Sum, ...], tuple[Sum, ...]]:
    """Sums by zone, operator and country; those with most broken names first."""
    servers: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for zone in closure.zones.values():
        for server in zone.servers:
            for site in server.sites:
                servers["zone", to_text(zone.apex)].add(site.address)
                servers["operator", to_text(operator_of(server.name))].add(site.address)
                servers["country", _country(site.verdict, site.country)].add(site.address)
    names: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        uses = [("operator", o) for o in row.operators] + [("country", c) for c in row.countries]
        for key in [("zone", z) for z in row.zones] + uses:
            names[key][0] += 1
            # A zone is charged with the names that break at it, the others with all they serve.
            names[key][1] += row.kind == Kind.BREAKS.value and (
                key[0] != "zone" or key[1] == row.breaks_at
            )

    def of(kind: str) -> tuple[Sum, ...]:
        sums = [
            Sum(what, used, broken, len(servers[k, what]))
            for (k, what), (used, broken) in names.items()
            if k == kind
        ]
        return tuple(sorted(sums, key=lambda s: (-s.breaks, -s.names, s.what)))

    return of("zone"), of("operator"), of("country")


def _country(verdict: Verdict, country: str) -> str:
    if country != "none":
        return country
    return UNLOCATED if verdict is Verdict.UNKNOWN else f"{verdict.value}, country open"


def fix_of(row: Row) -> str:
    """The fix in words; where no single change does, what is lacking."""
    if row.fix or row.kind == Kind.STAYS_HOME.value:
        return row.fix
    if not row.lacking:
        return "not known"
    return f"no single change; domestic servers are lacking for {', '.join(row.lacking)}"


def zone_plain(zone: Zone) -> dict[str, object]:
    """A zone with its name servers for JSON."""
    return {
        "parent": to_text(zone.parent),
        "servers": [
            {
                "name": to_text(server.name),
                "operator": to_text(operator_of(server.name)),
                "glue": server.glued,
                "parent_names_it": server.by_parent,
                "child_names_it": server.by_child,
                "addresses": [
                    {
                        "address": address_text(site.address),
                        "verdict": site.verdict.value,
                        "country": site.country,
                        "standing": site.standing.value,
                    }
                    for site in server.sites
                ],
            }
            for server in zone.servers
        ],
    }
