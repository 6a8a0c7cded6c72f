"""A network in memory and virtual time: a Door, a record cache, a policy, a driver.

Lets the pure core run without native, sockets or sleep. Everything random comes from one seed.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from policy.decision import PLAIN, Selection
from resolver.core import Core, CoreSettings
from resolver.model import (
    Address,
    Ask,
    Books,
    Cached,
    CachedKind,
    Failure,
    Label,
    Outcome,
    Purpose,
    Question,
    Rank,
    Reason,
    Result,
    RRset,
    Security,
    Standing,
    Transport,
    Type,
    Verdict,
    address_text,
)
from resolver.names import Name, ancestors, from_wire, is_subdomain, to_text
from resolver.schedule import Scheduler
from tests.virtual_servers import Host, Zone, address, name


class VirtualDoor:
    """Implements :class:`resolver.resolve.Out` over :class:`Host` objects in virtual time."""

    outcomes_max = 1 << 30

    def __init__(self, hosts: dict[Address, Host], chance: Random, loss: float = 0.0) -> None:
        self.hosts = hosts
        self.loss = loss
        self.now = 0.0
        self.sent: list[Ask] = []
        self._chance = chance
        self._arrivals: list[tuple[float, int, Outcome]] = []

    def submit(self, asks: Sequence[tuple[int, Ask]]) -> None:
        for ticket, ask in asks:
            self.sent.append(ask)
            delay, outcome = self._fate(ask)
            heapq.heappush(self._arrivals, (self.now + delay, ticket, outcome))

    def _fate(self, ask: Ask) -> tuple[float, Outcome]:
        host = self.hosts.get(ask.address)
        lost = self._chance.random() < self.loss or self._chance.random() < self.loss
        timeout = (ask.timeout, Outcome(None, Failure.TIMEOUT, ask.timeout))
        if host is None or not host.up or (lost and ask.transport is Transport.UDP):
            return timeout
        reply = host.reply(ask)
        rtt = host.latency * (2 if ask.transport is Transport.TCP else 1)
        if reply is None or rtt >= ask.timeout:
            return timeout
        if isinstance(reply, Failure):
            return rtt, Outcome(None, reply, rtt)
        return rtt, Outcome(reply, None, rtt)

    def take(self) -> list[tuple[int, Outcome]]:
        out = []
        while self._arrivals and self._arrivals[0][0] <= self.now:
            _, ticket, outcome = heapq.heappop(self._arrivals)
            out.append((ticket, outcome))
        return out

    def next_arrival(self) -> float | None:
        """When the next outcome arrives."""
        return self._arrivals[0][0] if self._arrivals else None


class DictRecords:
    """Implements :class:`resolver.core.RecordCache` with a dict, by the letter."""

    def __init__(self) -> None:
        self.entries: dict[tuple[Name, int], tuple[float, float, Cached]] = {}
        self.stale = 0.0
        """Seconds that entries are kept past their TTL."""

    def get(self, at: Name, rtype: int, now: float) -> Cached | None:
        for key in ((at, rtype), (at, 0)):
            entry = self.entries.get(key)
            if entry is not None and entry[1] > now:
                stored, _, cached = entry
                return _aged(cached, int(now - stored))
        return None

    def get_stale(self, at: Name, rtype: int, now: float) -> Cached | None:
        live = self.get(at, rtype, now)
        for key in ((at, rtype), (at, 0)):
            entry = self.entries.get(key)
            if live is None and entry is not None and entry[1] + self.stale > now:
                return _aged(entry[2], 1 << 31)
        return live

    def find(self, at: Name, rtype: int, now: float, stale: bool = False) -> Cached | None:
        get = self.get_stale if stale else self.get
        found = get(at, rtype, now)
        if found is not None or rtype == Type.CNAME:
            return found
        ways = [get(at, Type.CNAME, now)]
        ways += [get(above, Type.DNAME, now) for above in ancestors(at) if above != at]
        return next((way for way in ways if way is not None and way.rrset is not None), None)

    def addresses(self, names: tuple[Name, ...], now: float) -> list[tuple[bytes, ...]]:
        return [
            tuple(
                rdata
                for found in (self.get(at, Type.A, now), self.get(at, Type.AAAA, now))
                if found is not None and found.rrset is not None
                for rdata in found.rrset.rdatas
            )
            for at in names
        ]

    def put(
        self, records: RRset, rank: Rank, security: Security, origin: Address, now: float
    ) -> bool:
        old = self.get(records.name, records.rtype, now)
        if records.ttl == 0 or (old is not None and old.rrset is not None and old.rank > rank):
            return False
        self.entries.pop((records.name, 0), None)
        cached = Cached(CachedKind.RECORDS, records, (), rank, security, origin)
        self.entries[records.name, records.rtype] = (now, now + records.ttl, cached)
        return True

    def put_negative(
        self,
        question: Question,
        kind: CachedKind,
        ttl: int,
        proofs: tuple[RRset, ...],
        security: Security,
        origin: Address,
        now: float,
    ) -> None:
        rtype = 0 if kind is CachedKind.NXDOMAIN else question.rtype
        if kind is CachedKind.NXDOMAIN:
            self.flush(question.name, subtree=False)
        cached = Cached(kind, None, proofs, Rank.ANSWER, security, origin)
        self.entries[question.name, rtype] = (now, now + ttl, cached)

    def flush(self, at: Name, subtree: bool) -> int:
        gone = [k for k in self.entries if k[0] == at or (subtree and is_subdomain(k[0], at))]
        for key in gone:
            del self.entries[key]
        return len(gone)


def _aged(cached: Cached, age: int) -> Cached:
    def down(records: RRset) -> RRset:
        return records._replace(ttl=max(0, records.ttl - age))

    return cached._replace(
        rrset=None if cached.rrset is None else down(cached.rrset),
        proofs=tuple(map(down, cached.proofs)),
    )


@dataclass
class Border:
    """A policy by first octet: the core's view of a border, without evidence."""

    domestic: int = 11
    foreign: int = 12
    mode: str = "prefer"
    patience: float = 2.0
    banned: frozenset[Address] = frozenset()
    home_zone: Name | None = None

    def at_home(self, name: Name) -> bool:
        return self.home_zone is not None and is_subdomain(name, self.home_zone)

    def verdict(self, at: Address) -> Verdict:
        if at[0] == self.domestic:
            return Verdict.DOMESTIC
        return Verdict.FOREIGN if at[0] == self.foreign else Verdict.UNKNOWN

    def standing(self, at: Address) -> Standing:
        verdict = self.verdict(at)
        tier = (Verdict.DOMESTIC, Verdict.UNKNOWN, Verdict.FOREIGN).index(verdict)
        return Standing(verdict, "XA", 0 if self.mode == "observe" else tier, at in self.banned)

    def label(self, at: Address, purpose: Purpose, domestic_known: bool) -> Label:
        verdict = self.verdict(at)
        if verdict is Verdict.DOMESTIC:
            return Label(verdict, "XA", purpose, Reason.NONE)
        if domestic_known:
            reason = Reason.POLICY if self.mode == "observe" else Reason.DOMESTIC_FAILED
        else:
            unknown = verdict is Verdict.UNKNOWN
            reason = Reason.UNLOCATED if unknown else Reason.NO_DOMESTIC_SERVER
        return Label(verdict, "none" if verdict is Verdict.UNKNOWN else "XB", purpose, reason)


