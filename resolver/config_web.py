"""The web configuration: who may read the exporter, and over what; in the form of Prometheus.

Responsible for reading the file that ``metrics.web_config`` names. Its form is that of the
exporter-toolkit of Prometheus (``docs/web-configuration.md`` there), so that one file serves all
exporters of a machine. Keys of it that have no effect here are refused with the reason and never
passed over, and so are hashes and certificates that could not be used. Paths in it start at its own
directory. No message repeats a hash.

Limitations: HTTP/1.1 only; certificates stand in files, not in the text; no limit of rates.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, final

from pydantic import Field, PrivateAttr, ValidationError

from resolver.config_base import Section, key
from resolver.config_checks import describe
from resolver.config_lines import Path as Where
from resolver.config_lines import Tree, path_text, read_tree
from resolver.config_units import FilePath, Line, OptionalPath, Switch, Unit, choice, string
from resolver.errors import WHOLE_FILE, ConfigError, Finding
from resolver.limits_page import PASSWORD_COST_MAX

CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""Cipher suites of TLS 1.2 by their name in that file, and by OpenSSL's; those of TLS 1.3 are
always on."""

_INLINE = "not supported here: write the text into a file, and name it in "
_NOT_HERE: dict[Where, str] = {
    ("tls_server_config", "cert"): _INLINE + "cert_file",
    ("tls_server_config", "key"): _INLINE + "key_file",
    ("tls_server_config", "client_ca"): _INLINE + "client_ca_file",
    ("tls_server_config", "curve_preferences"): "not supported here: OpenSSL chooses the curve",
    ("rate_limit",): "not supported here: connections and checks of passwords are bounded anyway",
}
"""Keys of the exporter-toolkit that are not honoured, and so are refused."""

_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")


def _hash(value: object) -> bytes:
    found = _HASH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected a bcrypt hash, such as htpasswd -nBC 10 USER writes")
    if not 4 <= int(found[1]) <= PASSWORD_COST_MAX:
        raise ValueError(f"its cost is {int(found[1])}: from 4 to {PASSWORD_COST_MAX} is allowed")
    return found.string.encode()


def _user(value: object) -> str:
    if not isinstance(value, str) or not value or ":" in value or not value.isprintable():
        raise ValueError("expected the name of a user, without a colon")
    return value


def _http2(value: object) -> bool:
    if value is not False:
        raise ValueError("only HTTP/1.1 is served: leave http2 out, or write false")
    return False


def _header(value: object) -> str:
    if not isinstance(value, str) or len(value) > 4096 or not value.isascii():
        raise ValueError("expected a text of ASCII letters")
    if value and not value.isprintable():
        raise ValueError("expected a text on one line")
    return value


_Header = Annotated[str, Unit(_header, string())]
_Version = Annotated[str, choice("TLS12", "TLS13")]


