"""``inland pack distance``: how far a place is from the border, and what that proves."""

import json
from pathlib import Path
from typing import Annotated

import typer

from policy.pack_files import read_world
from policy.polygons import Nearest, World, holds, nearest_foreign
from policy.sphere import SPEEDS, greatest_rtt_ms, least_rtt_ms, margin_km
from resolver.cli.options import Json
from resolver.config_units import read_country

Polygons = Annotated[
    Path,
    typer.Option("--polygons", metavar="FILE", help="Country polygons (TopoJSON, Natural Earth)."),
]


def codes(text: str) -> frozenset[str]:
    """``BE,NL,LU`` as a set of country codes."""
    try:
        return frozenset(read_country(code.strip()) for code in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def distance(
    lat: Annotated[
        float, typer.Argument(metavar="LAT", min=-90, max=90, help="Latitude, degrees north.")
    ],
    lon: Annotated[
        float, typer.Argument(metavar="LON", min=-180, max=180, help="Longitude, degrees east.")
    ],
    polygons: Polygons,
    home: Annotated[
        str, typer.Option(metavar="IN[,…]", help="Country or region; default: who holds the place.")
    ] = "",
    uncertainty: Annotated[
        float, typer.Option(metavar="KM", min=0, help="How far the resolver may be from the place.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Show how far a place is from the nearest foreign land, and what RTT proves "inside".

    Exit code: 0 when the distance is known, 1 for a bad file or a place without a country.
    """
    world = read_world(polygons)
    inside = codes(home) if home else _holders(world, lat, lon)
    found = nearest_foreign(world, lat, lon, inside)
    bounds = {grade: greatest_rtt_ms(found.km, uncertainty, grade) for grade in SPEEDS}
    if as_json:
        report = {
            "place": [lat, lon],
            "inside": list(found.inside),
            "home": sorted(inside),
            "home_without_polygons": list(found.missing),
            "border_km": round(found.km, 3),
            "nearest": {"name": found.name, "country": found.country},
            "uncertainty_km": uncertainty,
            "margin_km": round(margin_km(found.km), 3),
            "greatest_rtt_ms": {grade: round(ms, 4) for grade, ms in bounds.items()},
            "light_rtt_ms": round(least_rtt_ms(found.km), 4),
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(found, inside, uncertainty, bounds)))


def _holders(world: World, lat: float, lon: float) -> frozenset[str]:
    shapes = [shape for shape in world.shapes if holds(world, shape, lat, lon)]
    found = frozenset(shape.country for shape in shapes if shape.country)
    if not found:
        where = f"in {shapes[0].name}, which has no ISO code" if shapes else "on no country's land"
        raise typer.BadParameter(f"{lat}, {lon} is {where}; say --home")
    return found


def _lines(
    found: Nearest, home: frozenset[str], uncertainty: float, bounds: dict[str, float]
) -> list[str]:
    without = f" (no polygons for {', '.join(found.missing)})" if found.missing else ""
    code = found.country or "no ISO code, so foreign to everyone"
    lines = [
        f"place is in    {', '.join(found.inside) or 'no polygon (sea, or a coarse shore)'}",
        f"home           {', '.join(sorted(home))}{without}",
        f"border         {found.km:.1f} km: {found.name} ({code})",
        f"light          {least_rtt_ms(found.km):.3f} ms there and back, nothing taken off",
        f"taken off      {uncertainty:.1f} km for the place,"
        f" {margin_km(found.km):.1f} km for the map",
        "proven inside when the least RTT is below",
    ]
    for grade, ms in bounds.items():
        proves = f"{ms:.3f} ms" if ms else "nothing: the border is too near"
        lines.append(f"  {grade:<12} {proves}")
    return lines
