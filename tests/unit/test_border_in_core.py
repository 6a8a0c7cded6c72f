"""The border in virtual time: tiers, patience, hold-down and probes, modes, a policy replaced."""

import pytest

from resolver.model import Message, Rcode, Reason, Route
from tests.small_internet import abroad, internet
from tests.virtual import Internet, values
from tests.virtual_servers import address, name


@pytest.fixture
def net() -> Internet:
    return internet()


class TestBorder:
    def test_prefers_slow_domestic_server(self, net: Internet) -> None:
        for _ in range(3):
            net.ask("www.mixed.xa")
            net.run(400)
        assert abroad(net) == []
        assert net.scheduler.needless == 0

    def test_domestic_server_without_glue_is_found(self, net: Internet) -> None:
        _, books = net.ask("www.glueless.xa")
        hosts = {e.address for e in books.trail if e.question.name == name("www.glueless.xa")}
        assert hosts == {address("11.0.3.1")}

    def test_failed_domestic_server_is_named_as_reason(self, net: Internet) -> None:
        net.hosts[address("11.0.4.1")].up = False
        began = net.now
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED
        assert net.now - began < 2.5
        assert net.scheduler.needless == 0

    def test_held_down_server_is_not_waited_for(self, net: Internet) -> None:
        net.hosts[address("11.0.4.1")].up = False
        for _ in range(2):
            net.ask("www.mixed.xa")
            net.run(400)
        began = net.now
        _, books = net.ask("www.mixed.xa")
        assert net.now - began < 0.5
        assert books.reason is Reason.DOMESTIC_FAILED

    def test_held_down_server_comes_back_by_a_probe(self, net: Internet) -> None:
        host = net.hosts[address("11.0.4.1")]
        host.up = False
        for _ in range(3):
            net.ask("www.mixed.xa")
            net.run(400)
        host.up = True
        net.ask("www.mixed.xa")
        net.run(400)
        assert net.internal, "a probe was made"
        _, books = net.ask("www.mixed.xa")
        assert books.route is Route.DOMESTIC

    def test_domestic_slower_than_the_wait_is_still_used(self, net: Internet) -> None:
        net.hosts[address("11.0.4.1")].latency = 0.9
        _, books = net.ask("www.mixed.xa")
        assert books.route is Route.DOMESTIC

    def test_many_lookups_at_once_do_not_strike_a_slow_server_out(self, net: Internet) -> None:
        net.hosts[address("11.0.4.1")].latency = 0.9
        ended = [net.begin(f"n{number}.mixed.xa") for number in range(20)]
        while not all(ended):
            net.turn()
        assert {books.route for [(_, books)] in ended} == {Route.DOMESTIC}

    @pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.REFUSED, Rcode.FORMERR])
    def test_broken_domestic_server_is_exhausted(self, net: Internet, rcode: int) -> None:
        net.hosts[address("11.0.4.1")].behaviour = lambda a, m: Message(rcode)
        result, books = net.ask("www.mixed.xa")
        assert values(result.answer, "A") == ["11.9.9.1"]
        assert books.reason is Reason.DOMESTIC_FAILED

    def test_observe_counts_and_does_not_prefer(self, net: Internet) -> None:
        net.border.mode = "observe"
        reasons = set()
        for _ in range(10):
            _, books = net.ask("www.mixed.xa")
            reasons.add(books.reason)
            net.run(400)
        assert Reason.POLICY in reasons

    def test_new_policy_binds_resolutions_under_way(self, net: Internet) -> None:
        net.ask("ns.home.xa")
        net.scheduler.core.policy = type(net.border)(mode="observe")
        ended = net.begin("www.mixed.xa")
        net.turn()
        net.scheduler.core.policy = net.border
        while not ended:
            net.turn()
        assert values(ended[0][0].answer, "A") == ["11.9.9.1"]
