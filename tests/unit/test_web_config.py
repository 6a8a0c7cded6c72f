"""The web configuration: what is honoured works, all else is refused with its line."""

import ssl
from pathlib import Path

import bcrypt
import pytest

from resolver.config import parse
from resolver.config_web import read_web
from resolver.errors import ConfigError
from resolver.page.render import CONTENT_POLICY
from resolver.web_tls import OPEN, Web, web_of
from tests.unit.certificates import Authority

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
OTHER = HASH.replace("$2b$", "$2y$")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = Authority(tmp_path)
    authority.sign("server")
    authority.sign("other")
    authority.sign("locked", b"password")
    (tmp_path / "junk.pem").write_text("no certificate")
    (tmp_path / "deep").mkdir()
    return tmp_path


TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    path.write_text(text, "utf-8")
    return path


def loaded(folder: Path, text: str) -> Web:
    write(folder, text)
    return web_of(parse(b"home: [IN]\nmetrics: {web_config: web.yml}", base=folder))


def test_nothing_is_protected_without_it() -> None:
    assert web_of(parse(b"home: [IN]")) == OPEN


@pytest.mark.parametrize("text", ["", "{}", "basic_auth_users:\n", "tls_server_config:\n", "# x"])
def test_an_empty_file_protects_nothing(folder: Path, text: str) -> None:
    web = loaded(folder, text)
    assert web.tls is None
    assert not web.users


def test_the_keys_of_the_toolkit_that_are_honoured(folder: Path) -> None:
    web = loaded(
        folder,
        TLS
        + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
        + "  client_allowed_sans: [scraper, 127.0.0.1]\n"
        + "  min_version: TLS12\n  max_version: TLS12\n"
        + "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n"
        + "  prefer_server_cipher_suites: false\n"
        + f"basic_auth_users: {{alice: '{HASH}', bob: '{OTHER}'}}\n"
        + "http_server_config:\n  http2: false\n  headers:\n"
        + "    X-Frame-Options: sameorigin\n    Strict-Transport-Security: max-age=60\n"
        + "    X-Content-Type-Options: ''\n",
    )
    assert web.tls is not None
    assert web.tls.minimum_version == web.tls.maximum_version == ssl.TLSVersion.TLSv1_2
    assert web.tls.verify_mode is ssl.CERT_REQUIRED
    assert not web.tls.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    old = {cipher["name"] for cipher in web.tls.get_ciphers() if cipher["protocol"] != "TLSv1.3"}
    assert old == {"ECDHE-ECDSA-AES256-GCM-SHA384"}
    assert web.sans == {"scraper", "127.0.0.1"}
    assert dict(web.users) == {"alice": HASH.encode(), "bob": OTHER.encode()}
    assert web.headers["X-Frame-Options"] == "sameorigin"
    assert web.headers["Strict-Transport-Security"] == "max-age=60"
    assert "X-Content-Type-Options" not in web.headers
    assert web.headers["Content-Security-Policy"] == CONTENT_POLICY


def test_optional_certificates_of_clients(folder: Path) -> None:
    more = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"
    tls = loaded(folder, TLS + more).tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_OPTIONAL


