"""Native caches, counters and clock as Python sees them; what they do inside is tested in Rust."""

import time
from pathlib import Path

import dns.message
import pytest

from resolver import _native
from resolver.errors import StateError
from resolver.names import from_text

NAME = from_text("www.example.com.")
A = (NAME, 1, 300, (b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02"), ())
SOA = (from_text("example.com."), 6, 3600, (b"\x02ns\0\4mail\0" + bytes(20),), (b"sig" * 9,))
ORIGIN = b"\xc0\x00\x02\x35"
MIB = 1 << 20


def record_cache() -> _native.RecordCache:
    return _native.RecordCache(MIB, 86_400, 900)


def test_records_come_back_with_all_that_was_put_and_ttls_counted_down() -> None:
    cache = record_cache()
    assert cache.put(A, 3, 2, ORIGIN, 10.0)
    expected = (0, (NAME, 1, 290, A[3], ()), (), 3, 2, ORIGIN)
    assert cache.get(NAME, 1, 20.5) == expected
    assert cache.get(NAME, 28, 20.5) is None
    assert cache.get(NAME, 1, 310.0) is None


def test_what_answers_is_the_own_entry_else_the_alias_there_else_the_closest_dname_above() -> None:
    cache, zone, upper = record_cache(), from_text("example.com."), from_text("com.")
    assert cache.find(NAME, 1, 0.0, False) is None
    for owner, rtype in ((upper, 39), (zone, 39), (NAME, 5), (NAME, 1)):
        if owner == zone:  # that a name is missing says nothing of a DNAME above it
            cache.put_negative(zone, 1, 2, 60, [], 0, b"", 0.0)
            found = cache.find(NAME, 1, 0.0, False)
            assert found is not None and found[1] is not None and found[1][:2] == (upper, 39)
        cache.put((owner, rtype, 300, (b"\1x\0\0",), ()), 3, 0, b"", 0.0)
        found = cache.find(NAME, 1, 0.0, False)
        assert found is not None and found[1] is not None and found[1][:2] == (owner, rtype)
    cname = cache.find(NAME, 5, 0.0, False)
    assert cname is not None and cname[1] is not None and cname[1][1] == 5
    assert cache.find(zone, 5, 0.0, False) is None  # an alias is not followed for a CNAME itself


def test_addresses_of_names_are_those_of_both_families_in_order() -> None:
    cache = record_cache()
    cache.put((NAME, 28, 300, (bytes(16),), ()), 3, 0, b"", 0.0)
    cache.put(A, 3, 0, b"", 0.0)
    zone = from_text("example.com.")
    cache.put_negative(zone, 1, 1, 60, [SOA], 0, b"", 0.0)
    assert cache.addresses((zone, NAME), 1.0) == [(), (*A[3], bytes(16))]
    assert cache.addresses((NAME,), 301.0) == [()]


@pytest.mark.parametrize("kind", [1, 2])
def test_negative_answers_come_back_with_their_proofs(kind: int) -> None:
    cache = record_cache()
    cache.put_negative(NAME, 1, kind, 600, [SOA], 1, b"", 10.0)
    expected = (kind, None, ((SOA[0], 6, 590, SOA[3], SOA[4]),), 3, 1, b"")
    assert cache.get(NAME, 1, 20.0) == expected
    assert (cache.get(NAME, 28, 20.0) is not None) == (kind == 2)


def test_sizes_are_told_and_a_flush_forgets_below_a_name() -> None:
    cache = record_cache()
    cache.put(A, 3, 0, ORIGIN, 0.0)
    assert cache.entries() == 1
    assert 100 < cache.bytes() < 1000
    assert cache.flush(from_text("com."), False) == 0
    assert cache.flush(from_text("com."), True) == 1
    assert (cache.entries(), cache.bytes()) == (0, 0)


@pytest.mark.parametrize("bad", [b"", b"\x01", b"\xc0\x0c", b"\0\0", b"\x01a" * 128 + b"\0"])
def test_what_is_not_a_name_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match="name"):
        record_cache().flush(bad, True)
    with pytest.raises(ValueError, match="name"):
        record_cache().put((bad, 1, 1, (), ()), 3, 0, b"", 0.0)


def test_a_positive_kind_is_no_negative_answer() -> None:
    with pytest.raises(ValueError, match="kind"):
        record_cache().put_negative(NAME, 1, 0, 600, [], 1, b"", 10.0)


def test_an_answer_is_peeked_by_its_whole_key_and_current_generation() -> None:
    cache = _native.AnswerCache(MIB)
    generation = 2**64 - 1
    answer = _native.Answer(NAME, 1, 1, 0, [A], [], [], [], 10.0)
    cache.set_generation(generation)
    cache.put(0, NAME, 1, True, False, generation, answer, 60.0, 1, 10.0)
    assert cache.peek(0, NAME, 1, True, False, 20.0) == answer.message(20.0)
    assert cache.peek(1, NAME, 1, True, False, 20.0) is None
    assert cache.peek(0, NAME, 1, False, False, 20.0) is None
    assert cache.peek(0, NAME, 1, True, False, 70.0) is None
    cache.set_generation(1)
    assert cache.peek(0, NAME, 1, True, False, 20.0) is None
    assert cache.flush(NAME, False) == 1
    assert (cache.entries(), cache.bytes()) == (0, 0)


def test_an_answer_that_does_not_fit_a_message_is_cut_with_tc() -> None:
    texts = [
        (from_text(f"n{at}.example."), 16, 9, (b"\xff" + b"x" * 255,), ()) for at in range(300)
    ]
    answer = _native.Answer(NAME, 16, 1, 0, texts, [], [], [], 0.0)
    message = dns.message.from_wire(answer.message(0.0))
    assert message.flags & 0x0200
    assert 200 < len(message.answer) < 300


def test_counters_have_a_closed_set_of_names_and_start_at_zero() -> None:
    counters = _native.Counters(None, 2)
    assert counters.slot("domestic,XA,answer,none,udp") == 1
    assert counters.slot("domestic,XA,answer,none,udp") == 1
    assert [slot[0] for slot in counters.slots()] == ["overflow", "domestic,XA,answer,none,udp"]
    assert all(slot[1:] == (0,) * 8 for slot in counters.slots())
    assert {"queries_udp", "kernel_drops", "upstream_late"} <= set(counters.scalars())
    assert set(counters.scalars().values()) == {0}
    keys = {(transport, destination) for transport, destination, _ in counters.hits()}
    assert keys == {(transport, destination) for transport in (0, 1) for destination in range(4)}
    buckets, seconds = counters.hit_seconds()
    assert (len(buckets), seconds) == (len(_native.HIT_SECONDS_BOUNDS) + 1, 0.0)


def test_a_counters_file_is_read_back_and_its_forerunner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    first = _native.Counters(str(path), 1)
    first.slot("first")
    slots, scalars = _native.read_counters(str(path))
    assert (slots, scalars) == (first.slots(), first.scalars())
    del first
    _native.Counters(str(path), 1)
    assert len(_native.read_counters(str(path))[0]) == 1
    assert _native.read_counters(f"{path}.previous")[0] == slots


def test_files_that_are_no_counters_raise_state_error_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    with pytest.raises(StateError, match=str(path)):
        _native.read_counters(str(path))
    path.write_bytes(b"x" * 8192)
    with pytest.raises(StateError, match="not a counters file"):
        _native.read_counters(str(path))
    with pytest.raises(StateError, match="absent"):
        _native.Counters(str(tmp_path / "absent" / "counters"), 1)


def test_the_clock_is_monotonic_and_wall_time_without_an_offset() -> None:
    clock = _native.Clock()
    before, now, after = time.monotonic(), clock.now(), time.monotonic()
    assert before <= now <= after
    assert abs(clock.wall() - time.time()) < 5


def test_the_clock_moves_by_the_offset_file(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    path.write_text("86400\n")
    clock = _native.Clock(str(path))
    assert 86_395 < clock.now() - time.monotonic() < 86_405
    assert 86_395 < clock.wall() - time.time() < 86_405
