"""Distance to the border: geometry on the sphere, TopoJSON, and known figures of cities."""

import json
import math
import os
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from policy.airports import airports
from policy.pack_files import read_world
from policy.polygons import World, decode_world, holds, nearest_foreign
from policy.sphere import (
    EARTH_KM,
    distance_km,
    greatest_rtt_ms,
    least_rtt_ms,
    margin_km,
    segment_km,
    vector,
)
from resolver.cli.pack_commands import app
from resolver.errors import SourceError

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("INLAND_SHARED", PROJECT.parent / "shared"))
FINE = SHARED / "data/countries-10m.json"
DEGREE = EARTH_KM * math.pi / 180


@pytest.fixture(scope="module")
def earth() -> World:
    if not FINE.exists():
        pytest.skip(f"{FINE} is not there (set INLAND_SHARED)")
    return read_world(FINE)


# --- The sphere -----------------------------------------------------------------------------------


def test_distance_between_points() -> None:
    assert distance_km(vector(0, 0), vector(0, 1)) == pytest.approx(DEGREE, rel=1e-9)
    assert distance_km(vector(60, 10), vector(61, 10)) == pytest.approx(DEGREE, rel=1e-9)
    assert distance_km(vector(0, 0), vector(0, 180)) == pytest.approx(180 * DEGREE)
    # A metre is still seen: the arc cosine of the scalar product would say 0.
    metre = distance_km(vector(20, 70), vector(20 + 0.001 / DEGREE, 70))
    assert metre == pytest.approx(0.001, rel=1e-5)


@pytest.mark.parametrize(
    ("lat", "lon", "degrees"),
    [(1, 5, 1), (-2, 5, 2), (0, 5, 0), (0, -3, 3), (0, 13, 3), (4, -3, None)],
)
def test_distance_to_a_segment_of_the_equator(lat: float, lon: float, degrees: float) -> None:
    a, b = vector(0, 0), vector(0, 10)
    point = vector(lat, lon)
    expected = distance_km(point, a) if degrees is None else degrees * DEGREE
    assert segment_km(point, a, b) == pytest.approx(expected, abs=1e-6)
    assert segment_km(point, b, a) == pytest.approx(expected, abs=1e-6)


def test_a_segment_without_length_is_a_point() -> None:
    a = vector(10, 10)
    assert segment_km(vector(11, 10), a, a) == pytest.approx(DEGREE)


def test_the_bound_takes_off_uncertainty_and_margin() -> None:
    assert greatest_rtt_ms(613, 0, "strict") == pytest.approx(2 * 603 / 299.792458)
    assert greatest_rtt_ms(613, 0, "fibre") == pytest.approx(2 * 603 / 204.4)
    assert greatest_rtt_ms(613, 50, "strict") == pytest.approx(2 * 553 / 299.792458)
    assert greatest_rtt_ms(10, 0, "strict") == 0
    assert greatest_rtt_ms(58, 50, "fibre") == 0
    assert margin_km(613) == 10
    assert margin_km(3000) == pytest.approx(18)  # a sphere is wrong by 0.56 %


# --- TopoJSON ------------------------------------------------------------------------------------


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def topology(**shapes: tuple[str | None, list[list[list[float]]]]) -> dict[str, Any]:
    """name → (numeric id, rings); unquantised, one arc a ring, each shape one polygon."""
    arcs: list[list[list[float]]] = []
    geometries = []
    for name, (number, rings) in shapes.items():
        indices = [[len(arcs) + at] for at in range(len(rings))]
        arcs += rings
        made = {"type": "Polygon", "arcs": indices, "properties": {"name": name}}
        geometries.append(made | ({"id": number} if number else {}))
    return {
        "type": "Topology",
        "objects": {"countries": {"type": "GeometryCollection", "geometries": geometries}},
        "arcs": arcs,
    }


IN, PK, LK, BT = "356", "586", "144", "064"


def far(data: dict[str, Any], lat: float, lon: float, *home: str) -> tuple[float, str]:
    found = nearest_foreign(decode_world(data), lat, lon, frozenset(home or ("IN",)))
    return round(found.km / DEGREE, 3), found.name


