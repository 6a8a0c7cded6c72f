"""The contract of all that crosses between Python and the native packet path.

Plain values only: names are uncompressed wire octets in lower case, addresses packed octets,
times seconds as ``float``. Python calls native; native never calls Python. Threads of native
queue their news and make a file descriptor readable.
"""

from collections.abc import Sequence
from typing import final

from resolver._native_plans import PlanNewsTuple as PlanNewsTuple
from resolver._native_plans import Plans as Plans
from resolver._native_plans import PuntTuple as PuntTuple
from resolver._native_plans import ShownPlanTuple as ShownPlanTuple
from resolver._native_plans import SumTuple as SumTuple
from resolver._native_plans import UnlocatedTuple as UnlocatedTuple
from resolver._native_ranges import RangeLayer as RangeLayer
from resolver._native_ranges import RangeTable as RangeTable
from resolver._native_tables import NameTable as NameTable
from resolver._native_tables import PolicyZone as PolicyZone
from resolver._native_tables import TransferReader as TransferReader
from resolver._native_tables import read_zone_file as read_zone_file
from resolver._native_verify import canonical_rdata as canonical_rdata
from resolver._native_verify import signed_data as signed_data
from resolver._native_verify import verify_signatures as verify_signatures

RRsetTuple = tuple[bytes, int, int, tuple[bytes, ...], tuple[bytes, ...]]
"""(owner, type, ttl, rdatas, signatures): fields of ``resolver.model.RRset``, in its order."""

EdnsTuple = tuple[int, int, bool, tuple[tuple[int, bytes], ...]]
"""(payload, version, do, options)."""

MessageTuple = tuple[
    int,
    bool,
    bool,
    bool,
    tuple[bytes, int] | None,
    tuple[RRsetTuple, ...],
    tuple[RRsetTuple, ...],
    tuple[RRsetTuple, ...],
    EdnsTuple | None,
]
"""(extended rcode, AA, TC, RA, (qname, qtype) or None, answer, authority, additional, EDNS)."""

MissTuple = tuple[int, bytes, int, int, bool, bool, bool, int, bytes, int, int]
"""(token, qname, qtype, qclass, RD, DO, CD, transport 0 UDP 1 TCP, client address, view, generation
that the view is of)."""

AskTuple = tuple[int, bytes, bytes, int, int, float, bool, int, bool, int]
"""(ticket, address, qname, qtype, counter slot, timeout, tcp, edns 0 without 1 with 2 asking for
the identity (RFC 5001) 4 as 0 with RD 5 as 1 with RD, randomise case, labels that any question to
its zone needs)."""

OutcomeTuple = tuple[int, int, MessageTuple | None, float, int]
"""(ticket, failure 0 none 1 timeout 2 unreachable 3 malformed 4 case 5 closed 6 not sent,
message, rtt, octets of the reply)."""

CachedTuple = tuple[int, RRsetTuple | None, tuple[RRsetTuple, ...], int, int, bytes]
"""Fields of ``resolver.model.Cached``, in its order; TTLs are counted down."""

SlotTuple = tuple[str, int, int, int, int, int, int, int, int]
"""(label, intended, sent, replies, octets sent, octets received, connections, labels shown, those
of them beyond what the zone needs)."""

def parse_message(data: bytes) -> MessageTuple:
    """Read a DNS message (RFC 1035 section 4). Records of one owner, type and section become one
    RRset with the least of their TTLs (RFC 2181 section 5.2); RRSIGs join what they cover in
    their section. Owners become lower case; names inside rdata are uncompressed.

    Raises ``resolver.errors.BadMessage``.
    """

def build_query(name: bytes, rtype: int, message_id: int, edns: int, randomise_case: bool) -> bytes:
    """The query that the door would send: RD=0, with ``edns`` (as in an ask) an OPT of 1232 octets
    and DO=1."""

@final
class Clock:
    """The one clock. Lifetimes are monotonic, dates are wall time; both move by the offset that
    the file named by ``offset_file`` holds (seconds, text), read again when it changes."""

    def __new__(cls, offset_file: str | None = None) -> Clock: ...
    def now(self) -> float:
        """Monotonic seconds plus the offset."""

    def wall(self) -> float:
        """Seconds since the epoch plus the offset."""

