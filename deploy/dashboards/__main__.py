"""Write rules, alerts and dashboards: ``python -m deploy.dashboards`` in a checkout.

``python -m deploy.dashboards show URL`` asks the Prometheus at URL for every panel and prints what
Grafana would draw as text: a look without Grafana.

Limitations: writes below the current directory.
"""

import sys
from pathlib import Path

from deploy.dashboards.operations import operations_dashboard
from deploy.dashboards.panel import rendered
from deploy.dashboards.regulator import REGULATOR
from deploy.dashboards.rules import alerting, recording
from deploy.dashboards.show import Prometheus, show


def files() -> dict[str, str]:
    """What is made: path from the root of the checkout, and text."""
    return {
        "deploy/prometheus/inland.rules.yml": recording(),
        "deploy/prometheus/inland.alerts.yml": alerting(),
        "deploy/grafana/regulator.json": rendered(REGULATOR),
        "deploy/grafana/operations.json": rendered(operations_dashboard()),
    }


def main(words: list[str]) -> int:
    """Write, or show. Exit status."""
    match words:
        case []:
            for path, text in files().items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text, "utf-8")
            return 0
        case ["show", url]:
            for dashboard in (REGULATOR, operations_dashboard()):
                show(dashboard, Prometheus(url))
            return 0
    print("usage: python -m deploy.dashboards [show URL-OF-PROMETHEUS]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
