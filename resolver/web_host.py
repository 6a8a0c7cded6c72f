"""Under which names the exporter may be asked: the check of a request's host (RFC 9110 7.2).

A page from elsewhere can give its own name this machine's address (DNS rebinding), and the browser
then lets it read what is served here. It cannot choose the host that the browser sends: that stays
its own name. So only names that are ours are answered, others get 421 (RFC 9110 section 15.5.20).

Ours are the address that is listened on, ``localhost``, and what ``metrics.names`` lists. Where any
address is listened on, every literal address is ours: rebinding needs a name. Beyond loopback, and
without a list, every name is: who opens the port to a network says with addresses and passwords
who may read, and a Prometheus that asks by name must not go blind. Ports are not compared, since a
forwarded port changes them. Limitations: a request of HTTP/1.0 without a host is let through; no
browser sends one.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import final
from urllib.parse import urlsplit

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")


@final
class Hosts:
    """The hosts that are ours, for who listens on ``address``."""

    def __init__(self, address: str, names: frozenset[str]) -> None:
        bound = ip_address(address)
        self._bound = None if bound.is_unspecified else bound
        self._any = not names and not bound.is_loopback
        self._names = frozenset(_plain(name) for name in names) | {"localhost"}

    def admit(self, target: str, host: str | None) -> bool:
        """Whether a request with this target and this ``Host`` is for us."""
        if "://" in target:  # the absolute form, RFC 9112 section 3.2.2: it goes before the header
            try:
                authority = urlsplit(target).netloc
            except ValueError:
                return False
            if not self._ours(authority):
                return False
        return host is None or self._ours(host)

    def _ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = _plain(found[1])
        literal = _literal(name)
        return (
            self._any
            or name in self._names
            or (literal is not None and self._bound in (None, literal))
        )


def _plain(name: str) -> str:
    """As names are compared: in lower case, without the final dot and without brackets."""
    return name.lower().removesuffix(".").strip("[]")


def _literal(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
