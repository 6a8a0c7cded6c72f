"""Which country pack is used: shipped ones, signed ones from elsewhere, and the last good one.

Responsible for trust. A pack inside the installed program is trusted as the program is. A pack from
a folder of the operator's needs a signature by one of the keys that the operator configured; it is
refused when it is torn, unsigned, altered, or older than one that was good before, and then the
newest good one stays in use: the copy kept in the state directory, or the shipped one.

A signature is a signed note (``resolver/signed_note.py``) in ``NAME.yaml.sig`` whose text names the
pack, its version and its hash, so that neither file can be exchanged for an older or another one.

Limitations: a key that leaves the configuration takes with it what it signed.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from policy.pack_files import read_octets
from policy.whole_file import replace
from resolver.errors import ConfigError, SourceError, StateError
from resolver.limits import NOTE_OCTETS_MAX, PACK_OCTETS_MAX
from resolver.pack import Pack, read_pack
from resolver.signed_note import BadNote, PrivateKey, PublicKey, sign, verify

_TITLE = "inland country pack"
_STATE = b"inland pack state 1\n"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The pack in use, what it came from, and why another one was not taken."""

    pack: Pack
    origin: str
    octets: bytes
    note: bytes | None  # its signature, unless it was shipped
    refused: str | None = None


def shipped_names() -> list[str]:
    """Names of the packs inside the program."""
    folder = resources.files("resolver").joinpath("data/packs")
    files = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


def shipped(name: str) -> Chosen | None:
    """The pack of this name inside the program, or ``None``."""
    if name not in shipped_names():
        return None
    file = resources.files("resolver").joinpath(f"data/packs/{name}.yaml")
    octets = file.read_bytes()
    return Chosen(read_pack(octets, f"shipped pack {name}"), "shipped", octets, None)


def choose(name: str, folder: Path | None, keys: Sequence[PublicKey], state: Path | None) -> Chosen:
    """The pack to use. ``folder``: where signed packs are looked for (``None``: shipped only).

    Raises ``SourceError``: no good pack of this name.
    """
    fallback = shipped(name)
    if folder is None:
        if fallback is None:
            raise SourceError(f"no pack {name} is shipped; there are {', '.join(shipped_names())}")
        return fallback
    kept, trouble = None, None
    try:
        kept = _kept(name, keys, state)
    except (StateError, SourceError) as error:
        trouble = str(error)
    if kept is not None and (fallback is None or kept.pack.version >= fallback.pack.version):
        fallback = kept
    try:
        fresh = read_signed(folder / f"{name}.yaml", keys)
        _check_newer(fresh, name, fallback)
    except SourceError as error:
        words = "; ".join(part for part in (str(error), trouble) if part)
        if fallback is None:
            raise SourceError(f"{words}; and there is no good one to use instead") from None
        pack, origin = fallback.pack, fallback.origin
        refused = f"{words}; in use is version {pack.version} ({origin})"
        return Chosen(pack, origin, fallback.octets, fallback.note, refused)
    return fresh


def read_signed(path: Path, keys: Sequence[PublicKey]) -> Chosen:
    """A pack with its signature beside it. Raises ``SourceError``."""
    octets = read_octets(path, PACK_OCTETS_MAX)
    note = read_octets(path.with_name(path.name + ".sig"), NOTE_OCTETS_MAX)
    return _verified(octets, note, keys, str(path), "signed")


def _verified(
    octets: bytes, note: bytes, keys: Sequence[PublicKey], source: str, origin: str
) -> Chosen:
    # The hash comes before the reading: what is not signed is not looked at.
    try:
        text, key = verify(note, keys)
    except BadNote as error:
        raise SourceError(f"{source}: {error}") from None
    if hashlib.sha256(octets).hexdigest() != text.removesuffix("\n").rpartition("\n")[2]:
        raise SourceError(f"{source}: not the file that {key.name} signed (torn or altered)")
    try:
        pack = read_pack(octets, source)
    except ConfigError as error:
        raise SourceError("; ".join(str(error).splitlines())) from None
    if text != statement(pack):
        raise SourceError(f"{source}: the signature is for another name or version")
    return Chosen(pack, f"{origin} by {key.name}", octets, note)


def _check_newer(fresh: Chosen, name: str, last: Chosen | None) -> None:
    pack = fresh.pack
    if pack.name != name:
        raise SourceError(f"{name}.yaml: holds the pack {pack.name}")
    if last is None:
        return
    if pack.version < last.pack.version:
        raise SourceError(
            f"{name}.yaml: version {pack.version} is older than {last.pack.version}, seen before"
        )
    if pack.version == last.pack.version and pack.sha256 != last.pack.sha256:
        raise SourceError(f"{name}.yaml: not the same content as version {pack.version} before")


def statement(pack: Pack) -> str:
    """What is signed: four lines."""
    return f"{_TITLE}\n{pack.name}\n{pack.version}\n{pack.sha256}\n"


def signature(pack: Pack, key: PrivateKey) -> bytes:
    """The content of the file beside a pack."""
    return sign(statement(pack), key)


# --- The last good one ----------------------------------------------------------------------------


def _file(state: Path, name: str) -> Path:
    return state / "packs" / f"{name}.pack"


def _kept(name: str, keys: Sequence[PublicKey], state: Path | None) -> Chosen | None:
    """The copy in the state directory, verified again. Raises ``StateError``, ``SourceError``."""
    if state is None or not (path := _file(state, name)).exists():
        return None
    octets = read_octets(path, PACK_OCTETS_MAX + NOTE_OCTETS_MAX + 100)
    head, _, rest = octets.partition(b"\n")
    if head + b"\n" != _STATE:
        raise StateError(f"{path}: not a state file of version 1")
    length, _, rest = rest.partition(b"\n")
    if not length.isdigit() or len(length) > 9 or int(length) > len(rest):
        raise StateError(f"{path}: torn")
    note, pack = rest[: int(length)], rest[int(length) :]
    return _verified(pack, note, keys, str(path), "kept, signed")


def keep(chosen: Chosen, state: Path | None) -> None:
    """Keep a signed pack as the last good one, in place of the one before: whole or not at all.

    Raises ``OSError`` when the directory cannot be written.
    """
    if state is None or chosen.note is None:
        return
    path = _file(state, chosen.pack.name)
    octets = b"%s%d\n%s%s" % (_STATE, len(chosen.note), chosen.note, chosen.octets)
    with contextlib.suppress(OSError):
        if path.read_bytes() == octets:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, octets)
