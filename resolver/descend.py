"""From the closest known cut down to the zone that answers: referrals, minimisation, priming.

RFC 1034 section 5.3.3 (the loop), RFC 9156 (what each zone is shown), RFC 9609 (priming),
RFC 4035 section 3.1.4.1 (DS is asked of the parent).
"""

from collections.abc import Generator
from typing import Final

from policy.decision import Way
from resolver import limits, limits_servers
from resolver.asking import Reply, Unanswered, ask_zone
from resolver.contest import Candidate
from resolver.core import Core
from resolver.delegation import Delegation, from_referral, glue_for, targets
from resolver.minimise import Minimiser, Shown
from resolver.mirrors import answer
from resolver.mirrors.copy import ZoneCopy
from resolver.model import (
    Address,
    CachedKind,
    Message,
    Purpose,
    Question,
    Rank,
    RRset,
    Security,
    Type,
    Verdict,
)
from resolver.names import ROOT, Name, from_wire, is_subdomain, parent
from resolver.response import (
    Alias,
    Negative,
    Positive,
    Referral,
    TooLong,
    classify,
    synthesise,
)
from resolver.scrub import scrub
from resolver.selection import is_closed
from resolver.servers import Server
from resolver.task import Task
from resolver.wishes import LookUpAll, News, Tried, Wish

PRIMING: Final = Question(ROOT, Type.NS)

Piece = Positive | Alias | Negative | TooLong
Descent = Generator[Wish, News, Piece | Unanswered]


def descend(task: Task, question: Question) -> Descent:
    """Ask the network for one name and type; what is learnt on the way is stored."""
    core = task.core
    minimiser = Minimiser(question, core.settings.qname_minimisation)
    at_parent = question.rtype == Type.DS and question.name != ROOT
    cut = yield from _closest(task, parent(question.name) if at_parent else question.name)
    hidden = False
    for _ in range(limits.REFERRALS_MAX):
        mirror = core.mirrors.get(cut.zone)
        if mirror is not None:
            local = _from_mirror(task, mirror, question)
            _learn(task, cut, question, local)
            if not isinstance(local.meaning, Referral):
                assert isinstance(local.meaning, Positive | Alias | Negative | TooLong)
                return local.meaning
            cut = core.cuts.get(local.meaning.ns.name, task.now) or from_referral(
                local.meaning.ns, local.message, cut.zone, task.now
            )
            continue
        if task.selection.way is Way.MIRROR_ONLY:
            return Unanswered(spoke=False)
        shown = _next_step(task, cut, minimiser)
        if isinstance(shown, Negative):
            return _denied(task, question, shown)
        reply = yield from ask_zone(task, cut, shown, question)
        if isinstance(reply, Unanswered):
            strict = core.settings.strict_abroad and not reply.at_home
            if strict or minimiser.is_whole(shown.home) or not reply.spoke:
                return _unanswered(task, reply)
            minimiser.show_all()
            continue
        _learn(task, cut, reply.question, reply)
        meaning = reply.meaning
        if isinstance(meaning, Referral):
            cut = core.cuts.get(meaning.ns.name, task.now) or from_referral(
                meaning.ns, reply.message, cut.zone, task.now
            )
            continue
        assert isinstance(meaning, Positive | Alias | Negative | TooLong)
        if minimiser.is_whole(reply.question):
            core.planner.answered(core, cut, task.now)
            return meaning
        if reply.strict and (end := _end_of_step(task, question, meaning)) is not None:
            return end
        hidden = reply.strict
        if isinstance(meaning, Negative) and meaning.nxdomain and not reply.strict:
            minimiser.show_all()
        else:
            minimiser.passed(reply.question)
    return _unanswered(task, Unanswered(spoke=True, withheld=hidden))


def _next_step(task: Task, cut: Delegation, minimiser: Minimiser) -> Shown | Negative:
    """What to show the servers of a cut now, past all that the records tell already; or that the
    records deny a name above."""
    shown = minimiser.step(cut.zone)
    while not minimiser.is_whole(shown.home) and _known(task, shown.home):
        minimiser.show_more()
        shown = minimiser.step(cut.zone)
    while task.core.settings.strict_abroad and not minimiser.is_whole(shown.abroad):
        cached = task.core.records.get(shown.abroad.name, shown.abroad.rtype, task.now)
        servers = _addresses(task, cut) if cached is not None else []
        if cached is None or cached.origin not in servers:
            break
        if cached.kind is CachedKind.NXDOMAIN:
            if _has_home(task, servers):
                break
            soa = cached.proofs[0] if cached.proofs else None
            return Negative((), shown.abroad.name, True, soa, cached.proofs[1:])
        minimiser.held(shown.abroad)
        shown = minimiser.step(cut.zone)
    return shown