REFUSED = [
    # not honoured here
    (TLS + "  cert: x", "tls_server_config.cert", 4, "name it in cert_file"),
    (TLS + "  key: x", "tls_server_config.key", 4, "name it in key_file"),
    (TLS + "  client_ca: x", "tls_server_config.client_ca", 4, "client_ca_file"),
    (TLS + "  curve_preferences: [X25519]", "tls_server_config.curve_preferences", 4, "OpenSSL"),
    ("rate_limit: {interval: 1s}", "rate_limit", 1, "not supported here"),
    ("http_server_config: {http2: true}", "http_server_config.http2", 1, "only HTTP/1.1"),
    (
        TLS + "  client_auth_type: RequireAnyClientCert",
        "tls_server_config.client_auth_type",
        4,
        "expected one of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
    ),
    (TLS + "  min_version: TLS10", "tls_server_config.min_version", 4, "one of TLS12, TLS13"),
    (
        TLS + "  cipher_suites:\n  - TLS_RSA_WITH_AES_128_CBC_SHA",
        "tls_server_config.cipher_suites[0]",
        5,
        "expected one of TLS_ECDHE",
    ),
    # shapes
    ("[a]", "(file)", 1, "expected keys such as"),
    ("tls_config: {}", "tls_config", 1, "did you mean tls_server_config?"),
    ("tls_server_config: 3", "tls_server_config", 1, "expected keys and values"),
    ("tls_server_config:\n  cert_file: a", "tls_server_config.key_file", 1, "required"),
    (TLS + "  keyfile: b", "tls_server_config.keyfile", 4, "did you mean key_file?"),
    ("http_server_config: {headers: {Server: x}}", "http_server_config.headers.Server", 1, "here"),
    (
        "http_server_config: {headers: {X-Frame-Options: maybe}}",
        "http_server_config.headers.X-Frame-Options",
        1,
        "expected one of deny, sameorigin",
    ),
    (
        'http_server_config: {headers: {X-XSS-Protection: "a\\nSet-Cookie: b"}}',
        "http_server_config.headers.X-XSS-Protection",
        1,
        "one line",
    ),
    # users
    ("basic_auth_users: {alice: hunter2}", "basic_auth_users.alice", 1, "expected a bcrypt hash"),
    ("basic_auth_users: {alice: 3}", "basic_auth_users.alice", 1, "expected a bcrypt hash"),
    (
        f"basic_auth_users: {{alice: '{HASH.replace('$04$', '$31$')}'}}",
        "basic_auth_users.alice",
        1,
        "its cost is 31: from 4 to 14",
    ),
    (f"basic_auth_users: {{'a:b': '{HASH}'}}", "basic_auth_users.'a:b'", 1, "without a colon"),
    # contradictions
    (TLS + "  client_ca_file: ca.pem", "tls_server_config.client_ca_file", 4, "has no effect"),
    (
        TLS + "  client_auth_type: VerifyClientCertIfGiven",
        "tls_server_config.client_auth_type",
        4,
        "needs client_ca_file",
    ),
    (
        TLS + "  client_allowed_sans: [a]",
        "tls_server_config.client_allowed_sans",
        4,
        "needs client_auth_type",
    ),
    (
        TLS + "  min_version: TLS13\n  max_version: TLS12",
        "tls_server_config.min_version",
        4,
        "newer than max_version",
    ),
    (
        TLS + "  min_version: TLS13\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
        "tls_server_config.cipher_suites",
        5,
        "has no effect",
    ),
    # files
    (TLS.replace("server.crt", "gone.crt"), "tls_server_config.cert_file", 2, "No such file"),
    (TLS.replace("server.key", "deep"), "tls_server_config.key_file", 3, "Is a directory"),
    (TLS.replace("server.key", "other.key"), "tls_server_config.key_file", 3, "not the key of"),
    (TLS.replace("server.crt", "junk.pem"), "tls_server_config.cert_file", 2, "no certificate in"),
    (TLS.replace("server.key", "junk.pem"), "tls_server_config.key_file", 3, "no key in PEM"),
    (TLS.replace("server.", "locked."), "tls_server_config.key_file", 3, "it is encrypted"),
    (
        TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: junk.pem",
        "tls_server_config.client_ca_file",
        5,
        "no certificate in PEM",
    ),
]


@pytest.mark.parametrize(("text", "path", "line", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(folder: Path, text: str, path: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    (found,) = caught.value.findings
    assert (found.path, found.line) == (path, line), str(found)
    assert words in found.message
    assert caught.value.source.endswith("web.yml")
    for secret in ("hunter2", HASH[29:]):
        assert secret not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    text = "rate_limit: {}\nbasic_auth_users: {a: b, c: d}\nhttp_server_config: {http2: true}\n"
    with pytest.raises(ConfigError) as caught:
        read_web(write(folder, text))
    assert [found.line for found in caught.value.findings] == [1, 2, 2, 3]


def test_a_file_that_is_not_there_is_a_clear_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.yml: .*cannot be read: No such file"):
        web_of(parse(b"home: [IN]\nmetrics: {web_config: web.yml}", base=folder))
