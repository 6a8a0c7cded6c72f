"""Views for tests of the page, and the page read back as a browser's tree would give it."""

import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser

from resolver.names import from_text
from resolver.page.history import Interval
from resolver.page.samples import Samples
from resolver.page.view import View
from resolver.worst import Cost, Ranking

VOID = {"meta", "link", "br", "hr", "img", "input"}
TAKEN = 1_795_355_107.0

Row = tuple[str, Mapping[str, str], float]

NOTHING: tuple[Row, ...] = (
    ("inland_policy_info", {"generation": "abc", "mode": "prefer"}, 1.0),
    ("inland_build_info", {"version": "0.1", "python": "3"}, 1.0),
)


def some(times: int = 1) -> list[Row]:
    """A resolver that has worked."""
    lookups = {"local": 800, "domestic": 150, "escaped": 50}
    rows: list[Row] = [
        ("inland_lookups_total", {"transport": "udp", "route": r, "destination": "none"}, n * times)
        for r, n in lookups.items()
    ]
    rows += [
        ("inland_escaped_lookups_total", {"reason": reason, "destination": to}, count * times)
        for reason, to, count in (
            ("no_domestic_server", "foreign", 30),
            ("no_domestic_server", "domestic", 8),
            ("unlocated", "none", 12),
            ("policy", "none", 0),
        )
    ]
    for verdict, country, reason, sent in (
        ("domestic", "XA", "none", 200),
        ("foreign", "XB", "no_domestic_server", 45),
        ("unknown", "none", "unlocated", 12),
    ):
        where = {"verdict": verdict, "country": country, "transport": "udp"}
        why = {"purpose": "answer", "reason": reason}
        rows.append(("inland_exchanges_total", where | why, sent * times))
        for direction in ("sent", "received"):
            rows.append(
                ("inland_exchange_bytes_total", where | {"direction": direction}, 60.0 * sent)
            )
    rows += [
        ("inland_mirror_state", {"zone": ".", "state": "current"}, 1.0),
        ("inland_mirror_state", {"zone": ".", "state": "absent"}, 0.0),
        ("inland_mirror_records", {"zone": "."}, 24_891.0),
        ("inland_mirror_serial", {"zone": "."}, 2026112200.0),
        ("inland_mirror_age_seconds", {"zone": "."}, 1_234.5),
        ("inland_mirror_bytes", {"zone": "."}, 3e6),
        ("inland_mirror_state", {"zone": "xa.", "state": "absent"}, 1.0),
        ("inland_mirror_refusals_total", {"zone": "xa.", "why": "unreachable"}, 3.0),
        ("inland_proofs", {"grade": "strict"}, 7.0),
        ("inland_proofs", {"grade": "fibre"}, 2.0),
        (
            "inland_evidence_info",
            {"source": "registry iptocc", "date": "2026-11-01", "sha256": "ab" * 32},
            1.0,
        ),
        ("inland_cache_entries", {"cache": "answers"}, 1_000.0),
        ("inland_cache_bytes", {"cache": "answers"}, 2e6),
    ]
    return rows


INTERVALS = tuple(
    Interval(TAKEN - 900 * (96 - at), TAKEN - 900 * (95 - at), 800, 150, 10 * (at % 7))
    for at in range(48, 96)
)

WORST = Ranking((Cost(from_text("com."), 30, 0), Cost(from_text("example.org."), 20, 4)), 50, 0)


def view(
    rows: Iterable[Row] = (),
    intervals: tuple[Interval, ...] = INTERVALS,
    worst: Ranking = WORST,
    refresh: bool = False,
) -> View:
    return View(TAKEN, Samples([*NOTHING, *rows]), ("XA",), intervals, worst, refresh)


class Page(HTMLParser):
    """A page taken apart: it fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.figures: list[tuple[str, str, str]] = []  # query, value, text
        self.words = ""
        self._figure: tuple[str, str] | None = None
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in found.items()]
        if tag not in VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        if found.get("href", "").startswith("#"):
            self.targets.append(found["href"][1:])
        if tag == "data":
            self._figure = (found["data-query"], found["value"])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._figure is not None:
            self.figures.append((*self._figure, data))
            self._figure = None


MATCHER = re.compile(r'(\w+)(!?=)"((?:[^"\\]|\\.)*)"')


def evaluate(query: str, samples: Iterable[Row]) -> float:
    """What Prometheus would say, for the few queries that pages use."""
    left, _, right = query.partition(" / ")
    if right:
        of = evaluate(right, samples)
        return evaluate(left, samples) / of if of else float("nan")
    found = re.fullmatch(r"sum\((\w+)(?:\{(.*)\})?\)", query)
    assert found, query
    conditions = [
        (name, sign == "=", re.sub(r"\\(.)", r"\1", value))
        for name, sign, value in MATCHER.findall(found[2] or "")
    ]
    return sum(
        value
        for metric, labels, value in samples
        if metric == found[1]
        and all((labels.get(name, "") == text) is equal for name, equal, text in conditions)
    )
