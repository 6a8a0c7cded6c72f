"""The kinds of value in a configuration: how each is written, read, and described.

Responsible for durations (``2s``), sizes (``256MiB``), addresses with a port, prefixes, names,
country codes and plain switches. Each kind is a :class:`Unit` that pydantic calls to read a
value and asks for its JSON schema; errors say what was expected and show an example.

Source: ISO 3166-1 alpha-2 (codes assigned and user-assigned).

Limitations: values are text or number as they stand in YAML; nothing is looked up.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from policy.iso3166 import COUNTRIES
from resolver.errors import BadName
from resolver.limits_where import ZONE_OCTETS_MAX
from resolver.names import ROOT, Name, from_text, labels, to_text

Network = IPv4Network | IPv6Network

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
PATH_CHARACTERS_MAX = 4096  # PATH_MAX of Linux
LINE_CHARACTERS_MAX = 200
INTERFACE_CHARACTERS_MAX = 15  # IFNAMSIZ of Linux without the final zero

HOST_CHARACTERS_MAX = 253  # RFC 1035 section 2.3.4, as text

_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?"
_USER_ASSIGNED = re.compile(r"AA|Q[M-Z]|X[A-Z]")  # ZZ too, but it means "unknown" here


class Endpoint(NamedTuple):
    """An address to listen on: host as text without brackets, and a port (0: any)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Unit:
    """A kind of value. ``read`` raises ``ValueError`` with words for the operator."""

    read: Callable[[object], object]
    schema: dict[str, Any] = field(hash=False)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


def shown(value: object) -> str:
    """A value as an error shows it: its text, cut short."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "…"


def text_of(value: object, expected: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {expected}, got {shown(value)}")
    return value


def string(pattern: str | None = None, **more: object) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "string", **more}
    if pattern:
        out["pattern"] = f"^{pattern}$"
    return out


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)"


def duration(least: str, most: str, *, off: bool = False) -> Unit:
    """Seconds, written with a unit, within bounds; with ``off`` also ``null`` or 0 (read as
    ``None``)."""

    def seconds(text: str) -> float | None:
        found = re.fullmatch(_DURATION, text, re.ASCII)
        return float(found[1]) * _SECONDS[found[2]] if found else None

    low, high = seconds(least), seconds(most)
    assert low is not None
    assert high is not None

    def read(value: object) -> float | None:
        if off and value in (None, 0) and value is not False:
            return None
        expected = 'a duration with its unit, such as "2s", "500ms" or "1h"'
        found = seconds(text_of(value, expected))
        if found is None:
            raise ValueError(f"expected {expected}, got {shown(value)}")
        if not low <= found <= high:
            raise ValueError(f"{value} is out of range: from {least} to {most}")
        return found

    written = string(_DURATION)
    return Unit(read, {"anyOf": [written, {"enum": [0, None]}]} if off else written)


_OCTETS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
_SIZE = r"([0-9]{1,12})(B|KiB|MiB|GiB)"


def size(least: int, most: int) -> Unit:
    """Octets, written with a binary unit, within bounds."""

    def read(value: object) -> int:
        expected = 'a size with its unit, such as "256MiB" or "1GiB"'
        found = re.fullmatch(_SIZE, text_of(value, expected), re.ASCII)
        if not found:
            raise ValueError(f"expected {expected}, got {shown(value)}")
        octets = int(found[1]) * _OCTETS[found[2]]
        if not least <= octets <= most:
            low, high = f"{least // MIB}MiB", f"{most // GIB}GiB"
            raise ValueError(f"{value} is out of range: from {low} to {high}")
        return octets

    return Unit(read, string(_SIZE))


_DISTANCE = r"([0-9]{1,5}(?:\.[0-9]{1,3})?)km"


def distance(least: int, most: int) -> Unit:
    """Kilometres, written with the unit, within bounds."""

    def read(value: object) -> float:
        expected = 'a distance in kilometres, such as "25km"'
        found = re.fullmatch(_DISTANCE, text_of(value, expected), re.ASCII)
        if not found:
            raise ValueError(f"expected {expected}, got {shown(value)}")
        if not least <= float(found[1]) <= most:
            raise ValueError(f"{value} is out of range: from {least}km to {most}km")
        return float(found[1])

    return Unit(read, string(_DISTANCE))


def integer(least: int, most: int, *, auto: bool = False) -> Unit:
    """A whole number within bounds; with ``auto`` that word too (read as ``None``)."""
    expected = f"a whole number from {least} to {most}" + (' or "auto"' if auto else "")

    def read(value: object) -> int | None:
        if auto and value == "auto":
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"expected {expected}, got {shown(value)}")
        if not least <= value <= most:
            raise ValueError(f"expected {expected}, got {value}")
        return value

    number: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    return Unit(read, {"anyOf": [number, {"const": "auto"}]} if auto else number)


def choice(*words: str) -> Unit:
    """One of a closed set of words."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"expected one of {', '.join(words)}; got {shown(value)}")
        return str(value)

    return Unit(read, {"enum": list(words)})


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {shown(value)}")
    return value


