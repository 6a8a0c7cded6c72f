"""What a policy decides, told again in the most naive way: a loop over the rules as written.

Works on the plain values of a policy file, on names in text and on arithmetic with seconds, and
uses nothing of :mod:`policy`. Time zones are fixed offsets. A decision is a plain tuple, see
:class:`Told`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

NEVER = float("inf")
DAY = 86_400
OFFSETS = {"UTC": 0, "Asia/Kolkata": 5 * 3600 + 1800}
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EDE = {"law": 16, "court": 16, "regulator": 16, "operator": 15, "subscriber": 17, "access": 18}
FORGED = ("nxdomain", "nodata", "sinkhole", "rewrite")
CLOSED = ("domestic-only", "mirror-only")


class Told(NamedTuple):
    """A decision: label values, the rule, who is told what, until when."""

    effect: str  # an action, or a way of choosing servers; "none": nothing matched
    rule: str
    code: int | None
    waits: bool
    would: str
    until: float
    records: tuple[tuple[str, str], ...] = ()  # type and address or text


class Query(NamedTuple):
    """A question as text, with the name of the client's view."""

    name: str
    rtype: str
    view: str
    wall: float


class Found(NamedTuple):
    """A result: countries of the answer's addresses; servers (name, address, country); status."""

    answer: list[str]
    servers: list[tuple[str, str, str]]
    status: str


Policy = dict[str, Any]
Rule = dict[str, Any]


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def below(name: str, suffix: str) -> bool:
    return name == suffix or name.endswith("." + suffix)


def moment(text: str, offset: int, end: bool) -> float:
    if len(text) > 10:
        return datetime.fromisoformat(text).timestamp()
    day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() - offset


def dates(policy: Policy, rule: Rule) -> tuple[float, float]:
    offset = OFFSETS[policy.get("timezone", "UTC")]
    begins = moment(rule["from"], offset, False) if "from" in rule else -NEVER
    return begins, moment(rule["until"], offset, True) if "until" in rule else NEVER


