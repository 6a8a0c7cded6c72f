"""What is remembered of servers: strikes and hold-down."""

from resolver import limits_servers
from resolver.servers import Server


def test_a_server_that_stays_silent_is_held_down() -> None:
    server = Server()
    for turn in range(limits_servers.STRIKES_TO_HOLD):
        assert not server.held
        server.silent(turn, turn + 0.5)
    assert server.held


def test_tries_that_waited_together_are_one_silence() -> None:
    server = Server()
    for late in range(100):
        server.silent(sent=0.001 * late, now=0.4 + 0.001 * late)
    assert server.strikes == 1
    assert not server.held


def test_a_reply_between_silences_starts_afresh() -> None:
    server = Server()
    for turn in range(3 * limits_servers.STRIKES_TO_HOLD):
        server.silent(turn, turn + 0.5)
        if turn % 2:
            server.replied(0.9, turn)
    assert not server.held


def test_what_was_long_ago_is_forgotten_but_not_that_it_is_held_down() -> None:
    server = Server()
    server.replied(0.3, 10.0)
    server.silent(11.0, 12.0)
    server.age(12.0 + limits_servers.SPEED_SECONDS - 0.1)
    assert (server.srtt, server.strikes) == (0.3, 1)
    server.age(12.0 + limits_servers.SPEED_SECONDS)
    assert (server.srtt, server.strikes) == (None, 0)
    for turn in range(limits_servers.STRIKES_TO_HOLD):
        server.silent(2000.0 + turn, 2000.5 + turn)
    server.age(10_000.0)
    assert server.held
    assert server.strikes == limits_servers.STRIKES_TO_HOLD
