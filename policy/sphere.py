"""Distances on the sphere, and what light can cover in a time.

Responsible for great-circle distances between points and from a point to a segment, and for the
bound from which a place inside the border is proven: an answer that came back sooner than light
could have gone to the nearest foreign land and back did not come from abroad.

Sources: distance between points by the chord (equal to the haversine formula); distance to a
segment by vectors (C. Veness, "Vector-based spherical geodesy": the plane through both ends has
the normal a × b, and the foot of the perpendicular lies between them or an end is nearest). Mean
radius R1 of the WGS 84 ellipsoid (IUGG). Light in vacuum: 299.792458 km/ms (SI); in fibre
204.4 km/ms (refractive index 1.4667).

Limitations: the Earth is a sphere here, which is wrong by 0.56 % at most; the margin covers it.
"""

from math import asin, atan2, cos, pi, radians, sin, sqrt

from resolver.limits import BORDER_MARGIN_KM, BORDER_MARGIN_SHARE

EARTH_KM = 6371.0088

SPEEDS: dict[str, float] = {"strict": 299.792458, "fibre": 204.4}
"""Grade of a proof → speed in km/ms that no signal exceeds (vacuum), or that none does in fibre."""

Vector = tuple[float, float, float]
"""A point of the unit sphere."""


def vector(lat: float, lon: float) -> Vector:
    """The point at a latitude and longitude in degrees."""
    phi, theta = radians(lat), radians(lon)
    return cos(phi) * cos(theta), cos(phi) * sin(theta), sin(phi)


def distance_km(a: Vector, b: Vector) -> float:
    """Great-circle distance between two points."""
    chord = sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2)
    return EARTH_KM * 2 * asin(min(1.0, chord / 2))


def segment_km(point: Vector, a: Vector, b: Vector) -> float:
    """Distance from a point to the shorter great-circle arc from ``a`` to ``b``."""
    nx = a[1] * b[2] - a[2] * b[1]
    ny = a[2] * b[0] - a[0] * b[2]
    nz = a[0] * b[1] - a[1] * b[0]
    length = sqrt(nx * nx + ny * ny + nz * nz)
    x, y, z = point
    # The foot lies between the ends iff the point is ahead of a, towards b, and ahead of b,
    # towards a: (n × a)·p and (b × n)·p are both positive.
    ahead = (ny * a[2] - nz * a[1]) * x + (nz * a[0] - nx * a[2]) * y + (nx * a[1] - ny * a[0]) * z
    back = (b[1] * nz - b[2] * ny) * x + (b[2] * nx - b[0] * nz) * y + (b[0] * ny - b[1] * nx) * z
    if length < 1e-15 or ahead <= 0 or back <= 0:
        return min(distance_km(point, a), distance_km(point, b))
    height = abs(nx * x + ny * y + nz * z) / length
    return EARTH_KM * atan2(height, sqrt(max(0.0, 1 - height * height)))


def wrap(degrees: float) -> float:
    """The same angle from -180 up to, not including, 180."""
    return (degrees + 180.0) % 360.0 - 180.0


def margin_km(border_km: float) -> float:
    """What is taken off a distance for the polygons' and the sphere's errors."""
    return max(BORDER_MARGIN_KM, BORDER_MARGIN_SHARE * border_km)


def greatest_rtt_ms(border_km: float, uncertainty_km: float, grade: str) -> float:
    """The round-trip time below which an answer proves that it did not come from abroad.

    2·(D - r - margin)/v: ``border_km`` is D, the distance from the stated place to the nearest
    foreign land; ``uncertainty_km`` is r, how far the resolver may be from the stated place;
    ``grade`` is a key of :data:`SPEEDS`. 0 when nothing can be proven.
    """
    reach = border_km - uncertainty_km - margin_km(border_km)
    return max(0.0, 2 * reach / SPEEDS[grade])


def least_rtt_ms(distance: float) -> float:
    """The time that light in vacuum needs there and back: no RTT from that far is smaller."""
    return 2 * distance / SPEEDS["strict"]


FARTHEST_KM = EARTH_KM * pi
"""Half the circumference: no two places are farther apart."""
