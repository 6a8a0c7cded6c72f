"""One question to one address, asked until it is answered or given up: the audit's exchanges.

The same turns as in :mod:`resolver.asking`: a lost datagram is sent again, a truncated reply or
one in the wrong letter case is asked for over TCP (RFC 7766 section 5), a server that does not
know EDNS is asked without it (RFC 6891 section 7). A bounded number is under way at once; the
others wait in line. Every exchange carries purpose ``verification``.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from resolver import limits_servers
from resolver.audit.bounds import AUDIT_IN_FLIGHT, AUDIT_TRIES
from resolver.core import Core
from resolver.model import (
    Address,
    Ask,
    Failure,
    Label,
    Message,
    Outcome,
    Purpose,
    Question,
    Rcode,
    Transport,
    Verdict,
)
from resolver.names import Name, label_count
from resolver.response import Broken, Meaning, classify
from resolver.scrub import scrub

Hear = Callable[[Meaning | None, Message], None]
"""Told the end: what the reply means, and the scrubbed reply; ``None``: silence."""

NOTHING = Message(Rcode.SERVFAIL)
_NO_EDNS = (Rcode.FORMERR, Rcode.NOTIMP, Rcode.BADVERS)


@dataclass(slots=True)
class _Letter:
    zone: Name
    address: Address
    question: Question
    label: Label
    hear: Hear
    tries: int = 0
    transport: Transport = Transport.UDP
    edns: bool = True


@final
class Post:
    """All exchanges of one audit. Pure: what is to be sent is fetched, outcomes are handed in."""

    def __init__(self, core: Core, in_flight_max: int = AUDIT_IN_FLIGHT) -> None:
        self._core = core
        self._room = in_flight_max
        self._waiting: deque[_Letter] = deque()
        self._flying: dict[int, _Letter] = {}
        self._tickets = 0
        self._no_edns: set[Address] = set()
        self._silent: set[Address] = set()
        self._spoke: set[Address] = set()
        self.exchanges: Counter[tuple[Verdict, str]] = Counter()
        """Exchanges sent so far, by verdict and country."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return not self._waiting and not self._flying

    def send(
        self, zone: Name, address: Address, question: Question, domestic_known: bool, hear: Hear
    ) -> None:
        """Put a question to an address, asked as a server of ``zone``, in line."""
        label = self._core.policy.label(address, Purpose.VERIFICATION, domestic_known)
        self._waiting.append(_Letter(zone, address, question, label, hear))

    def advance(self) -> list[tuple[int, Ask]]:
        """What is to be sent now, each with its ticket."""
        out = []
        while self._waiting and len(self._flying) < self._room:
            letter = self._waiting.popleft()
            letter.tries += 1
            self._tickets += 1
            self._flying[self._tickets] = letter
            self.exchanges[letter.label.verdict, letter.label.country] += 1
            out.append((self._tickets, self._ask(letter)))
        return out

    def _ask(self, letter: _Letter) -> Ask:
        stream = letter.transport is Transport.TCP
        letter.edns = letter.address not in self._no_edns
        return Ask(
            letter.address,
            letter.question,
            letter.label,
            limits_servers.TCP_SECONDS if stream else limits_servers.EXCHANGE_SECONDS,
            letter.transport,
            letter.edns,
            self._core.settings.randomise_case and not stream,
            needed=label_count(letter.zone) + 1,
        )

    def deliver(self, ticket: int, outcome: Outcome) -> None:
        """The end of one exchange."""
        letter = self._flying.pop(ticket)
        if self._again(letter, outcome):
            self._waiting.append(letter)
            return
        if outcome.message is None:
            self._silent.add(letter.address)
            letter.hear(None, NOTHING)
            return
        settings = self._core.settings
        message = scrub(outcome.message, letter.zone, settings.ttl_max)
        meaning: Meaning = Broken("truncated")
        if not message.truncated:
            meaning = classify(message, letter.zone, letter.question, settings.ttl_negative_max)
        letter.hear(meaning, message)

    def _again(self, letter: _Letter, outcome: Outcome) -> bool:
        """Whether to ask once more, and how."""
        message, udp = outcome.message, letter.transport is Transport.UDP
        if message is None:
            if outcome.failure is Failure.CASE and udp:
                letter.transport = Transport.TCP
                return True
            fresh = letter.address in self._spoke or letter.address not in self._silent
            return letter.tries < (AUDIT_TRIES if fresh else 1)
        self._spoke.add(letter.address)
        if letter.edns and message.edns is None and message.rcode in _NO_EDNS:
            self._no_edns.add(letter.address)
            return True
        if message.truncated and udp:
            letter.transport = Transport.TCP
            return True
        return False
