"""Questions that policy sends to forwarders: recursive servers in home that resolve in our place.

They are asked in order, each with the waits, tries and hold-down of any server; the next one when
those before it are exhausted. What they say is the whole answer, and none of it goes into the
record cache: facts are what authoritative servers say (RFC 2181 section 5.4.1). RFC 1034 section
4.3.1 (RD and RA).

Limitations: a forwarder without recursion is passed over; what one says is not validated.
"""

from collections.abc import Generator

from resolver import local
from resolver.asking import Unanswered, ask_zone
from resolver.delegation import Delegation
from resolver.iterate import cut_short, negative, unreachable
from resolver.minimise import Shown
from resolver.model import Question, Rcode, Result
from resolver.names import ROOT, label_count
from resolver.response import YXDOMAIN, Alias, Negative, Positive, TooLong
from resolver.task import Task
from resolver.wishes import News, Wish

_NO_QUESTION = Question(ROOT, 0)
"""Who refuses a question is not lame for others: forwarders serve no zone."""


def forward(task: Task) -> Generator[Wish, News, Result]:
    """Have ``task.question`` resolved by the forwarders of its selection."""
    question, core = task.question, task.core
    if (found := local.answer(question, core.settings.local_zones)) is not None:
        return found
    cut = Delegation(ROOT, (ROOT,), {ROOT: task.selection.forwarders}, float("inf"))
    cut.resolved[ROOT] = float("inf")
    shown = Shown(question, question, label_count(question.name))
    reply = yield from ask_zone(task, cut, shown, _NO_QUESTION)
    if isinstance(reply, Unanswered):
        return unreachable(reply)
    meaning = reply.meaning
    if isinstance(meaning, Positive | Negative | TooLong | Alias):
        until = cut_short(core, meaning.chain)
        if until is not None:
            return Result(Rcode.NOERROR, meaning.chain[: until[0]], onward=until[1])
    match meaning:
        case Positive(chain, records):
            return Result(Rcode.NOERROR, (*chain, *records))
        case Negative(chain=chain):
            return negative(meaning, list(chain))
        case TooLong(chain):
            return Result(YXDOMAIN, chain)
        case Alias(chain, _):
            # The end is missing, and no SOA says for how long.
            return Result(Rcode.NOERROR, chain, cacheable=False)
        case _:
            return unreachable(Unanswered(spoke=True))
