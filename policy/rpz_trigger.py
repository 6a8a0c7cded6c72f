"""What an owner in a response policy zone triggers on.

draft-vixie-dnsop-dns-rpz section 4: the name of the question (4.2), and below the labels
``rpz-client-ip``, ``rpz-ip``, ``rpz-nsdname`` and ``rpz-nsip`` the address of the client, an
address in the answer, the name or an address of a name server. Addresses are written as a prefix
length and the parts of the address, the last first: ``24.0.2.0.192`` is 192.0.2.0/24, and in IPv6
``zz`` stands for the longest run of zeros: ``48.zz.db8.2001`` is 2001:db8::/48.

Limitations: the owners of names of questions are read in native (:mod:`policy.rpz_table`).
"""

import re
from typing import NamedTuple

from resolver.errors import InlandError
from resolver.model import Address, Word
from resolver.names import ROOT, Name, labels, to_text


class Trigger(Word):
    """The kinds, in their order of precedence within a zone (section 5.4)."""

    CLIENT_IP = "client-ip"
    QNAME = "qname"
    IP = "ip"
    NSDNAME = "nsdname"
    NSIP = "nsip"


class BadTrigger(InlandError):
    """An owner that cannot be read as a trigger; the text says why."""


class Prefix(NamedTuple):
    """A prefix: packed address whose bits beyond ``bits`` are zero."""

    address: Address
    bits: int

    @classmethod
    def of(cls, octets: int, bits: int, number: int) -> "Prefix":
        """The prefix whose first ``bits`` bits are ``number``, of an address of so many octets."""
        return cls(Address((number << (8 * octets - bits)).to_bytes(octets)), bits)

    @property
    def specific(self) -> int:
        """How long it is among prefixes of both families (section 5.6: IPv4 lies at /96)."""
        return self.bits + 96 if len(self.address) == 4 else self.bits


class Special(NamedTuple):
    """A trigger that is not of the name of the question: a prefix, or a name of a name server."""

    kind: Trigger
    prefix: Prefix | None
    name: Name | None  # the name, or a wildcard


_PREFIXED = {
    b"rpz-client-ip": Trigger.CLIENT_IP,
    b"rpz-ip": Trigger.IP,
    b"rpz-nsip": Trigger.NSIP,
}
_DECIMAL = re.compile(rb"(0|[1-9][0-9]{0,2})")
_GROUP = re.compile(rb"[0-9a-f]{1,4}")
_ZEROS = b"zz"


def read_special(owner: Name) -> Special:
    """Read an owner, without the name of the zone, whose last label begins with ``rpz-``.

    Raises:
        BadTrigger: a kind that is not known, or not the form that its kind has.
    """
    parts = labels(owner)
    kind, before = parts[-1], parts[:-1]
    if kind == b"rpz-nsdname":
        if not before:
            raise BadTrigger(f"{to_text(owner)} has no name before rpz-nsdname")
        return Special(Trigger.NSDNAME, None, Name(owner[: -len(kind) - 2] + ROOT))
    if kind not in _PREFIXED:
        raise BadTrigger(f"{to_text(owner)}: no such kind of trigger")
    try:
        return Special(_PREFIXED[kind], _prefix(before), None)
    except ValueError as error:
        raise BadTrigger(f"{to_text(owner)}: {error}") from None


def _prefix(parts: tuple[bytes, ...]) -> Prefix:
    if not parts:
        raise ValueError("no address before the kind")
    bits = _number(parts[0], 128, "a prefix length")
    if bits == 0:
        raise ValueError("a prefix length of 0 matches everything")
    backwards = parts[:0:-1]
    # Four parts are IPv4, and so in IPv6 they must have the run of zeros among them.
    if len(backwards) == 4 and _ZEROS not in backwards:
        if bits > 32:
            raise ValueError(f"a prefix length of {bits} in IPv4")
        octets = bytes(_number(part, 255, "a part of an IPv4 address") for part in backwards)
    else:
        octets = _groups(backwards)
    number, beyond = int.from_bytes(octets), 8 * len(octets) - bits
    if number & ((1 << beyond) - 1):
        raise ValueError(f"the address has bits set beyond its prefix length of {bits}")
    return Prefix(Address(octets), bits)


def _groups(parts: tuple[bytes, ...]) -> bytes:
    if parts.count(_ZEROS) > 1:
        raise ValueError("zz stands there more than once")
    if _ZEROS in parts:
        missing = 9 - len(parts)
        if missing < 1:
            raise ValueError("zz beside eight groups")
        at = parts.index(_ZEROS)
        parts = parts[:at] + (b"0",) * missing + parts[at + 1 :]
    if len(parts) != 8:
        raise ValueError("neither four parts of IPv4 nor eight groups of IPv6")
    out = b""
    for part in parts:
        if not _GROUP.fullmatch(part):
            raise ValueError(f"{_shown(part)} is not a group of an IPv6 address")
        out += int(part, 16).to_bytes(2)
    return out


def _number(part: bytes, most: int, what: str) -> int:
    if not _DECIMAL.fullmatch(part) or int(part) > most:
        raise ValueError(f"{_shown(part)} is not {what}")
    return int(part)


def _shown(part: bytes) -> str:
    return repr(part.decode("ascii", "backslashreplace"))


def owner_of(kind: Trigger, prefix: Prefix) -> Name:
    """The owner that a prefix has in a zone, without the zone's name, in its shortest form."""
    label = next(label for label, known in _PREFIXED.items() if known is kind)
    if len(prefix.address) == 4:
        parts = [str(octet) for octet in reversed(prefix.address)]
    else:
        parts = _shortest(prefix.address)
    texts = [str(prefix.bits).encode(), *(part.encode() for part in parts), label]
    return Name(b"".join(bytes([len(text)]) + text for text in texts) + ROOT)


def _shortest(packed: bytes) -> list[str]:
    groups = [int.from_bytes(packed[at : at + 2]) for at in range(0, 16, 2)]
    runs = [(0, 0)]
    for at, group in enumerate(groups):
        start, length = runs[-1]
        if group == 0:
            runs.append((start, length + 1) if start + length == at and length else (at, 1))
    start, length = max(runs, key=lambda run: (run[1], -run[0]))
    texts = [f"{group:x}" for group in groups]
    if length > 1:
        texts[start : start + length] = ["zz"]
    return texts[::-1]
