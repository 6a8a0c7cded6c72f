"""From the configuration to its country pack, and from both to the place of the resolver.

Responsible for choosing the pack that ``pack`` names, and for finding out how far the border is
from ``border.place``: by the pack's city, by what the operator states, or by what the cities of the
pack make certain (a place d km from a city is at least the city's distance less d from abroad).

Limitations: the folder of packs and the state directory are read at each call.
"""

from dataclasses import dataclass

from policy.inputs import Mode
from policy.place import Place
from policy.sphere import distance_km, vector
from resolver.config import Config
from resolver.config_packs import PlaceSection
from resolver.errors import ConfigError, Finding, SourceError
from resolver.names import Name
from resolver.pack import Pack
from resolver.pack_store import Chosen, choose, keep


@dataclass(frozen=True, slots=True)
class Ground:
    """What configuration and pack say together of home and the border."""

    home: frozenset[str]
    top_levels: frozenset[Name] | None  # None: by the built-in table
    zones: tuple[Name, ...]
    mode: Mode
    patience: float
    place: Place | None


def ground_of(config: Config) -> Ground:
    """Home, its zones and the place. What the operator wrote counts before the pack's defaults.

    Raises:
        ConfigError: the pack, the city, or a stated country that contradicts the pack's home.
    """
    border = config.border
    try:
        chosen = pack_of(config)
    except SourceError as error:
        raise config.with_lines([Finding("pack", str(error))]) from error
    pack = chosen.pack if chosen is not None else None
    try:
        place = place_of(border.place, pack)
    except SourceError as error:
        raise config.with_lines([Finding("border.place.city", str(error))]) from error
    if pack is None:
        return plain_ground(config, place)
    home = frozenset(pack.home)
    if findings := _contradictions(config, home):
        raise config.with_lines(findings)
    written = border.model_fields_set
    return Ground(
        home,
        frozenset(entry.zone for entry in pack.tlds.values),
        tuple(dict.fromkeys((*border.zones, *pack.zones.values))),
        Mode(border.mode if "mode" in written else pack.rules.mode),
        border.patience if "patience" in written else pack.rules.patience,
        place,
    )


def plain_ground(config: Config, place: Place | None = None) -> Ground:
    """What the configuration says without a pack."""
    border, home = config.border, frozenset(config.home)
    return Ground(home, None, border.zones, Mode(border.mode), border.patience, place)


def _contradictions(config: Config, home: frozenset[str]) -> list[Finding]:
    """Stated countries on the wrong side of the pack's home (of a written home, the reader of the
    configuration tells)."""
    found = []
    for side, entries in (("domestic", config.border.domestic), ("foreign", config.border.foreign)):
        for index, entry in enumerate(entries):
            if entry.country is not None and (entry.country in home) != (side == "domestic"):
                where = "not in home" if side == "domestic" else "in home"
                path = f"border.{side}[{index}].country"
                found.append(Finding(path, f"{entry.country} is {where}, but the prefix is {side}"))
    return found


def pack_of(config: Config) -> Chosen | None:
    """The pack in use; ``None`` when the configuration names none. Raises ``SourceError``."""
    if config.pack is None:
        return None
    packs = config.packs
    try:
        return choose(config.pack, packs.path, packs.keys, config.state.directory)
    except ConfigError as error:  # a shipped one that has been damaged
        raise SourceError("; ".join(str(error).splitlines())) from error


def mirror_letters(config: Config) -> frozenset[str]:
    """Root servers (letters in lower case) of which the pack lists instances in home. For a
    configuration in force."""
    try:
        chosen = pack_of(config)
    except SourceError:  # it was good a moment ago, and pack_warnings says what is wrong now
        return frozenset()
    values = chosen.pack.mirrors.values if chosen is not None else ()
    return frozenset(mirror.root.lower() for mirror in values)


def pack_warnings(config: Config) -> list[str]:
    """Why another pack than the one in the folder is in use. For a configuration in force."""
    try:
        chosen = pack_of(config)
    except SourceError as error:  # it was good a moment ago
        return [f"pack: {error}"]
    return [f"pack: {chosen.refused}"] if chosen is not None and chosen.refused else []


def settle_pack(config: Config) -> list[str]:
    """A configuration is in force now: keep its pack, and say what there is to say of it."""
    return pack_warnings(config) + keep_pack(config)


def keep_pack(config: Config) -> list[str]:
    """Keep the pack of a configuration in force as the last good one; what went wrong, as text. The
    pack is read and verified anew, so one that has come meanwhile is as good."""
    try:
        if (chosen := pack_of(config)) is not None:
            keep(chosen, config.state.directory)
    except (SourceError, OSError) as error:
        return [f"pack: not kept as the last good one: {error}"]
    return []


def place_of(stated: PlaceSection | None, pack: Pack | None) -> Place | None:
    """The place of the resolver. Raises ``SourceError`` for a city that the pack does not have."""
    if stated is None:
        return None
    if stated.city is not None:
        assert pack is not None
        return _in_city(stated.city, pack)
    assert stated.at is not None
    assert stated.uncertainty is not None
    lat, lon = stated.at
    if stated.border is not None:
        return Place(lat, lon, stated.uncertainty, stated.border, "as stated")
    assert pack is not None
    border, name = max(
        (
            (city.border - distance_km(vector(lat, lon), vector(*city.at)), city.name)
            for city in pack.cities.values
        ),
        default=(0.0, "no city"),
    )
    detail = f"at least, by the distance of {name} in pack {pack.name}"
    return Place(lat, lon, stated.uncertainty, round(max(0.0, border), 1), detail)


def _in_city(name: str, pack: Pack) -> Place:
    city = pack.city(name)
    if city is None:
        known = ", ".join(city.name for city in pack.cities.values)
        raise SourceError(f"pack {pack.name} has no city {name!r}; it has {known}")
    return Place(
        *city.at,
        city.uncertainty,
        city.border,
        f"{city.name} by its airport {city.airport}, pack {pack.name} version {pack.version}",
    )
