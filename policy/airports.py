"""Airports by IATA code, from the package ``airportsdata``.

Responsible for giving codes, of single airports and of cities that have several, a country and
coordinates. The country is an ISO 3166-1 code: territories that the package files under their
mother country get their own.

Source: ``airportsdata`` (MIT licence); its version is a date.

Limitations: wrong coordinates are put right where they were noticed; an airport stands for
its city, some tens of kilometres off.
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

_SEXAGESIMAL = {
    "ANR": (51.1122, 4.2737),
    "BRU": (50.5405, 4.2904),
    "CRL": (50.2736, 4.271),
    "KJK": (50.4907, 3.1233),
    "LGG": (50.3811, 5.2634),
    "LUX": (49.3724, 6.1216),
    "OST": (51.1156, 2.5144),
}
"""Coordinates as in the package whose decimals are minutes and seconds: Brussels is at 50°54'05" N,
not at 50.5405. Put right for as long as the package has these very figures."""


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
            *_degrees(code, row["lat"], row["lon"]),
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


def _degrees(code: str, lat: float, lon: float) -> tuple[float, float]:
    if _SEXAGESIMAL.get(code) != (lat, lon):
        return lat, lon
    return _from_sexagesimal(lat), _from_sexagesimal(lon)


def _from_sexagesimal(figure: float) -> float:
    """50.5405, read as 50 degrees, 54 minutes, 5 seconds."""
    degrees, rest = divmod(round(figure * 10_000), 10_000)
    minutes, seconds = divmod(rest, 100)
    return round(degrees + minutes / 60 + seconds / 3600, 5)
