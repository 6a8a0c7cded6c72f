"""Rules of the language at work in the service: effect × mode × view × answer kind × time.

Each case has its expected answer, extended error, route, counter and record, from a model of a few
lines that knows nothing of the engine.
"""

from itertools import product
from typing import Any, NamedTuple

import pytest

from policy.govern import governed
from policy.rule_make import Around
from resolver.cache import build_answer
from resolver.compose import Sections
from resolver.metrics_policy import marks
from resolver.model import Ask, Ede, Message, Rcode, Route, RRset, Type, Verdict
from tests.interpreted import interpreted as pytestmark  # noqa: F401
from tests.policy_rig import NOW, ruleset
from tests.small_internet import internet
from tests.virtual_rules import NO_HITS, OTHER, base
from tests.virtual_servers import Host, address, rrset
from tests.virtual_service import CLIENT, Served

EFFECTS = {
    "prefer": "prefer",
    "any": "any",
    "domestic-only": "domestic-only",
    "mirror-only": "mirror-only",
    "forward": "{forward: inner}",
    "pass": "pass",
    "nxdomain": "{block: nxdomain}",
    "nodata": "{block: nodata}",
    "refused": "{block: refused}",
    "drop": "{block: drop}",
    "sinkhole": "{block: sinkhole, addresses: [11.1.1.1]}",
    "rewrite": '{rewrite: ["A 11.1.1.2"]}',
}
CLOSING = ("domestic-only", "mirror-only")
ALTERING = ("nxdomain", "nodata", "refused", "drop", "sinkhole", "rewrite")
MODES = ("observe", "prefer", "enforce", "unlisted")
TIMES = {"now": ("2026-01-01", "2026-12-31"), "later": ("2036-01-01", "2036-12-31"),
         "over": ("2016-01-01", "2016-12-31")}  # fmt: skip
VIEWS = ("all", "inside", "outside")  # the rule is for all; for the client's view; for another
KINDS = {"positive": "www.mixed.xa", "nxdomain": "gone.mixed.xa", "nodata": "www.mixed.xa"}
FORWARDER = "11.0.7.1"
TOLD = 16


class Case(NamedTuple):
    effect: str
    mode: str
    view: str
    kind: str
    time: str


class Wanted(NamedTuple):
    """``rcode`` of -1: no reply. ``route`` of ``None``: either of two."""

    rcode: int
    addresses: tuple[str, ...]
    ede: tuple[int, ...]
    route: Route | None
    done: str  # effect that is counted and recorded
    held: str  # effect that the mode held back


CASES = [
    *(Case(e, m, v, "positive", "now") for e, m, v in product(EFFECTS, MODES, VIEWS)),
    *(Case(e, "enforce", "all", k, "now") for e, k in product(EFFECTS, ("nxdomain", "nodata"))),
    *(Case(e, m, "all", "positive", t)
      for e, m, t in product(EFFECTS, ("prefer", "enforce"), ("later", "over"))),
]  # fmt: skip


def text_of(case: Case) -> str:
    """The policy file of a case."""
    begins, until = TIMES[case.time]
    mode = "enforce" if case.mode == "unlisted" else case.mode
    enforced = "comx" if case.mode == "unlisted" else "mixed.xa"
    view = "" if case.view == "all" else ", view: lab"
    return f"""
        mode: {mode}
        enforce: [{enforced}]
        views: [{{name: lab, clients: 198.51.100.0/24}}]
        forwarders: [{{name: inner, addresses: [{FORWARDER}]}}]
        rules:
          - id: r1
            match: {{suffix: mixed.xa{view}}}
            effect: {EFFECTS[case.effect]}
            authority: {{kind: law, name: Parliament}}
            reference: Act 7
            from: "{begins}"
            until: "{until}"
        """


