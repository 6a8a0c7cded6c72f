"""Stale answers in virtual time (RFC 8767): when they are shown, of what, and what books say."""

from dataclasses import dataclass, field
from random import Random

import pytest

from resolver import limits, limits_servers
from resolver.model import Books, Ede, Purpose, Question, Rcode, Result, Route, Type
from tests.small_internet import internet
from tests.virtual import Internet, values
from tests.virtual_servers import Zone, address, name

HOME_SERVER = "11.0.3.1"
DAY = 86_400.0


@pytest.fixture
def net() -> Internet:
    net = internet(serve_stale=True)
    net.records.stale = DAY
    return net


@dataclass
class Told:
    """What one client hears: early (with the time), and at the end."""

    early: list[tuple[float, Result, Books]] = field(default_factory=list)
    end: list[tuple[float, Result, Books]] = field(default_factory=list)


def begin(net: Internet, text: str, *, arrived: float | None = None, takes: bool = True) -> Told:
    told = Told()

    def early(result: Result, books: Books) -> bool:
        told.early.append((net.now, result, books))
        return takes

    def done(result: Result, books: Books) -> None:
        told.end.append((net.now, result, books))

    question = Question(name(text), Type.A)
    net.scheduler.lookup(question, net.now, done, early=early, arrived=arrived)
    return told


def learn(net: Internet, *texts: str) -> None:
    """Have answers cached, let them end, and take their server away."""
    for text in texts:
        net.ask(text)
    net.run(301)
    net.hosts[address(HOME_SERVER)].up = False


def texts(result: Result) -> list[str]:
    return values(result.answer, "A")


def test_a_slow_lookup_is_answered_early_and_goes_on(net: Internet) -> None:
    learn(net, "www.home.xa")
    began, before = net.now, len(net.door.sent)
    told = begin(net, "www.home.xa")
    net.run(20)
    [(when, result, books)] = told.early
    assert when == pytest.approx(began + limits.STALE_CLIENT_SECONDS)
    assert (result.rcode, texts(result)) == (Rcode.NOERROR, ["11.9.9.9"])
    assert [r.ttl for r in result.answer] == [limits.STALE_TTL]
    assert [code for code, _ in result.ede] == [Ede.STALE_ANSWER]
    assert result.stale is not None
    assert books.exchanges > 0
    [(ended, failed, rest)] = told.end
    assert ended > when
    assert failed.rcode == Rcode.SERVFAIL
    assert texts(failed.shown) == ["11.9.9.9"]
    assert failed.shown.stale == limits.STALE_RECHECK_SECONDS
    # What was spent before and after is told once, and both together are all.
    sent = [a for a in net.door.sent[before:] if a.label.purpose is not Purpose.VERIFICATION]
    assert books.exchanges + rest.exchanges == len(sent)
    assert rest.exchanges > 0


def test_without_anybody_to_take_it_the_books_stay_whole(net: Internet) -> None:
    learn(net, "www.home.xa")
    told = begin(net, "www.home.xa", takes=False)
    net.run(20)
    before = told.early[0][2].exchanges
    assert told.end[0][2].exchanges > before > 0


def test_a_lookup_that_was_shown_early_brings_fresh_data_when_they_come(net: Internet) -> None:
    learn(net, "www.home.xa")
    host = net.hosts[address(HOME_SERVER)]
    host.up, host.latency = True, 2.5
    told = begin(net, "www.home.xa")
    net.run(2)
    assert told.early
    assert not told.end
    net.run(20)
    [(_, result, _)] = told.end
    assert (result.rcode, result.stale, result.ede) == (Rcode.NOERROR, None, ())
    assert result.answer[0].ttl == 300


def test_the_timer_runs_from_the_clients_arrival(net: Internet) -> None:
    learn(net, "www.home.xa")
    began = net.now
    told = begin(net, "www.home.xa", arrived=began - 1.5)
    net.run(1)
    assert told.early[0][0] == pytest.approx(began + limits.STALE_CLIENT_SECONDS - 1.5)


def test_a_quick_failure_is_answered_with_stale_data(net: Internet) -> None:
    learn(net, "www.home.xa")
    host = net.hosts[address(HOME_SERVER)]
    host.up, host.zones = True, []  # REFUSED
    result, books = net.ask("www.home.xa")
    assert (result.rcode, result.shown.rcode) == (Rcode.SERVFAIL, Rcode.NOERROR)
    assert texts(result.shown) == ["11.9.9.9"]
    assert result.shown.ede == ((Ede.STALE_ANSWER, "servers gave no usable reply"),)
    assert books.route is not Route.LOCAL


def test_after_a_failure_stale_data_come_at_once_until_the_recheck(net: Internet) -> None:
    learn(net, "www.home.xa")
    first = begin(net, "www.home.xa")
    net.run(15)
    failed, sent = first.end[0][0], len(net.door.sent)
    net.run(failed + limits.STALE_RECHECK_SECONDS - 1 - net.now)
    result, books = net.ask("www.home.xa")
    assert (books.exchanges, books.route) == (0, Route.LOCAL)
    assert texts(result.shown) == ["11.9.9.9"]
    assert result.shown.stale == pytest.approx(1.0)
    assert {ask.label.purpose for ask in net.door.sent[sent:]} <= {Purpose.VERIFICATION}
    net.hosts[address(HOME_SERVER)].up = True
    net.run(70)
    result, books = net.ask("www.home.xa")
    assert (result.rcode, books.exchanges) == (Rcode.NOERROR, 1)


