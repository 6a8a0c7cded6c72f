"""From the closest known cut down to the zone that answers: referrals, minimisation, priming.

RFC 1034 section 5.3.3 (the loop), RFC 9156 (what each zone is shown), RFC 9609 (priming),
RFC 4035 section 3.1.4.1 (DS is asked of the parent).
"""

from collections.abc import Generator

from resolver import limits
from resolver.asking import Reply, Unanswered, ask_zone
from resolver.contest import Candidate
from resolver.delegation import Delegation, from_referral, glue_for, targets
from resolver.minimise import Minimiser
from resolver.mirrors import answer
from resolver.mirrors.copy import ZoneCopy
from resolver.model import Address, CachedKind, Purpose, Question, Rank, RRset, Security, Type
from resolver.names import ROOT, Name, is_subdomain, parent
from resolver.response import Alias, Negative, Positive, Referral, TooLong, classify
from resolver.scrub import scrub
from resolver.servers import Server
from resolver.task import Task
from resolver.wishes import LookUpAll, News, Wish

PRIMING = Question(ROOT, Type.NS)

Piece = Positive | Alias | Negative | TooLong
Descent = Generator[Wish, News, Piece | Unanswered]


def descend(task: Task, question: Question) -> Descent:
    """Ask the network for one name and type; what is learnt on the way is stored."""
    core = task.core
    minimiser = Minimiser(question, core.settings.qname_minimisation)
    at_parent = question.rtype == Type.DS and question.name != ROOT
    cut = yield from _closest(task, parent(question.name) if at_parent else question.name)
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
        asked = minimiser.question(cut.zone)
        whole = minimiser.is_whole(asked)
        if not whole and _known(task, asked):
            minimiser.show_more()
            continue
        reply = yield from ask_zone(task, cut, asked, whole)
        if isinstance(reply, Unanswered):
            if whole or not reply.spoke:
                return reply
            minimiser.show_all()
            continue
        _learn(task, cut, asked, reply)
        match reply.meaning:
            case Referral(ns, _):
                cut = task.core.cuts.get(ns.name, task.now) or from_referral(
                    ns, reply.message, cut.zone, task.now
                )
            case Positive() | Alias() | Negative() | TooLong() if whole:
                task.core.planner.answered(task.core, cut, task.now)
                return reply.meaning
            case Negative(nxdomain=True):
                minimiser.show_all()
            case _:
                minimiser.show_more()
    return Unanswered(spoke=True)


def _from_mirror(task: Task, mirror: ZoneCopy, question: Question) -> Reply:
    """What the local copy of a zone says, as if one of its servers had said it (RFC 8806). The
    whole question is shown: nobody else sees it."""
    settings = task.core.settings
    message = scrub(answer.reply(mirror, question), mirror.apex, settings.ttl_max)
    meaning = classify(message, mirror.apex, question, settings.ttl_negative_max)
    task.mirror_used(mirror.apex, mirror.serial, question, meaning.told)
    return Reply(meaning, message, Candidate(Address(b""), mirror.apex, 0, Server()))


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
        and task.now >= core.root_tried + limits.ROOT_RETRY_SECONDS
    )
    if may_prime:
        yield LookUpAll((PRIMING,), Purpose.BOOTSTRAP)
        if (cut := core.cuts.get(ROOT, task.now)) is not None:
            return cut
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
    if set(names[: limits.SERVER_NAMES_MAX]) == set(cut.child):
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
