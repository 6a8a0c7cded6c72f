"""Rules, alerts and every panel's queries, asked of a real Prometheus that scrapes a resolver.

The resolver runs in the small world and has answered its questions; Prometheus has seen it before
and after.
"""

import io
import math
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import dns.message
import pytest
import trio
from rich.console import Console

from deploy.dashboards.alerts import ALERTS
from deploy.dashboards.figures import RECORDED
from deploy.dashboards.operations import operations_dashboard
from deploy.dashboards.panel import Panel
from deploy.dashboards.regulator import REGULATOR
from deploy.dashboards.show import plain, show
from testbed.clients import ask_all
from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.scraper import Scraper
from tests.system.serving import Serving, tagged

ZONE = """\
{zone} 3600 IN SOA ns.{zone} admin.{zone} 1 3600 600 604800 300
{zone} 3600 IN NS ns.{zone}
ns.{zone} 3600 IN A 192.0.2.1
"""
RANDOM_NAMES = 2000
AT_ONCE = 50
PROMQL = re.compile(r"```promql\n(.*?)```", re.DOTALL)


RULES = """\
version: 1
mode: enforce
enforce: [{zone}]
rules:
  - id: court-1
    match: {{suffix: {zone}}}
    effect: {{block: {how}}}
    authority: {{kind: court, name: High Court}}
    reference: WP 1/2026
    from: "2026-01-01"
    until: "2099-12-31"
"""


class Watched(NamedTuple):
    """A resolver that has answered questions, and the Prometheus that watches it."""

    serving: Serving
    scraper: Scraper


