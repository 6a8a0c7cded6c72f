"""``inland pack list``, ``show``, ``verify`` and ``site``: what packs and identities say."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from policy.identities import knowledge
from policy.identity import decode, letter_of
from policy.pack_files import read_octets
from policy.sphere import SPEEDS, greatest_rtt_ms
from resolver.cli.options import Json
from resolver.config_units import zone_text
from resolver.errors import SourceError
from resolver.limits import PACK_OCTETS_MAX
from resolver.model import address_from_text
from resolver.pack import City, Pack, read_pack
from resolver.pack_store import read_signed, shipped, shipped_names
from resolver.signed_note import BadNote, PublicKey, read_public

Keys = Annotated[
    list[str], typer.Option("--key", metavar="KEY", help="Public key that is trusted; repeatable.")
]


def list_packs(as_json: Json = False) -> None:
    """List the packs inside the program, with version, date and hash."""
    packs = [found.pack for name in shipped_names() if (found := shipped(name))]
    if as_json:
        typer.echo(json.dumps([_head(pack) for pack in packs], indent=2, ensure_ascii=False))
        return
    for pack in packs:
        typer.echo(
            f"{pack.name:<10} {pack.version}  {pack.made}  {','.join(pack.home):<10}"
            f"  sha256:{pack.sha256[:16]}  {pack.title}"
        )


def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A shipped pack, or a file.")],
    as_json: Json = False,
) -> None:
    """Show a pack: its sources, zones, cities with what an RTT proves there, and mirrors.

    A file is read and checked, but whether it is signed is not looked at.
    """
    pack = _pack(name)
    if as_json:
        cities = [city.model_dump(mode="json") | _bounds(city) for city in pack.cities.values]
        report = _head(pack) | {
            "tlds": [zone_text(entry.zone) for entry in pack.tlds.values],
            "zones": [zone_text(zone) for zone in pack.zones.values],
            "cities": cities,
            "mirrors": [mirror.model_dump() for mirror in pack.mirrors.values],
            "sources": {key: it.model_dump(mode="json") for key, it in pack.sources.items()},
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{pack.title} ({', '.join(pack.home)}), version {pack.version} of {pack.made}")
    typer.echo(f"sha256 {pack.sha256}")
    typer.echo(
        f"top-level domains: {' '.join(zone_text(entry.zone) for entry in pack.tlds.values)}"
    )
    typer.echo(f"zones: {' '.join(zone_text(zone) for zone in pack.zones.values) or '(none)'}")
    count = sum(len(mirror.identities) for mirror in pack.mirrors.values)
    letters = sorted({mirror.root for mirror in pack.mirrors.values})
    typer.echo(f"root server instances in home: {count} of {' '.join(letters) or '(none)'}")
    for key, source in pack.sources.items():
        typer.echo(
            f"source {key}: {source.title}, {source.edition} ({source.date}; {source.terms})"
        )
    _table(pack)


def _table(pack: Pack) -> None:
    table = Table(
        title="\nGreatest RTT that proves inside, from anywhere in the city",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("City", "Airport", "Border km", "Nearest", "Strict ms", "Fibre ms"):
        justify: JustifyMethod = "right" if heading.endswith(("km", "ms")) else "left"
        table.add_column(heading, no_wrap=True, justify=justify)
    for city in pack.cities.values:
        proves = [f"{ms:.2f}" if ms else "-" for ms in _bounds(city)["greatest_rtt_ms"].values()]
        table.add_row(city.name, city.airport, f"{city.border:.0f}", city.nearest, *proves)
    Console().print(table)


def _bounds(city: City) -> dict[str, dict[str, float]]:
    found = {
        grade: round(greatest_rtt_ms(city.border, city.uncertainty, grade), 4) for grade in SPEEDS
    }
    return {"greatest_rtt_ms": found}


def _head(pack: Pack) -> dict[str, object]:
    return {
        "name": pack.name,
        "title": pack.title,
        "version": pack.version,
        "made": pack.made.isoformat(),
        "home": list(pack.home),
        "sha256": pack.sha256,
    }


def _pack(name: str) -> Pack:
    if found := shipped(name):
        return found.pack
    path = Path(name)
    if not path.exists():
        names = ", ".join(shipped_names())
        raise SourceError(f"no pack {name} is shipped and there is no such file; shipped: {names}")
    return read_pack(read_octets(path, PACK_OCTETS_MAX), name)


def verify_pack(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A pack; its signature is FILE.sig.")
    ],
    key: Keys,
) -> None:
    """Check a pack and its signature against the keys that are trusted.

    Exit code: 0 when it is signed by one of them, 1 when not.
    """
    found = read_signed(file, [trusted(text) for text in key])
    pack = found.pack
    typer.echo(f"{file}: {pack.name} version {pack.version} of {pack.made}, {found.origin}")


def trusted(text: str) -> PublicKey:
    """A key from the command line. Raises ``SourceError``."""
    try:
        return read_public(text)
    except BadNote as error:
        raise SourceError(str(error)) from None


def site(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of the server.")],
    identity: Annotated[
        str,
        typer.Argument(metavar="IDENTITY", help="What it says: NSID, id.server, hostname.bind."),
    ],
    as_json: Json = False,
) -> None:
    """Decode what a server says of itself. It is a claim, not a proof.

    Exit code: 0 when it can be told, 1 when not.
    """
    try:
        packed = address_from_text(address)
    except ValueError:
        raise typer.BadParameter(f"{address!r} is not an IP address") from None
    found = decode(packed, identity, knowledge())
    if found is None:
        known = "the identity is not in its form" if letter_of(packed) else "no known operator"
        raise SourceError(f"{address} {identity!r}: nothing can be told ({known})")
    if as_json:
        report = {name: getattr(found, name) for name in found.__slots__}
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    at = f" ({found.at[0]:.2f}, {found.at[1]:.2f})" if found.at else ""
    where = ", ".join(part for part in (found.town, found.airport, found.country) if part)
    typer.echo(f"{found.operator}: {where}{at}, by {found.how}; a claim, not a proof")
