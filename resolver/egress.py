"""Which interface leads to an address: the kernel's own answer, remembered for some seconds.

Responsible for asking the kernel (rtnetlink, RTM_GETROUTE) which route a datagram to an address
would take now, with the rules and tables that would apply to it, and for handing the policy what
the operator states of that interface. Nothing is sent anywhere: the socket ends in the kernel.

Limitations: Linux only; without rtnetlink there are no ways. Next hops that share a route by weight
are told as the one that this address would take.
"""

import contextlib
import socket
import struct
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import final

from policy.border import Policy
from policy.verdict import Egress
from resolver.limits import EGRESS_MAX, EGRESS_SECONDS
from resolver.model import Address, Verdict

_RTM_GETROUTE, _RTM_NEWROUTE = 26, 24
_NLM_F_REQUEST = 1
_RTA_DST, _RTA_OIF = 1, 4
_RTM_F_FIB_MATCH = 0x2000  # tell the route that matched, not the answer made from it
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg
_ATTRIBUTE = struct.Struct("=HH")  # rtattr
_REPLY_MAX = 8192


@final
class KernelWays:
    """Ways by the kernel's routes. ``stated``: what the operator states of interfaces; ``clock``
    gives seconds."""

    def __init__(self, stated: Mapping[str, Verdict], clock: Callable[[], float]) -> None:
        self._stated = dict(stated)
        self._clock = clock
        self._known: dict[Address, tuple[float, Egress | None]] = {}
        self._socket: socket.socket | None = None
        with contextlib.suppress(OSError, AttributeError):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
            )
            self._socket.settimeout(1.0)  # the kernel answers at once
            weakref.finalize(self, self._socket.close)

    def to(self, address: Address) -> Egress | None:
        """The way to ``address``; ``None`` when nothing leads there."""
        now = self._clock()
        known = self._known.get(address)
        if known is not None and known[0] > now:
            return known[1]
        if len(self._known) >= EGRESS_MAX:
            self._known.clear()
        egress = None
        with contextlib.suppress(OSError, struct.error):
            egress = self._ask(address)
        self._known[address] = now + EGRESS_SECONDS, egress
        return egress

    def _ask(self, address: Address) -> Egress | None:
        if self._socket is None:
            return None
        family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
        body = _ROUTE.pack(family, 8 * len(address), 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(address), _RTA_DST) + address
        length = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(length, _RTM_GETROUTE, _NLM_F_REQUEST, 0, 0) + body)
        return self._read(self._socket.recv(_REPLY_MAX))

    def _read(self, reply: bytes) -> Egress | None:
        length, kind, *_ = _HEADER.unpack_from(reply)
        if kind != _RTM_NEWROUTE:
            return None  # an error: no route
        matched = _ROUTE.unpack_from(reply, _HEADER.size)[1]
        at, end = _HEADER.size + _ROUTE.size, min(length, len(reply))
        while at + _ATTRIBUTE.size <= end:
            size, attribute = _ATTRIBUTE.unpack_from(reply, at)
            if attribute == _RTA_OIF:
                (index,) = struct.unpack_from("=I", reply, at + _ATTRIBUTE.size)
                name = socket.if_indextoname(index)
                return Egress(name, self._stated.get(name), is_default=matched == 0)
            at += max(size + 3 & ~3, _ATTRIBUTE.size)
        return None


def with_ways(policy: Policy, clock: Callable[[], float]) -> Policy:
    """The policy, asking the kernel for ways when the operator states something of interfaces."""
    if not policy.interfaces:
        return policy
    return replace(policy, ways=KernelWays(dict(policy.interfaces), clock))
