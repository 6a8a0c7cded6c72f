"""What changes while a policy is in force: proofs and claims of instances, and ways to addresses.

Responsible for the two ports through which the policy asks for them at each decision, and for the
map in which whoever proves instances publishes what it has found.

Limitations: a verdict may change between two decisions; whoever counts an exchange keeps the one
that it was sent under.
"""

from collections.abc import Callable
from typing import Protocol, final

from policy.verdict import Claim, Egress, Proof
from resolver.limits import FINDINGS_MAX
from resolver.model import Address


class Findings(Protocol):
    """Proofs and claims that hold now."""

    def of(self, address: Address) -> Proof | Claim | None:
        """What has been found out about the instance behind ``address`` and has not expired."""


class Ways(Protocol):
    """Which interface leads to an address."""

    def to(self, address: Address) -> Egress | None:
        """The way that a datagram would take now; ``None`` when there is none."""


@final
class Published:
    """Findings by address, each until it expires. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[Address, Proof | Claim] = {}

    def publish(self, address: Address, finding: Proof | Claim) -> None:
        """Put in force, in place of what was there. Past the bound what expires first goes."""
        if address not in self._found and len(self._found) >= FINDINGS_MAX:
            now = self._clock()
            self._found = {a: f for a, f in self._found.items() if f.expires > now}
            if len(self._found) >= FINDINGS_MAX:
                del self._found[min(self._found, key=lambda a: self._found[a].expires)]
        self._found[address] = finding

    def withdraw(self, address: Address) -> None:
        """Take back what was published, such as when the identity has changed."""
        self._found.pop(address, None)

    def of(self, address: Address) -> Proof | Claim | None:
        """What holds now."""
        finding = self._found.get(address)
        return finding if finding is not None and finding.expires > self._clock() else None
