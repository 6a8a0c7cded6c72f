"""Domain names as the core handles them: uncompressed wire form, lower case.

A :data:`Name` is what stands on the wire (RFC 1035 section 3.1) with ASCII letters in lower case
(RFC 4343), so equality, hashing and suffix tests are those of ``bytes``. The case that a client
used is kept by the listener and put back into the reply there.

Limitations: presentation form follows RFC 1035 section 5.1 (``\\DDD`` and ``\\X`` escapes);
internationalised names are taken and shown as A-labels.
"""

from collections.abc import Iterator
from typing import Final, NewType

from resolver.errors import BadName

Name = NewType("Name", bytes)
"""An absolute domain name: length-prefixed labels in lower case, ending with the root's zero."""

ROOT: Final = Name(b"\0")
OCTETS_MAX: Final = 255  # RFC 1035 section 2.3.4
LABEL_MAX: Final = 63


def from_text(text: str) -> Name:
    """The name that presentation form spells; relative forms are taken as absolute.

    Raises:
        BadName: empty label, label over 63 octets, name over 255 octets, bad escape.
    """
    if text in (".", ""):
        return ROOT
    wire = bytearray()
    label = bytearray()
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        at += 1
        if char == ".":
            _append_label(wire, label, text)
            label = bytearray()
        elif char == "\\":
            octet, at = _escape(text, at)
            label.append(octet)
        elif char.isascii():
            label.append(ord(char))
        else:
            raise BadName(f"{text!r}: write internationalised names as A-labels (xn--…)")
    if label:
        _append_label(wire, label, text)
    wire.append(0)
    if len(wire) > OCTETS_MAX:
        raise BadName(f"{text!r}: longer than {OCTETS_MAX} octets")
    return Name(bytes(wire).lower())


def _append_label(wire: bytearray, label: bytearray, text: str) -> None:
    if not label:
        raise BadName(f"{text!r}: empty label")
    if len(label) > LABEL_MAX:
        raise BadName(f"{text!r}: label longer than {LABEL_MAX} octets")
    wire.append(len(label))
    wire += label


def _escape(text: str, at: int) -> tuple[int, int]:
    digits = text[at : at + 3]
    if len(digits) == 3 and digits.isascii() and digits.isdigit():
        if int(digits) > 255:
            raise BadName(f"{text!r}: \\{digits} is not an octet")
        return int(digits), at + 3
    if at < len(text) and text[at].isascii() and not text[at].isdigit():
        return ord(text[at]), at + 1
    raise BadName(f"{text!r}: bad escape")


def from_wire(wire: bytes) -> Name:
    """Check an uncompressed wire name and bring it to lower case.

    Raises:
        BadName: torn, compressed or too long.
    """
    at, end = 0, len(wire) - 1
    while at < end and (length := wire[at]):
        if length > LABEL_MAX:
            raise BadName("compressed or reserved label in a stored name")
        at += 1 + length
    if at != end or wire[end] or end >= OCTETS_MAX:
        raise BadName("torn name")
    return Name(wire.lower())


def lower(wire: bytes) -> bytes:
    """ASCII lower case of a wire name; length octets (at most 63) are below every letter."""
    return wire.lower()


def to_text(name: Name) -> str:
    """Presentation form with the final dot, escaped as RFC 1035 section 5.1 says."""
    if name == ROOT:
        return "."
    return "".join(_label_text(label) + "." for label in labels(name))


def _label_text(label: bytes) -> str:
    out = []
    for octet in label:
        char = chr(octet)
        if char in '."\\;()@$':
            out.append("\\" + char)
        elif 0x21 <= octet <= 0x7E:
            out.append(char)
        else:
            out.append(f"\\{octet:03d}")
    return "".join(out)


def labels(name: Name) -> tuple[bytes, ...]:
    """Labels from the left, the root's empty one left out."""
    out = []
    at = 0
    while length := name[at]:
        out.append(name[at + 1 : at + 1 + length])
        at += 1 + length
    return tuple(out)


def label_count(name: Name) -> int:
    """Number of labels without the root's."""
    count = at = 0
    while length := name[at]:
        count += 1
        at += 1 + length
    return count


def parent(name: Name) -> Name:
    """The name one label up; the root is its own parent."""
    return name if name == ROOT else Name(name[1 + name[0] :])


def ancestors(name: Name) -> Iterator[Name]:
    """The name itself, then each name above it, down to the root."""
    while name != ROOT:
        yield name
        name = Name(name[1 + name[0] :])
    yield ROOT


def is_subdomain(name: Name, zone: Name) -> bool:
    """Whether ``name`` is ``zone`` or below it."""
    excess = len(name) - len(zone)
    if excess < 0 or not name.endswith(zone):
        return False
    at = 0
    while at < excess:
        at += 1 + name[at]
    return at == excess


def suffix(name: Name, count: int) -> Name:
    """The last ``count`` labels of ``name`` (the whole name when it has no more)."""
    for _ in range(label_count(name) - count):
        name = Name(name[1 + name[0] :])
    return name


def replace_suffix(name: Name, old: Name, new: Name) -> Name | None:
    """``name`` with its suffix ``old`` replaced (DNAME, RFC 6672 section 2.2).

    Returns ``None`` when the result would be over 255 octets.
    """
    out = Name(name[: len(name) - len(old)] + new)
    return out if len(out) <= OCTETS_MAX else None


def wildcard(name: Name) -> Name:
    """``*.name``."""
    return Name(b"\x01*" + name)