def _addresses(task: Task, cut: Delegation) -> list[Address]:
    """The addresses known of a cut's servers: those of the cut, and those among the records."""
    found = [address for each in cut.addresses.values() for address in each]
    for cached in task.core.records.addresses(cut.names(), task.now):
        found.extend(map(Address, cached))
    return found


def _has_home(task: Task, servers: list[Address]) -> bool:
    """Whether one of these is at home."""
    standing = task.core.policy.standing
    return any(standing(address).verdict is Verdict.DOMESTIC for address in servers)


def _end_of_step(task: Task, question: Question, piece: Piece) -> Piece | None:
    """What a step abroad, short of the whole name, says of the whole: that nothing is below a name
    that does not exist (RFC 8020), or where a DNAME leads (RFC 6672 section 2.3)."""
    if not piece.chain:
        if isinstance(piece, Negative) and piece.nxdomain:
            return _denied(task, question, piece)
        return None
    dname = piece.chain[0]
    if dname.rtype != Type.DNAME or not is_subdomain(question.name, dname.name):
        return None
    cname = synthesise(dname, question.name)
    if cname is None:
        return TooLong((dname,))
    return Alias((dname, cname), from_wire(cname.rdatas[0]))


def _denied(task: Task, question: Question, above: Negative) -> Negative:
    """The whole name does not exist since a name above it does not."""
    task.core.withheld.denied += 1
    return Negative((), question.name, True, above.soa, above.proofs, above=True)


def _unanswered(task: Task, reply: Unanswered) -> Unanswered:
    task.core.withheld.refused += reply.withheld
    return reply


def _from_mirror(task: Task, mirror: ZoneCopy, question: Question) -> Reply:
    """What the local copy of a zone says, as if one of its servers had said it (RFC 8806). The
    whole question is shown: nobody else sees it."""
    settings = task.core.settings
    message = scrub(answer.reply(mirror, question), mirror.apex, settings.ttl_max)
    meaning = classify(message, mirror.apex, question, settings.ttl_negative_max)
    task.mirror_used(mirror.apex, mirror.serial, question, meaning.told)
    return Reply(meaning, message, Candidate(Address(b""), mirror.apex, 0, Server()), question)


def _known(task: Task, asked: Question) -> bool:
    """Whether the records say that this name is there and is no cut (or asking is needless)."""
    cached = task.core.records.get(asked.name, asked.rtype, task.now)
    return cached is not None and cached.kind is not CachedKind.NXDOMAIN


def _closest(task: Task, name: Name) -> Generator[Wish, News, Delegation]:
    """The cut to start at: the nearest one known, or the root's."""
    core = task.core
    cut = core.cuts.closest(name, task.now)
    mirror = core.mirrors.closest(name)
    if mirror is not None and (cut is None or is_subdomain(mirror.apex, cut.zone)):
        return Delegation(mirror.apex, (), {}, float("inf"))
    cut = cut or core.cuts.get(ROOT, task.now)
    if cut is not None:
        return cut
    may_prime = (
        core.settings.prime
        and task.question != PRIMING
        and task.selection.way is not Way.MIRROR_ONLY
        and task.now >= core.root_tried + limits.ROOT_RETRY_SECONDS
    )
    if may_prime:
        yield LookUpAll((PRIMING,), Purpose.BOOTSTRAP)
        if (cut := core.cuts.get(ROOT, task.now)) is not None:
            return cut
        if not is_closed(task.selection):  # others may find it
            core.root_tried = task.now
    hints = core.settings.hints
    return Delegation(ROOT, (name for name, _ in hints), dict(hints), float("inf"))


