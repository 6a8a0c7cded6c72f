"""Where the nodes of a layered graph stand: columns by distance, few crossings, long edges routed.

The method of Sugiyama, Tagawa and Toda in its simplest form: edges that close a circle are left
out of the layering, a node stands one column behind the last that leads to it, edges over several
columns pass through points of their own, and each column is ordered by the middle of its
neighbours. Pure numbers; drawing is for :mod:`resolver.audit.graph`.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 196.0, 42.0  # of a node, in the units of the drawing
COLUMN_GAP, ROW_GAP = 50.0, 14.0
POINT = 4.0  # height that a passing edge takes
SWEEPS = 8

Key = Hashable
Edge = tuple[Key, Key]
Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """Left upper corners of nodes, points along edges (from node to node), and the whole size."""

    corners: dict[Key, Spot]
    routes: dict[Edge, tuple[Spot, ...]]
    width: float
    height: float


def place(start: Key, nodes: Iterable[Key], edges: Iterable[Edge]) -> Placed:
    """Place nodes that can be reached from ``start``, and what is left in the first column."""
    edges = list(dict.fromkeys(edges))
    onward: dict[Key, list[Key]] = defaultdict(list)
    for a, b in edges:
        onward[a].append(b)
    back = _back_edges(start, onward)
    column = _columns(start, list(nodes), [e for e in edges if e not in back])
    chains = {edge: _chain(edge, column) for edge in edges}
    columns: dict[int, list[Key]] = defaultdict(list)
    for node, at in column.items():
        columns[at].append(node)
    for chain in chains.values():
        for point in chain[1:-1]:
            columns[point[2]].append(point)  # type: ignore[index]
    rows = [columns[at] for at in sorted(columns)]
    _order(rows, chains.values())
    return _coordinates(rows, chains)


def _back_edges(start: Key, onward: dict[Key, list[Key]]) -> set[Edge]:
    """Edges that lead back to where one comes from (depth first, without recursion)."""
    back: set[Edge] = set()
    open_: dict[Key, None] = {start: None}
    seen = {start}
    stack = [(start, iter(onward[start]))]
    while stack:
        node, rest = stack[-1]
        below = next(rest, None)
        if below is None:
            stack.pop()
            del open_[node]
        elif below in open_:
            back.add((node, below))
        elif below not in seen:
            seen.add(below)
            open_[below] = None
            stack.append((below, iter(onward[below])))
    return back


def _columns(start: Key, nodes: Sequence[Key], edges: Sequence[Edge]) -> dict[Key, int]:
    column = dict.fromkeys(nodes, 0)
    for _ in range(len(column)):
        moved = False
        for a, b in edges:
            if column[b] <= column[a]:
                column[b] = column[a] + 1
                moved = True
        if not moved:
            break
    column[start] = 0
    return column


def _chain(edge: Edge, column: dict[Key, int]) -> tuple[Key, ...]:
    """The edge with a point in each column that it passes."""
    a, b = edge
    low, high = sorted((column[a], column[b]))
    points: list[Key] = [("point", edge, at) for at in range(low + 1, high)]
    return (a, *(points if column[a] < column[b] else reversed(points)), b)


def _order(rows: list[list[Key]], chains: Iterable[tuple[Key, ...]]) -> None:
    """Order each column by the mean of its neighbours' places, sweeping both ways."""
    near: dict[Key, set[Key]] = defaultdict(set)
    for chain in chains:
        for a, b in pairwise(chain):
            near[a].add(b)
            near[b].add(a)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        order = range(1, len(rows)) if forth else range(len(rows) - 2, -1, -1)
        for at in order:
            beside = {key: i for i, key in enumerate(rows[at - 1 if forth else at + 1])}
            size = max(len(beside), 1)

            def middle(
                item: tuple[int, Key], beside: dict[Key, int] = beside, size: int = size
            ) -> float:
                found = [beside[k] for k in near[item[1]] if k in beside]
                return sum(found) / len(found) if found else item[0] * size / len(rows)

            rows[at] = [key for _, key in sorted(enumerate(rows[at]), key=middle)]


def _coordinates(rows: list[list[Key]], chains: dict[Edge, tuple[Key, ...]]) -> Placed:
    points = {key for chain in chains.values() for key in chain[1:-1]}
    tall = [sum((POINT if k in points else HEIGHT) + ROW_GAP for k in row) for row in rows]
    height = max(tall) + ROW_GAP
    corners: dict[Key, Spot] = {}
    for at, row in enumerate(rows):
        y = (height - tall[at]) / 2 + ROW_GAP / 2
        for key in row:
            corners[key] = (at * (WIDTH + COLUMN_GAP), y)
            y += (POINT if key in points else HEIGHT) + ROW_GAP
    routes = {edge: _route(chain, corners) for edge, chain in chains.items()}
    width = len(rows) * (WIDTH + COLUMN_GAP) - COLUMN_GAP
    return Placed({k: c for k, c in corners.items() if k not in points}, routes, width, height)


def _route(chain: tuple[Key, ...], corners: dict[Key, Spot]) -> tuple[Spot, ...]:
    (ax, ay), (bx, by) = corners[chain[0]], corners[chain[-1]]
    forward = bx > ax
    start = (ax + WIDTH if forward else ax, ay + HEIGHT / 2)
    end = (bx if forward else bx + WIDTH, by + HEIGHT / 2)
    middle: list[Spot] = []
    for key in chain[1:-1]:
        x, y = corners[key]
        sides = (x, x + WIDTH) if forward else (x + WIDTH, x)
        middle += [(side, y + POINT / 2) for side in sides]
    return (start, *middle, end)
