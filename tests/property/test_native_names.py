"""The native table of names says what a plain map says, over random names and random changes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver._native import NameTable
from resolver.names import ROOT, Name, ancestors, from_text, wildcard

GONE = 2**32 - 1
_LABELS = st.sampled_from(["a", "b", "c", "*", "long-label-of-some-octets", "\\000x"])
_NAMES = st.lists(_LABELS, max_size=5).map(lambda labels: from_text(".".join(labels)))
_NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, GONE - 1))


def batch(entries: list[tuple[Name, int]]) -> bytes:
    return b"".join(name + number.to_bytes(4) for name, number in entries)


def naive(entries: dict[Name, int], name: Name) -> tuple[int, int] | None:
    """The exact name, else the longest wildcard."""
    if name in entries:
        return entries[name], 0
    for above in list(ancestors(name))[1:] if name != ROOT else []:
        owner = Name(b"\x01*" + above)
        if owner in entries:
            return entries[owner], len(name) - len(above)
    return None


@given(
    st.lists(st.tuples(_NAMES, _NUMBERS), max_size=40),
    st.lists(st.tuples(_NAMES, st.one_of(st.just(GONE), _NUMBERS)), max_size=20),
    st.lists(_NAMES, max_size=40),
)
def test_the_table_says_what_a_map_says(
    entries: list[tuple[Name, int]], changes: list[tuple[Name, int]], asked: list[Name]
) -> None:
    known, table = dict(entries), NameTable(batch(entries))
    assert [table.find(name) for name in asked] == [naive(known, name) for name in asked]
    table = table.changed(batch(changes))
    for name, number in changes:
        known.pop(name, None)
        if number != GONE:
            known[name] = number
    assert len(table) == len(known)
    assert [table.find(name) for name in asked] == [naive(known, name) for name in asked]


def test_many_names_and_many_changes() -> None:
    chance = random.Random(5)

    def name() -> Name:
        labels = [f"n{chance.randrange(60)}" for _ in range(chance.randint(1, 3))]
        out = from_text(".".join(labels))
        return wildcard(out) if chance.random() < 0.3 else out

    known = {name(): chance.randrange(5) for _ in range(30_000)}
    table = NameTable(batch(list(known.items())))
    merges = 0
    for _ in range(60):
        changes = [(name(), chance.choice((GONE, 7, 200))) for _ in range(500)]
        table = table.changed(batch(changes))
        merges += table.sizes()[1] == 0
        for owner, number in changes:
            known.pop(owner, None)
            if number != GONE:
                known[owner] = number
        assert len(table) == len(known)
        for asked in (name() for _ in range(300)):
            assert table.find(asked) == naive(known, asked)
    assert merges >= 2


def test_what_is_not_a_batch_is_refused() -> None:
    good = batch([(from_text("a.example"), 1)])
    for wrong in (good[:-1], good + b"\x03ab", b"\xc0\x0c\0\0\0\1", batch([(Name(b"\x01A\0"), 1)]),
                  batch([(from_text("a"), GONE)])):  # fmt: skip
        with pytest.raises(ValueError, match="entry"):
            NameTable(wrong)
    with pytest.raises(ValueError, match="wire name"):
        NameTable(good).find(b"\x01a")
