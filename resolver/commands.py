"""What the running resolver does when it is asked over the control socket: where an address is by
what is in force now, proofs and ways included; what a lookup takes that begins now; to forget.

Limitations: a lookup begins with what the resolver remembers; asked anew is the name itself only.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast, final

from policy.border import Policy
from resolver import identify
from resolver.cache import AnswerStore, RecordStore
from resolver.control import Command
from resolver.core import Core
from resolver.counters import Clock
from resolver.decide import Decider
from resolver.errors import BadName, ControlError
from resolver.mirrors.wire import Wire
from resolver.model import (
    Address,
    Books,
    Purpose,
    Question,
    Rcode,
    Result,
    Type,
    address_from_text,
    address_text,
)
from resolver.names import ROOT, Name, ancestors, from_text, label_count, to_text
from resolver.once import look_up_once
from resolver.prove import Prover
from resolver.resolve import Driver
from resolver.shown import Explanation, located, told_of

_log = logging.getLogger("inland")


class Running(NamedTuple):
    """The parts of a running resolver that commands work with. ``told``: of lookups that cost an
    exchange, which are work without a client."""

    core: Core
    answers: AnswerStore
    records: RecordStore
    prover: Prover
    driver: Driver
    clock: Clock
    wire: Wire
    told: Callable[[Question, Purpose, Result, Books], None]


@final
class Commands:
    """Commands about one running resolver."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def all(self) -> dict[str, Command]:
        """By name, as the control socket wants them."""
        return {"where": self.where, "explain": self.explain, "flush": self.flush}

    @property
    def _policy(self) -> Policy:
        """The one in force: what the core knows by what it asks of it."""
        return cast(Policy, self._running.core.policy)

    async def where(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``where``: the verdict on an address, and what was measured of it. With ``ask`` the
        server there is asked who it is, wherever it stands.

        Raises:
            ControlError: it is no address, or one that must not be asked.
        """
        text = str(request.get("address"))
        try:
            address = address_from_text(text)
        except ValueError as error:
            raise ControlError("where: give an address") from error
        said = await self._identify(address) if request.get("ask") is True else {}
        shown = self._running.prover.shown(address)
        return shown | said | {"where": located(self._policy, text, address)}

    async def _identify(self, address: Address) -> dict[str, Any]:
        running, policy = self._running, self._policy
        if not running.core.usable((address,)):
            raise ControlError(f"where: {address_text(address)} is never asked")
        label = policy.label(address, Purpose.VERIFICATION, domestic_known=False)
        said, books = await identify.identify(running.wire, address, label, policy.tier(address))
        if books.exchanges:
            ended = Result(Rcode.NOERROR, cacheable=False)
            running.told(identify.BOOKED, Purpose.VERIFICATION, ended, books)
        return {"said": await identify.shown(address, said)}

    async def explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``explain``: a lookup that begins now, and every exchange that it takes. With ``anew``
        the name is asked for even when it is remembered, with purpose ``verification``.

        Raises:
            ControlError: there is no such question.
        """
        running, question = self._running, _question(request)
        purpose = Purpose.VERIFICATION if request.get("anew") is True else Purpose.ANSWER
        began = running.clock.now()
        decider = cast("Decider | None", running.core.decider)
        once = await look_up_once(running.driver, decider, question, running.clock, purpose)
        result, books = once.result, once.books
        if books.exchanges:
            running.told(question, purpose, result, books)
        seconds = running.clock.now() - began
        told = Explanation(result, books, self._policy, seconds, once.effect, once.case)
        return told_of(told, question) | {"plan": self._plan(question.name)}

    def _plan(self, name: Name) -> dict[str, Any] | None:
        """What native may do by itself for a name now; ``None``: nothing."""
        running = self._running
        now, planner = running.clock.now(), running.core.planner
        cut = next(filter(None, (running.core.cuts.get(at, now) for at in ancestors(name))), None)
        plan = planner.current(cut.zone) if cut is not None else None
        if plan is None or plan.expires <= now:
            return None
        if not plan.any_depth and label_count(name) > label_count(plan.zone) + 1:
            return None
        keys = plan.proven
        return {
            "zone": to_text(plan.zone),
            "servers": [address_text(server.address) for server in plan.servers],
            "seconds": round(plan.expires - now, 1),
            "must_be_validated": keys is not None,
            "keys": [
                {"algorithm": key.algorithm, "tag": key.tag, "seconds": round(key.until - now, 1)}
                for key in keys or ()
            ],
        }

    async def flush(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``flush``: forget a name, it and all below, or everything.

        Raises:
            ControlError: it does not say what.
            BadName: the name cannot be one.
        """
        running = self._running
        everything = request.get("all") is True
        text = request.get("name")
        if not everything and not isinstance(text, str):
            raise ControlError("flush: give a name, or all")
        name = ROOT if everything else from_text(str(text))
        subtree = everything or request.get("subtree") is True
        dropped = {
            "answers": running.answers.flush(name, subtree),
            "records": running.records.flush(name, subtree),
            "cuts": running.core.cuts.flush(name, subtree),
        }
        running.core.planner.forget(name, subtree)
        running.driver.flush_failures()
        if everything:
            running.core.servers.forget()
        _log.info("flushed %s: %s", "everything" if everything else text, dropped)
        return {"dropped": dropped}


def _question(request: Mapping[str, Any]) -> Question:
    rtype = request.get("type")
    if not isinstance(rtype, int) or not 0 < rtype < 65_536 or rtype in _NO_QUESTIONS:
        raise ControlError("explain: give the number of a record type")
    try:
        return Question(from_text(str(request.get("name"))), rtype)
    except BadName as error:
        raise ControlError(f"explain: {error}") from error


_NO_QUESTIONS = frozenset({Type.OPT, *range(128, 255)})
"""RFC 6895 section 3.1: what no server is asked for a client either."""
