"""Country polygons: how far a place is from the nearest land of another country.

Responsible for decoding a TopoJSON file of countries (arcs, quantised deltas, transform, reversed
arcs, holes, several polygons), for telling which country holds a place, and for the distance to
the nearest foreign land. Home may be several countries: borders between them do not count.

A shape without an ISO 3166-1 code (disputed land, bases, buffer zones, Kosovo in Natural Earth) is
foreign to everyone: that can only make a distance smaller. Points are joined by straight lines in
longitude and latitude (RFC 7946 section 3.1.1), the short way round, so that shapes may cross the
antimeridian and hold a pole. Which side a place is on is told by the parity of border crossings on
the way north, which is sound because the north pole is at sea.

Sources: the TopoJSON format specification 1.0 (transforms, arcs, arc indices).

Limitations: shores are as coarse as the file; lakes and territorial waters are not known.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, isfinite, radians
from typing import Any

from policy.iso3166 import NUMERIC
from policy.sphere import EARTH_KM, FARTHEST_KM, Vector, distance_km, segment_km, vector, wrap
from resolver.errors import SourceError

CHUNK = 64
"""Edges that are bounded together: enough to skip most of the world, few enough to be near."""
STEP_DEGREES = 0.5
"""Longest piece of an edge that is measured as a great circle: off its straight line by 30 m."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to 64 edges in a row: end points in degrees, longitudes unwrapped, and their bounds."""

    lons: "array[float]"
    lats: "array[float]"
    middle: float  # longitude
    half: float  # degrees of longitude to either side
    north: float  # greatest latitude
    centre: Vector
    radius: float  # km, from the centre to any point of the edges at most


