"""The kinds of value in a policy file beside those of the configuration.

Responsible for dates and moments, time zones, days and hours, record types, AS numbers, records in
text, and for criteria that are written as one value or as a list of values.

Source: RFC 3339 (moments), RFC 5396 (AS numbers as whole numbers, or with "AS" in front).

Limitations: time zones are those of the machine's database (tzdata).
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from pydantic import AfterValidator, BeforeValidator

from policy.windows import DAY_MINUTES, Hours
from resolver.config_mirrors import read_any_zone
from resolver.config_units import (
    Unit,
    read_country,
    shown,
    string,
    text_of,
)
from resolver.model import Security
from resolver.names import ROOT, Name

YEARS = range(1990, 2200)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

ANSWERABLE = ("A", "AAAA", "TXT", "MX", "SRV", "PTR", "HTTPS", "SVCB", "CAA", "NAPTR", "URI")
"""Types of records that a rule may put into an answer."""


class Zone(NamedTuple):
    """A time zone with the name that it was written under."""

    name: str
    info: tzinfo


class Record(NamedTuple):
    """A record that a rule puts into an answer, without owner and TTL."""

    rtype: int
    rdata: bytes


def read_moment(value: object) -> date | datetime:
    expected = 'a date such as "2026-11-22", or a moment such as "2026-11-22T18:00+05:30"'
    text = text_of(value, expected)
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            found: date | datetime = date.fromisoformat(text)
        else:
            found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected {expected}, got {shown(value)}") from None
    if isinstance(found, datetime) and found.tzinfo is None:
        raise ValueError(f"{shown(value)} has no time zone; expected {expected}")
    if found.year not in YEARS:
        raise ValueError(f"the year {found.year} is not from {YEARS[0]} to {YEARS[-1]}")
    return found


def moment_in(found: date | datetime, zone: tzinfo, *, end: bool) -> float:
    """Seconds since the epoch. A date begins at midnight, and as an ``end`` it counts whole."""
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=zone)
        if end:
            found = datetime.fromordinal(found.toordinal() + 1).replace(tzinfo=zone)
    return found.timestamp()


def read_timezone(value: object) -> Zone:
    expected = 'a time zone, such as "UTC" or "Asia/Kolkata"'
    text = text_of(value, expected)
    if text == "UTC":
        return Zone(text, UTC)
    try:
        if not re.fullmatch(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", text):
            raise ValueError(text)
        return Zone(text, ZoneInfo(text))
    except (KeyError, ValueError, OSError):
        raise ValueError(f"expected {expected}, got {shown(value)}") from None


def _days(value: object) -> frozenset[int]:
    expected = f"a day or days such as sat or mon-fri ({', '.join(DAYS)})"
    first, dash, last = text_of(value, expected).partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ValueError(f"expected {expected}, got {shown(value)}")
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
    return frozenset((start + ahead) % 7 for ahead in range(count))


def _hours(value: object) -> Hours:
    expected = 'hours of a day, such as "09:00-17:30" (in quotes)'
    clock = "([01][0-9]|2[0-4]):([0-5][0-9])"
    found = re.fullmatch(f"{clock}-{clock}", text_of(value, expected), re.ASCII)
    if not found:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start >= DAY_MINUTES or end > DAY_MINUTES:
        raise ValueError(f"{shown(value)} is past midnight; a day ends at 24:00")
    if start == end:
        raise ValueError(f"{shown(value)} is empty; a whole day is 00:00-24:00")
    return Hours(start, end)


def read_type(value: object) -> int:
    expected = 'a record type, such as A, HTTPS or "TYPE65280"'
    text = text_of(value, expected)
    try:
        number = int(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"expected {expected}, got {shown(value)}") from None
    if number in (0, 41) or 128 <= number < 251:  # RFC 6895 section 3.1: not data, and meta types
        raise ValueError(f"{text} is never asked for")
    if number in (251, 252):
        raise ValueError(f"{text} is a transfer, which is not answered here")
    return number


def type_text(rtype: int) -> str:
    """A record type as files write it."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rtype))


def _as_number(value: object) -> int:
    expected = "an AS number, such as 64500 or AS64500"
    text = value
    if isinstance(text, str) and re.fullmatch(r"AS[0-9]{1,10}", text, re.ASCII):
        text = int(text[2:])
    if not isinstance(text, int) or isinstance(text, bool) or not 1 <= text < 1 << 32:
        raise ValueError(f"expected {expected}, got {shown(value)}")
    return text


def _place(value: object) -> str:
    """A country, or ``none`` for addresses whose country is not known."""
    return "none" if value == "none" else read_country(value)


def _domain(value: object) -> Name:
    if isinstance(value, str) and value.startswith("*."):
        raise ValueError(f"no wildcards here: a suffix {value[2:]!r} covers all names below it")
    name = read_any_zone(value)
    if name == ROOT:
        raise ValueError("the root covers every name; to match all names leave the key out")
    return name


def _security(value: object) -> Security:
    words = {status.name.lower(): status for status in Security}
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"expected one of {', '.join(words)}; got {shown(value)}")
    return words[value]


def _rule_id(value: object) -> str:
    text = text_of(value, "an identifier")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError(f"expected up to 64 letters, digits, '.', '_' and '-', got {shown(value)}")
    return text


def _record(value: object) -> Record:
    expected = 'a record without owner and TTL, such as "A 192.0.2.1" or "TXT \\"see …\\""'
    kind, _, rest = text_of(value, expected).strip().partition(" ")
    kind = kind.upper()
    if kind in ("CNAME", "DNAME"):
        raise ValueError("an alias would have to be followed; write the records that it leads to")
    if kind not in ANSWERABLE:
        raise ValueError(f"expected a record of type {', '.join(ANSWERABLE)}; got {shown(value)}")
    rtype = dns.rdatatype.from_text(kind)
    try:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rtype, rest).to_wire()
    except (dns.exception.DNSException, ValueError, OSError) as error:
        words = str(error) or type(error).__name__
        raise ValueError(f"expected {expected}, got {shown(value)}: {words}") from None
    assert rdata is not None
    return Record(int(rtype), rdata)


def _listed(value: object) -> object:
    """One value stands for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("an empty list would match nothing; leave the key out to match everything")
    return values


LISTED = BeforeValidator(_listed, json_schema_input_type=Any)
SOME = AfterValidator(_some)
"""Both beside a tuple make a criterion: one value or a list, never an empty one."""

ANY_TEXT = string()


def unit(read: Callable[[object], object]) -> Unit:
    """A kind of value that is written as text."""
    return Unit(read, ANY_TEXT)


Moment = Annotated[date | datetime, unit(read_moment)]
TimeZone = Annotated[Zone, unit(read_timezone)]
Days = Annotated[frozenset[int], unit(_days)]
HoursOfDay = Annotated[Hours, unit(_hours)]
RecordType = Annotated[int, unit(read_type)]
AsNumber = Annotated[int, Unit(_as_number, {"type": ["integer", "string"]})]
Place = Annotated[str, unit(_place)]
Domain = Annotated[Name, unit(_domain)]
Status = Annotated[Security, unit(_security)]
RuleId = Annotated[str, Unit(_rule_id, string("[A-Za-z0-9][A-Za-z0-9._-]{0,63}"))]
RecordText = Annotated[Record, unit(_record)]
