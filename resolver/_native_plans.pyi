"""Of the contract of ``resolver._native``: plans, and what became of them.

A stub alone: at run time these stand in ``resolver._native``.
"""

from collections.abc import Sequence
from typing import final

from resolver._native import (
    Answer,
    AnswerCache,
    MessageTuple,
    MissTuple,
    NameTable,
    RangeLayer,
    RecordCache,
)

SumTuple = tuple[tuple[int, int, int, int], int, list[int], float]
"""((plan, server, transport, destination), clients, clients by bucket of seconds, seconds)."""

UnlocatedTuple = tuple[
    int, int, bytes, int, int, int, float, list[bytes],
    list[tuple[bool, bool, float, Answer]], list[tuple[int, bytes, float]],
    list[tuple[int, int]],
]  # fmt: skip
"""(plan, server, qname, qtype, rcode, end 0 answer 1 nodata 2 nxdomain 3 shed, rtt, addresses,
(DO, CD, life, answer) each, (transport, address, seconds) of each client, (view, generation) for
which they are)."""

PuntTuple = tuple[
    int, int, bytes, int, int, MessageTuple | None, float, int, list[MissTuple]
]  # fmt: skip
"""(plan, server, qname, qtype, failure as in an outcome or 7 silent, message, rtt, octets, clients
that wait)."""

PlanNewsTuple = tuple[
    list[SumTuple], list[tuple[int, int, list[float], bytes]], bytes, int, list[UnlocatedTuple],
    list[PuntTuple],
]  # fmt: skip
"""(sums, (plan, server, round trips, identity) each, packed records, their number, unlocated,
punts). A packed record, in the machine's order: f64 wall, f64 seconds, f64 rtt, u64 plan, u16
rcode, u16 qtype, u8 server, u8 transport, u8 destination, u8 end, u8 first client of its exchange,
u8 octets of the client's address, the address, the qname."""

KeyTuple = tuple[int, int, bytes, float]
"""(algorithm, key tag, public key field of the DNSKEY, end of its proof)."""

ShownPlanTuple = tuple[int, float, list[KeyTuple] | None]
"""(number, end, proven keys or ``None``: the zone need not be validated)."""

@final
class Plans:
    """What Python has decided for zone cuts, carried out by the threads of a listener."""

    def __new__(
        cls,
        answers: AnswerCache,
        records: RecordCache,
        port: int,
        flights_max: int,
        per_zone: int,
        per_client: int,
        joiners_max: int,
        tries_max: int,
        backlog_max: int,
        sides_max: int,
        ttl_max: int,
        ttl_negative_max: int,
        explore_one_in: int,
        farther: float,
        linger: float,
        seconds_bounds: list[float],
        kernel_ports: bool | None = None,
    ) -> Plans:
        """``flights_max``, ``per_zone``, ``per_client``: questions under way in each thread, over
        all, by zone, by client address; ``joiners_max``: clients of one question;
        ``tries_max``: signatures times keys tried for one reply of a zone that must be validated;
        ``backlog_max``: ended lookups that Python has not taken; ``sides_max``: addresses whose
        side is remembered, and failed questions; ``explore_one_in``: one choice of a server in so
        many is at random; ``farther``: seconds that a server may score more than the best;
        ``kernel_ports``: as for a :class:`Door`."""

    def fileno(self) -> int:
        """Readable when news waits."""

    def publish(
        self,
        number: int,
        view: int,
        zone: bytes,
        any_depth: bool,
        randomise_case: bool,
        own_set: Sequence[bytes],
        destination: int,
        servers: Sequence[tuple[bytes, int, float, int, float]],
        expires: float,
        until: float,
        tag: int = 0,
        proven: Sequence[KeyTuple] | None = None,
    ) -> None:
        """Put a plan in force until ``expires``; from then until ``until`` the cut is barred.
        ``servers``: (address, counter slot, wait, EDNS, score) each; ``destination``: of answers
        without addresses; ``own_set``: the zone's NS set, any other that comes is Python's;
        ``tag``: of its answers, as in the cache. ``proven``: keys of a zone that must be validated:
        its plan ends with the first of them, and native answers only with one positive RRset that
        one of them has signed under its very name; all else is a punt."""

    def shown(self, view: int, zone: bytes) -> ShownPlanTuple | None:
        """The plan put in force for a cut last, whether or not it has ended; ``None``: a barrier,
        or nothing is known of the cut."""

    def bar(self, view: int, zone: bytes, expires: float) -> None:
        """A cut without a plan: misses below it are Python's, whatever is planned above."""

    def forget(self, zone: bytes, subtree: bool) -> None:
        """Forget a cut, or all at and below a name."""

    def leave(self, name: bytes, rtype: int, until: float, now: float) -> None:
        """A question is Python's until then."""

    def forgive(self) -> None:
        """No question has failed."""

    def locate(self, sides: Sequence[tuple[bytes, int]]) -> None:
        """Where addresses in answers are: 0 domestic 1 foreign 2 of no place."""

    def set_policy(
        self,
        generation: int,
        tables: Sequence[NameTable],
        views: Sequence[int],
        ranges: Sequence[RangeLayer],
    ) -> None:
        """Another policy: plans and sides are void, barriers stay. Python's are the questions for
        names of ``tables``, those from ``views``, and replies with addresses in ``ranges``."""

    def stop(self) -> None:
        """Carry out no plan from now on."""

    def under_way(self) -> int: ...
    def count(self) -> tuple[int, int]:
        """Cuts with a plan, and all."""

    def take(self) -> PlanNewsTuple:
        """All news since the last call."""
