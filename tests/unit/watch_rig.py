"""A watcher in a small Internet, in virtual time; tests change ``deleg.xa`` and its servers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from resolver.lookups import Done
from resolver.model import Books, Purpose, Question, Result
from resolver.names import Name
from resolver.watch.changes import DelegationChanged
from resolver.watch.keep import Followed, Telling, Watched, Watcher
from resolver.watch.look import Terms
from tests import small_internet
from tests.virtual import Internet
from tests.virtual_servers import Zone, address, name

TTL = 600
ZONE = name("deleg.xa")
AT_HOME = {"ns1.deleg.xa": "11.0.7.1", "ns2.deleg.xa": "11.0.7.2"}
ABROAD = {"ns1.deleg.xa": "12.0.7.1", "ns2.deleg.xa": "12.0.7.2"}
_HOSTS = ("11.0.7.1", "11.0.7.2", "12.0.7.1", "12.0.7.2")


@dataclass
class Clock:
    """The time of an Internet; the world began a thousand seconds before."""

    BEGAN: ClassVar[float] = 1000.0
    net: Internet

    def now(self) -> float:
        """Monotonic seconds."""
        return self.net.now

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.net.now + self.BEGAN


def step(net: Internet, watcher: Watcher, seconds: float) -> None:
    """Let time pass; the watcher ticks every second and whenever a lookup has ended."""

    def lookup(question: Question, done: Done, purpose: Purpose) -> None:
        net.scheduler.lookup(question, net.now, done, purpose)

    end = net.now + seconds
    while net.now < end:
        second = min(end, net.now + 1.0)
        watcher.tick(lookup)
        while net.turn(second):
            watcher.tick(lookup)
        net.door.now = second


@dataclass
class WatchRig:
    """The watcher with what it works with, and what it has told."""

    folder: Path | None = None
    net: Internet = field(default_factory=lambda: small_internet.internet(ipv6=False))
    work: list[tuple[Question, Purpose, Result, Books]] = field(default_factory=list)
    changes: list[DelegationChanged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hosts = {at: self.net.host(at) for at in _HOSTS}
        self.delegate(AT_HOME)
        self.restart()

    def restart(self) -> None:
        """Another watcher over the same directory, and a resolver that remembers nothing."""
        net = self.net
        net.records.entries.clear()
        core = net.scheduler.core
        core.cuts.flush(name("."), subtree=True)
        telling = Telling(lambda *told: self.work.append(told), self.changes.append)
        self.watcher = Watcher(core, Clock(net), self.folder, telling)
        self.watcher.load()

    def follow(self, *zones: str, gap: float = 60.0, left_out: int = 0) -> None:
        """Follow these zones; home is ``xa``."""
        terms = Terms(frozenset({name("xa")}), gap)
        self.watcher.configure(Followed(tuple(map(name, zones)), left_out, terms, "generation"))

    def watched(self, zone: Name = ZONE) -> Watched:
        """One zone."""
        return self.watcher.zones[zone]

    def delegate(
        self,
        servers: dict[str, str] | None,
        *,
        ds: str | None = None,
        own: dict[str, str] | None = None,
        ttl: int = TTL,
    ) -> None:
        """Have the servers of ``xa`` and those of ``deleg.xa`` say this from now on. ``own``: what
        the zone itself says, if that is something else."""
        text = small_internet.XA
        if servers is not None:
            text += f"deleg.xa. {ttl} NS {' '.join(f'{n}.' for n in servers)}\n"
            text += "".join(f"{n}. {ttl} A {at}\n" for n, at in servers.items())
            if ds is not None:
                text += f"deleg.xa. {ttl} DS {ds}\n"
        for at in ("11.0.1.1", "12.0.1.1"):
            self.net.hosts[address(at)].zones = [Zone("xa", text)]
        said = own if own is not None else servers or {}
        zone = f"deleg.xa. {ttl} SOA 60\ndeleg.xa. {ttl} NS {' '.join(f'{n}.' for n in said)}\n"
        zone += "".join(f"{n}. {ttl} A {at}\n" for n, at in said.items() if n.endswith("deleg.xa"))
        for host in self.hosts.values():
            host.zones = [Zone("deleg.xa", zone)] if said else []

    def set_up(self, up: bool) -> None:
        """Have the servers of the zone answer, or be silent."""
        for host in self.hosts.values():
            host.up = up

    def run(self, seconds: float) -> None:
        """Let time pass; the watcher ticks every second and whenever a lookup has ended."""
        step(self.net, self.watcher, seconds)

    def kinds(self) -> list[str]:
        """What has been told, in order."""
        return [told.change.kind.value for told in self.changes]

    def asked_abroad(self) -> list[str]:
        """Questions that went to servers abroad."""
        return small_internet.abroad(self.net)
