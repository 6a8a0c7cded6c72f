"""The two files for Prometheus: recording rules (:data:`.figures.RECORDED`) and alerts."""

import yaml

from deploy.dashboards.alerts import ALERTS, RUNBOOK
from deploy.dashboards.figures import RECORDED, STEP, STEPS, USUAL, USUAL_EXPR, Scope

HEAD = """\
# Made by "python -m deploy.dashboards" (or "make docs"); do not edit.
# {about}
"""

Groups = dict[str, list[dict[str, object]]]


def recording() -> str:
    """``inland.rules.yml``: a group for each level, so that Prometheus evaluates them in turn."""
    groups: Groups = {"inland-instance": [], "inland-job": []}
    for figure, levels in RECORDED:
        for keep, window in levels:
            scope = Scope(window, keep, step=STEPS.get(window, STEP))
            rule: dict[str, object] = {
                "record": figure.recorded(keep, window),
                "expr": figure.expr(scope),
            }
            groups[f"inland-{keep[-1]}"].append(rule)
    groups["inland-usual"] = [{"record": USUAL, "expr": USUAL_EXPR}]
    return _file(
        "Recording rules. A name says the labels that stay, the subject, the form and the window.",
        groups,
    )


def alerting() -> str:
    """``inland.alerts.yml``."""
    rules = []
    for alert in ALERTS:
        rule: dict[str, object] = {"alert": alert.name, "expr": alert.expr}
        if alert.wait:
            rule["for"] = alert.wait
        rule["labels"] = {"severity": alert.severity}
        rule["annotations"] = alert.annotations
        rules.append(rule)
    about = f"Alerts; {RUNBOOK} has a section for each. They need inland.rules.yml."
    return _file(about, {"inland-alerts": rules})


def _file(about: str, groups: Groups) -> str:
    listed = [{"name": name, "rules": rules} for name, rules in groups.items()]
    body = yaml.safe_dump({"groups": listed}, sort_keys=False, width=96, allow_unicode=True)
    return HEAD.format(about=about) + body
