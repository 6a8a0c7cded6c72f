"""The scheduler's bounds: quotas, deadlines, joined work, faults, probes, cached failures."""

import traceback
from typing import cast

import pytest

from resolver import limits, limits_servers
from resolver.core import RecordCache
from resolver.limits_servers import UNDER_WAY_MAX
from resolver.lookups import Done, Lookup
from resolver.model import Books, Cached, Ede, Question, Rcode, Type
from resolver.names import Name
from resolver.schedule import Scheduler
from tests.interpreted import interpreted
from tests.small_internet import internet
from tests.virtual import Internet, values
from tests.virtual_servers import address, name


@pytest.fixture
def net() -> Internet:
    return internet()


def test_joiner_outlives_the_lookup_that_began_the_work(net: Internet) -> None:
    """The first lookup's time runs out; the second, begun later, adopts the work."""
    for host in net.hosts.values():
        host.up = False
    first = net.begin("www.home.xa")
    net.run(6)
    second = net.begin("www.home.xa")
    for host in net.hosts.values():
        host.up = True
    net.run(4.5)
    assert first
    net.run(6)
    assert second


@interpreted
def test_spent_quota_ends_a_lookup_and_spares_the_joiner(
    net: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotas = iter([2, 100])
    lookup = Lookup

    def poor_then_rich(deadline: float, done: Done) -> Lookup:
        return lookup(deadline, done, next(quotas))

    monkeypatch.setattr(Scheduler, "make_lookup", staticmethod(poor_then_rich))
    poor = net.begin("www.home.xa")
    rich = net.begin("www.home.xa")
    while not (poor and rich):
        net.turn()
    assert poor[0][0].rcode == Rcode.SERVFAIL
    assert values(rich[0][0].answer, "A") == ["11.9.9.9"]


def test_lookup_ends_in_time_when_nothing_replies(net: Internet) -> None:
    for host in net.hosts.values():
        host.up = False
    result, books = net.ask("www.home.xa")
    assert result.rcode == Rcode.SERVFAIL
    assert net.now <= limits.LOOKUP_SECONDS + 1  # the turn in which it ended is over
    assert books.exchanges >= 3


@interpreted
def test_full_resolver_refuses_work(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RESOLUTIONS_MAX", 1)
    net.begin("www.home.xa")
    refused = net.begin("www.mixed.xa")
    assert refused[0][0].rcode == Rcode.SERVFAIL
    assert len(net.begin("www.home.xa")) == 0, "joining needs no place"


@interpreted
def test_too_many_waiters_are_refused(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAITERS_MAX", 2)
    ended = [net.begin("www.home.xa") for _ in range(3)]
    assert [bool(e) for e in ended] == [False, False, True]


class FaultyRecords:
    """A record cache with a fault of ours at one name."""

    def __init__(self, real: RecordCache) -> None:
        self._real = real

    def __getattr__(self, word: str) -> object:
        return getattr(self._real, word)

    def find(self, asked: Name, rtype: int, now: float, stale: bool) -> Cached | None:
        """As the real one, but for the name."""
        if asked == name("fault.xa"):
            raise ZeroDivisionError
        return self._real.find(asked, rtype, now, stale)


def test_fault_in_a_resolution_costs_that_lookup_only(net: Internet) -> None:
    core = net.scheduler.core
    core.records = cast(RecordCache, FaultyRecords(core.records))
    faults: list[Exception] = []
    core.on_fault = faults.append
    result, _ = net.ask("fault.xa")
    assert result.rcode == Rcode.SERVFAIL
    assert [type(f) for f in faults] == [ZeroDivisionError]
    assert "iterate.py" in "".join(traceback.format_exception(faults[0]))
    assert net.ask("www.home.xa")[0].rcode == Rcode.NOERROR


def test_cached_failure_grows_and_is_forgotten_on_success(net: Internet) -> None:
    """RFC 9520 section 3.2: from one second up, never over five minutes."""
    host = net.hosts[address("11.0.3.1")]
    host.up = False
    lives = []
    for _ in range(6):
        while net.ask("www.home.xa")[0].ede[0][0] == Ede.CACHED_ERROR:
            net.run(0.1)
        failed = net.now
        while net.ask("www.home.xa")[0].ede[0][0] == Ede.CACHED_ERROR:
            net.run(0.1)
        lives.append(net.now - failed)
    assert lives[0] + 3 < lives[-1] < 300  # each with the time of one failing lookup
    host.up = True
    net.run(100)
    assert net.ask("www.home.xa")[0].rcode == Rcode.NOERROR
    assert Question(name("www.home.xa"), Type.A) not in net.scheduler._failures


def test_flushed_failure_is_tried_again(net: Internet) -> None:
    net.hosts[address("11.0.3.1")].up = False
    net.ask("www.home.xa")
    net.hosts[address("11.0.3.1")].up = True
    net.scheduler.flush_failures()
    net.scheduler.core.servers.forget()
    assert net.ask("www.home.xa")[0].rcode == Rcode.NOERROR


def test_probe_is_an_internal_lookup_and_one_at_a_time(net: Internet) -> None:
    net.hosts[address("11.0.4.1")].up = False
    for _ in range(3):
        net.ask("www.mixed.xa")
        net.run(400)
    sent = len(net.asked("11.0.4.1"))
    for number in range(20):
        net.begin(f"n{number}.mixed.xa")
    net.run(2)
    assert len(net.asked("11.0.4.1")) == sent + 1
    told: list[tuple[Question, Books]] = [(q, b) for q, _, _, b in net.internal]
    assert {q for q, _ in told} == {Question(name("mixed.xa"), Type.SOA)}
    assert all(b.exchanges == 1 for _, b in told)


def test_only_held_servers_left_are_waited_for(net: Internet) -> None:
    """A zone whose only server is held down answers as soon as a probe finds it back."""
    host = net.hosts[address("11.0.3.1")]
    host.up = False
    for _ in range(4):
        net.ask("www.home.xa")
        net.run(120)
    host.up = True
    net.run(120)
    result, _ = net.ask("www.home.xa")
    assert values(result.answer, "A") == ["11.9.9.9"]


class TestOwnLateness:
    """A turn that takes long must not be taken for a server's silence."""

    def test_a_wait_begins_when_the_door_has_the_question(self, net: Internet) -> None:
        net.ask("www.home.xa")
        server = net.scheduler.core.servers.get(address("11.0.3.1"))
        net.begin("other.home.xa")
        batch = net.scheduler.advance(net.now)
        assert len(batch) == 1
        late = net.now + 5
        net.scheduler.submitted(batch, late)
        for when in (late, late + limits_servers.WAIT_MIN - 0.01):
            assert net.scheduler.advance(when) == []
            assert server.strikes == 0
        ahead = net.scheduler.next_deadline()
        assert ahead is not None and ahead > late + limits_servers.WAIT_MIN - 0.01
        assert len(net.scheduler.advance(ahead)) == 1, "another try"
        assert server.strikes == 1

    def test_a_wait_is_not_over_before_all_that_came_has_been_heard(self, net: Internet) -> None:
        net.ask("www.home.xa")
        net.begin("other.home.xa")
        began = net.now
        assert len(net.scheduler.advance(began)) == 1
        assert net.scheduler.advance(began + 3, began + limits_servers.WAIT_MIN - 0.01) == []
        assert len(net.scheduler.advance(began + 3, began + 3)) == 1

    def test_the_time_of_a_lookup_ends_all_the_same(self, net: Internet) -> None:
        ended = net.begin("www.home.xa")
        began = net.now
        net.scheduler.advance(began)
        net.scheduler.advance(began + limits.LOOKUP_SECONDS, began)
        ((result, _),) = ended
        assert result.rcode == Rcode.SERVFAIL


def test_exchanges_with_one_silent_server_under_way_are_bounded(net: Internet) -> None:
    """It is held down before it has taken all that the door can carry."""
    net.ask("www.home.xa")
    net.hosts[address("11.0.3.1")].up = False
    server = net.scheduler.core.servers.get(address("11.0.3.1"))
    ended = [net.begin(f"n{number}.home.xa") for number in range(1000)]
    most = 0
    while not all(ended):
        net.turn()
        most = max(most, server.under_way)
    assert 0 < most <= UNDER_WAY_MAX
    net.run(20)
    assert server.under_way == 0