@dataclass(frozen=True, slots=True)
class Shape:
    """One country's land, or what stands in the file as such."""

    name: str
    country: str | None  # ISO 3166-1 alpha-2; None: no code
    arcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class World:
    """A decoded file."""

    shapes: tuple[Shape, ...]
    arcs: tuple[tuple[Chunk, ...], ...]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest foreign land: distance in km (0: the place is on it), its name and code."""

    km: float
    name: str
    country: str | None
    inside: tuple[str, ...]  # names of the shapes that hold the place; none at sea
    missing: tuple[str, ...]  # codes of home that have no shape in the file


def nearest_foreign(world: World, lat: float, lon: float, home: frozenset[str]) -> Nearest:
    """How far the nearest land outside ``home`` is from a place in degrees.

    Raises ``SourceError`` when no code of home has a shape, so that every land would be foreign.
    """
    known = {shape.country for shape in world.shapes}
    missing = tuple(sorted(home - known))
    if len(missing) == len(home):
        raise SourceError(f"no polygons with the code {', '.join(missing) or '(no home)'}")
    holders = [shape for shape in world.shapes if holds(world, shape, lat, lon)]
    inside = tuple(shape.name for shape in holders)
    for shape in holders:
        if shape.country not in home:
            return Nearest(0.0, shape.name, shape.country, inside, missing)
    owner = {
        arc: shape for shape in world.shapes if shape.country not in home for arc in shape.arcs
    }
    point = vector(lat, lon)
    queue = sorted(
        (
            (distance_km(point, chunk.centre) - chunk.radius, arc, place)
            for arc in owner
            for place, chunk in enumerate(world.arcs[arc])
        ),
    )
    best, found = FARTHEST_KM, None
    for least, arc, place in queue:
        if least >= best:
            break
        km = min(segment_km(point, a, b) for a, b in _pieces(world.arcs[arc][place]))
        if km < best:
            best, found = km, owner[arc]
    if found is None:
        raise SourceError("no foreign land in the file of polygons")
    return Nearest(best, found.name, found.country, inside, missing)


def holds(world: World, shape: Shape, lat: float, lon: float) -> bool:
    """Whether a place in degrees is inside a shape (holes are outside)."""
    crossings = 0
    for arc in shape.arcs:
        for chunk in world.arcs[arc]:
            if chunk.north > lat and abs(wrap(lon - chunk.middle)) <= chunk.half + 1e-9:
                crossings += _crossings(chunk, lat, lon)
    return crossings % 2 == 1


def _crossings(chunk: Chunk, lat: float, lon: float) -> int:
    """Edges that cross the meridian of the place north of it. An end exactly on the meridian counts
    as east of it, for both edges that meet there."""
    found = 0
    before, lat_before = wrap(chunk.lons[0] - lon), chunk.lats[0]
    for index in range(1, len(chunk.lons)):
        here, lat_here = wrap(chunk.lons[index] - lon), chunk.lats[index]
        if (before < 0) != (here < 0) and abs(here - before) < 180:
            share = before / (before - here)
            found += lat_before + share * (lat_here - lat_before) > lat
        before, lat_before = here, lat_here
    return found


def _pieces(chunk: Chunk) -> Iterator[tuple[Vector, Vector]]:
    """The edges as great circles; long ones in pieces along the straight line."""
    lon, lat = chunk.lons[0], chunk.lats[0]
    a = vector(lat, lon)
    for index in range(1, len(chunk.lons)):
        to_lon, to_lat = chunk.lons[index], chunk.lats[index]
        count = int(abs(to_lon - lon) / STEP_DEGREES) + 1
        for step in range(1, count + 1):
            share = step / count
            b = vector(lat + share * (to_lat - lat), lon + share * (to_lon - lon))
            yield a, b
            a = b
        lon, lat = to_lon, to_lat


# --- Reading ------------------------------------------------------------------------------------


def decode_world(data: Any) -> World:
    """Decode a parsed TopoJSON file whose object ``countries`` holds shapes with numeric ids.

    Raises ``SourceError`` with the part of the file that is wrong.
    """
    if not isinstance(data, Mapping) or data.get("type") != "Topology":
        raise SourceError("not TopoJSON: no object of type Topology")
    try:
        raw = data["arcs"]
        shift = _transform(data.get("transform"))
        arcs = tuple(_arc(arc, index, shift) for index, arc in enumerate(raw))
        shapes = tuple(_shapes(data["objects"]["countries"]["geometries"], len(arcs)))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise SourceError(f"not TopoJSON of countries: {type(error).__name__}: {error}") from None
    if not any(shape.country for shape in shapes):
        raise SourceError("no shape in objects.countries has an ISO 3166-1 numeric id")
    return World(shapes, arcs)


Transform = tuple[float, float, float, float]


def _transform(raw: Mapping[str, Sequence[float]] | None) -> Transform | None:
    """Scale and translation of quantised positions, ``None`` when positions are degrees."""
    if raw is None:
        return None
    (scale_x, scale_y), (x, y) = raw["scale"], raw["translate"]
    return float(scale_x), float(scale_y), float(x), float(y)


def _arc(raw: Sequence[Sequence[float]], index: int, shift: Transform | None) -> tuple[Chunk, ...]:
    lons, lats = array("d"), array("d")
    x = y = 0.0
    for position in raw:
        if shift is None:
            x, y = position[0], position[1]
            lon, lat = float(x), float(y)
        else:  # "Quantized positions are delta-encoded" (specification, section 2.1.3)
            x, y = x + position[0], y + position[1]
            lon, lat = x * shift[0] + shift[2], y * shift[1] + shift[3]
        if not (abs(lon) <= 180.001 and abs(lat) <= 90.001 and isfinite(lon)):
            raise SourceError(f"arcs[{index}]: ({lon:.3f}, {lat:.3f}) is no place on Earth")
        lons.append(lons[-1] + wrap(lon - lons[-1]) if lons else lon)
        lats.append(lat)
    if len(lons) < 2:
        raise SourceError(f"arcs[{index}]: fewer than two positions")
    return tuple(_chunk(lons[at : at + CHUNK + 1], lats[at : at + CHUNK + 1])
        for at in range(0, len(lons) - 1, CHUNK))  # fmt: skip


def _chunk(lons: "array[float]", lats: "array[float]") -> Chunk:
    west, east, south, north = min(lons), max(lons), min(lats), max(lats)
    middle, half, level = (west + east) / 2, (east - west) / 2, (south + north) / 2
    # From the centre along the parallel, then along the meridian: a way that is never shorter
    # than the great circle to any point of the box.
    radius = EARTH_KM * radians(half * cos(radians(level)) + (north - south) / 2)
    return Chunk(lons, lats, middle, half, north, vector(level, middle), radius + 0.001)


def _shapes(geometries: Sequence[Mapping[str, Any]], arc_count: int) -> Iterator[Shape]:
    for index, raw in enumerate(geometries):
        where = f"objects.countries.geometries[{index}]"
        kind = raw.get("type")
        if kind is None:
            continue  # a null geometry
        if kind not in ("Polygon", "MultiPolygon"):
            raise SourceError(f"{where}: {kind!r} is neither Polygon nor MultiPolygon")
        polygons = [raw["arcs"]] if kind == "Polygon" else raw["arcs"]
        # A negative index is the one's complement of an arc reversed; direction is no matter here.
        arcs = [at if at >= 0 else ~at for rings in polygons for ring in rings for at in ring]
        if not arcs or max(arcs) >= arc_count:
            raise SourceError(f"{where}: names an arc that is not there")
        code = NUMERIC.get(str(raw.get("id", "")).zfill(3))
        name = (raw.get("properties") or {}).get("name") or code or "(no name)"
        yield Shape(str(name), code, tuple(arcs))
