"""The picture of what one name depends on, as inline SVG: zones, name servers, and who needs whom.

A graph of up to :data:`GRAPH_NODES_MAX` nodes shows every name server; a larger one sums servers up
by operator and place, then leaves them out, then leaves out zones that are far from the name, and
says so.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from html import escape

from resolver.audit.bounds import GRAPH_NODES_MAX
from resolver.audit.closure import Closure, Path, Server, Site, Standing, Zone
from resolver.audit.layers import HEIGHT, WIDTH, Edge, Key, Spot, place
from resolver.audit.verdict import Reaches
from resolver.model import Verdict
from resolver.names import ROOT, Name, to_text
from resolver.operators import operator_of

LETTERS = 27
"""Letters that fit into a node; the title (shown when one points at it) has all."""

SMALLEST = 0.75
"""A wide graph is drawn smaller, to fit the page, down to this scale; then the page scrolls."""


@dataclass(slots=True)
class Node:
    """A box with two lines of text; ``style`` is a CSS class of the page."""

    title: str
    note: str
    style: str


@dataclass(slots=True)
class Graph:
    """Nodes and edges. ``left_out`` says in words what is not shown."""

    nodes: dict[Key, Node] = field(default_factory=dict)
    edges: dict[Edge, bool] = field(default_factory=dict)  # true: without glue
    left_out: str = ""


NAME: Key = ("name",)


def graph_of(closure: Closure, path: Path, reach: Reaches) -> Graph:
    """The graph of one name, as detailed as can be read."""
    needed = closure.needs(path)
    for detail in ("servers", "operators", "zones"):
        graph = _graph(closure, path, reach, needed, detail)
        if len(graph.nodes) <= GRAPH_NODES_MAX:
            return graph
    kept = needed[: GRAPH_NODES_MAX - 2]
    graph = _graph(closure, path, reach, kept, "zones")
    graph.left_out += f"; {len(needed) - len(kept)} more zones that lie further away"
    return graph


def _graph(
    closure: Closure, path: Path, reach: Reaches, zones: tuple[Name, ...], detail: str
) -> Graph:
    graph = Graph()
    survives = path.stuck is None and all(z in reach.here for z in path.zones)
    graph.nodes[NAME] = Node(to_text(path.name), path.outcome, "good" if survives else "bad")
    shown = frozenset(zones)
    for holder in path.zones:
        if holder in shown:
            graph.edges[NAME, holder] = False
    for apex in zones:
        zone = closure.zones[apex]
        graph.nodes[apex] = Node(f"zone {to_text(apex)}", _zone_note(zone), _style(apex, reach))
        if apex != ROOT and zone.parent in shown:
            graph.edges[apex, zone.parent] = False
        _add_servers(graph, closure, zone, shown, detail)
    if detail == "operators":
        graph.left_out = "name servers of one operator and place are drawn as one"
    elif detail == "zones":
        graph.left_out = "name servers are left out"
    return graph


def _style(apex: Name, reach: Reaches) -> str:
    if apex in reach.here:
        return "good"
    return "fair" if apex in reach.cctld else "bad"


def _zone_note(zone: Zone) -> str:
    sites = list(zone.sites())
    home = sum(site.verdict is Verdict.DOMESTIC for site in sites)
    serving = sum(site.helps for site in sites)
    ill = f" ({home - serving} ill)" if serving < home else ""
    return f"{home} at home{ill}, {len(sites) - home} not"


def _add_servers(
    graph: Graph, closure: Closure, zone: Zone, shown: frozenset[Name], detail: str
) -> None:
    groups: dict[Key, list[Server]] = defaultdict(list)
    for server in zone.servers:
        one = detail == "servers"
        key = ("server", server.name) if one else _group(zone, server)
        groups[key].append(server)
    for key, servers in groups.items():
        start: Key = zone.apex
        if detail != "zones":
            graph.nodes[key] = _server_node(servers)
            bare = not any(server.glued for server in servers) and zone.apex != ROOT
            graph.edges[zone.apex, key] = bare
            start = key
        for server in servers:
            host = None if server.glued else closure.hosts.get(server.name)
            for holder in host.zones if host is not None and zone.apex != ROOT else ():
                if holder in shown and holder != start:
                    graph.edges[start, holder] = True


def _group(zone: Zone, server: Server) -> Key:
    return ("group", zone.apex, operator_of(server.name), _place(server.sites))


def _place(sites: tuple[Site, ...]) -> str:
    """A server's place as a style: at home and well, at home and ill, abroad, unknown."""
    if any(site.helps for site in sites):
        return "good"
    verdicts = {site.verdict for site in sites}
    if Verdict.DOMESTIC in verdicts:
        return "ill"
    return "abroad" if Verdict.FOREIGN in verdicts else "unknown"


def _server_node(servers: list[Server]) -> Node:
    sites = [site for server in servers for site in server.sites]
    places = sorted({site.country if site.country != "none" else "place open" for site in sites})
    standings = sorted({s.standing.value for s in sites if s.standing is not Standing.SERVES})
    note = ", ".join([" ".join(places) or "no address", *standings])
    if not any(server.by_parent for server in servers):
        note += ", child only"
    if len(servers) == 1:
        return Node(to_text(servers[0].name), note, _place(servers[0].sites))
    operator = to_text(operator_of(servers[0].name))
    return Node(f"{len(servers)} × {operator}", note, _place(servers[0].sites))


def svg(graph: Graph, label: str) -> str:
    """The graph drawn. Colours come from the page's classes, so it follows light and dark."""
    placed = place(NAME, graph.nodes, graph.edges)
    width, height = placed.width + 2, placed.height + 2
    out = [
        f'<svg role="img" aria-label="{escape(label)}" viewBox="-1 -1 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" style="min-width:{SMALLEST * width:.0f}px">'
    ]
    for edge, route in placed.routes.items():
        style = "edge bare" if graph.edges[edge] else "edge"
        out.append(f'<path class="{style}" d="{_curve(route)}"/>')
    for key, node in graph.nodes.items():
        x, y = placed.corners[key]
        out.append(_box(node, x, y))
    out.append("</svg>")
    return "".join(out)


def _curve(route: tuple[Spot, ...]) -> str:
    """A smooth line through points: level where it meets them."""
    (x, y), *rest = route
    out = [f"M{x:.0f} {y:.0f}"]
    for to_x, to_y in rest:
        half = (x + to_x) / 2
        out.append(f"C{half:.0f} {y:.0f} {half:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return "".join(out)


def _box(node: Node, x: float, y: float) -> str:
    return (
        f'<g class="node {node.style}"><title>{escape(node.title)}: {escape(node.note)}</title>'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDTH:.0f}" height="{HEIGHT:.0f}" rx="6"/>'
        f'<text x="{x + 9:.0f}" y="{y + 18:.0f}">{escape(_short(node.title))}</text>'
        f'<text class="note" x="{x + 9:.0f}" y="{y + 33:.0f}">{escape(_short(node.note, 33))}'
        "</text></g>"
    )


def _short(text: str, most: int = LETTERS) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[-(most - head - 1) :]}"
