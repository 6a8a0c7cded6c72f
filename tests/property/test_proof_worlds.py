"""Seeded worlds of anycast: nothing abroad is called domestic, and what can be proven is.

Each world has a resolver somewhere within its stated uncertainty, and servers whose sites stand
inside or abroad: with identities of their own, with equal ones or without; with routes that move
for good, come and go, or part by flow; with jitter and loss; with databases that put every one of
them in home. Truth is which site answered.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest

from policy.instance import GRADES
from policy.place import Place
from policy.proof import Proofs
from policy.sphere import SPEEDS
from policy.verdict import Evidence, Heard, Proof, weigh
from resolver.model import Address, Verdict

SEEDS = range(100)
SERVERS = 24
SECONDS = 600.0
HOME = frozenset({"XA"})
LIARS = (Evidence("database lies", "XA", "in home, it says"),)
ANYCAST = Heard(anycast=(Evidence("anycast list", None, "listed"),), voices=LIARS)
CONTRADICTED = Heard(voices=(*LIARS, Evidence("registry iptocc", "XB", "registered")))


@dataclass(frozen=True)
class Site:
    """Where an instance stands: inside or not, and the least round trip to it in seconds."""

    inside: bool
    least: float
    identity: bytes


@dataclass
class Server:
    """An address with its sites, and the site that each exchange reaches."""

    address: Address
    sites: list[Site]
    route: str  # "fixed", "moves", "flaps", "parts"
    turn: float  # when the route moves, or how long it stays
    gap: float  # seconds between exchanges
    jitter: float
    loss: float
    heard: Heard
    last: Site | None = None  # whose reply was the last that was heard
    unheard: int = 0  # exchanges since that stayed without a reply

    def site(self, now: float, chance: Random) -> Site:
        match self.route:
            case "moves":
                return self.sites[now >= self.turn]
            case "flaps":
                return self.sites[int(now / self.turn) % 2]
            case "parts":
                return chance.choice(self.sites)
        return self.sites[0]


class World:
    """A place, its servers, and ten minutes of traffic. ``speed``: the fastest way abroad."""

    def __init__(self, seed: int, speed: float) -> None:
        self.chance = chance = Random(seed)
        uncertainty = chance.choice([0.0, 5.0, 50.0])
        border = chance.uniform(150.0, 1600.0)
        self.place = Place(10.0, 10.0, uncertainty, border, "as stated")
        self.abroad = border - chance.uniform(0.0, uncertainty)  # to the nearest foreign land
        self.speed = speed
        self.now = 0.0
        self.sent = self.known = 0
        """Exchanges sent under a proof, and those of them that reached a site abroad though a reply
        from abroad was the last that was heard of the server."""
        self.surprises: Counter[str] = Counter()
        """The others that reached a site abroad: the first on a new route, and those that followed
        while no reply was heard over it."""
        self.proofs = Proofs(lambda: self.now)
        self.proofs.stand(self.place, HOME)
        self.servers = [self._server(number) for number in range(SERVERS)]

    def _server(self, number: int) -> Server:
        chance = self.chance
        route = chance.choice(["fixed", "fixed", "fixed", "moves", "flaps", "parts"])
        named = chance.choice(["own", "equal", "none"])
        sites = []
        for at in range(2):
            inside = chance.random() < (0.7 if at == 0 else 0.3)
            if inside:
                km, speed = chance.uniform(0.0, self.abroad * 1.3), SPEEDS["fibre"] / 1.2
            else:
                km, speed = self.abroad * (1 + chance.expovariate(1.0)), self.speed
            identity = {"own": b"site%d" % at, "equal": b"site", "none": b""}[named]
            sites.append(Site(inside, 2 * km / speed / 1000 + 30e-6, identity))
        return Server(
            Address(bytes([192, 0, 2, number])),
            sites,
            route,
            chance.uniform(20.0, SECONDS),
            chance.uniform(0.5, 8.0),
            chance.choice([20e-6, 200e-6, 1e-3]),
            chance.choice([0.0, 0.02, 0.2]),
            chance.choice([ANYCAST, CONTRADICTED]),
        )

    def exchanges(self) -> Iterator[tuple[Server, Site, Verdict, Proof | None]]:
        """Each exchange with the site that it reached, and what is said of its server as soon as
        it has ended."""
        due = [(self.chance.uniform(0.0, it.gap), it) for it in self.servers]
        while True:
            at = min(range(len(due)), key=lambda index: due[index][0])
            self.now, server = due[at]
            if self.now > SECONDS:
                return
            due[at] = (self.now + self.chance.expovariate(1 / server.gap), server)
            site = server.site(self.now, self.chance)
            if isinstance(self.proofs.published.of(server.address), Proof):
                self.sent += 1
                if not site.inside:
                    self.known += server.last is None or not server.last.inside
                    self.surprises[
                        f"{server.route}, after loss" if server.unheard else server.route
                    ] += 1
            asked = self.proofs.wants_identity(server.address)
            server.unheard += 1
            if self.chance.random() >= server.loss:
                server.last, server.unheard = site, 0
                rtt = site.least + self.chance.expovariate(1 / server.jitter)
                identity = site.identity if asked else None
                self.proofs.heard(server.address, rtt, identity, self.now)
                found = self.proofs.published.of(server.address)
                verdict = weigh(HOME, server.heard, None, found).verdict
                yield server, site, verdict, found if isinstance(found, Proof) else None


def test_nothing_abroad_is_called_domestic_and_what_can_be_proven_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong, could, proven, sent, known = 0, 0, 0, 0, 0
    by_grade: Counter[str] = Counter()
    surprises: Counter[str] = Counter()
    for seed in SEEDS:
        world = World(seed, SPEEDS["fibre"])
        best: dict[Address, str] = {}
        for server, site, verdict, proof in world.exchanges():
            assert (verdict is Verdict.DOMESTIC) == (proof is not None)
            wrong += proof is not None and not site.inside
            if proof is not None:
                best[server.address] = min(best.get(server.address, "none"), proof.grade, key=_rank)
        sent, known = sent + world.sent, known + world.known
        surprises += world.surprises
        for server in world.servers:
            near = world.proofs.bounds.grade(server.sites[0].least) is not None
            if server.route == "fixed" and server.sites[0].inside and near:
                could += 1
                proven += server.address in best
                by_grade[best.get(server.address, "none")] += 1
    with capsys.disabled():
        print(f"\nproofs: {wrong} false, {proven} of {could} proven, {dict(by_grade)}")
        print(f"of {sent} exchanges sent under one, {surprises.total()} reached abroad first")
        print(f"by route: {dict(surprises)}; after a reply from abroad: {known}")
    assert wrong == 0
    # Before its reply nothing can tell that a route has moved; parting flows move all the time.
    assert known == 0
    assert surprises.total() < 0.01 * sent
    assert proven >= 0.95 * could
    assert could > 400


def test_strict_holds_where_signals_go_at_the_speed_of_light() -> None:
    """Microwave links abroad: only the grade that allows for them is right."""
    for seed in SEEDS[:40]:
        for _, site, _, proof in World(seed, SPEEDS["strict"]).exchanges():
            assert proof is None or proof.grade != "strict" or site.inside


def _rank(grade: str) -> int:
    return (*GRADES, "none").index(grade)
