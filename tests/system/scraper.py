"""A real Prometheus that scrapes a running resolver with our rules, for system tests."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import yaml

from deploy.dashboards.show import Prometheus, QueryError
from tests.ports import free_port
from tests.system.serving import ROOT

WAIT_SECONDS = 60.0


class Scraper:
    """Prometheus on a free port, one scrape and one evaluation each second. ``job``: more of how it
    scrapes."""

    def __init__(self, folder: Path, metrics: str, **job: Any) -> None:
        binary = shutil.which("prometheus")
        if binary is None:
            pytest.skip("prometheus is not installed")
        target = urlsplit(metrics).netloc
        for rules in (ROOT / "deploy/prometheus").glob("inland.*.yml"):
            # Sums are looked at as often as this Prometheus scrapes.
            text = re.sub(r":\d+s\]", ":1s]", rules.read_text("utf-8"))
            (folder / rules.name).write_text(text)
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "inland.*.yml")],
            "scrape_configs": [
                {"job_name": "inland", "static_configs": [{"targets": [target]}]} | job,
            ],
        }
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        port = free_port()
        self.api = Prometheus(f"http://127.0.0.1:{port}")
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                binary,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        self.until(self._is_ready, "Prometheus that is ready")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(WAIT_SECONDS)
        self._log.close()

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.api.url}/-/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for what Prometheus must come to see."""
        ends = time.monotonic() + WAIT_SECONDS
        while not true():
            assert self._process.poll() is None, "Prometheus has ended"
            assert time.monotonic() < ends, f"no {what}"
            time.sleep(0.1)

    def value(self, expr: str) -> float | None:
        """The one value of an expression now; ``None``: it has none yet."""
        try:
            samples = self.api.query(expr)
        except QueryError as error:
            raise AssertionError(f"{expr}\n{error}") from error
        assert len(samples) < 2, samples
        return samples[0][1] if samples else None
