"""Response policy zones: every trigger with every action, and the order among them, row by row."""

import pytest

from policy.decision import NEVER, Action, Hit
from policy.rpz_action import Override
from policy.rpz_client import client_classes
from resolver.model import Address
from resolver.names import from_text
from tests.unit.rpz_rig import asked, book, facts, final, said, zone

CLIENT, WWW, ADDRESS = "203.0.113.9", "www.shop.example", "192.0.2.7"
NS, NS_ADDRESS = "ns1.host.example", "198.51.100.5"

TRIGGERS = {
    "client-ip": "24.0.113.0.203.rpz-client-ip",
    "qname": WWW,
    "ip": "24.0.2.0.192.rpz-ip",
    "nsdname": f"{NS}.rpz-nsdname",
    "nsip": "32.5.100.51.198.rpz-nsip",
}
ACTIONS = {
    "CNAME .": "nxdomain",
    "CNAME *.": "nodata",
    "CNAME rpz-passthru.": "pass",
    "CNAME rpz-drop.": "drop",
    "CNAME rpz-tcp-only.": "truncate",
    "A 10.0.0.1": f"rewrite {{}} {WWW}. A 10.0.0.1",
    "TXT sorry": "nodata",
    "CNAME walled.garden.example.": f"rewrite {{}} {WWW}. CNAME walled.garden.example.",
    "CNAME *.garden.example.": f"rewrite {{}} {WWW}. CNAME {WWW}.garden.example.",
    "CNAME RPZ-Passthru.": "pass",
}


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_trigger_with_each_action(trigger: str, action: str) -> None:
    zones = [zone(f"{TRIGGERS[trigger]} {action}\n")]
    found = facts([f"{WWW} A {ADDRESS}"], [("shop.example", NS, NS_ADDRESS)])
    question = asked(WWW, client=CLIENT, zones=zones)
    wanted = ACTIONS[action]
    name = f"one:{trigger}"
    wanted = wanted.format(name) if "{}" in wanted else f"{wanted} {name}"
    decision = final(book(*zones), question, found)
    assert said(decision) == wanted
    assert [hit.trigger for hit in decision.hits] == [trigger]
    early = trigger in ("client-ip", "qname")
    assert (book(*zones).on_question(question).action is not Action.NONE) == early
    # Who is not concerned is left alone.
    other = facts(["other.example2 A 192.0.3.1"], [("example2.org", "ns.x", "198.51.100.6")])
    assert (
        said(final(book(*zones), asked("other.example2", client="203.0.112.1", zones=zones), other))
        == "none"
    )


def lines(*owners: str) -> str:
    """Each trigger leads to an address that tells which it was: the first to 10.0.0.1."""
    return "".join(f"{owner} A 10.0.0.{at}\n" for at, owner in enumerate(owners, 1))


