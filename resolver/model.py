"""The vocabulary of the resolver: questions, records, messages, wishes, outcomes.

Everything here is plain data or a Protocol; nothing reads a clock, a socket or a file. Values are
named tuples: as fixed as frozen dataclasses, a third of the time to make, hashed without a step of
Python, and of the shape in which native hands them over and takes them. Words are
those of RFC 9499 and of the project (home, lookup, exchange, purpose, verdict, tier, reason,
route, destination: see ``docs/architecture.md``).
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from ipaddress import ip_address
from typing import Final, NamedTuple, NewType

from resolver.names import Name

Address = NewType("Address", bytes)
"""An IP address as packed octets: 4 (the rdata of A) or 16 (the rdata of AAAA)."""

IN: Final = 1


def address_from_text(text: str) -> Address:
    """Packed form of an address in text. Raises ``ValueError``."""
    return Address(ip_address(text).packed)


def address_text(address: Address) -> str:
    """Text of a packed address."""
    return str(ip_address(bytes(address)))


class Word(Enum):
    """Members of a closed set. Each is one object, so its identity is its hash: no step of Python
    in the look-ups of counters and books."""

    __hash__ = object.__hash__


class Type(IntEnum):
    """Record types that the core names; other types are plain numbers."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    NAPTR = 35
    DNAME = 39
    OPT = 41
    DS = 43
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    NSEC3 = 50
    NSEC3PARAM = 51
    SVCB = 64
    HTTPS = 65
    IXFR = 251
    AXFR = 252
    ANY = 255
    CAA = 257


class Rcode(IntEnum):
    """Response codes that the core names (RFC 6895); others are plain numbers."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Ede(IntEnum):
    """Extended DNS error codes in use (RFC 8914 section 4)."""

    OTHER = 0
    STALE_ANSWER = 3
    FORGED_ANSWER = 4
    DNSSEC_BOGUS = 6
    CACHED_ERROR = 13
    NOT_READY = 14
    BLOCKED = 15
    CENSORED = 16
    FILTERED = 17
    PROHIBITED = 18
    STALE_NXDOMAIN = 19
    NOT_SUPPORTED = 21
    NO_REACHABLE_AUTHORITY = 22
    NETWORK_ERROR = 23


class Verdict(Word):
    """Where an address is, as far as the evidence goes."""

    DOMESTIC = "domestic"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


class Purpose(Word):
    """Why an exchange was made."""

    ANSWER = "answer"
    NAMESERVER_ADDRESS = "nameserver_address"
    DNSSEC_CHAIN = "dnssec_chain"
    BOOTSTRAP = "bootstrap"
    MIRROR_REFRESH = "mirror_refresh"
    VERIFICATION = "verification"
    REFRESH = "refresh"
    SHADOW = "shadow"  # a lookup that no client needs: what would a policy on trial have done?


class Reason(Word):
    """Why an exchange was not domestic."""

    NONE = "none"
    NO_DOMESTIC_SERVER = "no_domestic_server"
    DOMESTIC_FAILED = "domestic_failed"
    UNLOCATED = "unlocated"
    POLICY = "policy"


class Route(Word):
    """How far a lookup went."""

    LOCAL = "local"
    DOMESTIC = "domestic"
    ESCAPED = "escaped"


class Destination(Word):
    """Where the addresses in the answer stand."""

    DOMESTIC = "domestic"
    FOREIGN = "foreign"
    MIXED = "mixed"
    NONE = "none"


class Transport(Word):
    """How a message travelled; ``INTERNAL`` is work without a client."""

    UDP = "udp"
    TCP = "tcp"
    INTERNAL = "internal"


class Rank(IntEnum):
    """Trust in a stored RRset, least first (RFC 2181 section 5.4.1)."""

    NON_AUTHORITATIVE = 1
    AUTHORITY = 2
    ANSWER = 3


class Security(IntEnum):
    """DNSSEC status of a stored RRset (RFC 4033 section 5); unlooked-at is the default."""

    INDETERMINATE = 0
    BOGUS = 1
    INSECURE = 2
    SECURE = 3


class Question(NamedTuple):
    """What is asked, always in class IN."""

    name: Name
    rtype: int


class RRset(NamedTuple):
    """Records of one owner and type, class IN, with the signatures that cover them.

    ``rdatas`` and ``signatures`` hold wire rdata with names uncompressed, case kept. An RRset of
    type RRSIG holds signatures whose covered records were not in the same section.
    """

    name: Name
    rtype: int
    ttl: int
    rdatas: tuple[bytes, ...]
    signatures: tuple[bytes, ...] = ()


class Edns(NamedTuple):
    """The OPT record of a message (RFC 6891 section 6.1)."""

    payload: int
    version: int
    do: bool
    options: tuple[tuple[int, bytes], ...] = ()


NSID = 3
"""Option code of a server's identity (RFC 5001 section 4)."""


class Message(NamedTuple):
    """A response as the core reads it. ``rcode`` includes the extended bits."""

    rcode: int
    authoritative: bool = False
    truncated: bool = False
    recursive: bool = False  # RA
    question: Question | None = None
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    additional: tuple[RRset, ...] = ()
    edns: Edns | None = None

    @property
    def identity(self) -> bytes:
        """What the server calls itself (NSID, RFC 5001 section 2.3); empty: nothing."""
        options = self.edns.options if self.edns is not None else ()
        return next((data for code, data in options if code == NSID), b"")


