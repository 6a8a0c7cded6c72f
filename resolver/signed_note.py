"""Signed notes: a text with Ed25519 signatures below it, and keys on one line.

Responsible for making, checking and naming them in the form of C2SP ``signed-note``: the text ends
with a line feed; after an empty line come signature lines ``— NAME BASE64``, where the octets are
the key's id (4) and the signature (64) over the text. A public key is ``NAME+ID+BASE64``, a private
one ``PRIVATE+KEY+NAME+ID+BASE64``; the octets are the algorithm (1: Ed25519, RFC 8032) and the key.

Limitations: signatures of unknown keys and algorithms are skipped, as the form demands.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from resolver.limits import NOTE_OCTETS_MAX

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]{1,100}")
_DASH = "\u2014 "


class BadNote(ValueError):
    """A note or a key that cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked by."""

    name: str
    octets: bytes  # 32

    @property
    def id(self) -> bytes:
        """The first 4 octets of the hash of name, line feed, algorithm and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.octets).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(_ED25519 + self.octets)}"


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A key that notes are signed with. Not shown by ``repr``."""

    name: str
    octets: bytes  # 32, the seed

    @property
    def public(self) -> PublicKey:
        key = Ed25519PrivateKey.from_private_bytes(self.octets).public_key()
        return PublicKey(self.name, key.public_bytes_raw())

    def text(self) -> str:
        """The line that is kept in a file."""
        return f"PRIVATE+KEY+{self.name}+{self.public.id.hex()}+{_base64(_ED25519 + self.octets)}"


def make_key(name: str) -> PrivateKey:
    """A new key. Raises ``BadNote`` for a name with white space or a plus sign."""
    if not (_NAME.fullmatch(name) and name.isprintable()):
        raise BadNote(f"not the name of a key: {name!r}")
    return PrivateKey(name, Ed25519PrivateKey.generate().private_bytes_raw())


def read_public(text: str) -> PublicKey:
    """Read ``NAME+ID+BASE64``. Raises ``BadNote``."""
    name, octets, stated = _key(text, text.strip())
    key = PublicKey(name, octets)
    if key.id != stated:
        raise BadNote(f"the id of key {name} does not fit its octets: a slip in copying?")
    return key


def read_private(text: str) -> PrivateKey:
    """Read the line of a private key. Raises ``BadNote`` without showing it."""
    prefix = "PRIVATE+KEY+"
    if not text.strip().startswith(prefix):
        raise BadNote("not a private key: it begins with PRIVATE+KEY+")
    name, octets, stated = _key("a private key", text.strip().removeprefix(prefix))
    key = PrivateKey(name, octets)
    if key.public.id != stated:
        raise BadNote(f"the id of private key {name} does not fit its octets")
    return key


def sign(text: str, key: PrivateKey) -> bytes:
    """A note of ``text``, which ends with a line feed."""
    assert text.endswith("\n")
    signature = Ed25519PrivateKey.from_private_bytes(key.octets).sign(text.encode())
    return f"{text}\n{_DASH}{key.name} {_base64(key.public.id + signature)}\n".encode()


def verify(note: bytes, keys: Iterable[PublicKey]) -> tuple[str, PublicKey]:
    """The text of a note and the first of ``keys`` that signed it.

    Raises ``BadNote``: no note, no signature by any of the keys, or one that is wrong.
    """
    if len(note) > NOTE_OCTETS_MAX:
        raise BadNote(f"{len(note)} octets, more than a signed note has")
    try:
        text, _, tail = note.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError:
        raise BadNote("not a signed note: not UTF-8") from None
    lines = tail.split("\n")
    if not text or lines.pop() != "" or not all(line.startswith(_DASH) for line in lines):
        raise BadNote("not a signed note: expected a text, an empty line and signature lines")
    text += "\n"
    known = {(key.name, key.id): key for key in keys}
    for line in lines:
        name, _, coded = line.removeprefix(_DASH).partition(" ")
        octets = _octets(coded, "the signature")
        key = known.get((name, octets[:4]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.octets).verify(octets[4:], text.encode())
        except InvalidSignature:
            raise BadNote(f"the signature by {name} is wrong") from None
        return text, key
    names = ", ".join(line.removeprefix(_DASH).split(" ")[0] for line in lines)
    raise BadNote(f"signed by {names}, not by a key that is trusted here")


def _key(shown: str, text: str) -> tuple[str, bytes, bytes]:
    parts = text.split("+", 2)
    if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        raise BadNote(f"expected a key such as NAME+0123abcd+BASE64, got {shown[:60]!r}")
    octets = _octets(parts[2], f"key {parts[0]}")
    if len(octets) != 33 or octets[:1] != _ED25519:
        raise BadNote(f"key {parts[0]} is not an Ed25519 key")
    return parts[0], octets[1:], bytes.fromhex(parts[1])


def _octets(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote(f"{what} is not base64") from None


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
