"""What became of reloads, and of the country pack that the configuration in force asked for.

Counted where it happens (:mod:`resolver.app`) and rendered here. Written by the task that reloads,
read by the exporter's thread; each value is replaced in one step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.config import Config
from resolver.pack_of import pack_warnings, settle_pack


@final
class Reloads:
    """The books of reloads since the start."""

    def __init__(self) -> None:
        self.counts = {"done": 0, "refused": 0}
        self.last_successful = True
        self.pack_stood_in = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around one reload; what it raises counts as refused and goes on."""
        try:
            yield
        except Exception:
            self.counts["refused"] += 1
            self.last_successful = False
            raise
        self.counts["done"] += 1
        self.last_successful = True

    def settle(self, config: Config) -> list[str]:
        """A configuration is in force now: note whether another pack stands in for its own, keep
        the pack, and return what there is to say of it. Blocks."""
        self.pack_stood_in = bool(pack_warnings(config))
        return settle_pack(config)

    def metrics(self) -> Iterator[Metric]:
        """All of them, at a scrape. Called in the scraper's thread."""
        reloads = CounterMetricFamily(
            "inland_reloads", "Reloads of the configuration.", labels=("result",)
        )
        for result, count in self.counts.items():
            reloads.add_metric((result,), count)
        yield reloads
        yield GaugeMetricFamily(
            "inland_last_reload_successful",
            "1 unless the last reload was refused.",
            value=int(self.last_successful),
        )
        yield GaugeMetricFamily(
            "inland_pack_stood_in",
            "1 while the last good country pack stands in for one that was refused.",
            value=int(self.pack_stood_in),
        )
