"""What has changed in a delegation: each kind, and what holds of any two states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.errors import BadName
from resolver.model import Address, Verdict
from resolver.watch.changes import ALARMS, Kind, changes
from resolver.watch.seen import Seen, from_plain
from tests.virtual_servers import address, name


def judge(at: Address) -> Verdict:
    """11/8 is at home, 12/8 abroad."""
    return {11: Verdict.DOMESTIC, 12: Verdict.FOREIGN}.get(at[0], Verdict.UNKNOWN)


def seen(*servers: str, own: str | None = None, ds: str = "", answers: bool = True) -> Seen:
    """A state: ``NAME=ADDRESS,ADDRESS`` or ``NAME`` (its addresses not known). ``own``: names of
    the zone's own set, if it is another one."""
    pairs = [text.partition("=") for text in servers]
    names = tuple(sorted(name(text) for text, _, _ in pairs))
    child = names if own is None else tuple(sorted(map(name, own.split())))
    at = tuple(
        sorted(
            (name(text), tuple(sorted(map(address, filter(None, found.split(","))))))
            for text, equals, found in pairs
            if equals
        )
    )
    return Seen(True, names, child, tuple(bytes.fromhex(tag) for tag in ds.split()), at, answers)


BOTH = seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=11.0.0.2", ds="0001aa")
GONE = Seen(False)