def _learn(task: Task, cut: Delegation, asked: Question, reply: Reply) -> None:
    """Store what a reply teaches: records, negative answers, cuts, the zone's own NS set."""
    meaning, message = reply.meaning, reply.message
    origin = reply.candidate.address
    if isinstance(meaning, Referral):
        _learn_cut(task, from_referral(meaning.ns, message, cut.zone, task.now))
        if meaning.ds is not None:
            _store(task, meaning.ds, Rank.AUTHORITY, reply)
        return
    assert isinstance(meaning, Positive | Alias | Negative | TooLong)
    _store_chain(task, meaning.chain, reply)
    if isinstance(meaning, Positive):
        for rrset in meaning.records:
            if rrset.rtype != Type.RRSIG:
                _store(task, rrset, Rank.ANSWER, reply)
    if isinstance(meaning, Negative) and meaning.soa is not None:
        kind = CachedKind.NXDOMAIN if meaning.nxdomain else CachedKind.NODATA
        task.core.records.put_negative(
            Question(meaning.name, asked.rtype),
            kind,
            meaning.soa.ttl,
            (meaning.soa, *meaning.proofs),
            Security.INDETERMINATE,
            origin,
            task.now,
        )
    _learn_own_set(task, cut, asked, reply)


def learn_late(
    core: Core, purpose: Purpose, tried: Tried, message: Message | None, now: float
) -> None:
    """A reply that nobody waits for any more. An address of a name server is remembered: its search
    was given up when one at home was found, and that one may be slow or fail. What a forwarder says
    is for its view alone."""
    if message is None or message.truncated or tried.ask.recursion:
        return
    if purpose is not Purpose.NAMESERVER_ADDRESS:
        return
    if not message.authoritative or tried.ask.question.rtype not in (Type.A, Type.AAAA):
        return
    settings, question = core.settings, tried.ask.question
    message = scrub(message, tried.zone, settings.ttl_max)
    meaning = classify(message, tried.zone, question, settings.ttl_negative_max)
    if not isinstance(meaning, Positive) or meaning.chain:
        return
    for rrset in meaning.records:
        if rrset.rtype == question.rtype:
            origin = tried.ask.address
            core.records.put(rrset, Rank.ANSWER, Security.INDETERMINATE, origin, now)
            core.planner.located(rrset.name)


def _learn_cut(task: Task, cut: Delegation) -> None:
    """Store a cut, and tell those who plan."""
    gone = task.core.cuts.put(cut)
    if gone is not None:
        task.core.planner.forget(gone, subtree=False)
    task.core.planner.barred(cut)


def _store(task: Task, rrset: RRset, rank: Rank, reply: Reply) -> None:
    origin = reply.candidate.address
    if rank is Rank.ANSWER and not reply.message.authoritative:
        rank = Rank.NON_AUTHORITATIVE
    task.core.records.put(rrset, rank, Security.INDETERMINATE, origin, task.now)
    if rrset.rtype in (Type.A, Type.AAAA):
        task.core.planner.located(rrset.name)


def _store_chain(task: Task, chain: tuple[RRset, ...], reply: Reply) -> None:
    """Aliases, but not the CNAME that a DNAME stands for: that is made anew from the DNAME."""
    before: RRset | None = None
    for rrset in chain:
        if before is None or before.rtype != Type.DNAME:
            _store(task, rrset, Rank.ANSWER, reply)
        before = rrset


def _learn_own_set(task: Task, cut: Delegation, asked: Question, reply: Reply) -> None:
    """The zone's own NS set, in the answer or the authority section of an authoritative reply."""
    message = reply.message
    if not message.authoritative:
        return
    own = [
        rrset
        for rrset in (*message.answer, *message.authority)
        if rrset.rtype == Type.NS and rrset.name == cut.zone
    ]
    if not own:
        return
    names = targets(own[0])
    glue = glue_for(names, message, cut.zone)
    if asked == PRIMING:
        _learn_root(task, own[0], glue_for(names, message, ROOT))
        return
    if set(names[: limits_servers.SERVER_NAMES_MAX]) == set(cut.child):
        # Shown again it teaches nothing: native passes it by, too, and a zone must not renew
        # what its parent may have withdrawn.
        return
    if own[0] not in message.answer:
        _store(task, own[0], Rank.AUTHORITY, reply)
    cut.set_child(names, {name: task.core.usable(found) for name, found in glue.items()})
    task.core.planner.changed(cut.zone)


def _learn_root(task: Task, ns: RRset, glue: dict[Name, tuple[Address, ...]]) -> None:
    """The root's servers as priming found them; addresses that the reply left out are those of
    the hints (RFC 9609 section 3.3)."""
    names = targets(ns)
    hints = dict(task.core.settings.hints)
    addresses = {name: glue.get(name) or hints.get(name, ()) for name in names}
    life = min(max(ns.ttl, limits.DELEGATION_SECONDS_MIN), limits.DELEGATION_SECONDS_MAX)
    known = {name: found for name, found in addresses.items() if found}
    task.core.cuts.put(Delegation(ROOT, names, known, task.now + life))
