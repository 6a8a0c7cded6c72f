"""Broken policy files: one clear error each, with file, path and line; all in one report."""

import pytest

from tests.policy_rig import wrong

BY = """
  authority: {kind: court, name: High Court}
  reference: WP 1
  from: "2026-01-01"
  until: "2026-12-31"
"""


def ruled(match: str = "{}", effect: str = "pass", more: str = "") -> str:
    """One rule: the match on line 4, the effect on line 5, more from line 6 on."""
    return f"rules:\n- id: r\n  match: {match}\n  effect: {effect}\n{more}"


# (text after the line with the version, path, line, words in the message)
BROKEN = [
    # the file
    ("rule: []", "rule", 2, "did you mean rules?"),
    ("Views: []", "Views", 2, "did you mean views?"),
    ("qqqq: 1", "qqqq", 2, "known here: version, timezone, mode,"),
    ("version: 1", "version", 2, "stands twice; first on line 1"),
    ("rules: {a: 1}", "rules", 2, "expected a list"),
    ("rules:", "rules", 2, "expected a list"),
    ("rules: [a]", "rules[0]", 2, "expected a rule with id, match and effect, or {rpz: NAME}"),
    ("rules:\n- [a]", "rules[0]", 3, "expected a rule with id, match and effect"),
    ("timezone: Asia/Nowhere", "timezone", 2, 'expected a time zone, such as "UTC"'),
    ("timezone: ../../etc/passwd", "timezone", 2, "expected a time zone"),
    ("timezone: 5", "timezone", 2, "got 5"),
    # modes
    ("mode: on", "mode", 2, "expected one of observe, prefer, enforce; got 'on'"),
    ("mode:", "mode", 2, "got nothing"),
    ("mode: enforce", "mode", 2, "enforcing needs an explicit list of zones"),
    ("modes: [{zone: a.example}]", "modes[0].mode", 2, "required, but not there"),
    ("modes: [{mode: observe}]", "modes[0]", 2, "expected zone, view or both"),
    (
        "modes:\n- {view: red, mode: observe}",
        "modes[0].view",
        3,
        "no view red; known views: others",
    ),
    (
        "modes: [{zone: a.example, mode: enforce}]",
        "modes[0].mode",
        2,
        "name the zone under enforce",
    ),
    (
        "enforce: [b.example]\nmodes: [{zone: a.example, mode: enforce}]",
        "modes[0].mode",
        3,
        "needs an explicit list",
    ),
    (
        "modes:\n- {zone: a.example, mode: observe}\n- {zone: A.example., mode: prefer}",
        "modes[1]",
        4,
        "the same zone and view as in another entry",
    ),
    ("modes: [{zone: ., mode: observe}]", "modes[0].zone", 2, "the root covers every name"),
    ("enforce: [.]", "enforce[0]", 2, "the root covers every name"),
    ("enforce: ['*.example']", "enforce[0]", 2, "no wildcards here: a suffix 'example' covers"),
    # views
    ("views: [red]", "views[0]", 2, "expected keys and values, got 'red'"),
    ("views: {red: 10.0.0.0/8}", "views", 2, "expected a list"),
    ("views: [{name: red}]", "views[0].clients", 2, "required, but not there"),
    ("views: [{name: red, clients: []}]", "views[0].clients", 2, "an empty list would match"),
    ("views: [{name: red, clients: 10.0.0.1/8}]", "views[0].clients", 2, "did you mean 10.0.0.0/8"),
    ("views: [{name: red, clients: [10]}]", "views[0].clients[0]", 2, "got 10"),
    ("views: [{name: a b, clients: 10.0.0.0/8}]", "views[0].name", 2, "expected letters, digits"),
    ("views: [{name: others, clients: 10.0.0.0/8}]", "views[0].name", 2, "clients in no view"),
    (
        "views:\n- {name: red, clients: 10.0.0.0/8}\n- {name: red, clients: 11.0.0.0/8}",
        "views[1].name",
        4,
        "stands twice; first at line 3",
    ),
    (
        "views:\n- {name: red, clients: 10.0.0.0/8}\n- {name: tan, clients: [10.0.0.0/8]}",
        "views[1].clients[0]",
        4,
        "10.0.0.0/8 is in view red too",
    ),
    (
        "views: [{name: red, clients: [10.0.0.0/8, 10.0.0.0/8]}]",
        "views[0].clients[1]",
        2,
        "10.0.0.0/8 stands twice",
    ),
    (
        "views: [{name: red, clients: 10.0.0.0/8, explain: yes}]",
        "views[0].explain",
        2,
        "expected true or false, got 'yes'",
    ),
    (
        "views: [{name: red, clients: 10.0.0.0/8, client: 11.0.0.0/8}]",
        "views[0].client",
        2,
        "did you mean clients?",
    ),
    # forwarders
    ("forwarders: [{name: f}]", "forwarders[0].addresses", 2, "required, but not there"),
    ("forwarders: [{name: f, addresses: a}]", "forwarders[0].addresses", 2, "expected an IP"),
    (
        "forwarders: [{name: f, addresses: [192.0.2.53, 192.0.2.53]}]",
        "forwarders[0].addresses[1]",
        2,
        "192.0.2.53 stands twice",
    ),
    (
        "forwarders:\n- name: f\n  addresses:\n  - 192.0.2.53\n  - 203.0.113.1",
        "forwarders[0].addresses[1]",
        6,
        "203.0.113.1 is foreign, but lookups are handed to servers in home only",
    ),
    (
        "forwarders:\n- {name: f, addresses: 192.0.2.53}\n- {name: f, addresses: 192.0.2.53}",
        "forwarders[1].name",
        4,
        "stands twice; first at line 3",
    ),
    # lists
    ("lists: [a]", "lists", 2, "expected keys and values"),
    ("lists: {few: []}", "lists.few", 2, "an empty list"),
    ("lists: {few: [a..b]}", "lists.few[0]", 2, "empty label"),
    ("lists: {domestic: [a.example]}", "lists.domestic", 2, "the list of the border's domestic"),
    ("lists: {'a b': [a.example]}", "lists.'a b'", 2, "expected letters, digits"),
    # rules as such
    ("rules:\n- {match: {}, effect: pass}", "rules[0].id", 3, "required, but not there"),
    ("rules:\n- {id: r, effect: pass}", "rules[0].match", 3, "required, but not there"),
    ("rules:\n- {id: r, match: {}}", "rules[0].effect", 3, "required, but not there"),
    (ruled(more="  prio: 1"), "rules[0].prio", 6, "unknown key"),
    (ruled(more="  notes: x"), "rules[0].notes", 6, "did you mean note?"),
    (ruled(more="  note: [x]"), "rules[0].note", 6, "expected a text, got a list"),
    ("rules:\n- {id: 7, match: {}, effect: pass}", "rules[0].id", 3, "expected an identifier"),
    ("rules:\n- {id: a b, match: {}, effect: pass}", "rules[0].id", 3, "up to 64 letters"),
    (ruled() + ruled()[7:], "rules[1].id", 6, "stands twice; first at line 3"),
    ("rules: [{rpz: a b}]", "rules[0].rpz", 2, "expected letters, digits"),
    ("rules: [{rpz: z, id: r}]", "rules[0].id", 2, "unknown key"),
    ("rules: [{rpz: z}, {rpz: z}]", "rules[1].rpz", 2, "stands twice"),
    # criteria
    (ruled("all"), "rules[0].match", 4, "expected keys and values, got 'all'"),
    (ruled("{sufix: a.example}"), "rules[0].match.sufix", 4, "did you mean suffix?"),
    (ruled("{suffix: }"), "rules[0].match.suffix", 4, "got nothing"),
    (ruled("{suffix: []}"), "rules[0].match.suffix", 4, "an empty list would match nothing"),
    (ruled("{suffix: .}"), "rules[0].match.suffix", 4, "the root covers every name"),
    (ruled("{suffix: '*.a.example'}"), "rules[0].match.suffix", 4, "a suffix 'a.example' covers"),
    (ruled("{name: [a.example, b..c]}"), "rules[0].match.name[1]", 4, "empty label"),
    (ruled(f"{{name: {'a' * 64}.example}}"), "rules[0].match.name", 4, "longer than 63"),
    (ruled("{name: bücher.example}"), "rules[0].match.name", 4, "as A-labels"),
    (ruled("{name: 5}"), "rules[0].match.name", 4, "got 5"),
    (ruled("{listed: few}"), "rules[0].match.listed[0]", 4, "no list few; known lists: domestic"),
    (ruled("{type: AAA}"), "rules[0].match.type", 4, "expected a record type"),
    (ruled("{type: [A, 28]}"), "rules[0].match.type[1]", 4, "got 28"),
    (ruled("{type: OPT}"), "rules[0].match.type", 4, "OPT is never asked for"),
    (ruled("{type: AXFR}"), "rules[0].match.type", 4, "AXFR is a transfer"),
    (ruled("{type: TYPE65536}"), "rules[0].match.type", 4, "expected a record type"),
    (ruled("{view: red}"), "rules[0].match.view[0]", 4, "no view red; known views: others"),
    (ruled("{server_country: uk}"), "rules[0].match.server_country", 4, "got 'uk'"),
    (ruled("{server_country: UK}"), "rules[0].match.server_country", 4, "Kingdom is GB"),
    (ruled("{answer_country: [XA, in]}"), "rules[0].match.answer_country[1]", 4, "capitals: IN"),
    (ruled("{server_as: 0}"), "rules[0].match.server_as", 4, "expected an AS number"),
    (ruled("{server_as: AS1.1}"), "rules[0].match.server_as", 4, "expected an AS number"),
    (ruled("{server_as: 4294967296}"), "rules[0].match.server_as", 4, "expected an AS number"),
    (ruled("{server_as: 64500}"), "rules[0].match.server_as", 4, "name one in border.as_numbers"),
    (ruled("{server_address: 192.0.2.1/24}"), "rules[0].match.server_address", 4, "did you mean"),
    (ruled("{server_address: any}"), "rules[0].match.server_address", 4, "expected a prefix"),
    (ruled("{server_name: .}"), "rules[0].match.server_name", 4, "the root covers every name"),
    (ruled("{security: signed}"), "rules[0].match.security", 4, "expected one of indeterminate"),
    (ruled("{time: night}"), "rules[0].match.time", 4, "expected keys and values"),
    (ruled("{time: {day: mon}}"), "rules[0].match.time.day", 4, "did you mean days?"),
    (ruled("{time: {days: Mon}}"), "rules[0].match.time.days", 4, "expected a day or days such as"),
    (ruled("{time: {days: mon-day}}"), "rules[0].match.time.days", 4, "got 'mon-day'"),
    (ruled("{time: {days: []}}"), "rules[0].match.time.days", 4, "an empty list"),
    (ruled("{time: {hours: 9-17}}"), "rules[0].match.time.hours", 4, 'such as "09:00-17:30"'),
    (ruled('{time: {hours: "09:00-09:00"}}'), "rules[0].match.time.hours", 4, "is empty"),
    (ruled('{time: {hours: "24:00-06:00"}}'), "rules[0].match.time.hours", 4, "past midnight"),
    (ruled('{time: {hours: "20:00-24:30"}}'), "rules[0].match.time.hours", 4, "past midnight"),
    (ruled("{time: {timezone: Mars}}"), "rules[0].match.time.timezone", 4, "a time zone"),
    # effects
    (ruled(effect="allow"), "rules[0].effect", 5, "expected one of prefer, domestic-only, mirror"),
    (ruled(effect="nxdomain"), "rules[0].effect", 5, "to block, write {block: nxdomain}"),
    (ruled(effect="forward"), "rules[0].effect", 5, "got 'forward'"),
    (ruled(effect=""), "rules[0].effect", 5, "expected keys and values, got nothing"),
    (ruled(effect="{}"), "rules[0].effect", 5, "got none of them"),
    (ruled(effect="{block: nodata, forward: f}"), "rules[0].effect", 5, "got forward, block"),
    (ruled(effect="{block: yes}"), "rules[0].effect.block", 5, "expected one of nxdomain, nodata"),
    (ruled(effect="{blok: nodata}"), "rules[0].effect.blok", 5, "did you mean block?"),
    (ruled(effect="{block: sinkhole}"), "rules[0].effect", 5, "a sinkhole needs addresses"),
    (
        ruled(effect="{block: nodata, addresses: 192.0.2.1}"),
        "rules[0].effect",
        5,
        "addresses go with block: sinkhole only",
    ),
    (
        ruled(effect="{block: sinkhole, addresses: [192.0.2.1, x]}"),
        "rules[0].effect.addresses[1]",
        5,
        "expected an IP address",
    ),
    (ruled(effect="{block: nodata, ttl: 5s}"), "rules[0].effect", 5, "ttl goes with records"),
    (ruled(effect="{rewrite: A 192.0.2.1, ttl: 5}"), "rules[0].effect.ttl", 5, "with its unit"),
    (ruled(effect="{rewrite: []}"), "rules[0].effect.rewrite", 5, "an empty list"),
    (ruled(effect="{rewrite: A 192.0.2}"), "rules[0].effect.rewrite", 5, "expected a record"),
    (ruled(effect="{rewrite: A}"), "rules[0].effect.rewrite", 5, "expected a record"),
    (ruled(effect="{rewrite: CNAME a.example}"), "rules[0].effect.rewrite", 5, "an alias would"),
    (ruled(effect="{rewrite: NS a.example}"), "rules[0].effect.rewrite", 5, "of type A, AAAA, TXT"),
    (ruled(effect="{rewrite: 192.0.2.1}"), "rules[0].effect.rewrite", 5, "of type A, AAAA, TXT"),
    (ruled(effect="{forward: f}"), "rules[0].effect.forward", 5, "there are no forwarders"),
    (
        "forwarders: [{name: g, addresses: 192.0.2.53}]\n" + ruled(effect="{forward: f}"),
        "rules[0].effect.forward",
        6,
        "no forwarder f; known forwarders: g",
    ),
    (
        ruled("{type: MX}", "{rewrite: A 192.0.2.1}", BY),
        "rules[0].effect",
        5,
        "no record is of a type that the rule matches (MX)",
    ),
    (
        ruled("{}", "{rewrite: [A 192.0.2.1, a 192.0.2.1]}", BY),
        "rules[0].effect.rewrite[1]",
        5,
        "stands twice",
    ),
    (
        ruled("{answer_country: XB}", "domestic-only", BY),
        "rules[0].effect",
        5,
        "how servers are chosen cannot depend on what they answered",
    ),
    (ruled("{security: secure}", "any"), "rules[0].effect", 5, "cannot depend on what they"),
    # accountability
    (
        ruled(effect="{block: refused}"),
        "rules[0]",
        3,
        "refused changes or refuses answers, so the rule needs authority and reference and from",
    ),
    (
        ruled(effect="{block: nodata}", more=BY.replace("  reference: WP 1\n", "")),
        "rules[0]",
        3,
        "so the rule needs reference",
    ),
    (
        ruled(effect="{rewrite: A 192.0.2.1}", more=BY.replace('  until: "2026-12-31"\n', "")),
        "rules[0]",
        3,
        "so the rule needs until",
    ),
    (ruled(effect="domestic-only"), "rules[0]", 3, "domestic-only may refuse answers, so the rule"),
    (ruled(effect="mirror-only"), "rules[0]", 3, "mirror-only may refuse answers, so the rule"),
    (ruled(more="  authority: court"), "rules[0].authority", 6, "expected keys and values"),
    (ruled(more="  authority: {name: X}"), "rules[0].authority.kind", 6, "required, but not there"),
    (ruled(more="  authority: {kind: court}"), "rules[0].authority.name", 6, "required"),
    (
        ruled(more="  authority: {kind: king, name: X}"),
        "rules[0].authority.kind",
        6,
        "expected one of law, court, regulator, operator, subscriber, access",
    ),
    (ruled(more='  reference: ""'), "rules[0].reference", 6, "expected a text on one line"),
    (ruled(more='  reference: "a\\nb"'), "rules[0].reference", 6, "expected a text on one line"),
    # dates
    (ruled(more="  from: tomorrow"), "rules[0].from", 6, 'expected a date such as "2026-11-22"'),
    (ruled(more="  from: 2026-02-30"), "rules[0].from", 6, "got '2026-02-30'"),
    (ruled(more="  until: 2026"), "rules[0].until", 6, "got 2026"),
    (ruled(more="  until: 2026-01-01T10:00"), "rules[0].until", 6, "has no time zone"),
    (ruled(more="  until: 3026-01-01"), "rules[0].until", 6, "the year 3026 is not from 1990 to"),
    (
        ruled(more="  from: 2026-02-01\n  until: 2026-01-31"),
        "rules[0].until",
        7,
        "ends before it begins",
    ),
    (ruled(more="  begins: 2026-02-01"), "rules[0].begins", 6, "unknown key"),
]