def read_endpoint(value: object) -> Endpoint:
    expected = 'an address with a port, such as "127.0.0.1:5300" or "[::1]:5300" (in quotes)'
    found = re.fullmatch(
        r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})", text_of(value, expected)
    )
    if not found:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    try:
        address = ip_address(found[1] or found[2])
    except ValueError as error:
        raise ValueError(f"{error}; expected {expected}") from None
    if (address.version == 6) != bool(found[1]):
        raise ValueError(f"only IPv6 addresses stand in brackets; expected {expected}")
    if int(found[3]) > 65535:
        raise ValueError(f"port {found[3]} is over 65535")
    return Endpoint(str(address), int(found[3]))


def read_prefix(value: object) -> Network:
    expected = 'a prefix, such as "11.0.0.0/8" or "2001:db8::/32"'
    text = text_of(value, expected)
    if not re.fullmatch(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?", text):
        raise ValueError(f"expected {expected}, got {shown(value)}")
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"expected {expected}, got {shown(value)}") from None
    if "/" in text and ip_address(text.partition("/")[0]) != loose.network_address:
        raise ValueError(f"{text} has bits set beyond its length; did you mean {loose}?")
    return loose


def read_coordinates(value: object) -> tuple[float, float]:
    """Latitude and longitude in degrees, north and east positive."""
    expected = "a latitude and a longitude in degrees, such as [19.076, 72.878]"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    for number, most in zip(value, (90, 180), strict=True):
        if not isinstance(number, int | float) or isinstance(number, bool) or abs(number) > most:
            raise ValueError(f"expected {expected}, got {shown(number)} in it")
    return float(value[0]), float(value[1])


def read_date(value: object) -> date:
    expected = 'a date, such as "2026-11-22" (in quotes)'
    text = text_of(value, expected)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected {expected}, got {shown(value)}") from None
    if found.isoformat() != text:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    return found


def read_line(value: object) -> str:
    """A printable text on one line, of 200 characters at most."""
    text = text_of(value, "a text")
    if not text.strip() or len(text) > LINE_CHARACTERS_MAX or not text.isprintable():
        raise ValueError(f"expected a text on one line, got {shown(value)}")
    return text


def read_country(value: object) -> str:
    expected = 'an ISO 3166-1 alpha-2 code in capitals, such as "IN"'
    text = text_of(value, expected)
    if text.upper() != text and (text.upper() in COUNTRIES):
        raise ValueError(f"write the country code in capitals: {text.upper()}")
    if text == "UK":
        raise ValueError("the code of the United Kingdom is GB")
    if text not in COUNTRIES and not _USER_ASSIGNED.fullmatch(text):
        raise ValueError(f"expected {expected} (XA to XZ in testbeds), got {shown(value)}")
    return text


