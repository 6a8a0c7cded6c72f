"""Read the evidence files and make the policy: the only file of this package that reads files.

Responsible for opening location databases, for finding out which registry snapshot is
installed, and for reporting everything that is wrong with them at once. A database is read into
memory whole, so that a file replaced or cut short while we run can neither change a verdict nor
crash us, and the hash is that of the data in use. It is read by the Python reader of
``maxminddb``: 10 to 20 microseconds a look-up are enough, since verdicts are remembered, and the
reader in C (3.2.0) corrupts memory when it walks through a damaged file.

Limitations: databases are read again at each reload.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice

import maxminddb

from policy.border import Policy, make_policy
from policy.inputs import DatabaseFile, PolicyInputs
from policy.sources import DAMAGE, Database, Registry, Source, code_in
from resolver.errors import ConfigError, Finding, SourceError
from resolver.limits import DATABASE_OCTETS_MAX, DATABASE_PROBES

__all__ = ["PolicyInputs", "load_policy", "open_database", "open_registry"]


def load_policy(inputs: PolicyInputs, source: str = "policy") -> Policy:
    """Open all sources and make the policy. ``source`` names the configuration in errors.

    Raises:
        ConfigError: one finding for each source that cannot be used.
    """
    sources: list[Source] = [open_registry()] if inputs.registry else []
    findings = []
    for index, entry in enumerate(inputs.databases):
        try:
            sources.append(open_database(entry))
        except SourceError as error:
            findings.append(Finding(f"border.databases[{index}]", str(error)))
    if findings:
        raise ConfigError(source, findings)
    return make_policy(inputs, sources)


def open_registry() -> Registry:
    """The installed registry snapshot, named by package version and, where told, its date."""
    edition = f"iptocc {metadata.version('iptocc')}"
    built = _wheel_date()
    return Registry(f"{edition} of {built}" if built else edition)


def _wheel_date() -> str | None:
    """Date of the package build, from the bill of materials inside it: the package is built
    nightly from the registries' files and carries no other date."""
    for file in metadata.files("iptocc") or ():
        if file.name.endswith(".cyclonedx.json"):
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                content = json.loads(file.read_text(encoding="utf-8"))
                return datetime.fromisoformat(content["metadata"]["timestamp"]).date().isoformat()
    return None


def open_database(entry: DatabaseFile) -> Database:
    """Open one MMDB.

    Raises:
        SourceError: missing, unreadable, not an MMDB, damaged, or without countries.
    """
    try:
        size = entry.path.stat().st_size
        if size > DATABASE_OCTETS_MAX:
            raise SourceError(f"{entry.path}: {size} octets, more than a location database has")
        data = entry.path.read_bytes()
    except OSError as error:
        raise SourceError(f"{entry.path}: {error.strerror or error}") from error
    try:
        reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
        if not any(code_in(record) for _, record in islice(_networks(reader), DATABASE_PROBES)):
            raise SourceError(f"{entry.path}: holds no country codes")
        facts = reader.metadata()
        built = datetime.fromtimestamp(facts.build_epoch, UTC).date().isoformat()
    except (*DAMAGE, OSError) as error:
        raise SourceError(f"{entry.path}: not a usable MaxMind DB") from error
    digest = hashlib.sha256(data).hexdigest()
    return Database(entry.name, digest, f"of {built}", reader.get, facts.ip_version == 4)


def _networks(reader: maxminddb.Reader) -> Iterator[tuple[object, object]]:
    yield from reader
