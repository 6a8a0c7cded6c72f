"""Panels and dashboards as values, and their form in Grafana's JSON (schema 39, Grafana 10 and 11).

A panel says what it shows and by which queries; where it stands follows from its width. ``SCOPE``
and ``PERIOD`` are the two scopes of panels: over time, and over the whole of what is shown.
"""

import json
import re
from dataclasses import dataclass, field

from deploy.dashboards.catalogue import PROMISED, by_sample
from deploy.dashboards.figures import STEP, Figure, Scope

Json = dict[str, object]

SELECTED = ('job=~"$job"', 'instance=~"$instance"')
SCOPE = Scope("$__rate_interval", (), SELECTED, "$step")
PERIOD = Scope("$__range", (), SELECTED, "$__interval")

COLUMNS = 24
SCHEMA = 39
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

COLOURS = {
    "local": "green", "domestic": "blue", "escaped": "orange", "foreign": "orange",
    "unknown": "purple", "mixed": "yellow", "none": "text",
    "no_domestic_server": "orange", "domestic_failed": "red", "unlocated": "purple",
    "policy": "yellow",
}  # fmt: skip
"""The colour of a word, the same in all panels."""

IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_:]*")


@dataclass(frozen=True, slots=True)
class Target:
    """One query. ``legend``: Grafana's form, ``{{label}}`` for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``kind``: timeseries, stat, bargauge or table. ``limits``: (from, colour) steps.
    ``quiet``: a healthy resolver may have nothing to show here."""

    title: str
    about: str
    targets: tuple[Target, ...]
    unit: str = "none"
    kind: str = "timeseries"
    width: int = 12
    limits: tuple[tuple[float, str], ...] = ()
    stacked: bool = False
    top: float | None = None  # end of the axis
    decimals: int | None = None
    quiet: bool = False

    def metrics(self) -> list[str]:
        """Names of samples and recorded figures in its queries, each once."""
        text = " ".join(target.expr for target in self.targets)
        words = (word for word in IDENTIFIER.findall(text) if word in by_sample() | PROMISED)
        return list(dict.fromkeys(words))

    @property
    def awaited(self) -> bool:
        """Whether it needs a metric that is not exported yet."""
        return any(name in PROMISED and name not in by_sample() for name in self.metrics())

    def description(self) -> str:
        """What it shows, with what the exporter says of each metric behind it."""
        known = {by_sample()[name].name: by_sample()[name] for name in self.metrics()}
        lines = [f"{name}: {metric.help}" for name, metric in known.items()]
        return "\n".join([self.about, "", *lines]).rstrip()


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of rows."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    since: str = "now-24h"
    tags: tuple[str, ...] = field(default=("inland",))

    def panels(self) -> list[Panel]:
        """All that are shown."""
        return [panel for row in self.rows for panel in row.panels if not panel.awaited]


def figure(one: Figure, scope: Scope = SCOPE, legend: str = "") -> Target:
    """The query of a figure, named by its labels."""
    words = legend or " ".join(f"{{{{{label}}}}}" for label in one.labels) or "all"
    return Target(one.expr(scope), words)


def rates(name: str, *by: str, matchers: tuple[str, ...] = (), legend: str = "") -> Target:
    """A counter a second, by labels."""
    words = legend or " ".join(f"{{{{{label}}}}}" for label in by) or "all"
    return Target(SCOPE.rate(by, name, *matchers), words)


def now(name: str, *by: str, matchers: tuple[str, ...] = (), legend: str = "") -> Target:
    """A gauge, summed over all but these labels."""
    words = legend or " ".join(f"{{{{{label}}}}}" for label in by) or "all"
    return Target(SCOPE.total(by, SCOPE.select(name, *matchers)), words)


def each(name: str, legend: str, *matchers: str) -> Target:
    """The series of a metric as they are."""
    return Target(SCOPE.select(name, *matchers), legend)


# --- Grafana's form ------------------------------------------------------------------------------


def rendered(dashboard: Dashboard) -> str:
    """The JSON that Grafana imports, or reads from a provisioned folder."""
    made: Json = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": list(dashboard.tags),
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": dashboard.since, "to": "now"},
        "timezone": "browser",
        "refresh": "1m",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables()},
        "panels": _placed(dashboard),
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _variables() -> list[Json]:
    source: Json = {
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        "hide": 0, "current": {}, "options": [], "refresh": 1, "regex": "", "multi": False,
        "includeAll": False, "skipUrlSync": False,
    }  # fmt: skip
    job = "label_values(inland_build_info, job)"
    instance = 'label_values(inland_build_info{job=~"$job"}, instance)'
    step: Json = {
        "name": "step", "label": "Scrape interval", "type": "constant", "query": STEP,
        "current": {"selected": True, "text": STEP, "value": STEP}, "hide": 2, "options": [],
        "skipUrlSync": False,
    }  # fmt: skip
    choices = [_choice("job", "Job", job), _choice("instance", "Instance", instance)]
    return [source, *choices, step]


