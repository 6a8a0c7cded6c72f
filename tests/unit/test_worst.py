"""Space-Saving: bounded, never too low, too high by no more than it says."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from resolver.counters import Counters
from resolver.limits_page import WORST_KEPT
from resolver.metrics import Exporter
from resolver.model import Destination, Reason, Route, Transport
from resolver.names import Name, from_text
from resolver.tally import Tally
from resolver.worst import SpaceSaving
from tests.unit.test_metrics import FACTS

STREAM = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=400)


def zone(number: int) -> Name:
    return from_text(f"zone-{number}.xb.")


@settings(max_examples=300)
@given(STREAM, st.integers(1, 12))
def test_counts_keep_their_bounds(stream: list[tuple[int, int]], kept: int) -> None:
    counted, exact = SpaceSaving(kept), Counter[Name]()
    for number, count in stream:
        counted.add(zone(number), count)
        exact[zone(number)] += count
    ranking = counted.ranking(kept)
    total = sum(exact.values())
    assert ranking.total == counted.total == total
    assert len(ranking.costs) == min(kept, len(exact))
    for cost in ranking.costs:
        assert exact[cost.zone] <= cost.lookups <= exact[cost.zone] + cost.error
        assert cost.error <= total / kept
    held = {cost.zone for cost in ranking.costs}
    assert ranking.others <= total / kept
    assert all(count <= ranking.others for name, count in exact.items() if name not in held)
    assert {name for name, count in exact.items() if count > total / kept} <= held
    if len(exact) <= kept:
        assert {cost.zone: cost.lookups for cost in ranking.costs} == exact
        assert all(cost.error == 0 for cost in ranking.costs)
    # What the literature calls the invariant of the summary: counts add up to the stream.
    assert sum(cost.lookups for cost in ranking.costs) == total


def test_the_greatest_stand_first_and_the_rest_is_left_out() -> None:
    counted = SpaceSaving(8)
    for number in range(6):
        counted.add(zone(number), number + 1)
    assert [(cost.zone, cost.lookups) for cost in counted.ranking(2).costs] == [
        (zone(5), 6),
        (zone(4), 5),
    ]
    assert counted.ranking(2).others == 0


def test_a_flood_of_new_zones_does_not_hide_a_frequent_one() -> None:
    counted = SpaceSaving(64)
    for number in range(20_000):
        counted.add(zone(number))
        if number % 10 == 0:
            counted.add(from_text("often.xb."))
    first = counted.ranking(1).costs[0]
    assert first.zone == from_text("often.xb.")
    assert first.lookups - first.error <= 2_000 <= first.lookups


def test_zones_make_no_series() -> None:
    tally = Tally()
    exporter = Exporter(Counters(None, 1), tally, lambda: FACTS, "0")

    def series() -> int:
        return sum(len(metric.samples) for metric in exporter.collect())

    def escape(number: int) -> None:
        reason = Reason.NO_DOMESTIC_SERVER
        tally.lookup(Transport.UDP, Route.ESCAPED, Destination.NONE, reason, zone=zone(number))

    escape(0)
    before = series()
    for number in range(5_000):
        escape(number)
    assert series() == before
    assert tally.worst.total == sum(tally.escaped.values()) == 5_001
    assert len(tally.worst.ranking(10_000).costs) == WORST_KEPT