def test_without_stale_data_a_failure_is_cached_as_ever(net: Internet) -> None:
    learn(net)
    result, _ = net.ask("www.home.xa")
    assert (result.rcode, result.instead) == (Rcode.SERVFAIL, None)
    net.run(limits.FAILURE_SECONDS_FIRST)
    net.hosts[address(HOME_SERVER)].up = True
    net.run(70)
    assert net.ask("www.home.xa")[0].rcode == Rcode.NOERROR


def test_names_that_did_not_exist_are_told_as_such(net: Internet) -> None:
    learn(net, "nothing.home.xa")
    result, _ = net.ask("nothing.home.xa")
    assert result.shown.rcode == Rcode.NXDOMAIN
    assert [code for code, _ in result.shown.ede] == [Ede.STALE_NXDOMAIN]
    assert [r.ttl for r in result.shown.authority] == [limits.STALE_TTL]


def test_aliases_are_followed_through_stale_data(net: Internet) -> None:
    learn(net, "alias.home.xa", "leaf.tree.home.xa")
    for text, kinds in (
        ("alias.home.xa", [Type.CNAME, Type.A]),
        ("leaf.tree.home.xa", [Type.DNAME, Type.CNAME, Type.A]),
    ):
        shown = net.ask(text)[0].shown
        assert [r.rtype for r in shown.answer] == kinds
        assert {r.ttl for r in shown.answer} == {limits.STALE_TTL}


def test_half_of_a_chain_is_no_answer(net: Internet) -> None:
    learn(net, "alias.home.xa")
    net.records.flush(name("www.home.xa"), subtree=False)
    assert net.ask("alias.home.xa")[0].instead is None


def test_too_old_is_too_old(net: Internet) -> None:
    learn(net, "www.home.xa")
    net.run(DAY)
    assert net.ask("www.home.xa")[0].instead is None


def test_switched_off_nothing_stale_is_shown() -> None:
    net = internet()
    net.records.stale = DAY
    learn(net, "www.home.xa")
    told = begin(net, "www.home.xa")
    net.run(20)
    assert told.early == []
    assert told.end[0][1].instead is None


def test_any_is_never_stale(net: Internet) -> None:
    net.ask("www.home.xa", "ANY")
    learn(net)
    assert net.ask("www.home.xa", "ANY")[0].instead is None


def test_what_has_changed_meanwhile_is_not_shown(net: Internet) -> None:
    net.ask("www.home.xa")
    net.run(301)
    net.hosts[address(HOME_SERVER)].zones = [
        Zone("home.xa", "home.xa. 3600 SOA 60\nhome.xa. 3600 NS ns.home.xa.")
    ]
    result, _ = net.ask("www.home.xa")
    assert (result.rcode, result.shown.rcode) == (Rcode.NXDOMAIN, Rcode.NXDOMAIN)
    net.run(61)
    net.hosts[address(HOME_SERVER)].up = False
    assert net.ask("www.home.xa")[0].shown.rcode == Rcode.NXDOMAIN


@pytest.mark.parametrize("seed", range(6))
def test_however_servers_fail_what_is_shown_was_true_and_the_books_are_whole(seed: int) -> None:
    """Random outages, slowness and loss: one end for each lookup, at most one early answer before
    it, stale data only of names that were answered once, and each exchange told exactly once."""
    net = internet(seed, loss=0.1, serve_stale=True)
    net.records.stale = DAY
    chance = Random(seed)
    names = ["www.home.xa", "alias.home.xa", "nothing.home.xa", "www.mixed.xa", "www.glueless.xa"]
    true = {text: net.ask(text)[0] for text in names[:4]}
    net.run(10)
    before, exchanges, stale = len(net.door.sent), 0, 0
    for _ in range(60):
        for host in net.hosts.values():
            host.up, host.latency = chance.random() < 0.5, chance.choice([0.01, 0.3, 1.0, 2.4])
        text = chance.choice(names)
        began = net.now
        told = begin(net, text)
        net.run(limits.LOOKUP_SECONDS + limits_servers.EXCHANGE_SECONDS + 1)
        [(_, result, books)] = told.end
        assert len(told.early) <= 1
        exchanges += books.exchanges
        for when, shown, spent in told.early:
            assert began + limits.STALE_CLIENT_SECONDS <= when <= told.end[0][0]
            exchanges += spent.exchanges
            stale += 1
            assert shown.stale is not None
        for shown in (*(early[1] for early in told.early), result.shown):
            if shown.rcode != Rcode.SERVFAIL:
                true.setdefault(text, shown)
                assert (shown.rcode, texts(shown)) == (true[text].rcode, texts(true[text]))
        net.run(chance.choice([5.0, 400.0, 4_000.0]))
    sent = [a for a in net.door.sent[before:] if a.label.purpose is not Purpose.VERIFICATION]
    assert exchanges == len(sent)
    assert stale > 0
    assert net.scheduler.needless == 0
