"""The page from values: figures that add up, odd texts that stay texts, HTML that holds."""

import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.limits_page import CHART_COLUMNS_MAX, ROWS_SHOWN
from resolver.names import Name
from resolver.page import numbers
from resolver.page.charts import shares
from resolver.page.history import History, Interval, Point
from resolver.page.render import CONTENT_POLICY, page
from resolver.page.samples import Samples, Select
from resolver.worst import Cost, Ranking
from tests.unit.page_rig import INTERVALS, NOTHING, TAKEN, Page, Row, evaluate, some, view


def figures(rows: list[Row]) -> list[tuple[str, float, str]]:
    shown = Page(page(view(rows)))
    return [(query, float(value), text) for query, value, text in shown.figures]


@pytest.mark.parametrize("rows", [[], some(), some(10**12)], ids=["nothing", "some", "huge"])
def test_every_figure_is_what_its_query_gives(rows: list[Row]) -> None:
    every = [*NOTHING, *rows]
    found = figures(rows)
    assert len(found) > 20
    for query, value, _ in found:
        expected = evaluate(query, every)
        assert (isnan(value) and isnan(expected)) or value == pytest.approx(expected), query


def test_the_first_figures_are_the_shares_of_routes() -> None:
    texts = [text for _, _, text in figures(some())]
    assert texts[:3] == ["5.0 %", "50", "1,000"]
    assert texts[3] == "–"  # no answer stood at home
    assert (texts[6], texts[9], texts[12]) == ("0.057", "15.0 %", "80.0 %")


def test_without_lookups_nothing_is_said_in_percent() -> None:
    text = Page(page(view())).words
    assert "No lookup has escaped." in text
    assert "Nothing was asked of any server." in text
    assert "must be 0, and is" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_a_needless_escape_is_not_hidden() -> None:
    rows: list[Row] = [("inland_needless_escapes_total", {}, 2.0)]
    assert "must be 0, and is not" in Page(page(view(rows))).words


def test_huge_numbers_are_written_in_full() -> None:
    assert "1,000,000,000,000,000" in Page(page(view(some(10**12)))).words


ODD = "<script>alert(1)</script>\"'&\u202e"


def test_odd_texts_stay_texts() -> None:
    name = Name(b"\x08<script>\x07&\"'\\.\x00\xff\x00")
    worst = Ranking((Cost(name, 3, 1),), 3, 0)
    rows: list[Row] = [
        ("inland_policy_info", {"generation": ODD, "mode": ODD}, 1.0),
        ("inland_policy_actions_total", {"rule": ODD, "action": ODD}, 4.0),
        ("inland_mirror_state", {"zone": ODD, "state": ODD}, 1.0),
        ("inland_mirror_records", {"zone": ODD}, 1.0),
        ("inland_evidence_info", {"source": ODD, "date": ODD, "sha256": ODD}, 1.0),
        ("inland_exchanges_total", {"country": ODD, "verdict": ODD, "purpose": ODD}, 1.0),
        ("inland_escaped_lookups_total", {"reason": ODD, "destination": ODD}, 1.0),
    ]
    text = page(view(rows, worst=worst))
    assert "<script" not in text
    shown = Page(text)
    assert ODD in shown.words
    assert {tag for tag, _, _ in shown.attributes} <= {
        "a", "body", "code", "data", "dd", "details", "div", "dl", "dt", "footer", "g", "h1", "h2",
        "header", "html", "i", "li", "line", "link", "main", "meta", "nav", "p", "path", "rect",
        "section", "span", "svg", "table", "td", "th", "time", "ul", "pattern", "circle",
    }  # fmt: skip
    for query, value, _ in shown.figures:
        assert float(value) == pytest.approx(evaluate(query, [*NOTHING, *rows]), nan_ok=True)


