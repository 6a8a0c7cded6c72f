"""What a selection lets a lookup do: whom it may ask, in which order, and what that counts as.

Pure. The ways are those of :class:`policy.decision.Way`. Under the plain selection none of this is
asked. A selection that restricts is held against the verdict at the time of each exchange, so a
proof that has expired meanwhile does not let a lookup out.
"""

from policy.decision import PLAIN, Selection, Way
from resolver.model import Address, Label, Question, Reason, Standing, Verdict

_TIERS = {Verdict.DOMESTIC: 0, Verdict.UNKNOWN: 1, Verdict.FOREIGN: 2}

Key = Question | tuple[Selection, Question]
"""What tells a resolution from others: the question, and the selection if it is not the plain
one."""


def key_of(selection: Selection, question: Question) -> Key:
    """The key of a question under a selection. ``selection`` is :data:`PLAIN` itself when it is
    equal to it."""
    return question if selection is PLAIN else (selection, question)


def settled(selection: Selection) -> Selection:
    """The same, with every plain selection being :data:`PLAIN` itself."""
    return PLAIN if selection == PLAIN else selection


def is_closed(selection: Selection) -> bool:
    """Whether a lookup fails sooner than that it leaves the country."""
    return selection.way in (Way.DOMESTIC_ONLY, Way.MIRROR_ONLY, Way.FORWARD)


def forbids(selection: Selection, verdict: Verdict) -> bool:
    """Whether nothing may be sent to an address of this verdict."""
    if selection.way is Way.MIRROR_ONLY:
        return True
    return verdict is not Verdict.DOMESTIC and is_closed(selection)


def selected(selection: Selection, standing: Standing, address: Address) -> Standing:
    """What an address is as a server under a selection: ``never`` for those it does not allow."""
    verdict, country, _, never, claimed = standing
    never = never or forbids(selection, verdict)
    if selection.way is Way.ANY:
        return Standing(verdict, country, 0, never)
    if selection.way is Way.FORWARD:
        known = address in selection.forwarders
        tier = selection.forwarders.index(address) if known else 0
        return Standing(verdict, country, tier, never or not known)
    # Whatever the policy's mode is: this lookup goes by the border.
    return Standing(verdict, country, _TIERS[verdict], never, claimed)


def labelled(selection: Selection, label: Label) -> Label:
    """What an exchange under a selection is counted under: the reason is the rule's when it was a
    rule that let the border be, and only then."""
    reason = label.reason
    if reason is Reason.NONE:
        return label
    if selection.way is Way.ANY:
        reason = Reason.POLICY
    elif reason is Reason.POLICY:
        reason = Reason.DOMESTIC_FAILED
    return label._replace(reason=reason)