@final
class RecordCache:
    """RRsets and negative answers, bounded in bytes. Least valuable entries leave first.

    TTLs are cut to the bounds and to the original TTL of signatures. Records take the place of a
    negative answer for their name or type whatever their rank; a negative answer has the rank of
    an answer. ``entries`` and ``bytes`` count what has expired until it is swept. What has expired
    is kept as stale for ``stale_max`` seconds, as far as there is room. ``find``: what ``get``
    gives, else a CNAME of the name, else the closest DNAME above; ``stale``: also what is kept,
    with TTL 0.
    ``addresses``: of each name those of its A records, then those of its AAAA records.
    """

    def __new__(
        cls, bytes_max: int, ttl_max: int, ttl_negative_max: int, stale_max: int = 0
    ) -> RecordCache: ...
    def get(self, name: bytes, rtype: int, now: float) -> CachedTuple | None: ...
    def find(self, name: bytes, rtype: int, now: float, stale: bool) -> CachedTuple | None: ...
    def addresses(self, names: tuple[bytes, ...], now: float) -> list[tuple[bytes, ...]]: ...
    def put(
        self, rrset: RRsetTuple, rank: int, security: int, origin: bytes, now: float
    ) -> bool: ...
    def put_negative(
        self, name: bytes, rtype: int, kind: int, ttl: int, proofs: Sequence[RRsetTuple],
        security: int, origin: bytes, now: float,
    ) -> None: ...  # fmt: skip
    def flush(self, name: bytes, subtree: bool) -> int: ...
    def entries(self) -> int: ...
    def bytes(self) -> int: ...

@final
class Answer:
    """A composed reply without what is the client's: ID, RD, CD, letter case, OPT, truncation."""

    def __new__(
        cls, name: bytes, rtype: int, rclass: int, rcode: int, answer: Sequence[RRsetTuple],
        authority: Sequence[RRsetTuple], additional: Sequence[RRsetTuple],
        ede: Sequence[tuple[int, str]], now: float, truncated: bool = False,
    ) -> Answer:  # fmt: skip
        """TTLs of the records count from ``now``. Signatures are written as RRSIG records after
        the records they cover; leave them out for a client without DO. Records that do not fit
        in 65,535 octets are left out and TC is set."""

    def message(self, now: float) -> bytes:
        """The reply as octets with ID 0, RA set, no OPT: for tests and for ``explain``."""

@final
class AnswerCache:
    """Replies ready to send, by (view, name, type, DO, CD), bounded in bytes."""

    def __new__(cls, bytes_max: int) -> AnswerCache: ...
    def put(
        self, view: int, name: bytes, rtype: int, do: bool, cd: bool, generation: int,
        answer: Answer, lifetime: float, destination: int, now: float, stale: bool = False,
        manner: int = 0, tag: int = 0,
    ) -> None:  # fmt: skip
        """Keep ``answer`` for ``lifetime`` seconds. ``destination``: 0 domestic 1 foreign 2 mixed
        3 none. Entries of another generation than the current one are never served, nor kept when
        they come late. One that is ``stale`` (of stale data) keeps its TTLs, is never due, and
        its hits are counted as ``stale_hits``. ``manner``: 0 as it is, 1 no reply at all, 2 over
        UDP only TC. Hits of one with a ``tag`` (below 4096) are counted under it, too."""

    def peek(
        self, view: int, name: bytes, rtype: int, do: bool, cd: bool, now: float
    ) -> bytes | None:
        """What :meth:`Answer.message` would give for the live entry; does not count as a hit."""

    def take_due(self, most: int) -> list[tuple[int, bytes, int, bool, bool]]:
        """(view, name, type, DO, CD) of answers that were asked for in the last tenth of their
        life and before: each told once, at most some thousand wait. Lives under 20 s are not."""

    def set_generation(self, generation: int) -> None: ...
    def flush(self, name: bytes, subtree: bool) -> int: ...
    def entries(self) -> int: ...
    def bytes(self) -> int: ...

@final
class Counters:
    """Counters in a memory-mapped file: they survive ``kill -9`` of the process.

    An existing file is renamed to ``PATH.previous`` first. One area a thread, so nothing is
    shared on the packet path; readers add the areas up. ``path=None``: anonymous memory.
    A door takes one area a worker, a listener one a worker and two more; too few: ``OSError``.
    """

    def __new__(cls, path: str | None, areas: int) -> Counters: ...
    def slot(self, label: str) -> int:
        """Slot for a label (``verdict,country,purpose,reason,transport``), made when new. The
        label is written to the file before the slot is used. A full table: slot 0, ``overflow``."""

    def slots(self) -> list[SlotTuple]:
        """Sums over all threads, a row for each label."""

    def scalars(self) -> dict[str, int]:
        """Counters of the listener and the door that have no label, by name (closed set)."""

    def hits(self) -> list[tuple[int, int, int]]:
        """(transport 0 UDP 1 TCP, destination, answers served from the answer cache)."""

    def tags(self) -> list[tuple[int, int]]:
        """(tag, hits) of the tags that had any."""

    def hit_seconds(self) -> tuple[list[int], float]:
        """Hits in each bucket (bounds: ``HIT_SECONDS_BOUNDS``, then above) and their sum."""

