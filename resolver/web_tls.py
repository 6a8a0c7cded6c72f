"""What the exporter's server needs of a web configuration: a TLS context, users, headers.

Responsible for the files that a web configuration names: they are read here, at the start and at
each reload, and what is wrong with them is told with the path and line of the key. Limitations: a
key that needs a password is refused, since there is nobody to ask.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from resolver.config import Config
from resolver.config_web import CIPHERS, TlsSection, WebFile, read_web
from resolver.page.render import CONTENT_POLICY

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every reply, where the web configuration does not say otherwise."""


@final
@dataclass(frozen=True, slots=True)
class Web:
    """How requests come in."""

    tls: ssl.SSLContext | None = None
    sans: frozenset[str] = frozenset()
    """Names of which a client's certificate must have one; empty: any will do."""

    users: Mapping[str, bytes] = field(default_factory=dict)
    """Hashes of passwords by user; empty: anybody may read."""

    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)

    names: frozenset[str] = frozenset()
    """Host names that requests may be for, beside the address and ``localhost``."""


OPEN = Web()
"""Without a web configuration: plain HTTP for everybody who can connect."""


def web_of(config: Config) -> Web:
    """What the configuration's web file says. Blocks.

    Raises:
        ConfigError: that file, a certificate or a key cannot be used.
    """
    path = config.metrics.web_config
    names = frozenset(config.metrics.names)
    if path is None:
        return Web(names=names)
    file = read_web(path)
    tls = file.tls_server_config
    merged = {**HEADERS, **file.headers}
    return Web(
        _context(file, tls) if tls is not None else None,
        frozenset(tls.client_allowed_sans) if tls is not None else frozenset(),
        file.basic_auth_users,
        {name: value for name, value in merged.items() if value},
        names,
    )


def _context(file: WebFile, tls: TlsSection) -> ssl.SSLContext:
    for name in ("cert_file", "key_file", "client_ca_file"):
        _readable(file, name, getattr(tls, name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.set_alpn_protocols(["http/1.1"])
    if tls.cipher_suites:
        context.set_ciphers(":".join(CIPHERS[name] for name in tls.cipher_suites))
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, _no_password)
    except (ssl.SSLError, ValueError) as error:
        raise file.refuse(_blame(tls, error)) from error
    if tls.client_ca_file is not None:
        required = tls.client_auth_type == "RequireAndVerifyClientCert"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(tls.client_ca_file)
        except ssl.SSLError as error:
            words = f"{tls.client_ca_file}: no certificate in PEM: {_reason(error)}"
            raise file.refuse((("tls_server_config", "client_ca_file"), words)) from error
    return context


def _readable(file: WebFile, name: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.read_bytes()
    except OSError as error:
        words = f"{path}: cannot be read: {error.strerror}"
        raise file.refuse((("tls_server_config", name), words)) from error


def _no_password() -> str:
    raise ValueError("it is encrypted, and there is nobody to ask for the password")


def _blame(tls: TlsSection, error: Exception) -> tuple[tuple[str, str], str]:
    """Which key a refusal of OpenSSL is about."""
    if not isinstance(error, ssl.SSLError):
        return ("tls_server_config", "key_file"), f"{tls.key_file}: {error}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return ("tls_server_config", "key_file"), f"{tls.key_file}: not the key of {tls.cert_file}"
    name = "key_file" if _has_certificate(tls.cert_file) else "cert_file"
    what = "key" if name == "key_file" else "certificate"
    words = f"{getattr(tls, name)}: no {what} in PEM that can be used: {_reason(error)}"
    return ("tls_server_config", name), words


def _has_certificate(path: Path) -> bool:
    try:
        ssl.create_default_context().load_verify_locations(path)
    except (OSError, ValueError):
        return False
    return True


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The names in a client's certificate: of hosts, addresses, mail and URIs."""
    return frozenset(str(value) for _, value in (certificate or {}).get("subjectAltName", ()))