def active(policy: Policy, rule: Rule, wall: float) -> bool:
    begins, ends = dates(policy, rule)
    if not begins <= wall < ends:
        return False
    time = rule["match"].get("time")
    if time is None:
        return True
    local = wall + OFFSETS[time.get("timezone", policy.get("timezone", "UTC"))]
    for ahead in (0, -1):  # ranges that began today, and those of yesterday that go on
        day = int(local // DAY) + ahead
        if WEEK[(day + 3) % 7] not in days(time):  # 1970-01-01 was a Thursday
            continue
        for start, end in hours(time):
            if day * DAY + start <= local < day * DAY + end:
                return True
    return False


def days(time: Rule) -> set[str]:
    out = set()
    for words in many(time.get("days", "mon-sun")):
        first, _, last = words.partition("-")
        at = WEEK.index(first)
        while True:
            out.add(WEEK[at % 7])
            if WEEK[at % 7] == (last or first):
                break
            at += 1
    return out


def hours(time: Rule) -> list[tuple[int, int]]:
    """Seconds after midnight; ranges past midnight end on the next day."""
    out = []
    for words in many(time.get("hours", "00:00-24:00")):
        start, end = (int(p[:2]) * 3600 + int(p[3:]) * 60 for p in words.split("-"))
        out.append((start, end if end > start else end + DAY))
    return out


def next_change(policy: Policy, rule: Rule, wall: float) -> float:
    """When the rule comes into force, or ceases to be."""
    now = active(policy, rule, wall)
    moments = set(dates(policy, rule))
    time = rule["match"].get("time")
    if time is not None:
        offset = OFFSETS[time.get("timezone", policy.get("timezone", "UTC"))]
        for base in (wall, dates(policy, rule)[0]):
            if base == -NEVER:
                continue
            today = int((base + offset) // DAY)
            for day in range(today - 2, today + 10):
                for start, end in hours(time):
                    moments |= {day * DAY + start - offset, day * DAY + end - offset}
    for at in sorted(moments):
        if wall < at < NEVER and active(policy, rule, at) != now:
            return at
    return NEVER


def speaks(policy: Policy, rule: Rule, query: Query) -> bool:
    match = rule["match"]
    if any(key in match for key in ("name", "suffix", "listed")):
        names = many(match.get("name", []))
        suffixes = list(many(match.get("suffix", [])))
        for one in many(match.get("listed", [])):
            suffixes += policy["lists"][one]
        if query.name not in names and not any(below(query.name, s) for s in suffixes):
            return False
    if "type" in match and query.rtype not in many(match["type"]):
        return False
    return "view" not in match or query.view in many(match["view"])


SERVER = ("server_country", "server_as", "server_address", "server_name")


def of_result(rule: Rule) -> bool:
    return any(key in rule["match"] for key in (*SERVER, "answer_country", "security"))


def fits(rule: Rule, found: Found, systems: dict[str, int]) -> bool:
    match = rule["match"]
    if "security" in match and found.status not in many(match["security"]):
        return False
    countries = many(match.get("answer_country", []))
    if countries and not any(country in countries for country in found.answer):
        return False
    if not any(key in match for key in SERVER):
        return True
    return any(serves(match, server, systems) for server in found.servers)


def serves(match: Rule, server: tuple[str, str, str], systems: dict[str, int]) -> bool:
    name, address, country = server
    if "server_name" in match and not any(below(name, s) for s in many(match["server_name"])):
        return False
    if "server_country" in match and country not in many(match["server_country"]):
        return False
    if "server_as" in match and systems.get(address) not in many(match["server_as"]):
        return False
    return "server_address" not in match or any(
        ip_address(address) in ip_network(p) for p in many(match["server_address"])
    )


def effect(rule: Rule) -> str:
    """The label value of what a rule does."""
    value = rule["effect"]
    if isinstance(value, str):
        return value
    return str(value["block"]) if "block" in value else next(k for k in value if k != "ttl")


def records(rule: Rule, query: Query) -> tuple[tuple[str, str], ...]:
    value = rule["effect"]
    if not isinstance(value, dict):
        return ()
    given = [("AAAA" if ":" in a else "A", a) for a in value.get("addresses", [])]
    given += [(text.split()[0], text.split()[1]) for text in value.get("rewrite", [])]
    return tuple(r for r in given if r[0] == query.rtype)


def mode_of(policy: Policy, query: Query) -> str:
    best, mode = (-1, -1), policy.get("mode", "prefer")
    for entry in policy.get("modes", []):
        if "zone" in entry and not below(query.name, entry["zone"]):
            continue
        if "view" in entry and entry["view"] != query.view:
            continue
        labels = len(entry["zone"].split(".")) if "zone" in entry else 0
        rank = (labels, 1 if "view" in entry else 0)
        if rank > best:
            best, mode = rank, entry["mode"]
    return str(mode)


def code(rule: Rule) -> int | None:
    if effect(rule) not in (*FORGED, "refused", *CLOSED):
        return None
    return EDE[rule["authority"]["kind"]]


def consents(policy: Policy, view: str) -> bool:
    return any(v["name"] == view and v.get("rewrite_secure") for v in policy.get("views", []))


def under_mode(policy: Policy, rule: Rule, query: Query, until: float) -> Told:
    mode, what = mode_of(policy, query), effect(rule)
    closed = mode == "enforce" and any(below(query.name, z) for z in policy.get("enforce", []))
    if mode == "observe" or (what in CLOSED and not closed):
        return Told("prefer", rule["id"], None, False, what, until)
    return Told(what, rule["id"], code(rule), False, "", until, records(rule, query))


def in_force(
    policy: Policy, rules: list[Rule], query: Query, changes: list[float]
) -> Iterator[Rule]:
    for rule in rules:
        changes.append(next_change(policy, rule, query.wall))
        if active(policy, rule, query.wall):
            yield rule


def on_question(policy: Policy, query: Query, validating: bool) -> Told:
    changes = [NEVER]
    rules = [rule for rule in policy["rules"] if speaks(policy, rule, query)]
    rule = next(in_force(policy, rules, query, changes), None)
    if rule is None:
        return Told("none", "", None, False, "", min(changes))
    guarded = validating and effect(rule) in FORGED and not consents(policy, query.view)
    if not of_result(rule) and not guarded:
        return under_mode(policy, rule, query, min(changes))
    choices = [r for r in rules if effect(r) in ("prefer", "any", "forward", *CLOSED)]
    choice = next(in_force(policy, choices, query, changes), None)
    if choice is None:
        return Told("prefer", "", None, True, "", min(changes))
    told = under_mode(policy, choice, query, min(changes))
    return told._replace(waits=True, would="", rule="")


def on_answer(
    policy: Policy, query: Query, found: Found, validating: bool, systems: dict[str, int]
) -> Told:
    changes = [on_question(policy, query, validating).until]
    rules = [
        rule
        for rule in policy["rules"]
        if speaks(policy, rule, query) and (not of_result(rule) or fits(rule, found, systems))
    ]
    rule = next(in_force(policy, rules, query, changes), None)
    if rule is None:
        return Told("none", "", None, False, "", min(changes))
    if effect(rule) in FORGED and found.status == "secure" and not consents(policy, query.view):
        return Told("prefer", rule["id"], None, False, effect(rule), min(changes))
    return under_mode(policy, rule, query, min(changes))
