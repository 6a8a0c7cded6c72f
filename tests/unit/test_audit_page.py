"""The page of an audit: self-contained, well formed, safe, and its graphs can be read."""

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import combinations

import pytest

from resolver.audit.bounds import GRAPH_NODES_MAX
from resolver.audit.closure import Closure, Path, Server, Site, Standing, Zone
from resolver.audit.graph import NAME, graph_of, svg
from resolver.audit.layers import HEIGHT, WIDTH, place
from resolver.audit.page import page
from resolver.audit.report import Report, make_report
from resolver.audit.verdict import reaches
from resolver.model import Address, Verdict
from resolver.names import ROOT, Name, from_text
from testbed.truth import Truth
from testbed.world import make_world
from tests.audit_world import CCTLDS, audited_names, closure_of, path_of

VOID = {"meta"}


class Checker(HTMLParser):
    """Fails on tags that do not match; counts them, and keeps attributes that could load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        self.loads += [key for key, _ in attrs if key in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report_of(closure: Closure, paths: dict[Name, Path]) -> Report:
    exchanges = {(Verdict.DOMESTIC, "XA"): 5, (Verdict.UNKNOWN, "none"): 2}
    return make_report(closure, paths, ["XA"], CCTLDS, frozenset(), exchanges, 1.0)


@pytest.fixture(scope="module")
def world() -> Truth:
    return Truth(make_world("small", 3))


def test_the_page_loads_nothing_and_is_well_formed(world: Truth) -> None:
    names = audited_names(world.world)
    told = page(report_of(closure_of(world), {from_text(n): path_of(world, n) for n in names}))
    checker = Checker()
    checker.feed(told)
    assert checker.open == []
    assert checker.loads == []
    assert checker.seen["script"] == checker.seen["link"] == checker.seen["img"] == 0
    assert checker.seen["svg"] == 12
    assert "://" not in told
    assert "url(" not in told
    assert "@import" not in told
    assert checker.seen["tr"] > len(names)


def test_names_cannot_write_into_the_page() -> None:
    evil = from_text('<script>alert(1)</script>&\\".xa')
    site = Site(Address(b"\x0b\0\0\1"), Verdict.DOMESTIC, "XA", Standing.SERVES)
    root = Zone(ROOT, ROOT, (Server(evil, (site,), True, True, True),))
    told = page(report_of(Closure({ROOT: root}), {evil: Path(evil, (ROOT,))}))
    assert "<script" not in told
    assert "&lt;script&gt;" in told


def big(zones: int, servers: int) -> Iterator[Zone]:
    """A chain of zones, each with so many name servers of as many operators."""
    apex = ROOT
    for depth in range(zones):
        named = []
        for at in range(servers):
            name = from_text(f"ns{at}.op{at}d{depth}.example")
            site = Site(Address(bytes((12, 0, depth, at))), Verdict.FOREIGN, "XB", Standing.SERVES)
            named.append(Server(name, (site,), True, True, True))
        above, apex = apex, apex if depth == 0 else Name(bytes((1, 97 + depth % 26)) + apex)
        yield Zone(apex, above, tuple(named))


@pytest.mark.parametrize(
    ("zones", "servers", "said"),
    [(4, 3, ""), (5, 12, "name servers are left out"), (60, 2, "more zones")],
)
def test_a_large_graph_is_summed_up_and_says_so(zones: int, servers: int, said: str) -> None:
    chain = {zone.apex: zone for zone in big(zones, servers)}
    closure = Closure(chain)
    last = list(chain)[-1]
    reach = reaches(closure, frozenset(), frozenset())
    graph = graph_of(closure, Path(last, (last,)), reach)
    assert len(graph.nodes) <= GRAPH_NODES_MAX
    assert said in graph.left_out
    assert bool(said) == bool(graph.left_out)
    assert all(a in graph.nodes and b in graph.nodes for a, b in graph.edges)


def test_servers_of_one_operator_are_one_node_before_they_are_left_out() -> None:
    sites = [
        Site(Address(bytes((12, 0, 0, n))), Verdict.FOREIGN, "XB", Standing.SERVES)
        for n in range(60)
    ]
    servers = [
        Server(from_text(f"s{n}.op.example"), (s,), True, True, True) for n, s in enumerate(sites)
    ]
    closure = Closure({ROOT: Zone(ROOT, ROOT, tuple(servers))})
    graph = graph_of(closure, Path(ROOT, (ROOT,)), reaches(closure, frozenset(), frozenset()))
    assert "60 × op.example." in svg(graph, "x")
    assert len(graph.nodes) == 3


def test_nodes_do_not_overlap_and_everything_is_inside(world: Truth) -> None:
    closure = closure_of(world)
    reach = reaches(closure, CCTLDS, frozenset())
    sizes = set()
    for name in audited_names(world.world)[::7]:
        graph = graph_of(closure, path_of(world, name), reach)
        placed = place(NAME, graph.nodes, graph.edges)
        assert placed.corners.keys() == graph.nodes.keys()
        assert placed.routes.keys() == graph.edges.keys()
        sizes.add(len(graph.nodes))
        for (ax, ay), (bx, by) in combinations(placed.corners.values(), 2):
            assert abs(ax - bx) >= WIDTH or abs(ay - by) >= HEIGHT
        for x, y in placed.corners.values():
            assert 0 <= x <= placed.width - WIDTH
            assert 0 <= y <= placed.height - HEIGHT
    assert max(sizes) > 20


def test_circles_are_drawn() -> None:
    placed = place("n", "nabc", [("n", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("n", "c")])
    assert len({x for x, _ in placed.corners.values()}) == 4
    assert placed.routes["c", "a"][0][0] > placed.routes["c", "a"][-1][0]
    assert len(placed.routes["n", "c"]) == 6
