"""Recording rules and alerts, tried by Prometheus' own ``promtool``; each alert is explained."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dashboards.alerts import ALERTS, RUNBOOK
from deploy.dashboards.rules import alerting, recording
from tests.unit.alert_cases import CASES, RECORDED

RULES = ("inland.rules.yml", "inland.alerts.yml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The rules, where promtool can read them."""
    for name, text in zip(RULES, (recording(), alerting()), strict=True):
        (tmp_path / name).write_text(text)
    shutil.copy("deploy/prometheus/prometheus.yml", tmp_path)
    return tmp_path


def promtool(folder: Path, *words: str) -> str:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(
        [tool, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tried(folder: Path, cases: list[dict[str, Any]]) -> None:
    file = {"rule_files": list(RULES), "evaluation_interval": "1m", "tests": cases}
    (folder / "cases.yml").write_text(yaml.safe_dump(file, sort_keys=False))
    promtool(folder, "test", "rules", "cases.yml")


def test_the_rules_are_valid(folder: Path) -> None:
    shown = promtool(folder, "check", "rules", *RULES)
    assert f"SUCCESS: {len(ALERTS)} rules found" in shown
    promtool(folder, "check", "config", "prometheus.yml")


def test_each_alert_fires_when_it_should_and_only_then(folder: Path) -> None:
    tried(folder, [case.rendered() for case in CASES])


def test_recorded_figures_over_instances_restarts_and_silence(folder: Path) -> None:
    tried(folder, [case.rendered() for case in RECORDED])


def test_a_wrong_expectation_is_found(folder: Path) -> None:
    wrong = [case.rendered() for case in CASES if case.fires is not None][:1]
    wrong[0]["alert_rule_test"][0]["exp_alerts"] = []
    with pytest.raises(AssertionError, match="FAILED"):
        tried(folder, wrong)


def test_each_alert_is_tried_both_ways() -> None:
    names = {alert.name for alert in ALERTS}
    assert {case.alert for case in CASES if case.fires is not None} == names
    assert {case.alert for case in CASES if case.fires is None} == names
    assert len(names) == len(ALERTS)


def test_each_alert_has_its_section_in_the_manual() -> None:
    manual = Path(RUNBOOK).read_text("utf-8")
    assert re.findall(r"^### (Inland\w+)$", manual, re.MULTILINE) == [a.name for a in ALERTS]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_tells_what_an_operator_needs(alert: Any) -> None:
    assert alert.severity in ("critical", "warning")
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    assert len(alert.summary) < 80
    assert alert.description.endswith(".")
    assert not alert.summary.endswith(".")
