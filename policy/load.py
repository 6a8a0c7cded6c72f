"""Read the evidence files and make the policy: the only file of this package that reads evidence.

Responsible for opening every source, for finding out which registry snapshot is installed, for
refusing a file that has shrunk too far, and for reporting everything that is wrong at once. A file
is read into memory whole, so that one replaced or cut short while we run can neither change a
verdict nor crash us, and the hash is that of the data in use. Records of an MMDB are decoded by the
Python reader of ``maxminddb``, once for each combination that is met: its reader in C (3.2.0)
corrupts memory when it walks through a damaged file, and the walk is native's here.

Limitations: files are read again at each reload.
"""

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path

import maxminddb
from maxminddb.decoder import Decoder

from policy.as_numbers import AsNumbers, read_as_numbers
from policy.border import Policy, Voices, make_policy, statements_of
from policy.delegated import read_delegated
from policy.geofeed import read_geofeed
from policy.inputs import PolicyInputs, SourceFile
from policy.kept import LastGood
from policy.listing import Listing, Said
from policy.rangefile import read_prefixes, read_ranges
from policy.sources import DAMAGE, Database, ListSource, Registry, Source, code_in
from policy.special import BUILT_IN, known_anycast, special_use
from policy.table import Layer, compile_layers, layer_of, layer_of_tree
from policy.verdict import Origin
from resolver.errors import ConfigError, Finding, SourceError
from resolver.limits import (
    DATABASE_OCTETS_MAX,
    DATABASE_PROBES,
    EVIDENCE_OCTETS_MAX,
    SHRINK_RECORDS_MIN,
)

_MMDB_MARKER = b"\xab\xcd\xefMaxMind.com"
_MMDB_TAIL = 128 << 10  # the metadata stands within the last 128 KiB (format 2.0)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source with its column for the table."""

    source: Source
    layer: Layer


Open = Callable[[SourceFile], Opened]


def load_policy(
    inputs: PolicyInputs, source: str = "policy", last: LastGood | None = None
) -> Policy:
    """Open all sources and make the policy. ``source`` names the configuration in errors; ``last``
    knows the last good state of each file.

    Raises:
        ConfigError: what is wrong with each source that cannot be used.
    """
    findings: list[Finding] = []

    def opened(key: str, files: tuple[SourceFile, ...], read: Open) -> list[Opened]:
        found = []
        for index, entry in enumerate(files):
            if entry.optional and not entry.path.exists():
                continue
            try:
                found.append(_accepted(entry, read, last, inputs.shrink_percent_max))
            except SourceError as error:
                path = "border.tor_geoip" if entry.optional else f"{key}[{index}]"
                findings.extend(Finding(path, message) for message in error.messages)
        return found

    lists = [opened_built_in()]
    lists += opened("border.anycast", inputs.anycast, open_anycast)
    sources = opened("border.registry_files", inputs.registry_files, open_delegated)
    sources += opened("border.geofeeds", inputs.geofeeds, open_geofeed)
    sources += opened("border.databases", inputs.databases, open_database)
    systems = opened("border.as_numbers", inputs.as_numbers, open_as_numbers)
    if findings:
        raise ConfigError(source, findings)
    registry = open_registry() if inputs.registry else None
    policy = assemble(inputs, lists, sources, registry)
    return replace(policy, as_numbers=_numbered(systems)) if systems else policy


def _numbered(systems: list[Opened]) -> AsNumbers:
    said, names = [], []
    for one in systems:
        assert isinstance(one.source, ListSource)
        said.append(one.source.said)
        names.append(one.source.origin.digest)
    return AsNumbers(compile_layers([one.layer for one in systems]), said, " ".join(names))


def assemble(
    inputs: PolicyInputs, lists: list[Opened], sources: list[Opened], registry: Registry | None
) -> Policy:
    """Compile open sources into one table and make the policy.

    Raises ``ValueError`` when a prefix is stated twice.
    """
    stated = list(statements_of(inputs))
    statements = Listing()
    for number, (network, _) in enumerate(stated):
        # One text for each, so that values count as the statements do.
        ends = int(network.network_address), int(network.broadcast_address)
        statements.add(network.version, *ends, Said(None, str(number)), number)
    own = layer_of(statements)
    if own is None:
        raise ValueError(f"{stated[statements.faults[0][0]][0]} stated twice")
    special = special_use()
    layers = [own, _sound(special), *(one.layer for one in (*lists, *sources))]
    voices = Voices(
        compile_layers(layers),
        tuple(statement for _, statement in stated),
        tuple(said.words for said in special.said),
        tuple(one.source for one in lists),
        tuple(one.source for one in sources),
        registry,
    )
    return make_policy(inputs, voices)


def _sound(listing: Listing) -> Layer:
    layer = layer_of(listing)
    assert layer is not None, listing.faults
    return layer


def opened_built_in() -> Opened:
    """The well-known anycast addresses that come with the program."""
    listing = known_anycast()
    return Opened(ListSource(BUILT_IN, listing.records, listing.said), _sound(listing))


