"""What the panels show now, as text, by the HTTP interface of a Prometheus.

Responsible for putting values in the place of Grafana's variables, for asking, and for a table of
panels with their values. A look at the dashboards without Grafana, and the way their queries are
tested against a real Prometheus.

Limitations: the last value only, no drawing over time.
"""

import json
from dataclasses import dataclass
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

from deploy.dashboards.panel import Dashboard, Panel, Target

SECONDS = 30.0
VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$__interval": "1s", "$step": "1s"}
VARIABLES |= {"$job": "inland.*", "$instance": ".*"}
"""What Grafana would put into a query: all instances, the last hour."""

Sample = tuple[dict[str, str], float]


class QueryError(Exception):
    """Prometheus did not take a query."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def get(self, path: str, **words: str) -> object:
        """``data`` of an answer. Raises :class:`QueryError`, and ``OSError`` when out of reach."""
        address = f"{self.url.rstrip('/')}/api/v1/{path}?{urlencode(words)}"
        try:
            with urlopen(Request(address), timeout=SECONDS) as reply:
                answer = json.load(reply)
        except OSError as error:
            told = getattr(error, "read", lambda: b"")()
            raise (QueryError(told.decode()) if told else error) from error
        if answer.get("status") != "success" or answer.get("warnings"):
            raise QueryError(json.dumps(answer))
        return answer["data"]

    def query(self, expr: str) -> list[Sample]:
        """The value of an expression now: a vector, or a number without labels."""
        data = self.get("query", query=expr)
        assert isinstance(data, dict)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(entry["metric"], float(entry["value"][1])) for entry in data["result"]]


def plain(expr: str) -> str:
    """The query with values in the place of Grafana's variables."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def show(dashboard: Dashboard, prometheus: Prometheus, console: Console | None = None) -> None:
    """Print each panel with what its queries give."""
    console = console or Console(highlight=False)
    console.rule(dashboard.title)
    for row in dashboard.rows:
        table = Table(title=row.title, title_justify="left", box=None, pad_edge=False)
        for column in ("panel", "", "value"):
            table.add_column(column, justify="right" if column == "value" else "left")
        for panel in row.panels:
            if not panel.awaited:
                _fill(table, panel, prometheus)
        console.print(table)


def _fill(table: Table, panel: Panel, prometheus: Prometheus) -> None:
    title = panel.title
    for target in panel.targets:
        samples = prometheus.query(plain(target.expr))
        for labels, value in samples:
            table.add_row(title, legend(target, labels), with_unit(value, panel.unit))
            title = ""
        if not samples:
            table.add_row(title, target.legend, "no data", style="dim")
            title = ""


def legend(target: Target, labels: dict[str, str]) -> str:
    """How Grafana would name a series."""
    text = target.legend
    for name, value in labels.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    if text == target.legend and "__name__" in labels:  # a table: each label is a column
        shown = {k: v for k, v in labels.items() if k not in ("__name__", "job", "instance")}
        text = " ".join((*shown.values(), text))
    return text


_SCALES = {"bytes": "B", "Bps": "B/s"}


def with_unit(value: float, unit: str) -> str:
    """A value as a person reads it."""
    if unit == "percentunit":
        return f"{100 * value:.2f} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:,.1f} s"
    if unit in _SCALES:
        for prefix in ("", "Ki", "Mi"):
            if value < 1024:
                return f"{value:.4g} {prefix}{_SCALES[unit]}"
            value /= 1024
        return f"{value:.4g} Gi{_SCALES[unit]}"
    return f"{value:,.4g}" + ("/s" if unit in ("reqps", "ops") else "")