class Failure(Word):
    """What an upstream did instead of a readable, matching reply."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"  # ICMP or a refused connection
    MALFORMED = "malformed"  # matched on address, port and ID, but unreadable
    CASE = "case"  # matched in all but the letter case of the question (0x20)
    CLOSED = "closed"  # stream closed before the reply
    NOT_SENT = "not_sent"  # the kernel took nothing; nothing crossed any border


class Outcome(NamedTuple):
    """The end of one exchange: a message or a failure, never both."""

    message: Message | None
    failure: Failure | None
    rtt: float  # seconds; the time waited when it failed
    size: int = 0  # octets of the reply


class Standing(NamedTuple):
    """What a policy says of an address as a server."""

    verdict: Verdict
    country: str  # ISO 3166-1 alpha-2, or "none"
    tier: int  # order in which servers are asked: 0 domestic, 1 unknown, 2 foreign
    never: bool  # it must not be asked at all
    claimed: bool = False  # of unknown place, but says that it is in home: first in its tier


class Label(NamedTuple):
    """What an exchange is counted under. Closed sets only."""

    verdict: Verdict
    country: str  # ISO 3166-1 alpha-2, or "none"
    purpose: Purpose
    reason: Reason


class Ask(NamedTuple):
    """The wish for one exchange: one question, to one address, with one time-out."""

    address: Address
    question: Question
    label: Label
    timeout: float  # seconds
    transport: Transport = Transport.UDP
    edns: bool = True  # DO=1, payload 1232
    randomise_case: bool = True
    nsid: bool = False  # ask for the server's identity (RFC 5001) where there is EDNS
    first: bool = True  # the first try of a resolution with this server
    needed: int = 1  # labels that any question to its zone shows: the zone's own and one
    recursion: bool = False  # RD, for a forwarder


class CachedKind(IntEnum):
    """What an entry of the record cache says."""

    RECORDS = 0
    NODATA = 1
    NXDOMAIN = 2


class Cached(NamedTuple):
    """An entry of the record cache, TTLs already counted down to ``now``.

    For NODATA and NXDOMAIN ``rrset`` is ``None`` and ``proofs`` holds the SOA and any NSEC or
    NSEC3 RRsets that came with it.
    """

    kind: CachedKind
    rrset: RRset | None
    proofs: tuple[RRset, ...]
    rank: Rank
    security: Security
    origin: Address  # server that it came from; b"" for local


class ClientContext(NamedTuple):
    """Who asks: what the listener knows of a question beside the question."""

    transport: Transport
    address: Address
    view: int = 0


class Exchange(NamedTuple):
    """One exchange as told to ``explain`` and to the record: what was asked of whom and why."""

    zone: Name
    server: Name | None
    address: Address
    question: Question
    transport: Transport
    label: Label
    tier: int
    outcome: str  # "answer", "referral", "nodata", "nxdomain", "alias", "lame", "timeout", …
    rtt: float


class LocalStep(NamedTuple):
    """What a mirror answered or delegated, as told to ``explain``. ``after``: the number of
    exchanges that came before it."""

    zone: Name
    serial: int
    question: Question
    outcome: str
    after: int


@dataclass(slots=True)
class Books:
    """What a lookup has cost so far; sub-lookups and joined work are merged in."""

    exchanges: int = 0
    abroad: int = 0  # exchanges to foreign or unknown addresses
    reason: Reason = Reason.NONE  # of the first escape
    needless: int = 0
    trail: list[Exchange] = field(default_factory=list)
    mirrored: list[LocalStep] = field(default_factory=list)

    @property
    def route(self) -> Route:
        """Local without exchanges, escaped with any abroad, else domestic."""
        if not self.exchanges:
            return Route.LOCAL
        return Route.ESCAPED if self.abroad else Route.DOMESTIC


class Result(NamedTuple):
    """The end of a resolution: sections without regard to any client's DO bit.

    ``stale``: made of stale data, and the seconds for which the ready reply is good. ``instead``:
    of a failure, what clients get in its place (RFC 8767). ``onward``: the answer is an alias so
    far, and policy is to be asked about this name before it is followed.
    """

    rcode: int
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    security: Security = Security.INDETERMINATE
    ede: tuple[tuple[int, str], ...] = ()
    cacheable: bool = True
    stale: float | None = None
    instead: "Result | None" = None
    onward: Name | None = None

    @property
    def shown(self) -> "Result":
        """What clients get."""
        return self.instead or self


class Record(NamedTuple):
    """What the ledger will keep of one miss."""

    time: float  # wall clock, seconds since the epoch
    question: Question
    client: ClientContext
    rcode: int
    route: Route
    destination: Destination
    reason: Reason
    seconds: float
    generation: str
    exchanges: tuple[Exchange, ...]
    stale: bool = False  # the client got stale data (RFC 8767)
    rule: str = ""  # what policy had to do with it; the client's view is in its context
    action: str = "none"
