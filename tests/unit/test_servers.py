"""What is remembered of servers: strikes and hold-down."""

from resolver import limits
from resolver.servers import Server


def test_a_server_that_stays_silent_is_held_down() -> None:
    server = Server()
    for turn in range(limits.STRIKES_TO_HOLD):
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
    for turn in range(3 * limits.STRIKES_TO_HOLD):
        server.silent(turn, turn + 0.5)
        if turn % 2:
            server.replied(0.9)
    assert not server.held
