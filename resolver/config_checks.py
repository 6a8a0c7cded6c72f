"""Findings about a configuration: pydantic's errors in our words, and checks across keys.

Responsible for telling an operator what to write instead: the nearest known key for a misspelt
one, the quotes that an address in brackets needs, and what contradicts what. The checks across
keys read the raw values, so that they are reported together with errors elsewhere.

Limitations: a value that cannot be read takes no part in the checks across keys.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import BaseModel

from resolver.config_lines import Path, path_text
from resolver.config_mirrors import read_any_zone
from resolver.config_units import (
    read_country,
    read_endpoint,
    read_host,
    read_prefix,
    read_zone,
    shown,
)

Found = tuple[Path, str]

_TAKEN = {
    "registry_files": ("iptocc",),
    "anycast": ("built-in",),
    "databases": ("tor-geoip", "tor-geoip6"),
}
"""Names of sources that are not files of the operator's."""


def describe(error: Mapping[str, Any], root: type[BaseModel]) -> Found:
    """Path and message of one of pydantic's errors."""
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    value = error.get("input")
    match error["type"]:
        case "missing":
            message = "required, but not there"
        case "extra_forbidden":
            message = _unknown_key(path, root)
        case "model_type" | "dict_type":
            message = f"expected keys and values, got {shown(value)}"
        case "tuple_type":
            message = f"expected a list, such as [{_sample(value)}], got {shown(value)}"
        case "value_error":
            message = str(error["ctx"]["error"])
        case _:
            message = str(error["msg"])
    return path, message


def _sample(value: object) -> str:
    return value[:40] if isinstance(value, str) and value.isprintable() else "…"


def _unknown_key(path: Path, root: type[BaseModel]) -> str:
    name = str(path[-1])
    model = root
    for part in path[:-1]:
        if isinstance(part, str):
            model = _model_in(_annotation(model, part)) or model
    siblings = [field.alias or key for key, field in model.model_fields.items()]
    if near := get_close_matches(name.lower(), siblings, 1, 0.6):
        return f"unknown key; did you mean {near[0]}?"
    elsewhere = {str(known[-1]): known for known in known_paths(root)}
    if near := get_close_matches(name.lower(), elsewhere, 1, 0.8):
        return f"unknown key here; did you mean {path_text(elsewhere[near[0]])}?"
    return f"unknown key; known here: {', '.join(siblings)}"


def _annotation(model: type[BaseModel], key: str) -> object:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field.annotation
    return None


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)


def known_paths(root: type[BaseModel]) -> Iterator[Path]:
    """The paths of all keys, sections included."""
    for name, field in root.model_fields.items():
        own = field.alias or name
        yield (own,)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for below in known_paths(field.annotation):
                yield (own, *below)


def cross_check(value: Mapping[str, object]) -> Iterator[Found]:
    """Contradictions and repetitions among the raw values of a file."""
    yield from _repeated(value, ("home",), read_country)
    for zones in (("border", "zones"), ("watch", "zones")):
        yield from _repeated(value, zones, read_zone)
    for path in (("access", "allow"), ("resolution", "never_ask")):
        yield from _repeated(value, path, read_prefix)
    yield from _border(value)
    yield from _listeners(value)
    yield from _sources(value)
    yield from _mirrors(value)
    if _at(value, ("resolution", "ipv4")) is False and _at(value, ("resolution", "ipv6")) is False:
        yield ("resolution", "ipv6"), "ipv4 and ipv6 are both false: no server could be asked"


def _border(value: Mapping[str, object]) -> Iterator[Found]:
    sides: dict[object, Path] = {}
    homes = {code for _, code in _entries(value, ("home",), read_country)}
    for side in ("domestic", "foreign"):
        for path, raw in _raw_entries(value, ("border", side)):
            prefix, country = _stated(raw)
            if prefix is not None:
                inner = (*path, "prefix") if isinstance(raw, dict) else path
                if prefix in sides:
                    yield inner, f"{prefix} stands in {path_text(sides[prefix])} too"
                sides.setdefault(prefix, path)
            if country is not None and homes and (country in homes) != (side == "domestic"):
                where = "not in home" if side == "domestic" else "in home"
                yield (*path, "country"), f"{country} is {where}, but the prefix is {side}"


