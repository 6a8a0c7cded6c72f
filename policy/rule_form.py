"""The form of a policy file: its keys, their help, and what may stand in them.

Responsible for what can be said of a file without knowing the others: keys, values, and keys that
need each other. What files say together is checked in :mod:`policy.rule_merge`.

Limitations: the help here is the reference; ``docs/policy.md`` tells how rules work.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from policy.decision import Way
from policy.rule_units import (
    LISTED,
    SOME,
    AsNumber,
    Days,
    Domain,
    HoursOfDay,
    Moment,
    Place,
    RecordText,
    RecordType,
    RuleId,
    Status,
    TimeZone,
)
from policy.rules import CODES
from resolver.config_base import Section, key
from resolver.config_mirrors import Host
from resolver.config_units import Line, Prefix, Switch, Unit, Word, choice, duration, shown
from resolver.limits_policy import RECORDS_MAX

WAYS = tuple(way.value for way in Way if way is not Way.FORWARD)
BLOCKS = ("nxdomain", "nodata", "refused", "drop", "sinkhole")
MODES = Annotated[str, choice("observe", "prefer", "enforce")]
Words = Annotated[tuple[Word, ...], LISTED, SOME]
Domains = Annotated[tuple[Domain, ...], LISTED, SOME]
Places = Annotated[tuple[Place, ...], LISTED, SOME]
Prefixes = Annotated[tuple[Prefix, ...], LISTED, SOME]
Hosts = Annotated[tuple[Host, ...], LISTED, SOME]


def criterion(help_text: str) -> Any:
    """A key that matches everything when it is left out, and is never empty when written."""
    return Field((), validate_default=False, description=help_text)


def _version(value: object) -> int:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"expected 1, the only version there is; got {shown(value)}")
    return 1


class TimeForm(Section):
    """Hours of the week, on the clock of a time zone."""

    days: Annotated[tuple[Days, ...], LISTED, SOME] = key(
        "mon-sun", "days: sat, mon-fri, or a list of such"
    )
    hours: Annotated[tuple[HoursOfDay, ...], LISTED, SOME] = key(
        "00:00-24:00",
        'hours: "09:00-17:00", or a list; past midnight they belong to the day before',
    )
    timezone: TimeZone | None = key(None, "left out: that of the file")


class MatchForm(Section):
    """What a rule matches on: each key takes one value or a list; what is left out matches all."""

    name: Domains = criterion("these names exactly")
    suffix: Domains = criterion("these names and all below them")
    listed: Words = criterion("names at or below those of a list; domestic: the domestic zones")
    type: Annotated[tuple[RecordType, ...], LISTED, SOME] = criterion("record types asked for")
    view: Words = criterion("views of clients; others: clients in no view")
    server_country: Places = criterion("country of a name server on the way to the answer")
    server_as: Annotated[tuple[AsNumber, ...], LISTED, SOME] = criterion("its AS number")
    server_address: Prefixes = criterion("prefix of its address")
    server_name: Domains = criterion("its name, or a name above that")
    answer_country: Places = criterion("country of an address in the answer")
    security: Annotated[tuple[Status, ...], LISTED, SOME] = criterion("DNSSEC status of the answer")
    time: TimeForm | None = key(None, "hours of the week")


class EffectForm(Section):
    """What a rule does: one of way, forward, block and rewrite."""

    way: Annotated[str | None, choice(*WAYS, "pass")] = Field(None, validate_default=False)
    forward: Word | None = key(None, "hand lookups to this forwarder")
    block: Annotated[str | None, choice(*BLOCKS)] = Field(None, validate_default=False)
    addresses: Hosts = criterion("of a sinkhole: what names lead to")
    rewrite: Annotated[tuple[RecordText, ...], LISTED, SOME] = criterion("records in the answer")
    ttl: Annotated[float, duration("1s", "1d")] = key("1m", "of the records in the answer")


def _effect(value: object) -> object:
    """A word stands for a way of choosing servers."""
    if isinstance(value, str):
        if value in BLOCKS:
            raise ValueError(f"to block, write {{block: {value}}}")
        return {"way": value}
    return value


def _one_effect(form: EffectForm) -> EffectForm:
    given = [word for word in ("way", "forward", "block", "rewrite") if getattr(form, word)]
    if len(given) != 1:
        got = ", ".join(given) or "none of them"
        expected = "one of prefer, domestic-only, mirror-only, any, pass, or {forward: …},"
        raise ValueError(f"expected {expected} {{block: …}}, {{rewrite: …}}; got {got}")
    if form.block == "sinkhole" and not form.addresses:
        raise ValueError("a sinkhole needs addresses: {block: sinkhole, addresses: [192.0.2.1]}")
    if form.addresses and form.block != "sinkhole":
        raise ValueError("addresses go with block: sinkhole only")
    if "ttl" in form.model_fields_set and not (form.addresses or form.rewrite):
        raise ValueError("ttl goes with records in the answer only")
    if max(len(form.addresses), len(form.rewrite)) > RECORDS_MAX:
        raise ValueError(f"more than {RECORDS_MAX} records in an answer")
    return form


class AuthorityForm(Section):
    """Who stands behind a rule."""

    kind: Annotated[str, choice(*CODES)] = Field(description="what kind of authority it is")
    name: Line = Field(description="who it is")


class RuleForm(Section):
    """One rule."""

    id: RuleId = Field(description="its identifier, in metrics and records too")
    match: MatchForm = Field(description="what it matches on; {} matches every lookup")
    effect: Annotated[
        EffectForm,
        BeforeValidator(_effect, json_schema_input_type=str | EffectForm),
        AfterValidator(_one_effect),
    ] = Field(description="what it does")
    authority: AuthorityForm | None = key(None, "who ordered it")
    reference: Line | None = key(None, "the order, law, contract or ticket it rests on")
    begins: Moment | None = Field(None, alias="from", description="when it begins")
    until: Moment | None = key(None, "when it ends; a date counts whole")
    note: Line | None = key(None, "for people")


class ZoneForm(Section):
    """The place of a response policy zone among the rules."""

    rpz: Word = Field(description="name of the zone")


class ModeForm(Section):
    """An exception from the general mode: by zone, by view, or both."""

    zone: Domain | None = key(None, "for names at and below this")
    view: Word | None = key(None, "for clients of this view")
    mode: MODES = Field(description="observe, prefer or enforce")
    reference: Line | None = key(None, "why a view is treated differently")


class ViewForm(Section):
    """A named group of clients."""

    name: Word = Field(description="its name")
    clients: Prefixes = Field(description="prefixes of its clients; the longest match counts")
    rewrite_secure: Switch = key(False, "its clients agree that answers proven by DNSSEC change")
    explain: Switch = key(False, "its clients may be told route and reason")


class ForwarderForm(Section):
    """Servers in home that lookups may be handed to."""

    name: Word = Field(description="its name")
    addresses: Hosts = Field(description="its addresses")


class FileForm(Section):
    """A policy file. Rules are read one by one, so that all that is wrong is told at once."""

    version: Annotated[int, Unit(_version, {"const": 1})] = Field(description="1")
    timezone: TimeZone = key("UTC", "of dates and hours")
    mode: Annotated[str | None, choice("observe", "prefer", "enforce")] = Field(
        None, validate_default=False, description="how far rules go; left out: as border.mode"
    )
    modes: tuple[ModeForm, ...] = key([], "exceptions by zone and by view")
    enforce: Annotated[tuple[Domain, ...], LISTED] = key([], "zones where rules may fail closed")
    views: tuple[ViewForm, ...] = key([], "groups of clients")
    forwarders: tuple[ForwarderForm, ...] = key([], "servers in home to hand lookups to")
    lists: dict[Word, Domains] = key({}, "named lists of names: {banks: [a.example, b.example]}")
    rules: tuple[object, ...] = key([], "rules in order; the first that matches counts")
