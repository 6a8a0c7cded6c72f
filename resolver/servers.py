"""What is remembered of upstream servers: speed, strikes, hold-down, lameness, EDNS.

Smoothed RTT follows RFC 6298 section 2. A server that stayed silent too often is held down: no
lookup asks it until a background probe has had a reply. Bounded: the server used least recently
is forgotten first.
"""

from collections import OrderedDict

from resolver import limits_servers
from resolver.model import Address
from resolver.names import Name


class Server:
    """One address. ``srtt`` is ``None`` until the first reply, and again when it is forgotten."""

    __slots__ = (
        "heard_at",
        "held",
        "no_edns_until",
        "passed_over_until",
        "probe_at",
        "probe_gap",
        "probing",
        "rttvar",
        "srtt",
        "strikes",
        "struck_at",
        "under_way",
    )

    def __init__(self) -> None:
        self.srtt: float | None = None
        self.rttvar = 0.0
        self.heard_at = 0.0  # the latest reply that said how fast it is
        self.strikes = 0
        self.struck_at = float("-inf")
        self.held = False
        self.probing = False
        self.probe_at = 0.0
        self.probe_gap = limits_servers.PROBE_FIRST
        self.no_edns_until = 0.0
        self.passed_over_until = 0.0  # others come first: one was asked before its reply
        self.under_way = 0  # exchanges that have not ended

    def wait(self, tries: int) -> float:
        """Seconds to wait for a reply to try number ``tries`` of this lookup (0 first)."""
        if self.srtt is None:
            base = limits_servers.WAIT_FIRST
        else:
            base = max(limits_servers.WAIT_MIN, self.srtt + 4 * self.rttvar)
        return min(limits_servers.WAIT_MAX, base * (1 << min(tries, 4)))

    def replied(self, rtt: float, now: float) -> None:
        """Any matched reply: the server is alive and this is how fast."""
        self.heard_at = now
        if self.srtt is None:
            self.srtt, self.rttvar = rtt, rtt / 2
        else:
            self.rttvar = 0.75 * self.rttvar + 0.25 * abs(self.srtt - rtt)
            self.srtt = 0.875 * self.srtt + 0.125 * rtt
        self.alive()

    def age(self, now: float) -> None:
        """Forget what was long ago: it may be nearer by now."""
        if now >= max(self.heard_at, self.struck_at) + limits_servers.SPEED_SECONDS:
            self.srtt = None
            if not self.held:
                self.strikes = 0

    def alive(self) -> None:
        """Something came back, by whatever transport."""
        self.strikes = 0
        self.held = False
        self.probe_gap = limits_servers.PROBE_FIRST
        self.passed_over_until = 0.0

    def pass_over(self, now: float) -> None:
        """Another was asked before the usual wait was over. That is no silence."""
        self.passed_over_until = now + limits_servers.PASSED_OVER_SECONDS

    def silent(self, sent: float, now: float) -> None:
        """A try that was sent at ``sent`` went unanswered for its wait.

        Tries that waited at the same time are one silence: ten lookups at once must not hold a
        slow server down before its first reply can have come.
        """
        if sent < self.struck_at:
            return
        self.struck_at = now
        self.strikes += 1
        if self.strikes >= limits_servers.STRIKES_TO_HOLD and not self.held:
            self.held = True
            self.probe_at = now + self.probe_gap

    def probe_due(self, now: float) -> bool:
        """Whether a probe should start now."""
        return self.held and not self.probing and now >= self.probe_at

    def probe_started(self) -> None:
        """One at a time."""
        self.probing = True

    def probe_ended(self, alive: bool, now: float) -> None:
        """Alive ends the hold-down; else the gap doubles."""
        self.probing = False
        if alive:
            self.alive()
        else:
            self.probe_gap = min(limits_servers.PROBE_MAX, self.probe_gap * 2)
            self.probe_at = now + self.probe_gap

    def score(self) -> float:
        """Order inside a tier, least first: smoothed RTT, and strikes weigh. A server of unknown
        speed comes before a slow one."""
        base = limits_servers.WAIT_MIN / 2 if self.srtt is None else self.srtt
        return base * (1 + self.strikes)


class Servers:
    """All servers, by address."""

    def __init__(self) -> None:
        self._servers: OrderedDict[Address, Server] = OrderedDict()
        self._lame: OrderedDict[tuple[Address, Name], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._servers)

    def get(self, address: Address) -> Server:
        """What is known of an address; a new server when nothing is."""
        server = self._servers.get(address)
        if server is None:
            server = self._servers[address] = Server()
            if len(self._servers) > limits_servers.SERVERS_MAX:
                self._servers.popitem(last=False)
        else:
            self._servers.move_to_end(address)
        return server

    def set_lame(self, address: Address, zone: Name, now: float) -> None:
        """The server does not serve this zone, whatever the delegation says."""
        self._lame[address, zone] = now + limits_servers.LAME_SECONDS
        self._lame.move_to_end((address, zone))
        if len(self._lame) > limits_servers.LAME_MAX:
            self._lame.popitem(last=False)

    def is_lame(self, address: Address, zone: Name, now: float) -> bool:
        """Whether the server was lately lame for the zone."""
        until = self._lame.get((address, zone))
        return until is not None and now < until

    def forget(self) -> None:
        """Start afresh (operator's flush)."""
        self._servers.clear()
        self._lame.clear()
