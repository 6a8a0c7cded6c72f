"""What the exporter serves: ``/metrics`` for Prometheus, ``/`` for people, and two words on health.

Responsible for making each reply from one snapshot: the samples are collected once, and both the
text for Prometheus and the page are made from them, so that they cannot differ. Limitations: the
page's history is that of this process.
"""

import gzip
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from resolver.limits_page import HTTP_COMPRESS_OCTETS, WORST_SHOWN
from resolver.page.history import History, Point
from resolver.page.render import page
from resolver.page.samples import Samples
from resolver.page.view import LOOKUPS, View
from resolver.worst import SpaceSaving

_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """A reply without the headers that all replies have."""

    status: int
    kind: str
    body: bytes
    more: tuple[tuple[str, str], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Front:
    """What the page shows beside the metrics; called and read in the exporter's thread."""

    home: Callable[[], Sequence[str]]
    worst: SpaceSaving


@final
class _Snapshot(Collector):
    """The metrics of one moment."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.taken = time.time()
        self._metrics = list(registry.collect())

    def collect(self) -> Iterable[Metric]:
        """The same, however often."""
        return self._metrics

    def samples(self) -> Samples:
        """As the page reads them."""
        return Samples(
            (sample.name, sample.labels, sample.value)
            for metric in self._metrics
            for sample in metric.samples
        )


@final
class Site:
    """Replies by path. Without a ``front`` there is no page."""

    def __init__(self, exporter: Collector, front: Front | None) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(exporter)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._front = front
        self._history = History(time.monotonic())

    def remember(self) -> None:
        """Take a point of the history."""
        if self._front is not None:
            self._history.add(_point(_Snapshot(self._registry).samples()))

    def reply(self, target: str, headers: Mapping[str, str]) -> Reply:
        """The reply to a GET; headers by name in lower case."""
        try:
            url = urlsplit(target)
        except ValueError:
            return plain(400, "this is no path")
        if url.path == "/metrics":
            made = self._metrics(headers.get("accept", ""))
        elif url.path == "/" and self._front is not None:
            made = self._page(self._front, "refresh" in parse_qs(url.query, True))
        else:
            known = "/metrics" if self._front is None else "/ and /metrics"
            return plain(404, f"nothing here; there are {known}")
        if len(made.body) < HTTP_COMPRESS_OCTETS or not _takes_gzip(headers):
            return made
        more = (*made.more, ("Content-Encoding", "gzip"))
        return Reply(made.status, made.kind, gzip.compress(made.body, 6), more)

    def _metrics(self, accept: str) -> Reply:
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, kind = choose_encoder("")
        return Reply(200, kind, encode(_Snapshot(self._registry)), (("Vary", "Accept-Encoding"),))

    def _page(self, front: Front, refresh: bool) -> Reply:
        snapshot = _Snapshot(self._registry)
        samples = snapshot.samples()
        now = _point(samples)
        view = View(
            snapshot.taken,
            samples,
            tuple(front.home()),
            tuple(self._history.intervals(now, snapshot.taken - now.at)),
            front.worst.ranking(WORST_SHOWN),
            refresh,
        )
        return Reply(200, _HTML, page(view).encode(), (("Vary", "Accept-Encoding"),))


def plain(status: int, words: str, *more: tuple[str, str]) -> Reply:
    """A line of text."""
    return Reply(status, _TEXT, f"{words}\n".encode(), more)


def _point(samples: Samples) -> Point:
    local, domestic, escaped = (
        int(samples.total(LOOKUPS.where(route=route))) for route in ("local", "domestic", "escaped")
    )
    return Point(time.monotonic(), local, domestic, escaped)


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the client takes gzip (RFC 9110 section 12.5.3)."""
    wanted = headers.get("accept-encoding", "").lower().replace(" ", "")
    found = re.search(r"(?:^|,)gzip(?:;q=([01](?:\.[0-9]*)?))?(?:,|$)", wanted)
    return found is not None and float(found[1] or 1) > 0