def _choice(name: str, label: str, query: str) -> Json:
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE,
        "definition": query, "query": {"query": query, "refId": "StandardVariableQuery"},
        "hide": 0, "refresh": 2, "regex": "", "sort": 1, "multi": True, "includeAll": True,
        "allValue": None, "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [], "skipUrlSync": False,
    }  # fmt: skip


HEIGHTS = {"stat": 5, "timeseries": 8, "bargauge": 8, "table": 8}


def _placed(dashboard: Dashboard) -> list[Json]:
    """Rows from above, panels from the left; those in one line are of one height."""
    out: list[Json] = []
    number, y = 0, 0
    for row in dashboard.rows:
        shown = [panel for panel in row.panels if not panel.awaited]
        if not shown:
            continue
        number += 1
        head: Json = {
            "id": number, "type": "row", "title": row.title, "collapsed": row.collapsed,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}, "panels": [],
        }  # fmt: skip
        out.append(head)
        y += 1
        inner: list[Json] = []
        for line in _lines(shown):
            height, x = max(HEIGHTS[panel.kind] for panel in line), 0
            for panel in line:
                number += 1
                place = {"h": height, "w": panel.width, "x": x, "y": y}
                inner.append({"id": number, "gridPos": place, **_panel(panel)})
                x += panel.width
            y += height
        if row.collapsed:
            head["panels"] = inner
        else:
            out += inner
    return out


def _lines(panels: list[Panel]) -> list[list[Panel]]:
    lines: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(other.width for other in lines[-1]) + panel.width > COLUMNS:
            lines.append([])
        lines[-1].append(panel)
    return lines


def _panel(panel: Panel) -> Json:
    once = panel.kind != "timeseries"
    form = "table" if panel.kind == "table" else "time_series"
    made: Json = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description(),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _colours(panel)},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + number), "datasource": SOURCE, "editorMode": "code",
                "expr": target.expr, "legendFormat": target.legend, "format": form,
                "instant": once, "range": not once,
            }
            for number, target in enumerate(panel.targets)
        ],
    }  # fmt: skip
    if panel.kind == "table":
        made["transformations"] = _columns(panel)
    return made


def _columns(panel: Panel) -> list[Json]:
    """One row for each set of labels, one column for each query, named by its legend."""
    several = len(panel.targets) > 1
    names = {
        f"Value #{chr(ord('A') + number)}" if several else "Value": target.legend
        for number, target in enumerate(panel.targets)
    }
    hidden = {"Time": True, "__name__": True}
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}},
    ]


def _defaults(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "green" if panel.limits else "text", "value": None}]
    steps += [{"color": colour, "value": start} for start, colour in panel.limits]
    made: Json = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.unit in ("percentunit", "reqps", "Bps", "s", "bytes"):
        made["min"] = 0
    if panel.top is not None:
        made["max"] = panel.top
    if panel.decimals is not None:
        made["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        made["color"] = {"mode": "palette-classic"}
        made["custom"] = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never", "spanNulls": False, "axisSoftMin": 0,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.limits else "off"},
        }  # fmt: skip
    else:
        made["color"] = {"mode": "thresholds"}
    return made


def _colours(panel: Panel) -> list[Json]:
    if panel.kind != "timeseries":
        return []
    wanted = "".join(target.legend for target in panel.targets)
    labels = re.findall(r"\{\{(\w+)\}\}", wanted)
    if len(labels) != 1 or labels[0] not in ("route", "reason", "verdict", "destination"):
        return []
    words = sorted(w for w in by_words(labels[0]) if w in COLOURS)
    return [
        {
            "matcher": {"id": "byName", "options": word},
            "properties": [
                {"id": "color", "value": {"mode": "fixed", "fixedColor": COLOURS[word]}}
            ],
        }
        for word in words
    ]


def by_words(label: str) -> frozenset[str]:
    """The closed set of a label, over all metrics that carry it."""
    found: frozenset[str] = frozenset()
    for metric in by_sample().values():
        found |= metric.labels.get(label) or frozenset()
    return found


def _options(panel: Panel) -> Json:
    calculated = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "timeseries":
        legend = {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max"]}
        return {
            "legend": legend | {"showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel.kind == "stat":
        return {
            "reduceOptions": calculated, "colorMode": "value", "graphMode": "none",
            "textMode": "auto", "justifyMode": "auto", "orientation": "auto",
        }  # fmt: skip
    if panel.kind == "bargauge":
        return {
            "reduceOptions": calculated, "orientation": "horizontal", "displayMode": "basic",
            "showUnfilled": True, "valueMode": "text",
        }  # fmt: skip
    return {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
