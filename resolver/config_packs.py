"""The keys about country packs and about the place where the resolver stands.

Responsible for ``packs`` and ``border.place``, and for what they and ``pack`` need of each other.

Limitations: whether a city is in the pack shows when the pack is read (``resolver/pack_of.py``).
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from resolver.config_base import Section, key
from resolver.config_lines import Path
from resolver.config_units import (
    Coordinates,
    Line,
    OptionalPath,
    Unit,
    distance,
    shown,
)
from resolver.signed_note import BadNote, PublicKey, read_public

Kilometres = Annotated[float, distance(0, 20_100)]


def _public(value: object) -> PublicKey:
    expected = 'a public key, as "inland pack key" prints it'
    if not isinstance(value, str):
        raise ValueError(f"expected {expected}, got {shown(value)}")
    try:
        return read_public(value)
    except BadNote as error:
        raise ValueError(f"{error}; expected {expected}") from None


TrustedKey = Annotated[PublicKey, Unit(_public, {"type": "string"})]


class PacksSection(Section):
    """Country packs from elsewhere than the program itself."""

    path: OptionalPath = key(
        None, "folder with NAME.yaml and its signature NAME.yaml.sig; null: shipped packs only"
    )
    keys: tuple[TrustedKey, ...] = key([], "public keys whose signatures on packs are trusted")


class PlaceSection(Section):
    """Where the resolver stands."""

    city: Line | None = key(None, "a city of the pack, by name or airport code")
    at: Coordinates | None = key(None, "or latitude and longitude in degrees: [19.076, 72.878]")
    uncertainty: Kilometres | None = key(None, "with at: how far the resolver may be from there")
    border: Kilometres | None = key(
        None,
        "with at: distance to the nearest foreign land, as inland pack distance tells it; left out:"
        " what the cities of the pack make certain",
    )


def _together(place: PlaceSection | None) -> PlaceSection | None:
    if place is None:
        return None
    if (place.city is None) == (place.at is None):
        raise ValueError("expected either city or at")
    if place.city is not None and not (place.uncertainty is place.border is None):
        raise ValueError("uncertainty and border of a city are those of the pack; or state at")
    if place.at is not None and place.uncertainty is None:
        raise ValueError("at needs uncertainty: how far the resolver may be from there")
    return place


OptionalPlace = Annotated[PlaceSection | None, AfterValidator(_together)]


def check_home(value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """``home`` comes from a pack or from its own key; what needs a pack has one. Raw values."""
    pack = value.get("pack")
    if "home" not in value and pack is None:
        yield ("home",), 'required, but not there; or name a country pack, such as "pack: IN"'
    if "home" in value and pack is not None:
        yield ("pack",), "home comes from the pack; take one of the two out"
    packs = value.get("packs")
    if isinstance(packs, dict) and packs.get("path") is not None and not packs.get("keys"):
        yield ("packs", "path"), "packs from a folder need packs.keys to check their signatures"
    border = value.get("border")
    place = border.get("place") if isinstance(border, dict) else None
    if isinstance(place, dict) and pack is None:
        if place.get("city") is not None:
            yield ("border", "place", "city"), "a city is looked up in a pack; name one with pack"
        if place.get("at") is not None and place.get("border") is None:
            yield ("border", "place"), "without a pack, border is needed beside at"