def test_the_nearest_of_several_and_regions() -> None:
    data = topology(
        home=(IN, [box(0, -5, 10, 5)]),
        near=(PK, [box(-4, -5, -2, 5)]),
        farther=(LK, [box(15, -5, 20, 5)]),
    )
    assert far(data, 0, 3) == (5, "near")
    assert far(data, 0, 8) == (7, "farther")
    # Borders between the members of a region do not count.
    assert far(data, 0, 3, "IN", "PK") == (12, "farther")
    assert far(data, 0, -3, "IN", "PK") == (18, "farther")


def test_a_hole_is_outside_and_an_enclave_is_foreign() -> None:
    data = topology(
        home=(IN, [box(0, -5, 10, 5), box(4, -1, 6, 1)]), enclave=(BT, [box(4, -1, 6, 1)])
    )
    assert far(data, 0, 5) == (0, "enclave")
    assert far(data, 0, 2) == (2, "enclave")
    world = decode_world(data)
    home = world.shapes[0]
    assert [holds(world, home, 0, lon) for lon in (-1, 1, 5, 9, 11)] == [0, 1, 0, 1, 0]
    # For the enclave all around is foreign.
    assert far(data, 0, 5, "BT") == (1, "home")


def test_on_foreign_land_the_distance_is_nothing() -> None:
    data = topology(home=(IN, [box(0, 0, 1, 1)]), other=(PK, [box(2, 0, 3, 1)]))
    assert far(data, 0.5, 2.5) == (0, "other")


def test_across_the_antimeridian() -> None:
    over = [[178.0, -5.0], [-178.0, -5.0], [-178.0, 5.0], [178.0, 5.0], [178.0, -5.0]]
    data = topology(home=(IN, [box(-170, -5, -160, 5)]), over=(PK, [over]))
    assert far(data, 0, -169) == (9, "over")
    assert far(data, 0, 179.5) == (0, "over")
    assert far(data, 0, -179.5) == (0, "over")
    assert far(data, 0, 176) == (2, "over")
    world = decode_world(data)
    assert [holds(world, world.shapes[1], 0, lon) for lon in (0, 177, 180, -180, -177)] == [
        0,
        0,
        1,
        1,
        0,
    ]


def test_a_shape_around_the_south_pole() -> None:
    ring = [[float(lon), -70.0] for lon in (-180, -90, 0, 90, 180)]
    ring[-1] = [-180.0, -70.0]
    data = topology(home=(IN, [box(0, -60, 1, -59)]), ice=("010", [ring]))
    assert far(data, -60, 0.5) == (10, "ice")
    assert far(data, -89, 77) == (0, "ice")


def test_a_long_edge_follows_its_parallel() -> None:
    """A great circle between the ends would pass 250 km north of the 49th parallel."""
    data = topology(home=(IN, [box(-123, 50, -95, 60)]), south=(PK, [box(-123, 30, -95, 49)]))
    km = nearest_foreign(decode_world(data), 52, -109, frozenset({"IN"})).km
    assert km == pytest.approx(3 * DEGREE, abs=0.1)


def test_a_shape_without_a_code_is_foreign_to_everyone() -> None:
    data = topology(home=(IN, [box(0, 0, 10, 10)]), glacier=(None, [box(11, 0, 12, 10)]))
    found = nearest_foreign(decode_world(data), 0, 10, frozenset({"IN", "XK"}))
    assert (found.name, found.country, found.missing) == ("glacier", None, ("XK",))
    assert found.km == pytest.approx(DEGREE)


