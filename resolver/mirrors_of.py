"""From the configuration to the zones that are to be mirrored.

Responsible for reading the secrets that it names, and for putting in the built-in sources and
anchors of the root.
"""

import base64
import binascii
from pathlib import Path

from resolver.config import Config
from resolver.config_mirrors import MirrorEntry
from resolver.errors import Finding
from resolver.mirrors.wanted import (
    ROOT_ANCHORS,
    ROOT_URL,
    Key,
    Primary,
    Terms,
    Wanted,
    root_primaries,
)
from resolver.names import ROOT, Name, to_text

_SECRET_OCTETS_MAX = 4096


def keys_of(config: Config) -> dict[Name, Key]:
    """The TSIG keys by name.

    Raises:
        ConfigError: every secret that cannot be read.
    """
    findings: list[Finding] = []
    keys: dict[Name, Key] = {}
    for at, entry in enumerate(config.mirrors.keys):
        try:
            secret = _secret(entry.secret_file)
        except ValueError as error:
            findings.append(Finding(f"mirrors.keys[{at}].secret_file", str(error)))
        else:
            keys[entry.name] = Key(to_text(entry.name), entry.algorithm, secret)
    if findings:
        raise config.with_lines(findings)
    return keys


def mirrors_of(config: Config) -> tuple[Wanted, ...]:
    """The zones to mirror, parents before children. Raises ``ConfigError`` as :func:`keys_of`."""
    keys = keys_of(config)
    out = [_wanted(entry, keys) for entry in config.mirrors.zones]
    if config.mirrors.root and all(wanted.zone != ROOT for wanted in out):
        terms = Terms("require", "require", ROOT_ANCHORS)
        out.append(Wanted(ROOT, root_primaries(), terms, ROOT_URL))
    return tuple(sorted(out, key=lambda wanted: len(wanted.zone)))


def mirror_directory(config: Config) -> Path | None:
    """Where the copies are kept; ``None``: nowhere."""
    if config.mirrors.directory is not None:
        return config.mirrors.directory
    state = config.state.directory
    return state / "mirrors" if state is not None else None


def _wanted(entry: MirrorEntry, keys: dict[Name, Key]) -> Wanted:
    primaries = tuple(
        Primary(one.address, one.tier, keys[one.key] if one.key is not None else None)
        for one in entry.primaries
    )
    terms = Terms(entry.zonemd, entry.signatures, entry.anchors, entry.shrink_max)
    if entry.zone == ROOT and not entry.anchors and entry.signatures != "off":
        terms = Terms(entry.zonemd, entry.signatures, ROOT_ANCHORS, entry.shrink_max)
    return Wanted(entry.zone, primaries, terms, entry.url, entry.file)


def _secret(path: Path) -> bytes:
    """The octets of a secret in Base64. Raises ``ValueError``."""
    try:
        if path.stat().st_size > _SECRET_OCTETS_MAX:
            raise ValueError(f"{path} is too large for a secret")
        secret = base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    except binascii.Error:
        raise ValueError(f"{path} is not Base64") from None
    if not secret:
        raise ValueError(f"{path} is empty")
    return secret
