"""The exporter's server: what it serves, and what it does not put up with."""

import gzip
import socket
import threading
from collections.abc import Iterator

import pytest
import trio

from resolver import limits_page as limits
from resolver.errors import StateError
from resolver.page.render import CONTENT_POLICY
from resolver.web import MetricsServer
from resolver.web_tls import HEADERS
from tests.unit.web_rig import Counts, Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.server.close()


def test_the_metrics_are_where_they_always_were(rig: Rig) -> None:
    status, headers, body = rig.get("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b'inland_lookups_total{destination="none",route="escaped",transport="udp"} 3.0' in body
    assert b"process_start_time_seconds" in body


def test_open_metrics_are_given_to_who_asks(rig: Rig) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5"
    _, headers, body = rig.get("/metrics", accept=accept)
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert rig.get("/metrics", accept="application/openmetrics-text;version=x")[0] == 200


def test_the_page_is_served_with_its_policy(rig: Rig) -> None:
    status, headers, body = rig.get("/")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == CONTENT_POLICY
    assert {name.lower(): value for name, value in HEADERS.items()}.items() <= headers.items()
    assert b"far.xb." in body
    assert b"25.0 %" in body
    assert b"http-equiv" not in body
    assert b'http-equiv="refresh"' in rig.get("/?refresh")[2]


def test_it_is_compressed_for_who_takes_that(rig: Rig) -> None:
    for path in ("/", "/metrics"):
        _, headers, body = rig.get(path, **{"Accept-Encoding": "deflate, gzip;q=0.8"})
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(body)[:5] in (b"<!doc", b"# HEL")
        assert "content-encoding" not in rig.get(path, **{"Accept-Encoding": "gzip;q=0"})[1]


def test_head_says_how_long_and_no_more(rig: Rig) -> None:
    status, headers, body = rig.get("/", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 5_000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/other", 404),
        ("GET", "/metrics/", 404),
        ("GET", "//[", 400),
        ("POST", "/", 405),
        ("OPTIONS", "/metrics", 405),
        ("HEAD", "/other", 404),
    ],
)
def test_what_is_not_served(rig: Rig, method: str, path: str, status: int) -> None:
    found, headers, _ = rig.get(path, method)
    assert found == status
    assert headers["connection"] == "close"
    assert "content-security-policy" in headers


def test_without_a_page_there_are_only_metrics() -> None:
    rig = Rig(page=False)
    try:
        assert rig.get("/")[0] == 404
        assert rig.get("/metrics")[0] == 200
    finally:
        rig.server.close()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # without a host
        (b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 20_000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", b"413"),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", b"413"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", b"413"),
        (
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            b"413",
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
    ],
)
def test_bad_requests_get_a_word_and_the_connection_ends(
    rig: Rig, octets: bytes, status: bytes
) -> None:
    reply = rig.raw(octets)
    assert reply.startswith(b"HTTP/1.1 " + status), reply
    assert reply.count(b"HTTP/1.1") == 1
    assert rig.get("/metrics")[0] == 200


def test_a_connection_serves_many_requests(rig: Rig) -> None:
    connection = rig.connect()
    for _ in range(5):
        connection.request("GET", "/metrics")
        assert connection.getresponse().read().startswith(b"# HELP")
    connection.close()
    both = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 2
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert rig.raw(both + last).count(b"HTTP/1.1 200 OK") == 3


def test_a_fault_in_one_reply_does_not_end_the_others(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.counts.broken = True
    assert rig.get("/metrics")[0] == 500
    assert "on purpose" in caplog.text
    rig.counts.broken = False
    assert rig.get("/metrics")[0] == 200


def test_who_says_nothing_is_let_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_HEAD_SECONDS", 0.2)
    assert rig.raw(b"GET / HTTP/1.1\r\nHost:") == b""


def test_who_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_WRITE_SECONDS", 0.2)
    rig = Rig()
    try:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.settimeout(20)
            client.connect(rig.server.address)
            asked = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
            with pytest.raises(OSError):
                while True:  # it takes some until every buffer on the way is full
                    client.sendall(asked * 100)
        assert rig.get("/metrics")[0] == 200
    finally:
        rig.server.close()


def test_idle_connections_do_not_keep_a_scraper_out(rig: Rig) -> None:
    idle = [socket.create_connection(rig.server.address) for _ in range(3 * 64)]
    try:
        for _ in range(3):
            assert rig.get("/metrics")[0] == 200
        idle[0].settimeout(20)
        assert idle[0].recv(1) == b""  # the oldest had to go
    finally:
        for client in idle:
            client.close()


def test_a_port_in_use_is_a_clear_error(rig: Rig) -> None:
    with pytest.raises(StateError, match=r"metrics\.listen: cannot listen on 127\.0\.0\.1 port"):
        MetricsServer(Counts(), rig.server.address)


def test_health_is_that_of_the_drivers_loop(rig: Rig) -> None:
    assert rig.get("/readyz")[0] == 503
    assert rig.get("/healthz")[:1] == (200,)  # starting is no fault
    going, over = threading.Event(), threading.Event()
    tokens = []

    async def drive() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        going.set()
        while not over.is_set():
            await trio.sleep(0.01)

    thread = threading.Thread(target=trio.run, args=(drive,))
    thread.start()
    going.wait()
    rig.server.ready(tokens[0])
    assert rig.get("/healthz")[0] == rig.get("/readyz")[0] == 200
    rig.server.stopping()
    assert rig.get("/readyz")[0] == 503
    assert rig.get("/healthz")[0] == 200
    over.set()
    thread.join()
    assert rig.get("/healthz")[0] == 503


def test_a_driver_that_hangs_is_not_healthy(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_LIVE_SECONDS", 0.1)
    going, over = threading.Event(), threading.Event()
    tokens = []

    async def drive() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        going.set()
        over.wait()  # blocks the loop

    thread = threading.Thread(target=trio.run, args=(drive,))
    thread.start()
    going.wait()
    rig.server.ready(tokens[0])
    assert rig.get("/healthz")[0] == 503
    over.set()
    thread.join()
