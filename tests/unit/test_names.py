"""Names: presentation and wire form, order of labels, limits (RFC 1035 section 2.3.4 and 5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.errors import BadName
from resolver.names import (
    OCTETS_MAX,
    ROOT,
    Name,
    ancestors,
    from_text,
    from_wire,
    is_subdomain,
    label_count,
    labels,
    parent,
    replace_suffix,
    suffix,
    to_text,
    wildcard,
)


@st.composite
def names(draw: st.DrawFn) -> Name:
    parts = draw(st.lists(st.binary(min_size=1, max_size=63), max_size=6))
    wire = b"".join(bytes([len(p)]) + p for p in parts) + b"\0"
    while len(wire) > OCTETS_MAX:
        wire = wire[1 + wire[0] :]
    return from_wire(wire)


@given(names())
def test_text_and_wire_are_inverse(name: Name) -> None:
    assert from_text(to_text(name)) == name


@given(names())
def test_parts_make_the_whole(name: Name) -> None:
    assert label_count(name) == len(labels(name))
    assert list(ancestors(name))[-1] == ROOT
    assert parent(name) == (ROOT if label_count(name) <= 1 else suffix(name, len(labels(name)) - 1))
    assert all(is_subdomain(name, above) for above in ancestors(name))


@given(names(), names())
def test_subdomain_agrees_with_labels(name: Name, zone: Name) -> None:
    mine, theirs = labels(name), labels(zone)
    expected = len(theirs) <= len(mine) and mine[len(mine) - len(theirs) :] == theirs
    assert is_subdomain(name, zone) is expected


@given(names(), names(), names())
def test_replaced_suffix_keeps_the_labels_before_it(left: Name, old: Name, new: Name) -> None:
    if len(left) + len(old) - 1 > OCTETS_MAX:
        return
    made = replace_suffix(Name(left[:-1] + old), old, new)
    if made is None:
        assert len(left) - 1 + len(new) > OCTETS_MAX
    else:
        assert labels(made) == labels(left) + labels(new)


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (".", b"\0"),
        ("", b"\0"),
        ("Xa", b"\x02xa\0"),
        ("www.Example.", b"\x03www\x07example\0"),
        (r"a\.b.c", b"\x03a.b\x01c\0"),
        (r"a\.", b"\x02a.\0"),
        ("a\\\\.", b"\x02a\\\0"),
        (r"\000\255.c", b"\x02\x00\xff\x01c\0"),
    ],
)
def test_presentation_form(text: str, wire: bytes) -> None:
    assert from_text(text) == wire


@pytest.mark.parametrize(
    "text",
    ["a..b", ".a", "a" * 64, ".".join(["a" * 63] * 4), "bücher.example", r"a\256", "a\\", r"\1"],
)
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        from_text(text)


@pytest.mark.parametrize(
    "wire", [b"", b"\x02a\0", b"\xc0\x0c", b"\x01a", b"\x01a\0\0", b"\x3f" + b"a" * 63 + b"\xff"]
)
def test_bad_wire_is_refused(wire: bytes) -> None:
    with pytest.raises(BadName):
        from_wire(wire)


def test_text_escapes_what_would_be_read_otherwise() -> None:
    assert to_text(Name(b"\x04a.\x00 \0")) == r"a\.\000\032."
    assert to_text(wildcard(from_text("xa"))) == "*.xa."


def test_label_edge_inside_octets_is_not_a_subdomain() -> None:
    assert not is_subdomain(from_text("notxa"), from_text("xa"))
    assert not is_subdomain(Name(b"\x04a\x02xa\0"), from_text("xa"))