@pytest.fixture(scope="module")
def watched(world: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    zone = folder / "mirrored.zone"
    zone.write_text(ZONE.format(zone="mirrored."))
    mirror = {"zone": "mirrored.", "file": str(zone)}
    blocked = tagged(world, "positive", "A").partition(".")[2]
    for how in ("nxdomain", "refused"):
        (folder / f"{how}.yaml").write_text(RULES.format(zone=blocked, how=how))
    policy = {"files": [str(folder / "nxdomain.yaml")], "shadow": [str(folder / "refused.yaml")]}
    serving = Serving(world, folder, mirrors={"zones": [mirror]}, policy=policy)
    with serving:
        serving.wait_for("mirror of mirrored.: serial 1")
        with Scraper(folder, serving.ask_control("status")["metrics"]) as scraper:
            total = "sum(inland_lookups_total)"
            scraper.until(lambda: scraper.value(total) == 0, "scrape before the first lookup")
            questions = Truth(world.world).questions()
            trio.run(ask_all, ("127.0.0.1", serving.port), questions, lambda heard: None)
            scraper.until(
                lambda: scraper.value(total) == serving.total("inland_lookups_total"),
                "scrape after the last lookup",
            )
            names = [figure.recorded(*level) for figure, levels in RECORDED for level in levels]
            scraper.until(lambda: all(map(scraper.api.query, names)), "value of each rule")
            yield Watched(serving, scraper)
            assert serving.end() == 0


PANELS = [*REGULATOR.panels(), *operations_dashboard().panels()]
LINES = [panel for panel in PANELS if panel.kind == "timeseries"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_each_query_of_a_panel_is_answered_with_data(watched: Watched, panel: Panel) -> None:
    for target in panel.targets:
        samples = watched.scraper.api.query(plain(target.expr))
        numbers = [value for _, value in samples if not math.isnan(value)]
        assert numbers or panel.quiet, f"{target.expr}: no data"


@pytest.mark.parametrize("panel", LINES, ids=lambda panel: panel.title)
def test_each_line_is_drawn_over_time(watched: Watched, panel: Panel) -> None:
    end = time.time()
    for target in panel.targets:
        data = watched.scraper.api.get(
            "query_range", query=plain(target.expr), start=str(end - 60), end=str(end), step="1"
        )
        assert isinstance(data, dict)
        assert panel.quiet or any(len(line["values"]) > 1 for line in data["result"])


def test_each_rule_is_evaluated_without_error(watched: Watched) -> None:
    data = watched.scraper.api.get("rules")
    assert isinstance(data, dict)
    rules = [rule for group in data["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} > {alert.name for alert in ALERTS}
    assert [(r["name"], r.get("lastError")) for r in rules if r["health"] != "ok"] == []
    firing = [r["name"] for r in rules if r.get("state") == "firing"]
    assert firing == []


def test_actions_by_rule_are_those_of_metrics(watched: Watched) -> None:
    serving, api = watched.serving, watched.scraper.api
    counted = serving.total("inland_policy_actions_total", rule="court-1", action="nxdomain")
    assert counted
    asked = 'sum(inland_policy_actions_total{rule="court-1",action="nxdomain"})'
    assert watched.scraper.value(asked) == counted
    for title in (
        "Actions in the time shown",
        "Actions by rule",
        "What the shadow policy would do",
    ):
        panel = next(panel for panel in PANELS if panel.title == title)
        ((labels, value),) = api.query(plain(panel.targets[0].expr))
        assert labels["rule"] == "court-1"
        assert value > 0


def test_exchanges_abroad_are_counted_from_the_first_one_on(watched: Watched) -> None:
    panel = next(p for p in REGULATOR.panels() if p.title == "Questions abroad for each lookup")
    serving, expr = watched.serving, plain(panel.targets[0].expr)
    abroad = serving.total("inland_exchanges_total") - serving.total(
        "inland_exchanges_total", verdict="domestic"
    )
    counted = abroad / serving.total("inland_lookups_total")
    # Steps stand at whole seconds: the last of them comes to see the last scrape.
    watched.scraper.until(
        lambda: watched.scraper.value(expr) == pytest.approx(counted, rel=1e-9), f"{counted}"
    )
    print(f"{counted} counted and shown")


def test_what_share_left_and_why_equals_what_metrics_say(watched: Watched) -> None:
    line = PROMQL.findall(Path("docs/metrics.md").read_text("utf-8"))[0]
    serving = watched.serving
    total = "sum(inland_lookups_total)"
    watched.scraper.until(
        lambda: watched.scraper.value(total) == serving.total("inland_lookups_total"), "last scrape"
    )
    shares = {labels["reason"]: value for labels, value in watched.scraper.api.query(line)}
    lookups = serving.total("inland_lookups_total")
    counted = {
        reason: serving.total("inland_escaped_lookups_total", reason=reason) / lookups
        for reason in shares
    }
    assert shares == pytest.approx(counted, rel=1e-9)
    assert sum(counted.values()) == pytest.approx(
        serving.total("inland_lookups_total", route="escaped") / lookups
    )
    assert len([share for share in shares.values() if share]) >= 2
    print({reason: f"{share:.4%}" for reason, share in shares.items()})


@pytest.mark.parametrize("page", ["docs/metrics.md", "docs/regulators.md", "docs/operations.md"])
def test_the_lines_of_the_manual_are_answered(watched: Watched, page: str) -> None:
    lines = PROMQL.findall(Path(page).read_text("utf-8"))
    assert lines
    for line in lines:
        for expr in filter(None, line.split("\n\n")):
            watched.scraper.api.query(expr)


def test_the_look_without_grafana_shows_the_same_figures(watched: Watched) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, width=140)
    for dashboard in (REGULATOR, operations_dashboard()):
        show(dashboard, watched.scraper.api, console)
    print(drawn.getvalue())
    escaped = watched.serving.total("inland_lookups_total", route="escaped")
    share = escaped / watched.serving.total("inland_lookups_total")
    line = next(row for row in drawn.getvalue().splitlines() if row.startswith("Lookups that left"))
    assert f"{100 * share:.2f} %" in line


def ask_random(port: int, names: list[str]) -> None:
    """Ask for each, some at once; what comes back does not matter here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(15)
        client.connect(("127.0.0.1", port))
        for first in range(0, len(names), AT_ONCE):
            batch = names[first : first + AT_ONCE]
            for name in batch:
                client.send(dns.message.make_query(name, "A").to_wire())
            for _ in batch:
                client.recv(4096)


def test_random_names_make_no_series_and_a_scrape_stays_short(watched: Watched) -> None:
    serving, chance = watched.serving, Random(7)
    # Below names that resolve, so that nobody waits for servers that are silent.
    questions = Truth(serving.world.world).questions()
    positive = [q.name for q, expected in questions if q.tag == "positive" and expected.answer]
    zones = sorted({name.partition(".")[2] for name in positive} - {""})

    def names(count: int) -> list[str]:
        return [f"x{chance.getrandbits(64):x}.{chance.choice(zones)}" for _ in range(count)]

    ask_random(serving.port, names(RANDOM_NAMES // 4))
    before = len(serving.metrics())
    ask_random(serving.port, names(RANDOM_NAMES))
    assert len(serving.metrics()) == before
    assert serving.total("inland_needless_escapes_total") == 0
    seconds = watched.scraper.value("max_over_time(scrape_duration_seconds[10m])")
    assert seconds is not None
    usual = watched.scraper.value("quantile_over_time(0.5, scrape_duration_seconds[10m])")
    assert usual is not None
    print(f"{before} series; half of the scrapes took under {usual * 1000:.1f} ms, the longest"
          f" {seconds * 1000:.1f} ms")  # fmt: skip