def _stated(raw: object) -> tuple[object, object]:
    """Prefix and country of an entry, ``None`` for what is absent or cannot be read."""
    pair = (raw.get("prefix"), raw.get("country")) if isinstance(raw, dict) else (raw, None)
    return _read(read_prefix, pair[0]), _read(read_country, pair[1])


def _listeners(value: Mapping[str, object]) -> Iterator[Found]:
    yield from _repeated(value, ("listen", "dns"), read_endpoint, lambda at: at.port != 0)
    yield from _repeated(value, ("metrics", "names"), read_host)
    metrics = _read(read_endpoint, _at(value, ("metrics", "listen")))
    if metrics is not None and metrics.port != 0:
        for path, endpoint in _entries(value, ("listen", "dns"), read_endpoint):
            if endpoint == metrics:
                yield ("metrics", "listen"), f"{metrics} is taken by {path_text(path)}"


def _sources(value: Mapping[str, object]) -> Iterator[Found]:
    for kind in ("registry_files", "geofeeds", "databases", "anycast", "as_numbers"):
        yield from _files(value, kind)


def _files(value: Mapping[str, object], kind: str) -> Iterator[Found]:
    paths: dict[str, Path] = {}
    names: dict[str, Path] = dict.fromkeys(_TAKEN.get(kind, ()), ())
    for at, raw in _raw_entries(value, ("border", kind)):
        path = raw.get("path") if isinstance(raw, dict) else raw
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(path, str):
            continue
        name = name if isinstance(name, str) else FilePath(path).stem
        if path in paths:
            yield at, f"the same file as {path_text(paths[path])}"
        elif name in names:
            other = path_text(names[name]) if names[name] else "a built-in source"
            yield at, f"the name {shown(name)} is that of {other}; give another"
        paths.setdefault(path, at)
        names.setdefault(name, at)


def _mirrors(value: Mapping[str, object]) -> Iterator[Found]:
    zones: dict[object, Path] = {}
    keys: dict[object, Path] = {}
    for at, raw in _raw_entries(value, ("mirrors", "keys")):
        name = _read(read_any_zone, raw.get("name")) if isinstance(raw, dict) else None
        if name is not None and name in keys:
            yield (*at, "name"), f"the same as that of {path_text(keys[name])}"
        keys.setdefault(name, at)
    for at, raw in _raw_entries(value, ("mirrors", "zones")):
        if not isinstance(raw, dict):
            continue
        zone = _read(read_any_zone, raw.get("zone"))
        if zone is not None and zone in zones:
            yield (*at, "zone"), f"the same as that of {path_text(zones[zone])}"
        zones.setdefault(zone, at)
        if zone is not None and not (raw.get("primaries") or raw.get("url") or raw.get("file")):
            yield at, "has no source: give primaries, url or file"
    for path in (("mirrors", "zones"), ("policy", "rpz")):
        for at, raw in _raw_entries(value, path):
            yield from _unknown_keys(at, raw, keys)


def _unknown_keys(at: Path, raw: object, keys: Mapping[object, Path]) -> Iterator[Found]:
    primaries = raw.get("primaries") if isinstance(raw, dict) else None
    for index, primary in enumerate(primaries if isinstance(primaries, list) else []):
        name = primary.get("key") if isinstance(primary, dict) else None
        known = _read(read_any_zone, name) if name is not None else None
        if known is not None and known not in keys:
            yield (*at, "primaries", index, "key"), "no such key in mirrors.keys"


def _repeated(
    value: Mapping[str, object],
    path: Path,
    read: Callable[[object], Any],
    counts: Callable[[Any], bool] = lambda _: True,
) -> Iterator[Found]:
    first: dict[object, Path] = {}
    for at, entry in _entries(value, path, read):
        if entry in first and counts(entry):
            yield at, f"the same as {path_text(first[entry])}"
        first.setdefault(entry, at)


def _entries(
    value: Mapping[str, object], path: Path, read: Callable[[object], Any]
) -> Iterator[tuple[Path, Any]]:
    for at, raw in _raw_entries(value, path):
        if (entry := _read(read, raw)) is not None:
            yield at, entry


def _raw_entries(value: Mapping[str, object], path: Path) -> Iterator[tuple[Path, object]]:
    found = _at(value, path)
    if isinstance(found, list):
        for index, raw in enumerate(found):
            yield (*path, index), raw


def _at(value: object, path: Path) -> object:
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _read(read: Callable[[object], Any], raw: object) -> Any:
    try:
        return read(raw)
    except ValueError:
        return None
