"""Metrics of what names are shown to servers, and of names that were not shown whole abroad.

Labels divided by exchanges of the same verdict is the mean length of what is asked there.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from resolver.counters import Counters
from resolver.minimise import Withheld


def privacy_metrics(counters: Counters, withheld: Withheld) -> Iterator[Metric]:
    """All of them, at a scrape. Called in the scraper's thread."""
    shown = CounterMetricFamily(
        "inland_exchange_labels",
        "Labels of the names in the questions sent upstream.",
        labels=("verdict",),
    )
    beyond = CounterMetricFamily(
        "inland_exchange_labels_beyond",
        "Those of them beyond the labels of the zone that was asked and one.",
        labels=("verdict",),
    )
    sums: dict[str, tuple[int, int]] = {}
    for row in counters.exchanges():
        labels, more = sums.get(row.verdict, (0, 0))
        sums[row.verdict] = (labels + row.labels, more + row.labels_beyond)
    for verdict, (labels, more) in sums.items():
        shown.add_metric((verdict,), labels)
        beyond.add_metric((verdict,), more)
    yield shown
    yield beyond
    names = CounterMetricFamily(
        "inland_withheld_names",
        "Names that servers abroad were not shown whole, by how that ended.",
        labels=("result",),
    )
    names.add_metric(("denied",), withheld.denied)
    names.add_metric(("refused",), withheld.refused)
    yield names
