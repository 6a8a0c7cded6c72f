"""Dashboards and rules name what the exporter has; the files are what their description says."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from deploy.dashboards import __main__ as command
from deploy.dashboards import operations
from deploy.dashboards.alerts import ALERTS
from deploy.dashboards.catalogue import ALWAYS, PROMISED, TARGET, by_sample, catalogue, described
from deploy.dashboards.figures import APPEARING, RECORDED, USUAL
from deploy.dashboards.operations import operations_dashboard
from deploy.dashboards.panel import COLUMNS, Dashboard, Panel, Row, rates, rendered
from deploy.dashboards.regulator import REGULATOR
from deploy.dashboards.rules import alerting, recording
from deploy.dashboards.show import legend, plain, with_unit

SAMPLE = re.compile(r"(?<![\w:])((?:inland|process)_\w+|up)(?![\w:(])(\{[^}]*\})?(\[[^\]]+\])?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
RECORD = re.compile(r"\b\w+:\w+:\w+(?::\w+)?")
MUST_STAY_0 = {
    "inland_needless_escapes_total",
    "inland_faults_total",
    "inland_records_lost_total",
}


@cache
def dashboards() -> tuple[Dashboard, ...]:
    return REGULATOR, operations_dashboard()


@cache
def expressions() -> dict[str, str]:
    """Each query by where it stands; recorded figures stand as one word."""
    found = {}
    for dashboard in dashboards():
        for panel in dashboard.panels():
            for target in panel.targets:
                found[f"{dashboard.title}: {panel.title}: {target.legend}"] = target.expr
    for text in (recording(), alerting()):
        for group in yaml.safe_load(text)["groups"]:
            for rule in group["rules"]:
                found[rule.get("record") or rule["alert"]] = rule["expr"]
    return {where: RECORD.sub("recorded", expr) for where, expr in found.items()}


def test_the_files_are_up_to_date() -> None:
    for path, text in command.files().items():
        assert Path(path).read_text("utf-8") == text, f"{path} is stale: run make docs"


def wrong_in(expr: str) -> list[str]:
    """Names, labels and values in a query that the exporter does not have."""
    wrong = []
    for name, matchers, window in SAMPLE.findall(expr):
        if name in ALWAYS:
            continue
        if name not in by_sample():
            wrong.append(f"{name} is not exported")
            continue
        metric = by_sample()[name]
        for label, operator, text in MATCHER.findall(matchers):
            values = set(text.split("|") if "~" in operator else [text])
            closed = metric.labels.get(label)
            if label not in TARGET and label not in metric.labels:
                wrong.append(f"{name} has no label {label}")
            elif closed is not None and not values <= closed:
                wrong.append(f"{name}: {label} is never {text}")
        if metric.kind == "gauge" and window and "_over_time(" not in expr:
            wrong.append(f"{name} is a gauge")
    return wrong


def test_a_query_names_metrics_labels_and_values_that_there_are() -> None:
    for where, expr in expressions().items():
        assert not wrong_in(expr), where
        assert SAMPLE.search(expr) or "recorded" in expr, where


@pytest.mark.parametrize(
    "expr",
    [
        "rate(inland_look_ups_total[5m])",
        'rate(inland_lookups_total{rout="local"}[5m])',
        'rate(inland_lookups_total{route="foreign"}[5m])',
        'inland_mirror_state{state=~"expired|gone"}',
        "rate(inland_cache_bytes[5m])",
    ],
)
def test_a_slip_in_a_query_is_found(expr: str) -> None:
    assert len(wrong_in(expr)) == 1


STEPPED = re.compile(r"\b(?:rate|increase)\(\(sum by .*\[[^]]+:\$?\w+\]\)")


def test_counters_are_read_as_rates_except_those_that_must_stay_0() -> None:
    for where, expr in expressions().items():
        for found in SAMPLE.finditer(expr):
            metric = by_sample().get(found[1])
            if metric is None or metric.kind == "gauge" or found[1] in MUST_STAY_0:
                continue
            plain_rate = expr[: found.start()].endswith(("rate(", "increase(")) and found[3]
            stepped = STEPPED.search(expr) and not found[3]
            assert plain_rate or stepped or where == "InlandBooksOverflow", where
            assert not (plain_rate and found[1] in APPEARING) or where.startswith("Inland"), where


def test_labels_that_are_summed_by_are_there() -> None:
    recorded = {label for figure, _ in RECORDED for label in figure.labels}
    for where, expr in expressions().items():
        names = set(TARGET) | {"le"} | (recorded if "recorded" in expr else set())
        for found in SAMPLE.finditer(expr):
            if found[1] in by_sample():
                names |= set(by_sample()[found[1]].labels)
        for inner in re.findall(r"\b(?:by|without|on|ignoring) \(([^)]*)\)", expr):
            assert {label.strip() for label in inner.split(",")} <= names, where


def test_alerts_ask_for_recorded_figures_that_are_recorded() -> None:
    names = {figure.recorded(*level) for figure, levels in RECORDED for level in levels} | {USUAL}
    asked = {name for alert in ALERTS for name in RECORD.findall(alert.expr)}
    assert asked
    assert asked <= names


def test_recorded_names_are_unique() -> None:
    names = [figure.recorded(*level) for figure, levels in RECORDED for level in levels]
    assert len(names) == len(set(names))


def test_every_metric_is_shown_somewhere() -> None:
    shown = {name for dashboard in dashboards() for p in dashboard.panels() for name in p.metrics()}
    hidden = [m.name for m in catalogue().values() if not shown & set(m.samples)]
    assert not hidden


def test_a_metric_that_is_new_shows_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    new = described(
        [
            CounterMetricFamily("inland_moons", "Moons seen.", labels=("phase",)),
            GaugeMetricFamily("inland_tide", "Height.", value=1),
        ]
    )
    monkeypatch.setattr(operations, "catalogue", lambda: catalogue() | new)
    panels = {panel.title: panel for panel in operations._rest().panels}
    moons = panels["inland_moons_total"]
    assert moons.about == "Moons seen."
    assert moons.targets[0].expr.startswith("sum by (phase) (rate(inland_moons_total{")
    assert "rate" not in panels["inland_tide"].targets[0].expr


def test_what_is_promised_is_not_exported_yet() -> None:
    assert not set(PROMISED) & set(catalogue()), "exported now: take it out of PROMISED, make docs"


def test_labels_come_from_closed_sets_or_from_the_configuration() -> None:
    is_open = {
        label
        for metric in catalogue().values()
        for label, values in metric.labels.items()
        if values is None
    }
    facts = {"version", "python", "generation", "date", "sha256"}
    assert {"country", "zone", "source"} <= is_open
    assert not is_open & {"transport", "route", "reason", "verdict", "purpose", "why", "result"}
    assert facts <= is_open


# --- Grafana's JSON ------------------------------------------------------------------------------


def flat(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from flat(panel.get("panels", []))


@pytest.fixture(params=["regulator", "operations"])
def made(request: pytest.FixtureRequest) -> dict[str, Any]:
    text = Path(f"deploy/grafana/{request.param}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_panels_have_ids_of_their_own_and_do_not_overlap(made: dict[str, Any]) -> None:
    panels = list(flat(made["panels"]))
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids) > 20
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (place["x"] + dx, place["y"] + dy)
            for dx in range(place["w"])
            for dy in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_each_panel_has_what_grafana_needs(made: dict[str, Any]) -> None:
    for panel in flat(made["panels"]):
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("timeseries", "stat", "bargauge", "table")
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len(panel["description"]) > 20
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == sorted(set(refs))
        assert refs
        for target in panel["targets"]:
            assert target["instant"] != target["range"]
            assert '$job"' in target["expr"]
            assert '$instance"' in target["expr"]
            assert target["legendFormat"]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
        assert all(a["value"] < b["value"] for a, b in pairwise(steps[1:]))


def test_the_data_source_and_the_instances_can_be_chosen(made: dict[str, Any]) -> None:
    variables = {entry["name"]: entry for entry in made["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "step"]
    assert variables["instance"]["multi"]
    assert "inland_build_info" in variables["instance"]["definition"]


def test_titles_are_unique_within_a_dashboard() -> None:
    for dashboard in dashboards():
        titles = [panel.title for panel in dashboard.panels()]
        assert len(titles) == len(set(titles))


def test_units_are_grafanas() -> None:
    known = {"none", "percentunit", "reqps", "ops", "s", "bytes", "Bps"}
    assert {panel.unit for dashboard in dashboards() for panel in dashboard.panels()} <= known


def test_a_panel_that_waits_for_its_metric_is_left_out() -> None:
    name = next(iter(PROMISED))
    awaited = Panel("Soon", "Not yet.", (rates(name),))
    assert awaited.awaited
    row = Row("Row", (awaited,))
    shown = json.loads(rendered(Dashboard("u", "T", "about", (row,))))
    assert shown["panels"] == []


# --- the look without Grafana --------------------------------------------------------------------


def test_variables_get_values() -> None:
    for expr in expressions().values():
        assert "$" not in plain(expr)


def test_values_are_shown_as_people_read_them() -> None:
    assert with_unit(0.1234, "percentunit") == "12.34 %"
    assert with_unit(0.0021, "s") == "2.1 ms"
    assert with_unit(3 * 1024 * 1024, "bytes") == "3 MiB"
    assert with_unit(1.5, "reqps") == "1.5/s"


def test_series_are_named_as_the_legend_says() -> None:
    target = rates("inland_exchanges_total", "verdict", "transport")
    assert legend(target, {"verdict": "foreign", "transport": "udp"}) == "foreign udp"


def test_a_wrong_word_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["draw"]) == 2
    assert "usage" in capsys.readouterr().err
