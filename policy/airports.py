"""Airports by IATA code, from the package ``airportsdata``.

Responsible for giving codes, of single airports and of cities that have several, a country and
coordinates. The country is an ISO 3166-1 code: territories that the package files under their
mother country get their own.

Source: ``airportsdata`` (MIT licence); its version is a date.

Limitations: an airport stands for its city, some tens of kilometres off.
"""

from functools import cache
from importlib import metadata

import airportsdata

from policy.identity import Airport, Airports

_TERRITORIES = {
    ("US", "Puerto Rico"): "PR",
    ("US", "Virgin Islands"): "VI",
    ("NO", "Svalbard"): "SJ",
    ("FI", "Mariehamns-stad"): "AX",
}
"""(country, subdivision) as in the package → code of the territory."""


def edition() -> str:
    """Name and version of the data, such as ``airportsdata 20260905``."""
    return f"airportsdata {metadata.version('airportsdata')}"


@cache
def airports() -> Airports:
    """All airports with an IATA code, and the codes of cities with several airports, which stand
    for the middle of these. Read once, in half a second."""
    found = {
        code: Airport(
            _TERRITORIES.get((row["country"], row["subd"]), row["country"]),
            row["lat"],
            row["lon"],
            row["city"],
        )
        for code, row in airportsdata.load("IATA").items()
    }
    for code, city in airportsdata.load_iata_macs().items():
        rows = [found[inner] for inner in city["airports"] if inner in found]
        if code not in found and rows:
            lat = round(sum(row.lat for row in rows) / len(rows), 5)
            lon = round(sum(row.lon for row in rows) / len(rows), 5)
            found[code] = Airport(city["country"], lat, lon, city["name"])
    return found
