"""Commands about a running resolver: what they refuse, and what they show and forget."""

from dataclasses import replace
from typing import Any, cast

import pytest
import trio

from policy.decision import PLAIN, Selection
from policy.findings import Published
from policy.inputs import PolicyInputs
from policy.verdict import Proof
from resolver import limits
from resolver.commands import Commands, Running
from resolver.errors import BadName, ControlError
from resolver.lookups import Done
from resolver.model import Books, Purpose, Question, Result
from resolver.names import Name
from resolver.plan import Planner
from resolver.prove import Prover
from resolver.proven import Proven, ProvenKey
from tests.small_internet import internet
from tests.unit.evidence import policy_from
from tests.unit.test_plan import Board
from tests.virtual import Internet
from tests.virtual_servers import address

INPUTS = PolicyInputs(home=frozenset({"XA"}))


class Rig:
    """Commands over a small Internet in virtual time."""

    def __init__(self) -> None:
        self.net: Internet = internet()
        core = self.net.scheduler.core
        self.found = Published(self.now)
        self.told: list[tuple[Question, Purpose, Result, Books]] = []
        running = Running(
            core,
            cast(Any, self.net.records),
            cast(Any, self.net.records),
            Prover(core, cast(Any, self)),
            cast(Any, self),
            cast(Any, self),
            cast(Any, None),
            lambda *work: self.told.append(work),
        )
        self.commands = Commands(running)

    def now(self) -> float:
        """As of a clock."""
        return self.net.now

    def lookup(
        self, question: Question, done: Done, purpose: Purpose, selection: Selection = PLAIN
    ) -> None:
        """As of a driver; the lookup ends before this does."""
        ended = False

        def over(result: Result, books: Books) -> None:
            nonlocal ended
            ended = True
            done(result, books)

        self.net.scheduler.lookup(question, self.net.now, over, purpose, selection=selection)
        while not ended:
            assert self.net.turn() or ended

    def flush_failures(self) -> None:
        """As of a driver."""
        self.net.scheduler.flush_failures()

    def ask(self, command: str, **request: object) -> dict[str, Any]:
        """One command."""
        reply: dict[str, Any] = trio.run(self.commands.all()[command], request)
        return reply

    def with_policy(self) -> None:
        """A policy that has evidence, in place of that of the virtual Internet."""
        core = self.net.scheduler.core
        core.policy = replace(policy_from(INPUTS), findings=self.found)


@pytest.fixture
def rig() -> Rig:
    made = Rig()
    made.with_policy()
    return made


def test_where_shows_what_is_proven_now(rig: Rig) -> None:
    server = "11.0.3.1"
    assert rig.ask("where", address=server)["where"]["verdict"] == "unknown"
    rig.found.publish(address(server), Proof("XA", "in a test", rig.now() + 10))
    row = rig.ask("where", address=server)["where"]
    assert (row["verdict"], row["grade"], row["tier"]) == ("domestic", "proof", 0)


@pytest.mark.parametrize("text", [None, "www.home.xa", "", 7])
def test_where_wants_an_address(rig: Rig, text: object) -> None:
    with pytest.raises(ControlError, match="give an address"):
        rig.ask("where", address=text)


def test_explain_shows_each_exchange_and_is_work_without_a_client(rig: Rig) -> None:
    told = rig.ask("explain", name="www.home.xa", type=1)
    assert told["rcode"] == "NOERROR"
    assert told["answer"] == ["www.home.xa. 300 IN A 11.9.9.9"]
    assert told["exchanges"]
    assert [(q.rtype, p, b.exchanges) for q, p, _, b in rig.told] == [
        (1, Purpose.ANSWER, len(told["exchanges"]))
    ]


def test_what_is_remembered_is_asked_for_anew_on_demand(rig: Rig) -> None:
    rig.ask("explain", name="www.home.xa", type=1)
    assert rig.ask("explain", name="www.home.xa", type=1)["exchanges"] == []
    (exchange,) = rig.ask("explain", name="www.home.xa", type=1, anew=True)["exchanges"]
    assert (exchange["zone"], exchange["purpose"]) == ("home.xa.", "verification")


class Trusting:
    """Every zone must be validated, and has one proven key."""

    def keys(self, zone: Name, now: float) -> Proven:
        return (ProvenKey(13, 4711, bytes(64), now + 3),)


@pytest.mark.parametrize("signed", [False, True])
def test_explain_shows_the_plan_for_a_name(rig: Rig, signed: bool) -> None:
    core = rig.net.scheduler.core
    core.planner = Planner(Board())
    if signed:
        core.trust = Trusting()
    assert rig.ask("explain", name="www.home.xa", type=1)["plan"] is None, "one answer is none yet"
    plan = rig.ask("explain", name="www.home.xa", type=1, anew=True)["plan"]
    assert (plan["zone"], plan["must_be_validated"]) == ("home.xa.", signed)
    left = plan["seconds"]
    assert 0 < left <= (3.0 if signed else limits.PLAN_SECONDS)
    assert plan["keys"] == [{"algorithm": 13, "tag": 4711, "seconds": left}] * signed
    assert plan["servers"]
    assert rig.ask("explain", name="a.b.c.home.xa", type=1)["plan"] is None, "too deep for it"


@pytest.mark.parametrize("rtype", [None, "A", 0, 41, 252, 65_536, 1.0])
def test_explain_wants_a_type_that_can_be_asked(rig: Rig, rtype: object) -> None:
    with pytest.raises(ControlError, match="record type"):
        rig.ask("explain", name="www.home.xa", type=rtype)


def test_explain_wants_a_name(rig: Rig) -> None:
    with pytest.raises(ControlError, match="explain"):
        rig.ask("explain", name="a..b", type=1)


def test_flush_forgets_what_it_is_told_to(rig: Rig) -> None:
    rig.ask("explain", name="www.home.xa", type=1)
    dropped = rig.ask("flush", name="www.home.xa")["dropped"]
    assert dropped["answers"] == 1  # here one store stands for both
    assert rig.ask("explain", name="www.home.xa", type=1)["exchanges"]
    with pytest.raises(ControlError, match="flush"):
        rig.ask("flush")
    with pytest.raises(BadName):
        rig.ask("flush", name="a..b")