def read_zone(value: object) -> Name:
    expected = 'a zone name, such as "gov.in"'
    try:
        name = from_text(text_of(value, expected))
    except BadName as error:
        raise ValueError(f"expected {expected}: {error}") from None
    if name == ROOT:
        raise ValueError("the root cannot be listed: every name would be domestic")
    return name


def _interface(value: object) -> str:
    text = text_of(value, "the name of a network interface")
    if not re.fullmatch(r"[^\s/:]+", text) or len(text) > INTERFACE_CHARACTERS_MAX:
        raise ValueError(f"not the name of a network interface: {shown(value)}")
    return text


def read_host(value: object) -> str:
    expected = 'a host name or an address without a port, such as "dns1.example.net"'
    text = text_of(value, expected)
    if ":" in text:
        if _is_address(text):
            return text.lower()
    elif len(text) <= HOST_CHARACTERS_MAX and re.fullmatch(_HOST, text, re.ASCII):
        return text.lower().removesuffix(".")
    raise ValueError(f"expected {expected}, got {shown(value)}")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _word(value: object) -> str:
    text = text_of(value, "a short name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", text):
        raise ValueError(f"expected letters, digits, '.', '_' and '-', got {shown(value)}")
    return text


def read_path(value: object, info: ValidationInfo) -> Path:
    """A path, taken from the directory of the configuration file when relative."""
    text = text_of(value, "a path")
    if not text or "\0" in text or len(text) > PATH_CHARACTERS_MAX:
        raise ValueError(f"not a path: {shown(value)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"not a path: {shown(value)}") from None
    base = info.context if isinstance(info.context, Path) else Path()
    return base / text


@dataclass(frozen=True)
class PathUnit:
    """A path; ``word`` is a text that stands for ``None`` (such as ``builtin``)."""

    word: str | None = None
    optional: bool = False

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def read(value: object, info: ValidationInfo) -> Path | None:
            if (self.word is not None and value == self.word) or (self.optional and value is None):
                return None
            return read_path(value, info)

        return core_schema.with_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": ["string", "null"]} if self.optional else {"type": "string"}


Switch = Annotated[bool, Unit(_switch, {"type": "boolean"})]
Listen = Annotated[Endpoint, Unit(read_endpoint, string())]
Prefix = Annotated[Network, Unit(read_prefix, string())]
Country = Annotated[str, Unit(read_country, string("[A-Z]{2}"))]
Zone = Annotated[Name, Unit(read_zone, string())]
Coordinates = Annotated[
    tuple[float, float],
    Unit(
        read_coordinates,
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    ),
]
Date = Annotated[date, Unit(read_date, string("[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
Line = Annotated[str, Unit(read_line, string())]
Interface = Annotated[str, Unit(_interface, string())]
HostName = Annotated[str, Unit(read_host, string())]
Word = Annotated[str, Unit(_word, string("[A-Za-z0-9][A-Za-z0-9._-]{0,31}"))]
FilePath = Annotated[Path, PathUnit()]
OptionalPath = Annotated[Path | None, PathUnit(optional=True)]
BuiltinOrPath = Annotated[Path | None, PathUnit(word="builtin")]


def _optional_endpoint(value: object) -> Endpoint | None:
    return None if value is None else read_endpoint(value)


OptionalListen = Annotated[Endpoint | None, Unit(_optional_endpoint, {"type": ["string", "null"]})]


def _where_zone(value: object) -> Name | None:
    if value is None:
        return None
    name = read_zone(value)
    if len(labels(name)) < 2:
        raise ValueError(f"{shown(value)} is a top-level domain; expected a name below one")
    if len(name) > ZONE_OCTETS_MAX:
        raise ValueError(f"longer than {ZONE_OCTETS_MAX} octets; names below would not fit")
    return name


WhereZone = Annotated[Name | None, Unit(_where_zone, {"type": ["string", "null"]})]


def zone_text(name: Name) -> str:
    """A zone as a configuration writes it, without the final dot."""
    return to_text(name).rstrip(".")
