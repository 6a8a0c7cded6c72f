"""What a running server has measured of addresses, for ``inland where``.

Responsible for asking it over the control socket of the configuration, and for words.

Limitations: without a running server nothing has been measured.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, final

from policy.border import Policy
from policy.findings import Published
from policy.verdict import Claim, Proof
from resolver.config import load
from resolver.control import request
from resolver.errors import ControlError
from resolver.model import Address, address_text

_SECONDS = 5.0
"""Longest wait for the server: it answers at once or it is in trouble."""
_ASK_SECONDS = 30.0
"""With questions to the address itself: three, each tried twice for three seconds."""


@final
class Measured:
    """Asks the server that runs under a configuration, as long as there is one."""

    def __init__(self, config: Path | None, ask: bool = False) -> None:
        self._socket = load(config).control.socket if config is not None else None
        self._asks = ask
        self._known: dict[Address, dict[str, Any] | None] = {}

    def of(self, address: Address) -> dict[str, Any] | None:
        """What the server knows; ``None``: no server can be asked.

        Raises:
            ControlError: it is to ask the address who it is, and cannot be reached or says no.
        """
        if address not in self._known:
            self._known[address] = self._ask(address)
        return self._known[address]

    def _ask(self, address: Address) -> dict[str, Any] | None:
        if self._socket is None:
            if self._asks:
                raise ControlError("--ask is done by a running server: give its control.socket")
            return None
        try:
            known = by_server(self._socket, address_text(address), self._asks)["proof"]
        except ControlError:
            if self._asks:
                raise
            self._socket = None
            return None
        assert isinstance(known, dict)
        return known

    def take_in(self, policy: Policy, address: Address) -> Policy:
        """The policy, with what the server has found out about the address."""
        known = self.of(address)
        found = known.get("finding") if known is not None else None
        if found is None:
            return policy
        kind = Proof if found["kind"] == "proof" else Claim
        published = Published(lambda: 0.0)
        published.publish(
            address, kind(found["country"], found["detail"], max(1.0, found["expires_in"]))
        )
        return replace(policy, findings=published)


def by_server(socket: Path, asked: str, ask: bool) -> dict[str, Any]:
    """The row of an address as the running server sees it. Raises ``ControlError``."""
    command = {"command": "where", "address": asked, "ask": ask}
    known = request(socket, command, _ASK_SECONDS if ask else _SECONDS)
    row: dict[str, Any] = known.pop("where")
    return row | {"proof": known}


def said_in_words(known: object) -> str:
    """Lines for the table: what the server said when it was asked who it is."""
    if not isinstance(known, dict):
        return ""
    lines = []
    for one in known.get("said", ()):
        text = f"{one['asked']}: {one['text'] or one['outcome']}"
        if one["nsid"] is not None:
            text += f", NSID {one['nsid']}"
        if one["claims"] is not None:
            text += f", claims {one['claims']}"
        lines.append(f"\n{text}, {one['rtt_ms']} ms")
    return "".join(lines)


def proof_in_words(known: object) -> str:
    """Lines for the table."""
    if not isinstance(known, dict):
        return ""
    lines = [f"\nproof: {known['here']}"]
    for it in known["identities"]:
        text = f"identity {it['identity']}: {it['state']}"
        if it["state"] == "proven":
            text += f" ({it['grade']}), ends in {it['expires_in']:.0f} s"
        text += f", least round trip {it['least_rtt_ms']} ms of {it['samples']} replies"
        if it["claim"]:
            rejected = ", rejected: light needs longer" if it["rejected"] else ""
            text += f", claims {it['claim']}{rejected}"
        lines.append(text)
    if known["finding"] and known["finding"]["kind"] == "proof":
        lines.append(f"limit: {known['limit']}")
    return "\n".join(lines)
