"""The listener, in native: clients over UDP and TCP; hits never come here, misses do.

RFC 1035 section 4.2, RFC 7766. Access list, malformed packets and questions that need no
resolution are dealt with in native and counted there.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, final

from resolver import _native
from resolver.cache import Answer, AnswerKey, AnswerStore, new_key
from resolver.counters import TRANSPORTS, Clock, Counters
from resolver.model import Address, ClientContext, address_text
from resolver.names import Name
from resolver.quick import new_client, new_question


class Miss(NamedTuple):
    """A client's question that the answer cache could not answer. Its token is answered once."""

    token: int
    key: AnswerKey
    rclass: int
    recursion: bool  # RD was set
    client: ClientContext
    generation: int = 0  # of the policy that its view is of


_new_miss: Final[Callable[[tuple[int, AnswerKey, int, bool, ClientContext, int]], Miss]] = partial(
    tuple.__new__, Miss
)


def miss_from_tuple(miss: "_native.MissTuple") -> Miss:
    """Read a miss as native tells it."""
    token, name, rtype, rclass, recursion, do, cd, transport, address, view, generation = miss
    return _new_miss(
        (
            token,
            new_key((view, new_question((Name(name), rtype)), do, cd)),
            rclass,
            recursion,
            new_client((TRANSPORTS[transport], Address(address), view)),
            generation,
        )
    )


@final
class Listener:
    """Client sockets, bound and served at once. Times in seconds, sizes in octets.

    Raises:
        OSError: an address cannot be bound; the error names it.
    """

    def __init__(
        self,
        clock: Clock,
        answers: AnswerStore,
        counters: Counters,
        *,
        addresses: Sequence[tuple[str, int]],
        allow: Sequence[str],
        workers: int,
        misses_max: int,
        udp_payload_max: int,
        tcp_connections_max: int,
        tcp_per_client_max: int,
        tcp_idle: float,
        plans: _native.Plans | None = None,
    ) -> None:
        self._native = _native.Listener(
            clock,
            answers.native,
            counters.native,
            addresses,
            allow,
            workers,
            misses_max,
            udp_payload_max,
            tcp_connections_max,
            tcp_per_client_max,
            tcp_idle,
            plans,
        )

    def fileno(self) -> int:
        """Readable when misses wait."""
        return self._native.fileno()

    def addresses(self) -> list[tuple[str, int]]:
        """What was bound, with port 0 resolved."""
        return self._native.addresses()

    def take(self, most: int) -> list[Miss]:
        """At most ``most`` misses, zone after zone, the oldest of each first."""
        return [miss_from_tuple(miss) for miss in self._native.take(most)]

    def reply(self, replies: Sequence[tuple[int, Answer]]) -> None:
        """Send replies in one call; tokens of clients that have gone are ignored."""
        self._native.reply(replies)

    def silence(self, tokens: Sequence[int]) -> None:
        """These clients get no reply."""
        self._native.silence(tokens)

    def set_views(self, rows: Sequence[tuple[str, int]], generation: int) -> None:
        """Put prefixes with the numbers of their views in force, with the generation of their
        policy. Until the answer cache has the same nothing is served from it. Raises
        ``ValueError``."""
        self._native.set_views(rows, generation)

    def view(self, address: Address) -> int:
        """The view of a client."""
        return self._native.view(address)

    def notices_fileno(self) -> int:
        """Readable when notices wait."""
        return self._native.notices_fileno()

    def set_notifiers(self, addresses: Sequence[Address]) -> None:
        """Who may send notices of news in zones (RFC 1996); those of others get NOTIMP."""
        self._native.set_notifiers([address_text(address) for address in addresses])

    def take_notices(self) -> list[tuple[int, Address, bytes]]:
        """Notices since the last call: token, sender, the whole message."""
        taken = self._native.take_notices()
        return [(token, Address(sender), message) for token, sender, message in taken]

    def reply_notices(self, replies: Sequence[tuple[int, bytes]]) -> None:
        """Send replies to notices, as they are."""
        self._native.reply_notices(list(replies))

    def set_access(self, allow: Sequence[str]) -> None:
        """Replace the access list (CIDR). Raises ``ValueError``."""
        self._native.set_access(allow)

    def close(self) -> None:
        """Stop serving and join the threads. Idempotent."""
        self._native.close()
