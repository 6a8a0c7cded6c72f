"""Bounds of servers upstream: how long one is waited for, and what is remembered of it.

Times are seconds unless the name says otherwise.
"""

from typing import Final

# --- Servers of one zone ----------------------------------------------------------------------

UNDER_WAY_MAX: Final = 256
"""Exchanges with one server under way, plans apart: a silent server must not take all of the door's
sockets before it is held down."""

TRIES_PER_SERVER: Final = 3
"""Unanswered tries after which a server has failed in a lookup: at 10 % loss each way a live
server looks dead once in 150 lookups."""

WAIT_FIRST: Final = 0.4
"""Wait for a server of unknown speed before the next try: above the RTT of most of the world."""

WAIT_MIN: Final = 0.2
"""Least wait: a busy machine or a full queue costs tens of milliseconds, and a second question
sent too early is a needless exchange."""

WAIT_HOME: Final = 0.05
"""Wait for a server at home of unknown speed when another there can be asked: most are nearer."""

PASSED_OVER_SECONDS: Final = 60.0
"""After that wait it is asked last for so long, or until it replies."""

WAIT_MAX: Final = 2.0
"""Greatest wait before another server is tried; slower answers are still taken when they come."""

EXCHANGE_SECONDS: Final = 3.0
"""Life of one exchange in the door. Replies later than the wait and within this are used."""

TCP_SECONDS: Final = 4.0
"""Life of one exchange over a stream: handshake and answer."""

SERVER_NAMES_MAX: Final = 20
"""Name servers of one zone that are looked at; 13 is the usual most."""

ADDRESSES_PER_ZONE: Final = 64
"""Addresses of one zone that are considered; more would only serve an attacker."""

GLUELESS_PER_STEP: Final = 13
"""Names without addresses that one visit to a zone may look up, A and AAAA each."""

# --- What is remembered of servers --------------------------------------------------------------

SERVERS_MAX: Final = 65_536
"""Addresses with a remembered RTT: about 300 octets each, 20 MB when full."""

LAME_MAX: Final = 65_536
"""Remembered (server, zone) pairs that are lame."""

LAME_SECONDS: Final = 300.0
"""How long a lame server is left out for its zone; an operator repairs it in minutes at best."""

STRIKES_TO_HOLD: Final = 4
"""Unanswered tries in a row, over all lookups, before a server is held down: one more than a
single lookup makes, so that one unlucky lookup does not."""

PROBE_FIRST: Final = 1.0
"""First probe of a held-down server: most outages that recover do so at once."""

PROBE_MAX: Final = 60.0
"""Greatest gap between probes: a server that is back is found within a minute."""

NO_EDNS_SECONDS: Final = 900.0
"""How long a server that rejected EDNS is asked without it."""

EXPLORE_ONE_IN: Final = 20
"""Within a tier, one choice in twenty is at random, so that every server's RTT stays known."""

FARTHER_SECONDS: Final = 0.1
"""Only servers that are at most so much farther away than the best one are asked first: no lookup
waits long for the sake of knowledge. One of unknown speed (:meth:`Server.score`) is among them."""

SEEK_SECONDS: Final = 60.0
"""So often at most are addresses sought for one zone while its best server at home is farther than
that: most are found at once, and a name without any costs two questions."""

SPEED_SECONDS: Final = 900.0
"""How long it is remembered how far a server is that nothing was heard of since. It is asked again
then: routes change, and one short wait in a quarter of an hour is cheap."""