def model(case: Case) -> Wanted:
    """What should come of it."""
    usual = {
        "positive": Wanted(Rcode.NOERROR, ("11.9.9.1",), (), Route.DOMESTIC, "none", ""),
        "nxdomain": Wanted(Rcode.NXDOMAIN, (), (), Route.DOMESTIC, "none", ""),
        "nodata": Wanted(Rcode.NOERROR, (), (), Route.DOMESTIC, "none", ""),
    }[case.kind]
    if case.time != "now" or case.view == "outside":
        return usual
    held = case.mode == "observe" or (case.effect in CLOSING and case.mode != "enforce")
    if held:
        return usual._replace(held=case.effect)
    done = usual._replace(done=case.effect)
    match case.effect:
        case "any":
            return done._replace(route=None)
        case "mirror-only":
            codes = (TOLD, Ede.NO_REACHABLE_AUTHORITY)
            return done._replace(rcode=Rcode.SERVFAIL, addresses=(), ede=codes, route=Route.LOCAL)
        case "nxdomain" | "nodata" | "refused":
            rcode = {"nxdomain": 3, "nodata": 0, "refused": 5}[case.effect]
            return done._replace(rcode=rcode, addresses=(), ede=(TOLD,), route=Route.LOCAL)
        case "drop":
            return done._replace(rcode=-1, addresses=(), route=Route.LOCAL)
        case "sinkhole" | "rewrite":
            last = "11.1.1.1" if case.effect == "sinkhole" else "11.1.1.2"
            # The record is for A; any other type is empty.
            found = (last,) if case.kind != "nodata" else ()
            forged = (Ede.FORGED_ANSWER, TOLD) if found else (TOLD,)
            return done._replace(
                rcode=Rcode.NOERROR, addresses=found, ede=forged, route=Route.LOCAL
            )
    return done


def inner(ask: Ask, message: Message) -> Message:
    """The forwarder: it says what the servers of the zone would say."""
    www = rrset("www.mixed.xa. 300 A 11.9.9.1")
    soa: tuple[RRset, ...] = (rrset("mixed.xa. 60 SOA 60"),)
    if ask.question.name != www.name:
        return message._replace(rcode=Rcode.NXDOMAIN, recursive=True, authority=soa)
    if ask.question.rtype != Type.A:
        return message._replace(rcode=Rcode.NOERROR, recursive=True, authority=soa)
    return message._replace(rcode=Rcode.NOERROR, recursive=True, answer=(www,))


def served(case: Case) -> Served:
    """The small Internet under the policy of a case."""
    net = internet()
    net.hosts[address(FORWARDER)] = Host(behaviour=inner)
    around = Around(
        verdict=lambda at: Verdict.DOMESTIC if at[0] == 11 else Verdict.FOREIGN,
    )
    policy = governed(base(), ruleset(text_of(case), around=around), None, False)
    return Served(net.hosts, tuple(net._hints), policy, plans=False, epoch=NOW)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_case(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[Sections] = []
    build = build_answer

    def remember(question: Any, sections: Sections, *more: Any, **how: Any) -> Any:
        composed.append(sections)
        return build(question, sections, *more, **how)

    monkeypatch.setattr("resolver.replies.build_answer", remember)
    wanted, running = model(case), served(case)
    try:
        inside = case.view == "inside"
        kind = "TXT" if case.kind == "nodata" else "A"
        client = running.ask(KINDS[case.kind], kind, source=OTHER if inside else CLIENT)
        running.finish(client)
        got = composed[-1]
        addresses = [d for r in got.answer if r.rtype == Type.A for d in r.rdatas]
        assert [".".join(map(str, at)) for at in addresses] == list(wanted.addresses)
        assert client.silenced == (wanted.rcode == -1)
        if not client.silenced:
            assert got.rcode == wanted.rcode
            assert tuple(code for code, _ in got.ede) == wanted.ede
            assert all("Act 7" in text for code, text in got.ede if code == TOLD)
        (record,) = running.ledger.records
        if wanted.route is not None:
            assert record.route is wanted.route
        effect = wanted.held or wanted.done
        rule = "" if effect == "none" else "r1"
        assert (record.rule, record.action) == (rule, effect)
        counted = [
            (mark.live.rule, mark.live.action, mark.live.held, count)
            for mark, count in marks(running.in_force.tags, running.tally, NO_HITS)
        ]
        assert counted == ([("r1", effect, bool(wanted.held), 1)] if rule else [])
        assert sum(running.tally.lookups.values()) == 1
        assert running.driver.needless == 0
        hit = running.ask(KINDS[case.kind], kind, source=OTHER if inside else CLIENT).hit
        assert hit == (wanted.rcode != Rcode.SERVFAIL or got.lifetime > 0)
    finally:
        running.close()


def test_there_are_enough() -> None:
    assert len(CASES) == len(set(CASES)) >= 200
