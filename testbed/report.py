"""The border report of a tour: what stayed at home, what left, where to and why.

Two independent counts meet here: the resolver's own (its ``/metrics``) and the world's (its servers
count every question on arrival). Each line says which of them it is from: [R] or [W].

Limitations: made for worlds whose truth is known; the report on real traffic is the ledger's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from testbed.clients import Heard
from testbed.model import HOME, World
from testbed.truth import Truth

WORST_ZONES: Final = 5
FAILURES_SHOWN: Final = 5

ROUTES: Final = {
    "local": "answered without asking anyone (cache, local data)",
    "domestic": "resolved inside the country",
    "escaped": "left the country at least once",
}
REASONS: Final = {
    "no_domestic_server": "the zone has no server at home",
    "domestic_failed": "its servers at home do not answer",
    "unlocated": "the server's country is not known",
    "policy": "policy",
}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Books:
    """Counts of the resolver and of the world at one moment, or between two."""

    metrics: Counter[tuple[str, Labels]] = field(default_factory=Counter)  # [R]
    roles: Counter[tuple[str, str]] = field(default_factory=Counter)  # [W] address, zone
    received: Counter[str] = field(default_factory=Counter)  # [W] questions by transport

    def since(self, earlier: "Books") -> "Books":
        """What was added after ``earlier``."""
        return Books(
            self.metrics - earlier.metrics,
            self.roles - earlier.roles,
            self.received - earlier.received,
        )

    def by(self, metric: str, label: str, **only: str) -> Counter[str]:
        """Sums of a metric by one label, of the series that carry the labels of ``only``."""
        out: Counter[str] = Counter()
        for (name, labels), value in self.metrics.items():
            given = dict(labels)
            if name == metric and all(given.get(key) == want for key, want in only.items()):
                out[given[label]] += value
        return out

    def total(self, metric: str) -> int:
        """Sum of all series of a metric."""
        return sum(value for (name, _), value in self.metrics.items() if name == metric)

    @property
    def abroad(self) -> Counter[str]:
        """Exchanges by country, of those that were not domestic."""
        sent = self.by("inland_exchanges_total", "country")
        return sent - self.by("inland_exchanges_total", "country", verdict="domestic")


def read_books(metrics: str, stats: Mapping[str, Any]) -> Books:
    """From the text of ``/metrics`` and the statistics of a world's backend."""
    books = Books()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name.endswith("_total"):
                labels = tuple(sorted(sample.labels.items()))
                books.metrics[sample.name, labels] += int(sample.value)
    for address, zone, count in stats["roles"]:
        books.roles[address, zone] += count
    for tally in stats["addresses"].values():
        for transport in ("udp", "tcp"):
            books.received[transport] += tally[transport]
    return books


@dataclass
class Phase:
    """One round of questions."""

    title: str
    books: Books
    heard: list[Heard]


