"""Under which names the exporter answers: no page from elsewhere reads it by giving its own name
this machine's address (DNS rebinding)."""

from collections.abc import Iterator

import pytest

from resolver.config import parse
from resolver.errors import ConfigError
from resolver.web_host import Hosts
from resolver.web_tls import Web, web_of
from tests.unit.web_rig import Rig

NAMED = Web(names=frozenset({"dns1.example.net"}))


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig(NAMED)
    yield made
    made.server.close()


def asked(rig: Rig, host: str, target: str = "/metrics") -> bytes:
    """The status of a request for this host."""
    head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return rig.raw(head.encode())[9:12]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:9153",
        "localhost",
        "LocalHost.:80",
        "dns1.example.net",
        "DNS1.example.net.:9153",
    ],
)
def test_its_own_names_are_answered(rig: Rig, host: str) -> None:
    assert asked(rig, host) == b"200"


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "dns1.example.net.rebound.example",
        "x.dns1.example.net",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "",
        "localhost:9153:9153",
        "localhost:port",
        "user@localhost",
        "localhost/",
        "localhost, rebound.example",
    ],
)
@pytest.mark.parametrize("target", ["/", "/metrics", "/other"])
def test_other_names_are_not(rig: Rig, host: str, target: str) -> None:
    reply = rig.raw(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
    assert b"connection: close" in reply.lower()
    assert b"nosniff" in reply
    assert b"inland_" not in reply
    assert b"rebound" not in reply


def test_the_absolute_form_goes_before_the_header(rig: Rig) -> None:
    assert asked(rig, "localhost", "http://localhost/metrics") == b"200"
    assert asked(rig, "localhost", "http://rebound.example/metrics") == b"421"
    assert asked(rig, "rebound.example", "http://localhost/metrics") == b"421"
    assert asked(rig, "localhost", "http://[/metrics") == b"421"


def test_two_hosts_are_none(rig: Rig) -> None:
    head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example\r\n\r\n"
    assert rig.raw(head)[9:12] == b"400"


def test_without_a_host_only_the_old_http_asks(rig: Rig) -> None:
    assert rig.raw(b"GET /metrics HTTP/1.0\r\n\r\n")[9:12] == b"200"
    assert rig.raw(b"GET /metrics HTTP/1.1\r\n\r\n")[9:12] == b"400"


def test_health_is_told_under_any_name(rig: Rig) -> None:
    assert asked(rig, "rebound.example", "/healthz") == b"200"
    assert asked(rig, "rebound.example", "/readyz") == b"503"


def test_refusals_are_counted_and_the_first_is_logged(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    long = "x" * 500 + ".example"
    for _ in range(3):
        assert asked(rig, long) == b"421"
    assert rig.server.refusals.counts == {"host": 3, "password": 0}
    (line,) = [record.getMessage() for record in caplog.records]
    assert "metrics.names" in line
    assert len(line) < 200


def test_a_reload_takes_other_names(rig: Rig) -> None:
    rig.server.configure(Web(names=frozenset({"dns2.example.net"})))
    assert asked(rig, "dns1.example.net") == b"421"
    assert asked(rig, "dns2.example.net") == b"200"


@pytest.mark.parametrize(
    ("bound", "host", "ours"),
    [
        ("127.0.0.1", "rebound.example", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "192.0.2.7:9153", True),
        ("0.0.0.0", "[2001:db8::7]:9153", True),
        ("::", "192.0.2.7", True),
        ("::", "rebound.example", False),
        ("192.0.2.7", "rebound.example", False),
        ("::1", "[::1]:9153", True),
        ("::1", "[0:0:0:0:0:0:0:1]", True),
        ("::1", "[::2]", False),
        ("::1", "127.0.0.1", False),
        ("::1", "[::1", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "127.0.0.1", False),
        ("192.0.2.7", "198.51.100.1", False),
        ("192.0.2.7", "10.0.0.1", True),  # listed: a forwarded address
    ],
)
def test_addresses_are_those_that_are_listened_on(bound: str, host: str, ours: bool) -> None:
    loopback = bound in ("127.0.0.1", "::1")
    listed = frozenset[str]() if loopback else frozenset({"10.0.0.1"})
    assert Hosts(bound, listed).admit("/", host) is ours


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "192.0.2.7"])
def test_beyond_loopback_names_are_checked_once_there_is_a_list(bound: str) -> None:
    assert Hosts(bound, frozenset()).admit("/", "dns1.example.net:9153")
    assert not Hosts(bound, frozenset()).admit("/", "dns1.example.net/x")
    assert not Hosts(bound, frozenset({"dns2.example.net"})).admit("/", "dns1.example.net")


def test_the_configuration_names_them() -> None:
    text = b"home: [IN]\nmetrics: {names: [DNS1.example.net., '2001:DB8::7', 192.0.2.7]}"
    assert web_of(parse(text)).names == {"dns1.example.net", "2001:db8::7", "192.0.2.7"}
    assert web_of(parse(b"home: [IN]")).names == frozenset()


@pytest.mark.parametrize(
    "name", ["dns1:9153", "http://dns1", "*.example.net", "dns1/x", "", "a" * 254, "[2001:db8::1]"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"line 2: metrics\.names\[0\]: expected a host name or"):
        parse(f"home: [IN]\nmetrics: {{names: ['{name}']}}".encode())


def test_a_name_given_twice_is_told() -> None:
    with pytest.raises(ConfigError, match=r"metrics\.names\[1\]: the same as metrics\.names\[0\]"):
        parse(b"home: [IN]\nmetrics: {names: [dns1, DNS1.]}")