class Internet:
    """Hosts, a core and a driver in one: ``ask`` runs a lookup to its end in virtual time."""

    def __init__(self, seed: int = 1, loss: float = 0.0, **settings: object) -> None:
        self.chance = Random(seed)
        self.hosts: dict[Address, Host] = {}
        self.border = Border()
        self.records = DictRecords()
        self.door = VirtualDoor(self.hosts, Random(seed + 1), loss)
        self._settings = settings
        self._hints: list[tuple[Name, tuple[Address, ...]]] = []
        self._scheduler: Scheduler | None = None
        self.internal: list[tuple[Question, Purpose, Result, Books]] = []

    def host(self, at: str, *zones: Zone, latency: float = 0.02) -> Host:
        """Add a server."""
        self.hosts[address(at)] = found = Host(list(zones), latency)
        return found

    def hint(self, server: str, *at: str) -> None:
        """Add a root hint."""
        self._hints.append((name(server), tuple(map(address, at))))

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler, made on first use."""
        if self._scheduler is None:
            settings = CoreSettings(tuple(self._hints), **self._settings)  # type: ignore[arg-type]
            core = Core(settings, self.records, self.border, self.chance)
            self._scheduler = Scheduler(core, lambda *told: self.internal.append(told))
        return self._scheduler

    @property
    def now(self) -> float:
        """Virtual time, seconds."""
        return self.door.now

    def begin(
        self, text: str, kind: str = "A", selection: Selection = PLAIN
    ) -> list[tuple[Result, Books]]:
        """Start a lookup; the list is filled when it ends."""
        ended: list[tuple[Result, Books]] = []
        question = Question(name(text), Type[kind])
        self.scheduler.lookup(
            question, self.now, lambda r, b: ended.append((r, b)), selection=selection
        )
        return ended

    def turn(self, until: float = float("inf")) -> bool:
        """One turn of the driver, to the next event; false when none comes before ``until``."""
        self.door.submit(self.scheduler.advance(self.now))
        times = [self.door.next_arrival(), self.scheduler.next_deadline()]
        ahead = [t for t in times if t is not None and t <= until]
        if not ahead:
            return False
        self.door.now = max(self.now, min(ahead))
        for ticket, outcome in self.door.take():
            self.scheduler.deliver(ticket, outcome, self.now)
        return True

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self.turn(end):
            pass
        self.door.now = end

    def ask(self, text: str, kind: str = "A", selection: Selection = PLAIN) -> tuple[Result, Books]:
        """Resolve one question to its end."""
        ended = self.begin(text, kind, selection)
        turns = 0
        while not ended:
            assert self.turn() or ended, "the resolution waits for nothing"
            turns += 1
            assert turns < 20_000, "no end in sight"
        return ended[0]

    def asked(self, at: str) -> list[Question]:
        """Questions sent to an address so far."""
        return [ask.question for ask in self.door.sent if ask.address == address(at)]


def values(records: Iterable[RRset], kind: str) -> list[str]:
    """Texts of the A or AAAA records, or names of the others."""
    rdatas = [rdata for found in records if found.rtype == Type[kind] for rdata in found.rdatas]
    if kind in ("A", "AAAA"):
        return [address_text(Address(rdata)) for rdata in rdatas]
    return [to_text(from_wire(rdata)) for rdata in rdatas]