def test_quantised_deltas_reversed_arcs_and_many_polygons() -> None:
    """The same two countries, once plain and once with a shared border, quantised to 0.5 degrees:
    the border is an arc that one of them uses the other way round."""
    quantised = {
        "type": "Topology",
        "transform": {"scale": [0.5, 0.5], "translate": [-10, -10]},
        "objects": {
            "countries": {
                "type": "GeometryCollection",
                "geometries": [
                    {"type": None},
                    {"type": "MultiPolygon", "id": IN, "arcs": [[[0, 1]], [[3]]]},
                    {"type": "Polygon", "id": PK, "arcs": [[~0, 2]], "properties": {"name": "p"}},
                ],
            }
        },
        "arcs": [
            [[20, 10], [0, 20]],  # 0 E from 5 S to 5 N
            [[20, 30], [20, 0], [0, -20], [-20, 0]],  # round the east
            [[20, 10], [-20, 0], [0, 20], [20, 0]],  # round the west
            [[60, 10], [2, 0], [0, 2], [-2, -2]],
        ],
    }
    assert far(quantised, 0, 4) == (4, "p")
    assert far(quantised, 0, -4, "PK") == (4, "IN")
    assert far(quantised, -4.9, 20.9) [1] == "p"  # fmt: skip
    world = decode_world(quantised)
    assert [holds(world, world.shapes[0], *at) for at in ((0, 5), (0, -5), (-4.9, 20.5))] == [
        True,
        False,
        True,
    ]


def test_a_home_that_the_file_does_not_know_is_an_error() -> None:
    with pytest.raises(SourceError, match="no polygons with the code GF"):
        far(topology(home=(IN, [box(0, 0, 1, 1)])), 0, 0, "GF")
    with pytest.raises(SourceError, match="no foreign land"):
        far(topology(home=(IN, [box(0, 0, 1, 1)])), 0, 0, "IN")


GOOD = topology(home=(IN, [box(0, 0, 1, 1)]), other=(PK, [box(2, 0, 3, 1)]))

BROKEN = [
    ([], "no object of type Topology"),
    ({"type": "FeatureCollection"}, "no object of type Topology"),
    ({k: v for k, v in GOOD.items() if k != "arcs"}, "'arcs'"),
    (GOOD | {"objects": {}}, "'countries'"),
    (GOOD | {"objects": {"countries": {"geometries": [{"type": "Point"}]}}}, "'Point' is neither"),
    (GOOD | {"arcs": GOOD["arcs"][:1]}, r"geometries\[1\]: names an arc that is not there"),
    (GOOD | {"arcs": [[[0, 0], [200, 0]], *GOOD["arcs"][1:]]}, r"arcs\[0\].*no place on Earth"),
    (GOOD | {"arcs": [[[0, 0], [math.nan, 0]], *GOOD["arcs"][1:]]}, r"arcs\[0\].*no place"),
    (GOOD | {"arcs": [[[0, 0]], *GOOD["arcs"][1:]]}, "fewer than two positions"),
    (GOOD | {"arcs": [[[0], [1]], *GOOD["arcs"][1:]]}, "IndexError"),
    (GOOD | {"arcs": [["a", "b"], *GOOD["arcs"][1:]]}, "not TopoJSON of countries"),
    (GOOD | {"arcs": 7}, "not TopoJSON of countries"),
    (GOOD | {"transform": {"scale": [1]}}, "not TopoJSON of countries"),
    (topology(home=("999", [box(0, 0, 1, 1)])), "ISO 3166-1 numeric id"),
]


