"""Read the evidence files and make the policy: the only file of this package that reads files.

Responsible for opening location databases, for finding out which registry snapshot is
installed, and for reporting everything that is wrong with them at once. A database is copied
into memory that belongs to this process alone, so that a file replaced or cut short while we run
can neither change a verdict nor crash us, and the hash is that of the data in use.

Limitations: Linux (``memfd_create``); databases are read again at each reload.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice

import maxminddb

from policy.border import Policy, make_policy
from policy.inputs import DatabaseFile, PolicyInputs
from policy.sources import Database, Registry, Source, code_in
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
        reader = _open_private(data)
        if not any(code_in(record) for _, record in islice(_networks(reader), DATABASE_PROBES)):
            raise SourceError(f"{entry.path}: holds no country codes")
        built = datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date().isoformat()
    except (maxminddb.InvalidDatabaseError, ValueError, OSError, OverflowError) as error:
        raise SourceError(f"{entry.path}: not a usable MaxMind DB") from error
    return Database(entry.name, hashlib.sha256(data).hexdigest(), f"of {built}", reader.get)


def _open_private(data: bytes) -> maxminddb.Reader:
    memory = os.memfd_create("inland-database", os.MFD_CLOEXEC)
    with os.fdopen(memory, "wb") as file:
        file.write(data)
        file.flush()
        return maxminddb.open_database(f"/proc/self/fd/{memory}", maxminddb.MODE_AUTO)


def _networks(reader: maxminddb.Reader) -> Iterator[tuple[object, object]]:
    yield from reader