@final
class TlsSection(Section):
    """TLS."""

    cert_file: FilePath = Field(description="certificate chain, PEM")
    key_file: FilePath = Field(description="its key, PEM, without a password")
    client_auth_type: Annotated[
        str, choice("NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
    ] = key("NoClientCert", "whether clients show certificates")
    client_ca_file: OptionalPath = key(None, "who signs those of clients, PEM")
    client_allowed_sans: tuple[Line, ...] = key([], "names, of which a client must have one")
    min_version: _Version = key("TLS12", "oldest version of TLS")
    max_version: _Version = key("TLS13", "newest version of TLS")
    cipher_suites: tuple[Annotated[str, choice(*CIPHERS)], ...] = key([], "those of TLS 1.2")
    prefer_server_cipher_suites: Switch = key(True, "choose by our order")


@final
class HeadersSection(Section):
    """Headers of replies; an empty text takes away the one that there would be."""

    content_security_policy: _Header | None = Field(None, alias="Content-Security-Policy")
    x_frame_options: Annotated[str, choice("deny", "sameorigin", "")] | None = Field(
        None, alias="X-Frame-Options"
    )
    x_content_type_options: Annotated[str, choice("nosniff", "")] | None = Field(
        None, alias="X-Content-Type-Options"
    )
    x_xss_protection: _Header | None = Field(None, alias="X-XSS-Protection")
    strict_transport_security: _Header | None = Field(None, alias="Strict-Transport-Security")


@final
class HttpSection(Section):
    """HTTP."""

    http2: Annotated[bool, Unit(_http2, {"const": False})] = key(False, "not supported")
    headers: HeadersSection = key({}, "headers of replies")


@final
class WebFile(Section):
    """A whole web configuration; an empty one protects nothing."""

    tls_server_config: TlsSection | None = None
    http_server_config: HttpSection = key({}, "HTTP")
    basic_auth_users: dict[
        Annotated[str, Unit(_user, string())], Annotated[bytes, Unit(_hash, string())]
    ] = Field(default_factory=dict)

    _source: str = PrivateAttr("")
    _tree: Tree = PrivateAttr(default_factory=Tree)

    def refuse(self, *findings: tuple[Where, str]) -> ConfigError:
        """What is wrong with it after all, with lines."""
        return ConfigError(
            self._source,
            [Finding(path_text(at), words, self._tree.line(at)) for at, words in findings],
        )

    @property
    def headers(self) -> dict[str, str]:
        """Headers by name, as far as the file has them."""
        return self.http_server_config.headers.model_dump(by_alias=True, exclude_none=True)


def read_web(path: Path) -> WebFile:
    """Read a web configuration.

    Raises:
        ConfigError: all that is wrong with it, in the order of lines.
    """
    source = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        finding = Finding(WHOLE_FILE, f"cannot be read: {error.strerror}")
        raise ConfigError(source, [finding]) from error
    tree = read_tree(data, source)
    value = {} if tree.value is None else tree.value
    if not isinstance(value, dict):
        finding = Finding(WHOLE_FILE, "expected keys such as basic_auth_users:", tree.line(()))
        raise ConfigError(source, [*tree.findings, finding])
    findings = list(tree.findings)
    file: WebFile | None = None
    # As in the toolkit, a key without a value is one that is left out.
    kept = {name: inner for name, inner in value.items() if inner is not None}
    try:
        file = WebFile.model_validate(kept, context=path.absolute().parent)
    except ValidationError as errors:
        for fault in errors.errors(include_url=False, include_input=False):
            at, words = describe(fault, WebFile)
            words = _NOT_HERE.get(at, words)
            findings.append(Finding(path_text(at), words, tree.line(at)))
    if file is not None:
        findings += (Finding(path_text(at), words, tree.line(at)) for at, words in _check(file))
    if findings or file is None:
        raise ConfigError(source, sorted(findings, key=lambda found: (found.line or 0, found.path)))
    file._source = source
    file._tree = tree
    return file


def _check(file: WebFile) -> Iterator[tuple[Where, str]]:
    """What contradicts what."""
    tls = file.tls_server_config
    if tls is None:
        return
    at = "tls_server_config"
    asks = tls.client_auth_type != "NoClientCert"
    if asks and tls.client_ca_file is None:
        yield (at, "client_auth_type"), f"{tls.client_auth_type} needs client_ca_file"
    if not asks and tls.client_ca_file is not None:
        yield (at, "client_ca_file"), "has no effect without client_auth_type"
    if tls.client_allowed_sans and tls.client_auth_type != "RequireAndVerifyClientCert":
        yield (at, "client_allowed_sans"), "needs client_auth_type: RequireAndVerifyClientCert"
    if tls.min_version > tls.max_version:
        yield (at, "min_version"), f"{tls.min_version} is newer than max_version"
    if tls.cipher_suites and tls.min_version == "TLS13":
        yield (at, "cipher_suites"), "has no effect: it is of TLS 1.2, and min_version is TLS13"