@pytest.mark.parametrize(("data", "words"), BROKEN, ids=lambda value: None)
def test_a_broken_file_gives_one_clear_error(data: Any, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        decode_world(data)


def test_a_torn_file_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "countries.json"
    path.write_text(json.dumps(GOOD, indent=1)[:-20])
    with pytest.raises(SourceError, match=r"countries.json: line \d+: not JSON"):
        read_world(path)
    path.write_bytes(b'{"a":\n"\xff"}')
    with pytest.raises(SourceError, match="line 2: not UTF-8"):
        read_world(path)
    path.write_text("[" * 100_000)
    with pytest.raises(SourceError, match="nested too deep"):
        read_world(path)
    with pytest.raises(SourceError, match="No such file"):
        read_world(tmp_path / "none")


# --- The real Earth -------------------------------------------------------------------------------

# City centre, home, distance in km and the time that light needs there and back in ms.
CITIES = [
    ("Mumbai", 19.0760, 72.8777, "IN", 613, 4.1),
    ("Delhi", 28.6139, 77.2090, "IN", 277, 1.85),
    ("Bengaluru", 12.9716, 77.5946, "IN", 435, 2.9),
    ("Chennai", 13.0827, 80.2707, "IN", 361, 2.4),
    ("Hyderabad", 17.3850, 78.4867, "IN", 856, 5.7),
    ("Kolkata", 22.5726, 88.3639, "IN", 58, 0.39),
    ("Frankfurt", 50.1109, 8.6821, "DE", 131, 0.87),
    ("São Paulo", -23.5505, -46.6333, "BR", 769, 5.1),
    ("Singapore", 1.3521, 103.8198, "SG", 12.7, 0.08),
]


@pytest.mark.parametrize(("name", "lat", "lon", "code", "km", "ms"), CITIES)
def test_known_distances(
    earth: World, name: str, lat: float, lon: float, code: str, km: float, ms: float
) -> None:
    found = nearest_foreign(earth, lat, lon, frozenset({code}))
    assert found.inside, name
    assert found.km == pytest.approx(km, abs=1.0)
    assert least_rtt_ms(found.km) == pytest.approx(ms, abs=0.01 if ms < 2 else 0.051)


def test_skipping_far_chunks_changes_nothing(earth: World) -> None:
    """Against every end point of every foreign edge, which can only be a little farther."""
    chance = random.Random(4)
    for code in ("IN", "FJ", "AQ"):
        home = frozenset({code})
        points = [
            (chunk.lats[at], chunk.lons[at])
            for shape in earth.shapes
            if shape.country not in home
            for arc in shape.arcs
            for chunk in earth.arcs[arc]
            for at in range(len(chunk.lons))
        ]
        sample = [vector(*point) for point in points]
        lat, lon = chance.uniform(-60, 70), chance.uniform(-180, 180)
        found = nearest_foreign(earth, lat, lon, home)
        if found.km:
            here = vector(lat, lon)
            brute = min(distance_km(here, point) for point in sample)
            assert found.km <= brute + 1e-6
            assert found.km == pytest.approx(brute, abs=30)


def test_airports_stand_in_the_country_that_their_list_says(earth: World) -> None:
    """Holds the table of codes, the decoder and the point-in-polygon test together: 96 % of a
    sample stand inside, the rest on reclaimed land and small islands; few in another country."""
    every = sorted(airports().items())
    sample = random.Random(1).sample(every, 600)
    shapes: dict[str | None, list[Any]] = {}
    for shape in earth.shapes:
        shapes.setdefault(shape.country, []).append(shape)
    inside = sum(
        any(holds(earth, shape, at.lat, at.lon) for shape in shapes.get(at.country, ()))
        for _, at in sample
    )
    assert inside / len(sample) > 0.9


# --- The command ----------------------------------------------------------------------------------


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.json"
    data = topology(
        home=(IN, [box(-50, -30, -40, -20)]),
        other=(PK, [box(-60, -30, -55, -20)]),
        none=(None, [box(0, 0, 1, 1)]),
    )
    path.write_text(json.dumps(data))
    return str(path)


def test_distance_command_takes_coordinates_south_and_west(small: str) -> None:
    text = run("distance", "-21", "-45", "--polygons", small)
    assert "home           IN" in text
    assert "other (PK)" in text
    report = json.loads(run("distance", "-21", "-45", "--polygons", small, "--json"))
    assert report["nearest"] == {"name": "other", "country": "PK"}
    km = report["border_km"]
    assert report["greatest_rtt_ms"]["strict"] == pytest.approx(
        greatest_rtt_ms(km, 0, "strict"), abs=1e-3
    )


def test_distance_command_says_when_nothing_can_be_proven(small: str) -> None:
    text = run("distance", "-25", "-45", "--polygons", small, "--uncertainty", "2000")
    assert text.count("nothing: the border is too near") == 2


def test_distance_command_needs_to_know_home(small: str) -> None:
    assert "no country's land" in run("distance", "50", "50", "--polygons", small, code=2)
    assert "no ISO code" in run("distance", "0.5", "0.5", "--polygons", small, code=2)
    run("distance", "50", "50", "--polygons", small, "--home", "IN,PK")
    assert "capitals" in run("distance", "5", "5", "--polygons", small, "--home", "in", code=2)
    run("distance", "91", "5", "--polygons", small, code=2)