def _accepted(entry: SourceFile, read: Open, last: LastGood | None, percent: int) -> Opened:
    """The file, or at a start its last good copy when the file cannot be used."""
    try:
        found = read(entry)
        before = last.records(entry.path) if last is not None else None
        if before is not None and before >= SHRINK_RECORDS_MIN:
            lost = 100 * (before - found.source.records) / before
            if lost > percent:
                raise SourceError(
                    f"{entry.path}: {found.source.records} records, {lost:.0f} % fewer than the"
                    f" last good one ({before}); border.shrink_percent_max allows {percent}"
                )
    except SourceError as error:
        copy = last.copy_for_start(entry.path) if last is not None else None
        if last is None or copy is None:
            raise
        found = read(SourceFile(copy, entry.name))
        last.stand_in(entry.path, error.messages)
        return found
    if last is not None:
        last.opened(entry.path, found.source.origin.digest, found.source.records)
    return found


def open_registry() -> Registry:
    """The installed registry snapshot, with the hash of the library that holds it."""
    digest = ""
    for file in metadata.files("iptocc") or ():
        if file.name.startswith("iptocc.") and file.suffix in (".so", ".pyd"):
            with contextlib.suppress(OSError):
                digest = hashlib.sha256(Path(str(file.locate())).read_bytes()).hexdigest()
    return Registry(Origin("registry", "iptocc", _wheel_date(), digest))


def _wheel_date() -> str | None:
    """Date of the package build, from the bill of materials inside it: the package is built
    nightly from the registries' files and carries no other date."""
    for file in metadata.files("iptocc") or ():
        if file.name.endswith(".cyclonedx.json"):
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
                content = json.loads(file.read_text(encoding="utf-8"))
                return datetime.fromisoformat(content["metadata"]["timestamp"]).date().isoformat()
    return None


def open_delegated(entry: SourceFile) -> Opened:
    """A delegation file. Raises ``SourceError`` with all that is wrong."""
    return _open_text(entry, "registry", read_delegated)


def open_geofeed(entry: SourceFile) -> Opened:
    """A geofeed. Raises ``SourceError`` with all that is wrong."""
    return _open_text(entry, "geofeed", read_geofeed)


def open_anycast(entry: SourceFile) -> Opened:
    """A list of anycast prefixes. Raises ``SourceError`` with all that is wrong."""
    return _open_text(entry, "anycast", read_prefixes)


def open_as_numbers(entry: SourceFile) -> Opened:
    """A file of AS numbers. Raises ``SourceError`` with all that is wrong."""
    data = _read(entry.path, EVIDENCE_OCTETS_MAX, "a file of AS numbers has")
    return _parsed(entry, "as-numbers", read_as_numbers, data)


def open_database(entry: SourceFile) -> Opened:
    """An MMDB, or a text file of ranges. Raises ``SourceError`` with all that is wrong."""
    data = _read(entry.path, DATABASE_OCTETS_MAX, "a location database")
    if _MMDB_MARKER in data[-_MMDB_TAIL:] or entry.path.suffix == ".mmdb":
        return _open_mmdb(entry, data)
    if len(data) > EVIDENCE_OCTETS_MAX:
        raise SourceError(f"{entry.path}: {len(data)} octets, more than a file of ranges has")
    return _parsed(entry, "database", read_ranges, data)


def _open_text(entry: SourceFile, kind: str, read: Callable[[str], Listing]) -> Opened:
    what = "a list has" if kind == "anycast" else f"a {kind} file has"
    return _parsed(entry, kind, read, _read(entry.path, EVIDENCE_OCTETS_MAX, what))


def _parsed(entry: SourceFile, kind: str, read: Callable[[str], Listing], data: bytes) -> Opened:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{entry.path} line {line}: not UTF-8 text") from error
    listing = read(text)
    layer = None
    if not listing.faults:
        layer = layer_of(listing)
    if layer is None:
        raise SourceError(*_told(entry.path, listing))
    if listing.records == 0:
        raise SourceError(f"{entry.path}: holds no records")
    digest = hashlib.sha256(data).hexdigest()
    origin = Origin(kind, entry.name, listing.date or _file_date(entry.path), digest)
    return Opened(ListSource(origin, listing.records, listing.said), layer)


def _told(path: Path, listing: Listing) -> Iterator[str]:
    for line, words in sorted(listing.faults):
        yield f"{path} line {line}: {words}"
    more = listing.faults_total - len(listing.faults)
    if more:
        yield f"{path}: {more} more bad lines"


def _read(path: Path, octets_max: int, what: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > octets_max:
            raise SourceError(f"{path}: {size} octets, more than {what} has")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error


def _file_date(path: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError, OverflowError):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
    return None


def _open_mmdb(entry: SourceFile, data: bytes) -> Opened:
    try:
        reader = maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)
        if not any(code_in(record) for _, record in islice(_networks(reader), DATABASE_PROBES)):
            raise SourceError(f"{entry.path}: holds no country codes")
        facts = reader.metadata()
        built = datetime.fromtimestamp(facts.build_epoch, UTC).date().isoformat()
        layer = layer_of_tree(data, facts.node_count, facts.record_size, facts.ip_version)
        start = facts.node_count * facts.record_size // 4 + 16
    except (*DAMAGE, OSError) as error:
        raise SourceError(f"{entry.path}: not a usable MaxMind DB") from error
    section = data[start:]
    decoder = Decoder(section, 0)
    origin = Origin("database", entry.name, built, hashlib.sha256(data).hexdigest())
    return Opened(Database(origin, sum(layer.steps()), lambda at: decoder.decode(at)[0]), layer)


def _networks(reader: maxminddb.Reader) -> Iterator[tuple[object, object]]:
    yield from reader