def test_it_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    text = page(view(some()))
    shown = Page(text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_POLICY
    assert CONTENT_POLICY.startswith("default-src 'none'")
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    names = {name for _, name, _ in shown.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"style", "src", "srcset", "action"}
    links = {value for _, name, value in shown.attributes if name == "href"}
    assert links <= {"data:,", "/", "/?refresh", "/metrics"} | {f"#{key}" for key in shown.ids}


def test_headings_tables_and_pictures_can_be_found_by_name() -> None:
    text = page(view(some()))
    shown = Page(text)
    assert len(shown.ids) == len(set(shown.ids))
    assert set(shown.targets) <= set(shown.ids)
    assert '<html lang="en">' in text
    assert text.count("<h1>") == text.count("<main ") == 1
    assert text.count("<table>") == text.count("<caption>") == text.count('role="region"')
    for svg in re.findall(r"<svg[^>]*>", text):
        assert 'aria-hidden="true"' in svg or re.search(r'role="img" aria-label="[^"]{20,}"', svg)
    labelled = {value for _, name, value in shown.attributes if name == "aria-labelledby"}
    assert labelled <= set(shown.ids)


def test_each_column_of_the_chart_is_told_in_words_and_stands_in_the_table() -> None:
    text = page(view(some()))
    assert text.count("<g><title>") == len(INTERVALS)
    body = text.split("Lookups in each interval by route")[-1].split("</tbody>")[0]
    assert body.count("<tr>") == len(INTERVALS) + 1


def test_the_parts_of_a_column_fill_it() -> None:
    drawn = shares([Interval(0, 60, 1, 1, 2), Interval(60, 120, 0, 0, 0)])
    heights = [float(h) for h in re.findall(r'height="([\d.]+)"', drawn)]
    assert heights == [100.0, 50.0, 50.0]
    assert "00:01:00–00:02:00: no lookups" in drawn


def test_too_many_rows_are_left_out_and_that_is_said() -> None:
    rows: list[Row] = [
        ("inland_exchanges_total", {"country": f"X{at}", "verdict": "foreign"}, 1.0)
        for at in range(ROWS_SHOWN + 7)
    ]
    assert "7 more are left out" in Page(page(view(rows))).words


def test_actions_by_rule_appear_when_there_are_rules() -> None:
    assert "Actions by rule" not in page(view(some()))
    rows: list[Row] = [
        ("inland_policy_actions_total", {"rule": "court-7", "action": "nxdomain"}, 12.0),
        ("inland_policy_actions_total", {"rule": "quiet", "action": "pass"}, 0.0),
    ]
    text = Page(page(view(rows))).words
    assert "Actions by rule" in text
    assert "court-7nxdomain12" in text
    assert "quietpass0" in text


def test_it_loads_itself_again_only_when_asked_to() -> None:
    assert "http-equiv" not in page(view())
    assert '<meta http-equiv="refresh" content="60">' in page(view(refresh=True))


def test_selections_quote_what_would_end_them() -> None:
    select = Select("m").where(zone='a"b\\c\nd')
    assert select.query == 'sum(m{zone="a\\"b\\\\c\\nd"})'
    samples = Samples([("m", {"zone": 'a"b\\c\nd'}, 2.0), ("m", {"zone": "x"}, 5.0)])
    assert samples.total(select) == 2
    assert samples.total(Select("m").unless(zone="x")) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.0004, "<0.1 %"),
        (0.99999, ">99.9 %"),
        (0.1234, "12.3 %"),
        (float("nan"), "–"),
    ],
)
def test_shares_in_words(value: float, text: str) -> None:
    assert numbers.share(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (3_600, "1 h"),
        (90_061, "1 d 1 h"),
        (86_405, "1 d"),
        (65, "1 min 5 s"),
    ],
)
def test_spans_in_words(seconds: float, text: str) -> None:
    assert numbers.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (3e15, "2.7 PiB")]
)
def test_octets_in_words(value: float, text: str) -> None:
    assert numbers.octets(value) == text


def test_small_ratios_are_not_rounded_to_nothing() -> None:
    assert numbers.decimal(0.0001) == "<0.001"
    assert numbers.decimal(0) == "0.000"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=3000))
def test_intervals_of_less_than_a_day_add_up_to_the_counts(
    steps: list[tuple[int, int, int]],
) -> None:
    history, at, counts = History(1_000.0), 1_000.0, (0, 0, 0)
    for step in steps[:1_400]:
        at += 60.0
        counts = (counts[0] + step[0], counts[1] + step[1], counts[2] + step[2])
        history.add(Point(at, *counts))
    intervals = history.intervals(Point(at + 13.0, *counts), TAKEN - at)
    assert len(intervals) <= CHART_COLUMNS_MAX
    for place, count in zip(("local", "domestic", "escaped"), counts, strict=True):
        assert sum(getattr(one, place) for one in intervals) == count
    assert all(a.end == b.begin for a, b in pairwise(intervals))


def test_a_day_is_remembered_and_no_more() -> None:
    history = History(0.0)
    for minute in range(1, 5_000):
        history.add(Point(minute * 60.0, local=minute))
    assert len(history) <= 1_442
    intervals = history.intervals(Point(5_000 * 60.0, local=5_000))
    assert len(intervals) <= CHART_COLUMNS_MAX
    assert 86_400 <= intervals[-1].end - intervals[0].begin <= 86_400 + 60
    assert sum(one.local for one in intervals) == (intervals[-1].end - intervals[0].begin) / 60


def test_points_that_come_too_soon_are_not_kept() -> None:
    history = History(0.0)
    for tick in range(10_000):
        history.add(Point(tick * 0.01))
    assert len(history) <= 5
