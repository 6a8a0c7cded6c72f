"""``inland pack build``, ``identities``, ``key`` and ``sign``: make packs and vouch for them."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from policy.pack_files import read_octets
from policy.whole_file import replace
from resolver.cli.pack_distance import codes
from resolver.cli.pack_show import trusted
from resolver.config_units import read_date
from resolver.errors import SourceError
from resolver.limits import NOTE_OCTETS_MAX, PACK_OCTETS_MAX
from resolver.pack import read_pack
from resolver.pack_build import build, identity_table, read_sources
from resolver.pack_store import read_signed, signature
from resolver.signed_note import BadNote, make_key, read_private

Folder = Annotated[
    Path, typer.Option("--sources", metavar="DIR", help="Folder with the files packs are made of.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write.")]


def build_pack(
    home: Annotated[list[str], typer.Argument(metavar="CODE", help="Countries of home.")],
    sources: Folder,
    out: Out,
    name: Annotated[str, typer.Option(help="Name of the pack; default: the sole code.")] = "",
    title: Annotated[str, typer.Option(help="What people call it; default: the name.")] = "",
    made: Annotated[str, typer.Option(metavar="DATE", help="Date; default: today.")] = "",
    version: Annotated[
        int, typer.Option(help="Grows with each edition; default: the date and 01.")
    ] = 0,
) -> None:
    """Build a pack from its sources. The same sources and options give the same octets.

    In the folder: countries-10m.json (Natural Earth as TopoJSON), root-identifiers-*.json and
    idn-cctld.json. Airports come from the package airportsdata.
    """
    chosen = [code for text in home for code in sorted(codes(text))]
    if not name and len(chosen) > 1:
        raise typer.BadParameter("a region needs --name")
    day = _day(made)
    number = version or int(f"{day:%Y%m%d}01")
    name = name or chosen[0]
    text = build(chosen, name, title or name, day, number, read_sources(sources, day))
    pack = read_pack(text.encode(), str(out))
    _write(out, text.encode())
    typer.echo(f"{out}: {pack.name} version {pack.version}, sha256 {pack.sha256}")


def _day(made: str) -> date:
    if not made:
        return datetime.now(UTC).date()
    try:
        return read_date(made)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def identities(sources: Folder, out: Out) -> None:
    """Build the exact table of identities of root server instances."""
    _write(out, identity_table(read_sources(sources, _day(""))).encode())
    typer.echo(f"{out}: written")


def make_key_file(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Who signs, such as packs.example.net.")
    ],
    out: Out,
) -> None:
    """Make a key to sign packs with. The private key goes into FILE, the public one is printed."""
    if out.exists():
        raise SourceError(f"{out}: is there already; a key is never written over")
    try:
        key = make_key(name)
    except BadNote as error:
        raise SourceError(str(error)) from None
    _write(out, (key.text() + "\n").encode(), 0o600)
    typer.echo(str(key.public))


def sign_pack(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The pack; the signature goes into FILE.sig.")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="File of the private key.")],
) -> None:
    """Sign a pack, after checking that it is one."""
    try:
        private = read_private(read_octets(key, NOTE_OCTETS_MAX).decode("ascii", "replace"))
    except BadNote as error:
        raise SourceError(f"{key}: {error}") from None
    pack = read_pack(read_octets(file, PACK_OCTETS_MAX), str(file))
    _write(file.with_name(file.name + ".sig"), signature(pack, private))
    read_signed(file, [trusted(str(private.public))])
    typer.echo(f"{file}.sig: {pack.name} version {pack.version}, signed by {private.public}")


def _write(path: Path, octets: bytes, mode: int | None = None) -> None:
    umask = os.umask(0)
    os.umask(umask)
    try:
        replace(path, octets, mode=0o666 & ~umask if mode is None else mode)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
