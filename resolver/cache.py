"""The two native caches: RRsets as facts, and replies ready to send as decisions.

RRsets (RFC 2181, RFC 2308) hold no verdict; replies are held under the generation of the policy
that made them and are never served under another. Both are bounded in octets.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, final

from resolver import _native
from resolver.compose import Sections
from resolver.counters import DESTINATIONS
from resolver.model import (
    IN,
    Address,
    Cached,
    CachedKind,
    Destination,
    Question,
    Rank,
    RRset,
    Security,
)
from resolver.names import Name
from resolver.wire import rrset_from_tuple, rrsets_from_tuples

Answer = _native.Answer
"""A composed reply; ID, RD, CD, letter case, OPT and truncation are added when it is sent."""

_DESTINATION_NUMBER: Final = {destination: at for at, destination in enumerate(DESTINATIONS)}


@final
class RecordStore:
    """:class:`resolver.core.RecordCache` in native. Sizes in octets, TTLs in seconds."""

    def __init__(
        self, bytes_max: int, ttl_max: int, ttl_negative_max: int, stale_max: int = 0
    ) -> None:
        self.native = _native.RecordCache(bytes_max, ttl_max, ttl_negative_max, stale_max)

    def get(self, name: Name, rtype: int, now: float) -> Cached | None:
        """The live entry for name and type; an NXDOMAIN entry answers for every type."""
        return _cached(self.native.get(name, rtype, now))

    def find(self, name: Name, rtype: int, now: float, stale: bool = False) -> Cached | None:
        """What :meth:`get` gives, else a CNAME of the name, else the closest DNAME above it;
        ``stale``: also what is kept past its life, with TTL 0."""
        return _cached(self.native.find(name, rtype, now, stale))

    def addresses(self, names: tuple[Name, ...], now: float) -> Sequence[tuple[bytes, ...]]:
        """Of each name the addresses of its A records, then those of its AAAA records."""
        return self.native.addresses(names, now)

    def put(
        self, rrset: RRset, rank: Rank, security: Security, origin: Address, now: float
    ) -> bool:
        """Store records unless a live entry of better rank stands."""
        return self.native.put(rrset, rank, security, origin, now)

    def put_negative(
        self,
        question: Question,
        kind: CachedKind,
        ttl: int,
        proofs: tuple[RRset, ...],
        security: Security,
        origin: Address,
        now: float,
    ) -> None:
        """Store NODATA for name and type, or NXDOMAIN for the whole name."""
        self.native.put_negative(
            question.name,
            question.rtype,
            kind,
            ttl,
            proofs,
            security,
            origin,
            now,
        )

    def flush(self, name: Name, subtree: bool) -> int:
        """Forget a name (or it and all below); number of entries dropped."""
        return self.native.flush(name, subtree)

    def entries(self) -> int:
        """Entries held now."""
        return self.native.entries()

    def size(self) -> int:
        """Octets held now."""
        return self.native.bytes()


def _cached(found: "_native.CachedTuple | None") -> Cached | None:
    if found is None:
        return None
    kind, rrset, proofs, rank, security, origin = found
    return Cached(
        CachedKind(kind),
        rrset_from_tuple(rrset) if rrset else None,
        rrsets_from_tuples(proofs),
        Rank(rank),
        Security(security),
        Address(origin),
    )


class AnswerKey(NamedTuple):
    """What makes two clients' questions one: they get the same reply and join one lookup."""

    view: int
    question: Question
    do: bool
    cd: bool


new_key: Final[Callable[[tuple[int, Question, bool, bool]], AnswerKey]] = partial(
    tuple.__new__, AnswerKey
)


def build_answer(
    question: Question,
    sections: Sections,
    now: float,
    rclass: int = IN,
    *,
    truncated: bool = False,
) -> _native.Answer:
    """The reply for ``sections``; its TTLs count down from ``now``. ``truncated``: it says that
    there is more over TCP."""
    return _native.Answer(
        question.name,
        question.rtype,
        rclass,
        sections.rcode,
        sections.answer,
        sections.authority,
        (),
        sections.ede,
        now,
        truncated,
    )


@final
class AnswerStore:
    """Replies ready to send, looked up by the listener's threads. ``bytes_max`` in octets."""

    def __init__(self, bytes_max: int) -> None:
        self.native = _native.AnswerCache(bytes_max)

    def put(
        self,
        key: AnswerKey,
        generation: int,
        answer: _native.Answer,
        lifetime: float,
        destination: Destination,
        now: float,
        *,
        stale: bool = False,
        manner: int = 0,
        tag: int = 0,
    ) -> None:
        """Keep ``answer`` for ``lifetime`` seconds, to be served under ``generation`` only. Of
        ``manner`` and ``tag`` see :mod:`resolver.decide` and :mod:`resolver.tags`."""
        self.native.put(
            key.view,
            key.question.name,
            key.question.rtype,
            key.do,
            key.cd,
            generation,
            answer,
            lifetime,
            _DESTINATION_NUMBER[destination],
            now,
            stale,
            manner,
            tag,
        )

    def take_due(self, most: int) -> list[AnswerKey]:
        """Keys of popular answers that end soon, each once."""
        return [
            AnswerKey(view, Question(Name(name), rtype), do, cd)
            for view, name, rtype, do, cd in self.native.take_due(most)
        ]

    def set_generation(self, generation: int) -> None:
        """From now on serve only replies of this generation."""
        self.native.set_generation(generation)

    def flush(self, name: Name, subtree: bool) -> int:
        """Forget a name (or it and all below); number of replies dropped."""
        return self.native.flush(name, subtree)

    def entries(self) -> int:
        """Replies held now."""
        return self.native.entries()

    def size(self) -> int:
        """Octets held now."""
        return self.native.bytes()
