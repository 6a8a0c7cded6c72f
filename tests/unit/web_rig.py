"""The exporter's server on a free port over a few counts, and requests to it."""

import http.client
import socket
import ssl
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from resolver.names import from_text
from resolver.web import MetricsServer
from resolver.web_site import Front
from resolver.web_tls import Web
from resolver.worst import SpaceSaving


class Counts(Collector):
    """A few lookups; ``broken`` makes a collection fail."""

    def __init__(self) -> None:
        self.broken = False

    def collect(self) -> Iterator[Metric]:
        if self.broken:
            raise RuntimeError("on purpose")
        lookups = CounterMetricFamily(
            "inland_lookups", "Lookups.", labels=("transport", "route", "destination")
        )
        lookups.add_metric(("udp", "escaped", "none"), 3)
        lookups.add_metric(("udp", "local", "none"), 9)
        yield lookups


class Rig:
    """A server on a free port, and requests to it."""

    def __init__(self, web: Web | None = None, page: bool = True) -> None:
        self.counts = Counts()
        worst = SpaceSaving(4)
        worst.add(from_text("far.xb."), 3)
        front = Front(lambda: ["XA"], worst) if page else None
        self.server = MetricsServer(self.counts, ("127.0.0.1", 0), front, web or Web())

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        host, port = self.server.address
        if context is None:
            return http.client.HTTPConnection(host, port, timeout=20)
        return http.client.HTTPSConnection(host, port, timeout=20, context=context)

    def get(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, headers=headers)
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def raw(self, octets: bytes) -> bytes:
        """All that comes back until the connection ends."""
        with socket.create_connection(self.server.address, timeout=20) as client:
            client.sendall(octets)
            found = b""
            while data := client.recv(65_536):
                found += data
            return found