HIT_SECONDS_BOUNDS: tuple[float, ...]

def read_counters(
    path: str,
) -> tuple[list[SlotTuple], dict[str, int]]:
    """Slots and scalars of a counters file, of a live or a dead process.

    Raises ``resolver.errors.StateError``.
    """

@final
class Listener:
    """UDP and TCP sockets for clients. Hits are answered in native; misses wait for Python."""

    def __new__(
        cls,
        clock: Clock,
        answers: AnswerCache,
        counters: Counters,
        addresses: Sequence[tuple[str, int]],
        allow: Sequence[str],
        workers: int,
        misses_max: int,
        udp_payload_max: int,
        tcp_connections_max: int,
        tcp_per_client_max: int,
        tcp_idle: float,
        plans: Plans | None = None,
    ) -> Listener:
        """Bind all (UDP and TCP each) and start serving. Raises ``OSError`` naming the address."""

    def fileno(self) -> int:
        """Readable when misses wait."""

    def addresses(self) -> list[tuple[str, int]]:
        """What was bound (port 0 resolved)."""

    def take(self, most: int) -> list[MissTuple]:
        """Misses since the last call, oldest first. Each token must be answered once, or is shed
        when ``misses_max`` is passed (the client gets SERVFAIL then)."""

    def reply(self, replies: Sequence[tuple[int, Answer]]) -> None:
        """Send replies; unknown tokens are ignored (their clients were shed or have gone)."""

    def notices_fileno(self) -> int: ...
    def set_notifiers(self, addresses: Sequence[str]) -> None: ...
    def take_notices(self) -> list[tuple[int, bytes, bytes]]:
        """(token, address, message) of each NOTIFY from an address that may send it."""

    def reply_notices(self, replies: Sequence[tuple[int, bytes]]) -> None: ...
    def silence(self, tokens: Sequence[int]) -> None:
        """No reply for these clients; unknown tokens are ignored."""

    def set_views(self, rows: Sequence[tuple[str, int]], generation: int) -> None:
        """Prefixes (CIDR) with the views of their addresses: the longest counts, all others are in
        view 0. Answers of another generation are not given to clients. Raises ``ValueError``."""

    def view(self, address: bytes) -> int: ...
    def set_access(self, allow: Sequence[str]) -> None:
        """Replace the access list (CIDR). Raises ``ValueError``."""

    def close(self) -> None:
        """Stop accepting, join the threads. Idempotent."""

@final
class Door:
    """The only way out for DNS: sockets, IDs, time-outs and matching live here."""

    def __new__(
        cls,
        clock: Clock,
        counters: Counters,
        port: int,
        workers: int,
        in_flight_max: int,
        linger: float,
        tcp_idle: float,
        kernel_ports: bool | None = None,
    ) -> Door:
        """``linger``: seconds that an upstream UDP socket stays open after its exchange ended, so
        that a late datagram meets a socket and not an ICMP error. ``kernel_ports``: the kernel
        chooses source ports, and sockets serve again; by default where its range of ports is wide
        (RFC 5452 section 9.2)."""

    def fileno(self) -> int:
        """Readable when outcomes wait."""

    def submit(self, asks: Sequence[AskTuple]) -> None:
        """Send a batch. Past ``in_flight_max`` an ask ends at once as *not sent*."""

    def take(self, most: int) -> list[OutcomeTuple]:
        """Outcomes since the last call, oldest first; each ticket exactly once."""

    def submit_raw(self, asks: Sequence[tuple[int, bytes, bytes, int, float, bool]]) -> None:
        """Send whole queries: (ticket, address, query, counter slot, timeout, tcp) each. Over TCP
        each has its own connection, any number of replies, and ``timeout`` is for silence."""

    def take_raw(self, most: int) -> list[tuple[int, int, bytes | None, bool, float]]:
        """(ticket, failure as in an outcome, octets, more, rtt); over TCP a failure is last."""

    def proceed(self, ticket: int) -> None: ...
    def abandon(self, ticket: int) -> None: ...
    def kernel_ports(self) -> bool: ...
    def in_flight(self) -> int: ...
    def close(self) -> None:
        """Close all sockets, join the threads. Idempotent."""