def print_report(console: Console, world: World, phases: list[Phase], whole: Books) -> bool:
    """Print it; whether all that must hold did hold. ``whole``: counts since the start."""
    truth = Truth(world)
    console.print()
    console.rule(f"Border report: simulated country {HOME}", style="bold")
    console.print(
        f"World {world.name}, seed {world.seed}: {len(world.zones)} zones on"
        f" {len(world.servers)} name servers in {len(world.networks)} countries.\n"
        "[R] counted by the resolver (its /metrics)   [W] counted by the world's own servers",
        highlight=False,
        markup=False,
    )
    console.print(_lookups(phases))
    console.print(_why(phases))
    console.print(_worst_zones(truth, whole))
    _print_failures(console, phases)
    return _print_checks(console, truth, phases, whole)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False, box=None)
    table.add_column(columns[0], min_width=52, no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _share(part: int, whole: int) -> str:
    return f"{part}  {100 * part / whole:5.1f} %" if whole else str(part)


def _lookups(phases: list[Phase]) -> Table:
    table = _table("\nWhere lookups were resolved [R]", "", *(phase.title for phase in phases))
    totals = [phase.books.total("inland_lookups_total") for phase in phases]
    by_route = [phase.books.by("inland_lookups_total", "route") for phase in phases]
    for route, words in ROUTES.items():
        table.add_row(words, *(_share(c[route], t) for c, t in zip(by_route, totals, strict=True)))
    table.add_row("lookups in all", *map(str, totals), style="dim")
    per = [
        f"{phase.books.abroad.total() / total:.2f}" if total else "-"
        for phase, total in zip(phases, totals, strict=True)
    ]
    table.add_row("exchanges abroad per lookup", *per)
    return table


def _why(phases: list[Phase]) -> Table:
    table = _table("\nWhy lookups left, and where to [R]", "", *(phase.title for phase in phases))
    reasons = [phase.books.by("inland_escaped_lookups_total", "reason") for phase in phases]
    for reason, words in REASONS.items():
        if any(count[reason] for count in reasons):
            table.add_row(f"lookups: {words}", *(str(count[reason]) for count in reasons))
    countries = [phase.books.abroad for phase in phases]
    for country in sorted(set().union(*countries)):
        table.add_row(f"exchanges with {country}", *(str(count[country]) for count in countries))
    if table.row_count == 0:
        table.add_row("nothing left the country", *("" for _ in phases))
    return table


def _worst_zones(truth: Truth, whole: Books) -> Table:
    world = truth.world
    table = Table(
        title="\nZones that cost most exchanges abroad [W]",
        title_justify="left", title_style="bold", pad_edge=False, box=None,
    )  # fmt: skip
    table.add_column("zone", min_width=30)
    table.add_column("abroad", justify="right")
    table.add_column("countries")
    table.add_column("why, by the world's truth")
    abroad: Counter[str] = Counter()
    countries: dict[str, set[str]] = {}
    for (address, zone), count in whole.roles.items():
        server = world.servers[address]
        if not server.domestic:
            abroad[zone] += count
            countries.setdefault(zone, set()).add(server.country)
    for zone, count in abroad.most_common(WORST_ZONES):
        table.add_row(zone, str(count), " ".join(sorted(countries[zone])), _cause(truth, zone))
    return table


def _cause(truth: Truth, zone: str) -> str:
    if zone not in truth.world.delegations:
        return "asked by mistake: not its server"
    if truth.domestic_servers(zone):
        return "AVOIDABLE: a server at home is live"
    servers = truth.world.delegations[zone].all()
    if any(truth.world.servers[address].domestic for _, address in servers):
        return "its servers at home do not answer"
    return "it has no server at home"


def _print_failures(console: Console, phases: list[Phase]) -> None:
    wrong = [(phase.title, heard) for phase in phases for heard in phase.heard if heard.wrong]
    if not wrong:
        return
    console.print(f"\n{len(wrong)} answers are not the truth:", style="bold red")
    for title, heard in wrong[:FAILURES_SHOWN]:
        question = heard.question
        console.print(f"  {question.name} {question.rtype}: {heard.wrong} ({title})", markup=False)
    if len(wrong) > FAILURES_SHOWN:
        console.print(f"  … and {len(wrong) - FAILURES_SHOWN} more")


def _print_checks(console: Console, truth: Truth, phases: list[Phase], whole: Books) -> bool:
    asked = sum(len(phase.heard) for phase in phases)
    right = sum(not heard.wrong for phase in phases for heard in phase.heard)
    needless = whole.total("inland_needless_escapes_total")
    entries = _avoidable(truth, whole.roles)
    avoidable = sum(count for _, _, count in entries)
    sent, received = whole.total("inland_exchanges_total"), whole.received.total()
    checks = [
        (right == asked, f"answers equal to the truth: {right} of {asked}  [W]"),
        (needless == 0, f"needless escapes, by the resolver's own check: {needless}  [R]"),
        (avoidable == 0, f"avoidable exchanges abroad, by the world's truth: {avoidable}  [W]"),
        (
            sent == received,
            f"the books balance: {sent} questions sent [R], {received} received [W]",
        ),
    ]
    console.print("\nWhat must hold", style="bold")
    for good, words in checks:
        mark = "[green]yes[/green]" if good else "[bold red]NO [/bold red]"
        console.print(f"  {mark}  ", end="")
        console.print(words, highlight=False, markup=False)
    for address, zone, count in entries[:FAILURES_SHOWN]:
        console.print(f"       avoidable: {zone} at {address}, {count}", style="red", markup=False)
    return all(good for good, _ in checks)


def _avoidable(truth: Truth, roles: Mapping[tuple[str, str], int]) -> list[tuple[str, str, int]]:
    entries: Iterable[tuple[str, str, int]] = ((*key, count) for key, count in roles.items())
    return truth.avoidable_exchanges(entries)
