"""The border report: sums of both counts, and what it says of them."""

import io

import dns.message
import dns.rrset
import pytest
from rich.console import Console

from testbed.clients import Heard, compare
from testbed.model import Question, World
from testbed.report import Books, Phase, print_report, read_books
from testbed.truth import Expected, Truth
from testbed.world import make_world
from testbed.zones import NXDOMAIN, SERVFAIL, RRset

METRICS = """\
# TYPE inland_lookups counter
inland_lookups_total{transport="udp",route="local",destination="none"} 1.0
inland_lookups_total{transport="udp",route="domestic",destination="domestic"} 5.0
inland_lookups_total{transport="tcp",route="escaped",destination="foreign"} 4.0
# TYPE inland_escaped_lookups counter
inland_escaped_lookups_total{reason="no_domestic_server",destination="foreign"} 4.0
# TYPE inland_exchanges counter
inland_exchanges_total{verdict="domestic",country="XA",purpose="answer",reason="none",\
transport="udp"} 7.0
inland_exchanges_total{verdict="foreign",country="XB",purpose="answer",\
reason="no_domestic_server",transport="udp"} 3.0
# TYPE inland_needless_escapes counter
inland_needless_escapes_total 0.0
# TYPE inland_policy_info gauge
inland_policy_info{generation="abc",mode="prefer"} 1.0
"""


@pytest.fixture(scope="module")
def world() -> World:
    return make_world("small")


def stats(world: World, abroad: int, avoidable: bool = False) -> dict[str, object]:
    """Statistics as a backend gives them: 7 questions at home, ``abroad`` to one zone abroad."""
    truth = Truth(world)
    zone, address = next(
        (zone, address)
        for zone in world.zones
        for _, address in world.delegations[zone].all()
        if not world.servers[address].domestic
        and world.servers[address].fault.serves
        and truth.avoidable(zone, address) == avoidable
    )
    home = next(a for _, a in world.delegations["."].parent_set if world.servers[a].domestic)
    return {
        "roles": [[home, ".", 7], [address, zone, abroad]],
        "addresses": {home: {"udp": 7, "tcp": 0}, address: {"udp": abroad, "tcp": 0}},
    }


def report(world: World, books: Books, heard: list[Heard]) -> tuple[str, bool]:
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)
    good = print_report(console, world, [Phase("first time", books, heard)], books)
    return out.getvalue(), good


RIGHT = Heard(Question("www.x.", "A", "positive"), 0, "")
WRONG = Heard(Question("www.y.", "A", "positive"), 0, "1 records missing, 0 too many")


def test_shares_and_countries_come_from_the_metrics(world: World) -> None:
    text, good = report(world, read_books(METRICS, stats(world, 3)), [RIGHT])
    assert good
    assert "10.0 %" in text  # local
    assert "50.0 %" in text  # domestic
    assert "40.0 %" in text  # escaped
    assert "0.30" in text  # exchanges abroad per lookup
    assert "exchanges with XB" in text
    assert "exchanges with XA" not in text
    assert "answers equal to the truth: 1 of 1" in text


def test_books_that_do_not_balance_are_shown(world: World) -> None:
    text, good = report(world, read_books(METRICS, stats(world, 4)), [RIGHT])
    assert not good
    assert "NO   the books balance: 10 questions sent [R], 11 received [W]" in text


def test_an_avoidable_exchange_is_shown_with_its_zone(world: World) -> None:
    text, good = report(world, read_books(METRICS, stats(world, 3, avoidable=True)), [RIGHT])
    assert not good
    assert "NO   avoidable exchanges abroad, by the world's truth: 3" in text
    assert "AVOIDABLE" in text


def test_a_wrong_answer_is_shown(world: World) -> None:
    text, good = report(world, read_books(METRICS, stats(world, 3)), [RIGHT, WRONG])
    assert not good
    assert "www.y. A: 1 records missing" in text


def test_a_phase_has_only_what_was_added_in_it(world: World) -> None:
    books = read_books(METRICS, stats(world, 3))
    nothing = books.since(books)
    assert nothing.total("inland_lookups_total") == 0
    assert nothing.received.total() == 0
    assert "nothing left the country" in report(world, nothing, [])[0]


def reply(text: str, *records: str) -> dns.message.Message:
    message = dns.message.from_text(f"id 1\nopcode QUERY\nrcode {text}\nflags QR\n;QUESTION\n")
    for record in records:
        owner, ttl, _, rtype, data = record.split(" ", 4)
        message.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", rtype, data))
    return message


ONE = Expected(0, (RRset("www.x.", "A", 60, ("192.0.2.1",)),), ("x.",))


@pytest.mark.parametrize(
    ("given", "expected", "wrong"),
    [
        (reply("NOERROR", "www.x. 5 IN A 192.0.2.1"), ONE, ""),
        (reply("NOERROR", "WWW.X. 5 IN A 192.0.2.1"), ONE, ""),
        (reply("NOERROR"), ONE, "1 records missing, 0 too many"),
        (reply("NOERROR", "www.x. 5 IN A 192.0.2.9"), ONE, "1 records missing, 1 too many"),
        (reply("SERVFAIL"), ONE, "SERVFAIL instead of NOERROR"),
        (reply("NXDOMAIN"), Expected(NXDOMAIN, (), ("x.",)), ""),
        (reply("SERVFAIL"), Expected(SERVFAIL, (), ("x.",)), ""),
    ],
)
def test_replies_are_compared_with_the_truth(
    given: dns.message.Message, expected: Expected, wrong: str
) -> None:
    assert compare(given, expected) == wrong
