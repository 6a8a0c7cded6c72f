"""Whether a running server answers: its control socket, and each address where clients ask it.

Responsible for what a health check of a container or an anycast announcer needs: the interpreter's
loop turns (it answers over the control socket), and native's threads do (they reply to a question
over UDP). The question has RD clear, so it is answered at once and never makes work (RFC 1035
section 4.1.1). It is asked from the very address that it goes to, so it cannot leave the machine,
and an address that is not on this machine now (anycast that is not announced) is told apart.

Limitations: says nothing of the servers upstream; those that fail are in the metrics.
"""

import errno
import secrets
import socket
import struct
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from resolver.control import request

_HEADER: Final = struct.Struct("!6H")
_ROOT_NS: Final = b"\0" + struct.pack("!2H", 2, 1)
_REPLY: Final = 0x8000
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class State(StrEnum):
    """What became of the question to one address."""

    ANSWERS = "answers"
    SILENT = "silent"
    NOT_HERE = "not on this machine"


class Health(NamedTuple):
    """What was found, address by address."""

    addresses: dict[str, State]

    @property
    def good(self) -> bool:
        """No address is silent."""
        return State.SILENT not in self.addresses.values()


def examine(path: Path, timeout: float) -> Health:
    """Ask the server that holds this control socket. Blocks for ``timeout`` seconds a question.

    Raises:
        ControlError: the control socket does not answer.
    """
    listening = request(path, {"command": "status"}, timeout)["listening"]
    return Health({address: _ask(address, timeout) for address in listening})


def _ask(address: str, timeout: float) -> State:
    host, _, port = address.rpartition(":")
    at = ip_address(host.strip("[]"))
    if at.is_unspecified:
        at = ip_address("127.0.0.1" if at.version == 4 else "::1")
    family = socket.AF_INET if at.version == 4 else socket.AF_INET6
    number = secrets.randbelow(0x10000)
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
            asking.settimeout(timeout)
            asking.bind((str(at), 0))
            asking.connect((str(at), int(port)))
            asking.send(_HEADER.pack(number, 0, 1, 0, 0, 0) + _ROOT_NS)
            reply = asking.recv(4096)
    except OSError as error:
        return State.NOT_HERE if error.errno in _NOT_HERE else State.SILENT
    if len(reply) < _HEADER.size:
        return State.SILENT
    told, flags, *_ = _HEADER.unpack_from(reply)
    return State.ANSWERS if told == number and flags & _REPLY else State.SILENT
