"""Bounds of the exporter's HTTP and of its page, each with its reason. Times are seconds."""

from typing import Final

# --- HTTP ----------------------------------------------------------------------------------------

HTTP_CONNECTIONS_MAX: Final = 64
"""Connections open at once: some scrapers and some people. One more ends the oldest, so that
clients who hold connections and say nothing cannot keep a scraper out."""

HTTP_HEAD_OCTETS_MAX: Final = 16_384
"""Octets of one request's head: what other servers allow. Bodies are not taken at all."""

HTTP_HEAD_SECONDS: Final = 10.0
"""Time for a TLS handshake, and for the head of a first request."""

HTTP_IDLE_SECONDS: Final = 90.0
"""Silence between two requests of a connection: longer than the usual minute between scrapes."""

HTTP_WRITE_SECONDS: Final = 30.0
"""Time for a reply to be taken: 100 kB over a line of 30 kbit/s."""

HTTP_CLOSE_SECONDS: Final = 1.0
"""How long the last reply of a connection may take to be read before the connection is cut."""

HTTP_REQUESTS_MAX: Final = 1_000
"""Requests of one connection: then another one is due, under the certificate of that time."""

HTTP_COMPRESS_OCTETS: Final = 1_024
"""Replies from this size on are compressed for who asks: smaller ones fit a packet or two."""

HTTP_LIVE_SECONDS: Final = 2.0
"""Time for the resolver's own loop to answer the question whether it is alive."""

PASSWORD_COST_MAX: Final = 14
"""Greatest cost of a bcrypt hash: one more doubles the time of a check, which is a second there."""

PASSWORDS_WAITING_MAX: Final = 8
"""Checks of passwords that may wait for the one that is running; who comes later is told to."""

PASSWORDS_KEPT: Final = 64
"""Passwords found right that need no second check: some scrapers and some people."""

# --- The page ------------------------------------------------------------------------------------

HISTORY_STEP_SECONDS: Final = 60.0
"""How often the counts of lookups are remembered for the chart,"""

HISTORY_SECONDS: Final = 86_400.0
"""and how long: a day, 1,440 points of four numbers."""

CHART_COLUMNS_MAX: Final = 50
"""Columns of the chart: half an hour each for a day, wide enough on a phone."""

WORST_KEPT: Final = 256
"""Zones that are counted apart among those that escapes are booked under. A count is too high by
1/256 of all escaped lookups at most, and no zone with more than that is missed."""

WORST_SHOWN: Final = 20
"""Of them, those on the page."""

ROWS_SHOWN: Final = 50
"""Rows of any other table; what is left out is summed up in a last row."""

REFRESH_SECONDS: Final = 60
"""How often a page reloads itself, for who has asked it to."""