CASES = [
    ("the same", BOTH, BOTH, []),
    ("moved", BOTH, seen("ns1.op.xa=12.0.0.1", "ns2.op.xa=12.0.0.2", ds="0001aa"),
     ["moved_abroad"]),
    ("moved to nowhere known", BOTH,
     seen("ns1.op.xa=13.0.0.1", "ns2.op.xa=13.0.0.2", ds="0001aa"), ["moved_abroad"]),
    ("one moved", BOTH, seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=12.0.0.2", ds="0001aa"),
     ["foreign_added"]),
    ("one came abroad", BOTH,
     seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=11.0.0.2", "ns3.op.xa=12.0.0.3", ds="0001aa"),
     ["foreign_added"]),
    ("known now, and always there", seen("ns1.op.xa=11.0.0.1", "ns2.op.xa"),
     seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=12.0.0.2"), []),
    ("one fewer", BOTH, seen("ns1.op.xa=11.0.0.1", ds="0001aa"), ["shrunk"]),
    ("one address fewer", seen("ns1.op.xa=11.0.0.1,11.0.0.2"), seen("ns1.op.xa=11.0.0.1"),
     ["shrunk"]),
    ("not known is not fewer", seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=11.0.0.2"),
     seen("ns1.op.xa=11.0.0.1", "ns3.op.xa"), ["names_changed"]),
    ("fewer in the zone only", BOTH,
     seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=11.0.0.2", own="ns1.op.xa", ds="0001aa"),
     ["shrunk", "differs"]),
    ("other operator", BOTH, seen("ns1.other.xa=11.0.0.1", "ns2.other.xa=11.0.0.2", ds="0001aa"),
     ["operator_changed"]),
    ("one more operator", BOTH,
     seen("ns1.op.xa=11.0.0.1", "ns2.op.xa=11.0.0.2", "ns.other.xa=11.0.0.3", ds="0001aa"),
     ["operator_changed"]),
    ("other names", BOTH, seen("ns3.op.xa=11.0.0.1", "ns4.op.xa=11.0.0.2", ds="0001aa"),
     ["names_changed"]),
    ("other addresses", BOTH, seen("ns1.op.xa=11.0.0.3", "ns2.op.xa=11.0.0.2", ds="0001aa"),
     ["addresses_changed"]),
    ("all at once", BOTH, seen("ns1.other.xb=12.0.0.1"),
     ["moved_abroad", "shrunk", "operator_changed", "ds_removed"]),
    ("other DS", BOTH, BOTH._replace(ds=(b"\0\2\xaa",)), ["ds_changed"]),
    ("one DS more", BOTH, BOTH._replace(ds=(b"\0\1\xaa", b"\0\2\xaa")), ["ds_changed"]),
    ("the same DS in another order", BOTH._replace(ds=(b"\0\2\xaa", b"\0\1\xaa")),
     BOTH._replace(ds=(b"\0\1\xaa", b"\0\2\xaa")), []),
    ("no DS", BOTH, BOTH._replace(ds=()), ["ds_removed"]),
    ("a DS", BOTH._replace(ds=()), BOTH, ["ds_added"]),
    ("unreachable", BOTH, BOTH._replace(answers=False), ["unreachable"]),
    ("reachable", BOTH._replace(answers=False), BOTH, ["reachable"]),
    ("removed", BOTH, GONE, ["removed"]),
    ("still not there", GONE, GONE, []),
    ("delegated", GONE, BOTH, ["delegated"]),
    ("agree again", seen("ns1.op.xa=11.0.0.1", own="ns2.op.xa"), seen("ns1.op.xa=11.0.0.1"),
     ["names_changed", "agrees"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "kinds"), [c[1:] for c in CASES],
                         ids=[c[0] for c in CASES])  # fmt: skip
def test_kinds(before: Seen, after: Seen, kinds: list[str]) -> None:
    assert [change.kind.value for change in changes(before, after, judge)] == kinds


def test_every_kind_is_tried() -> None:
    assert {kind for case in CASES for kind in case[3]} == {kind.value for kind in Kind}


def test_what_is_warned_of() -> None:
    quiet = {kind.value for kind in Kind if kind not in ALARMS}
    assert quiet == {
        "names_changed", "addresses_changed", "ds_added", "agrees", "reachable", "delegated",
    }  # fmt: skip


def test_new_evidence_about_an_address_that_stays_is_no_change() -> None:
    assert changes(BOTH, BOTH, lambda at: Verdict.FOREIGN) == ()


def test_words_are_bounded() -> None:
    many = seen(*(f"ns{n}.op.xa=11.0.0.{n}" for n in range(1, 40)))
    (change,) = (c for c in changes(many, BOTH, judge) if c.kind is Kind.SHRUNK)
    assert "and 31 more" in change.detail
    assert len(change.detail) < 500


SERVERS = [f"ns{n}.{op}.xa" for op in ("one", "two") for n in (1, 2)]
ADDRESSES = [address(f"{net}.0.0.{n}") for net in (11, 12, 13) for n in (1, 2)]
names_of = st.sets(st.sampled_from(SERVERS), min_size=1).map(lambda s: tuple(sorted(map(name, s))))
places = st.sets(st.sampled_from(ADDRESSES), max_size=3).map(lambda s: tuple(sorted(s)))


@st.composite
def states(draw: st.DrawFn, *, whole: bool = False) -> Seen:
    """Any state; ``whole``: with everything known."""
    if draw(st.integers(0, 9)) == 0:
        return Seen(False)
    parent = draw(names_of if whole else st.none() | names_of)
    child = draw(names_of if whole else st.none() | names_of)
    ds = st.sets(st.sampled_from([b"\0\1\1", b"\0\2\2"])).map(lambda s: tuple(sorted(s)))
    known = {*(parent or ()), *(child or ())}
    if not whole:
        known = {n for n in sorted(known) if draw(st.booleans())}
    at = tuple((n, draw(places)) for n in sorted(known))
    given = draw(ds if whole else st.none() | ds)
    return Seen(True, parent, child, given, at, draw(st.booleans()))


@given(states())
def test_nothing_changes_between_equal_states(state: Seen) -> None:
    assert changes(state, state, judge) == ()


@given(states(whole=True), states())
def test_what_was_not_seen_is_as_it_was(before: Seen, look: Seen) -> None:
    """A look that saw a part of the same state finds nothing, whatever part that was."""
    if not before.delegated:
        return
    blind = before._replace(
        parent=before.parent if look.parent else None,
        child=before.child if look.child else None,
        ds=before.ds if look.ds else None,
        addresses=before.addresses[: len(look.addresses)],
    )
    assert blind.over(before) == before
    assert changes(before, blind.over(before), judge) == ()


@given(states(whole=True), states())
def test_putting_a_look_over_what_was_known_twice_does_no_more(before: Seen, look: Seen) -> None:
    once = look.over(before)
    assert once.over(before) == once
    assert look.over(once) == once


@given(states(whole=True), states(whole=True))
def test_kinds_by_their_definitions(before: Seen, after: Seen) -> None:
    found = changes(before, after, judge)
    kinds = {change.kind for change in found}
    assert len(kinds) == len(found), "one kind, told twice"
    if not (before.delegated and after.delegated):
        return
    home = {a for a in before.places() if a[0] == 11}
    left = {a for a in after.places() if a[0] == 11}
    assert (Kind.MOVED_ABROAD in kinds) == bool(home and not left and after.places())
    assert (Kind.OPERATOR_CHANGED in kinds) == (before.operators() != after.operators())
    assert (Kind.DS_REMOVED in kinds) == bool(before.ds and not after.ds)
    assert (Kind.UNREACHABLE in kinds) == (before.answers and not after.answers)
    assert (Kind.DIFFERS in kinds) == (after.differs and not before.differs)
    fewer = (
        len(after.parent or ()) < len(before.parent or ())
        or len(after.child or ()) < len(before.child or ())
        or len(after.places()) < len(before.places())
    )
    assert (Kind.SHRUNK in kinds) == fewer
    assert bool(found) or before.names() == after.names()


@given(states())
def test_the_plain_form_says_it_all(state: Seen) -> None:
    assert from_plain(state.plain()) == state


@pytest.mark.parametrize(
    "broken",
    [
        {"delegated": 1},
        {"parent": "ns."},
        {"parent": ["a..b"]},
        {"ds": ["xyz"]},
        {"addresses": {"ns.xa.": ["1.2.3"]}},
        {"addresses": []},
        {"answers": None},
    ],
)
def test_another_form_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError, BadName)):
        from_plain(BOTH.plain() | broken)