UNREADABLE = [
    (b"", "(file)", 1, 'expected keys such as "version: 1"'),
    (b"# nothing\n", "(file)", 1, 'expected keys such as "version: 1"'),
    (b"- a\n", "(file)", 1, 'expected keys such as "version: 1"'),
    (b"rules: []\n", "version", 1, "required, but not there"),
    (b"version: 2\n", "version", 1, "expected 1, the only version there is; got 2"),
    (b"version: true\n", "version", 1, "got true"),
    (b"version: 1\nrules: [\n", "(file)", 3, "not YAML"),
    (b"version: 1\n\xff\n", "(file)", 2, "not UTF-8: octet 0xff"),
    (b"version: 1\nx: !!python/none a\n", "(file)", 2, "tag"),
    (b"version: 1\n---\nversion: 1\n", "(file)", 2, "a second document"),
    (b"a: " + b"[" * 40 + b"]" * 40, "(file)", 1, "nested deeper than"),
]


@pytest.mark.parametrize(("text", "path", "line", "words"), BROKEN)
def test_one_clear_error_with_path_and_line(text: str, path: str, line: int, words: str) -> None:
    found = wrong(b"version: 1\n" + text.encode())
    assert len(found) == 1, found
    assert (found[0].source, found[0].path, found[0].line) == ("one.yaml", path, line), found
    assert words in found[0].message, found[0].message


@pytest.mark.parametrize(("data", "path", "line", "words"), UNREADABLE)
def test_what_is_no_policy_file(data: bytes, path: str, line: int, words: str) -> None:
    found = wrong(data)
    assert len(found) == 1, found
    assert (found[0].source, found[0].path, found[0].line) == ("one.yaml", path, line), found
    assert words in found[0].message, found[0].message


def test_there_are_a_hundred_broken_policies() -> None:
    assert len(BROKEN) + len(UNREADABLE) >= 100
    assert len({text for text, *_ in BROKEN}) == len(BROKEN)