T = TRIGGERS
# Id, zones, which line of which zone decides ("2.1": the first of the second), with WWW asked.
ORDER = [
    ("client before name", [lines(T["qname"], T["client-ip"])], "1.2"),
    ("name before address", [lines(T["ip"], T["qname"])], "1.2"),
    ("address before server name", [lines(T["nsdname"], T["ip"])], "1.2"),
    ("server name before its address", [lines(T["nsip"], T["nsdname"])], "1.2"),
    ("all five", [lines(*reversed(T.values()))], "1.5"),
    ("zone before kind", [lines(T["nsip"]), lines(T["client-ip"])], "1.1"),
    ("zone before kind, name", [lines(T["nsdname"]), lines(T["qname"])], "1.1"),
    ("zone before kind, address", [lines(T["ip"]), lines(T["qname"])], "1.1"),
    ("second zone when the first is silent", [lines("other"), lines(T["qname"])], "2.1"),
    ("third zone", [lines("other"), lines("32.9.2.0.192.rpz-ip"), lines(T["nsip"])], "3.1"),
    ("name in both zones", [lines(WWW), lines(WWW)], "1.1"),
    ("wildcard of the first, name of the second", [lines("*.example"), lines(WWW)], "1.1"),
    ("exact before wildcard", [lines("*.shop.example", WWW)], "1.2"),
    ("longer wildcard", [lines("*.example", "*.shop.example", "*")], "1.2"),
    ("shorter wildcard alone", [lines("*.example")], "1.1"),
    ("everything", [lines("*")], "1.1"),
    ("a name is not below itself", [lines("*.www.shop.example", "*.shop.example")], "1.2"),
    ("longer prefix", [lines("8.0.0.0.192.rpz-ip", "32.7.2.0.192.rpz-ip")], "1.2"),
    ("longer prefix of servers", [lines("8.0.0.0.198.rpz-nsip", T["nsip"])], "1.2"),
    ("longer prefix of clients",
     [lines("8.0.0.0.203.rpz-client-ip", "32.9.113.0.203.rpz-client-ip", T["client-ip"])], "1.2"),
    ("exact server before wildcard", [lines("*.host.example.rpz-nsdname", T["nsdname"])], "1.2"),
    ("longer wildcard of servers",
     [lines("*.example.rpz-nsdname", "*.host.example.rpz-nsdname")], "1.2"),
    ("deeper than a listed name", [lines("shop.example", "*.shop.example")], "1.2"),
    ("only the name above is listed", [lines("shop.example")], "none"),
    ("top-level servers trigger nothing", [lines("ns.nic.example.rpz-nsdname")], "none"),
    ("another address of another server", [lines("32.6.100.51.198.rpz-nsip")], "none"),
    ("an address beside the prefix", [lines("24.0.3.0.192.rpz-ip")], "none"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zones", "wanted"), [row[1:] for row in ORDER], ids=[row[0] for row in ORDER]
)
def test_the_order(zones: list[str], wanted: str) -> None:
    made = [zone(text, f"z{at}") for at, text in enumerate(zones, 1)]
    found = facts(
        [f"{WWW} A {ADDRESS}"],
        [("shop.example", NS, NS_ADDRESS), ("example", "ns.nic.example", "198.51.100.1")],
    )
    decision = final(book(*made), asked(WWW, client=CLIENT, zones=made), found)
    if wanted == "none":
        assert decision.action is Action.NONE
        return
    which, line = wanted.split(".")
    assert decision.rule.startswith(f"rpz:z{which}:")
    assert [one.rdatas[0][-1] for one in decision.records] == [int(line)]


CHAIN = [
    f"{WWW} CNAME cdn.net.test",
    "cdn.net.test CNAME edge.far.test",
    f"edge.far.test A {ADDRESS}",
]
CHAIN_SERVERS = [
    ("shop.example", NS, NS_ADDRESS),
    ("net.test", "ns.net.test", "198.51.100.20"),
    ("far.test", "ns.far.test", "198.51.100.30"),
]
# Id, zones, what is said.
ALIASES = [
    ("target of an alias", ["cdn.net.test CNAME .\n"],
     f"nxdomain z1:qname {WWW}. CNAME cdn.net.test."),
    ("end of the chain", ["edge.far.test CNAME *.\n"],
     f"nodata z1:qname {WWW}. CNAME cdn.net.test. cdn.net.test. CNAME edge.far.test."),
    ("the nearer name before the earlier zone", ["edge.far.test CNAME .\n", f"{WWW} CNAME *.\n"],
     "nodata z2:qname"),
    ("PASSTHRU ends it",
     [f"{WWW} CNAME rpz-passthru.\n", "cdn.net.test CNAME .\n"], "pass z1:qname"),
    ("PASSTHRU on the way ends it", ["cdn.net.test CNAME rpz-passthru.\nedge.far.test CNAME .\n"],
     "pass z1:qname"),
    ("local data at the end", ["*.far.test A 10.0.0.1\n"],
     f"rewrite z1:qname {WWW}. CNAME cdn.net.test. cdn.net.test. CNAME edge.far.test."
     " edge.far.test. A 10.0.0.1"),
    ("an address stands at the end", ["24.0.2.0.192.rpz-ip A 10.0.0.1\n"],
     f"rewrite z1:ip {WWW}. CNAME cdn.net.test. cdn.net.test. CNAME edge.far.test."
     " edge.far.test. A 10.0.0.1"),
    ("servers of a target", ["ns.net.test.rpz-nsdname CNAME .\n"],
     f"nxdomain z1:nsdname {WWW}. CNAME cdn.net.test."),
    ("servers of the nearer name before the name farther on",
     ["ns.net.test.rpz-nsdname CNAME *.\nedge.far.test CNAME .\n"],
     f"nodata z1:nsdname {WWW}. CNAME cdn.net.test."),
    ("name before servers", ["ns.net.test.rpz-nsdname CNAME .\ncdn.net.test CNAME *.\n"],
     f"nodata z1:qname {WWW}. CNAME cdn.net.test."),
    ("synthesised from the target", ["cdn.net.test CNAME *.garden.example.\n"],
     f"rewrite z1:qname {WWW}. CNAME cdn.net.test."
     " cdn.net.test. CNAME cdn.net.test.garden.example."),
    ("nothing on the chain is listed", ["other.test CNAME .\n"], "none"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zones", "wanted"), [row[1:] for row in ALIASES], ids=[row[0] for row in ALIASES]
)
def test_the_chain_of_aliases(zones: list[str], wanted: str) -> None:
    made = [zone(text, f"z{at}") for at, text in enumerate(zones, 1)]
    decision = book(*made).on_answer(asked(WWW), facts(CHAIN, CHAIN_SERVERS))
    assert said(decision) == wanted


OVERRIDES = [
    (Override.PASSTHRU, None, "pass one:qname"),
    (Override.DROP, None, "drop one:qname"),
    (Override.NXDOMAIN, None, "nxdomain one:qname"),
    (Override.NODATA, None, "nodata one:qname"),
    (Override.TCP_ONLY, None, "truncate one:qname"),
    (Override.CNAME, "walled.example", f"rewrite one:qname {WWW}. CNAME walled.example."),
    (Override.CNAME, "*.walled.example", f"rewrite one:qname {WWW}. CNAME {WWW}.walled.example."),
    (Override.GIVEN, None, f"rewrite one:qname {WWW}. A 10.0.0.1"),
    (Override.DISABLED, None, "none"),
]


@pytest.mark.parametrize(("override", "target", "wanted"), OVERRIDES)
def test_the_operators_override(override: Override, target: str | None, wanted: str) -> None:
    name = from_text(target) if target else None
    made = zone(f"{WWW} A 10.0.0.1\n", override=override, target=name)
    decision = final(book(made), asked(WWW), facts([f"{WWW} A {ADDRESS}"]))
    assert said(decision) == wanted
    assert len(decision.hits) == 1


def test_a_disabled_zone_is_counted_and_decides_nothing() -> None:
    silent = zone(
        f"{WWW} CNAME .\n24.0.2.0.192.rpz-ip CNAME .\n", "first", override=Override.DISABLED
    )
    other = zone(f"{WWW} CNAME *.\n", "second")
    decision = final(book(silent, other), asked(WWW), facts([f"{WWW} A {ADDRESS}"]))
    assert said(decision) == "nodata second:qname"
    owner = from_text(WWW)
    assert decision.hits == (
        Hit("first", "qname", Action.NXDOMAIN, owner),
        Hit("second", "qname", Action.NODATA, owner),
    )


def test_an_earlier_zone_on_results_is_waited_for() -> None:
    first, second = zone(lines(T["ip"]), "first"), zone(f"{WWW} CNAME .\n", "second")
    rules = book(first, second)
    assert rules.on_question(asked(WWW)).waits
    assert said(rules.on_answer(asked(WWW), facts([f"{WWW} A {ADDRESS}"]))).startswith(
        "rewrite first:ip"
    )
    assert (
        said(rules.on_answer(asked(WWW), facts([f"{WWW} A 192.0.3.1"]))) == "nxdomain second:qname"
    )
    # Not where the name comes first.
    assert said(book(second, first).on_question(asked(WWW))) == "nxdomain second:qname"


def test_local_data_of_several_types() -> None:
    text = f"{WWW} A 10.0.0.1\n{WWW} A 10.0.0.2\n{WWW} AAAA ::2\n{WWW} 9999 TXT sorry\n"
    made = book(zone(text, ttl_max=120))
    found = {rtype: made.on_question(asked(WWW, rtype)) for rtype in (1, 28, 16, 15, 255, 5)}
    assert said(found[1]) == f"rewrite one:qname {WWW}. A 10.0.0.1 {WWW}. A 10.0.0.2"
    assert said(found[28]) == f"rewrite one:qname {WWW}. AAAA ::2"
    assert [one.ttl for one in found[16].records] == [120]
    assert said(found[15]) == "nodata one:qname"
    assert [one.rtype for one in found[255].records] == [1, 16, 28]
    assert said(found[5]) == "nodata one:qname"


def test_an_alias_to_itself_is_the_old_passthru() -> None:
    assert said(book(zone(f"{WWW} CNAME {WWW}.\n")).on_question(asked(WWW))) == "pass one:qname"


def test_a_name_that_would_be_too_long_does_not_exist() -> None:
    long = ".".join(["a" * 60] * 4)
    made = book(zone("*.test CNAME *.garden.example.\n"))
    assert said(made.on_question(asked(f"{long}.test"))) == "nxdomain one:qname"


def test_a_reserved_action_is_told_and_not_applied() -> None:
    made = zone(f"{WWW} CNAME rpz-future.\n24.0.2.0.192.rpz-ip CNAME rpz-other.\n")
    assert made.content.fault_count == 2
    assert said(final(book(made), asked(WWW), facts([f"{WWW} A {ADDRESS}"]))) == "none"


def test_a_zone_is_in_force_between_its_dates() -> None:
    made = zone(f"{WWW} CNAME .\n", begins=500.0, ends=2000.0)
    word = "nxdomain one:qname"
    steps = ((499, "none", 500), (500, word, 2000), (1999, word, 2000), (2000, "none", NEVER))
    for wall, wanted, until in steps:
        decision = book(made).on_question(asked(WWW)._replace(wall=float(wall)))
        assert (said(decision), decision.until) == (wanted, until)


def test_what_concerns_native() -> None:
    made = book(
        zone(f"{WWW} CNAME .\n*.b.example CNAME .\n"), zone(lines(T["nsip"], T["nsdname"]), "two")
    )
    tables = made.concerned_tables()
    assert len(tables) == 1
    assert tables[0].find(from_text(WWW)) is not None
    assert tables[0].find(from_text("x.b.example")) is not None
    assert tables[0].find(from_text("b.example")) is None
    assert made.concerned_servers([from_text(NS)], [])
    assert made.concerned_servers([], [Address(bytes((198, 51, 100, 5)))])
    assert not made.concerned_servers([from_text("ns.other")], [Address(bytes((198, 51, 100, 6)))])
    assert made.concerns_servers() and not made.concerned_ranges()
    answers = book(zone(lines(T["ip"])))
    assert len(answers.concerned_ranges()) == 1
    assert not (answers.concerns_answers() or answers.concerns_servers())


def test_what_is_asked_of_clients_makes_few_classes() -> None:
    many = "".join(
        f"32.{at % 256}.{at // 256}.0.10.rpz-client-ip CNAME rpz-drop.\n" for at in range(3000)
    )
    one = zone(many)
    two = zone("8.0.0.0.10.rpz-client-ip CNAME .\n", "two")
    classes = client_classes([one.content.clients, two.content.clients])
    assert (len(classes.prefixes), len(classes.rows)) == (3001, 3)
    apart = "".join(f"32.{at % 256}.{at // 256}.0.10.rpz-client-ip A 10.9.{at // 256}.{at % 256}\n"
                    for at in range(300))  # fmt: skip
    with pytest.raises(ValueError, match="classes of clients"):
        client_classes([zone(apart).content.clients])
