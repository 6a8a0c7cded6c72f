"""Figures out of the samples of one scrape, each with the query that gives the same in Prometheus.

A figure on the page is made from a :class:`Select`, and so is the text of its query: the two cannot
say different things, and whoever doubts a figure can ask Prometheus the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, final

from resolver.page import numbers

Labels = Mapping[str, str]
Pairs = tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True, slots=True)
class Select:
    """The samples of a metric with these values of labels, and without those."""

    metric: str
    equal: Pairs = ()
    unequal: Pairs = ()

    def where(self, **labels: str) -> "Select":
        """The part of it with these labels."""
        return replace(self, equal=(*self.equal, *labels.items()))

    def unless(self, **labels: str) -> "Select":
        """The part of it without samples that have one of these labels."""
        return replace(self, unequal=(*self.unequal, *labels.items()))

    def takes(self, labels: Labels) -> bool:
        """Whether a sample with these labels belongs to it."""
        return all(labels.get(name, "") == value for name, value in self.equal) and all(
            labels.get(name, "") != value for name, value in self.unequal
        )

    @property
    def query(self) -> str:
        """The same in the language of Prometheus."""
        matchers = [f'{name}="{_quoted(value)}"' for name, value in self.equal]
        matchers += [f'{name}!="{_quoted(value)}"' for name, value in self.unequal]
        inner = f"{{{','.join(matchers)}}}" if matchers else ""
        return f"sum({self.metric}{inner})"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Figure(NamedTuple):
    """A number as it is, as people read it, and where it comes from."""

    value: float
    text: str
    query: str


@final
class Samples:
    """All samples of one scrape, by the name of their metric."""

    def __init__(self, rows: Iterable[tuple[str, Labels, float]]) -> None:
        self._rows: dict[str, list[tuple[Labels, float]]] = {}
        for metric, labels, value in rows:
            self._rows.setdefault(metric, []).append((labels, value))

    def rows(self, metric: str) -> list[tuple[Labels, float]]:
        """Labels and values of a metric, in the order of the scrape; none when it is not there."""
        return self._rows.get(metric, [])

    def label(self, metric: str, name: str) -> str:
        """The value of a label of the metric's first sample; empty: there is none."""
        rows = self.rows(metric)
        return rows[0][0].get(name, "") if rows else ""

    def total(self, select: Select) -> float:
        """The sum over a selection; 0 over nothing."""
        return sum(value for labels, value in self.rows(select.metric) if select.takes(labels))

    def values(self, select: Select, *names: str, zeros: bool = False) -> list[tuple[str, ...]]:
        """The different values of these labels in a selection, the greatest sums first; with
        ``zeros`` those too whose sum is 0."""
        sums: dict[tuple[str, ...], float] = {}
        for labels, value in self.rows(select.metric):
            if select.takes(labels):
                key = tuple(labels.get(name, "") for name in names)
                sums[key] = sums.get(key, 0.0) + value
        kept = [key for key, value in sums.items() if value or zeros]
        return sorted(kept, key=lambda key: (-sums[key], key))

    def count(self, select: Select) -> Figure:
        """A sum as a whole number."""
        value = self.total(select)
        return Figure(value, numbers.whole(value), select.query)

    def serial(self, select: Select) -> Figure:
        """A number that is a name: of a version, not of things."""
        value = self.total(select)
        return Figure(value, f"{value:.0f}", select.query)

    def octets(self, select: Select) -> Figure:
        """A sum of octets."""
        value = self.total(select)
        return Figure(value, numbers.octets(value), select.query)

    def seconds(self, select: Select) -> Figure:
        """A span of time."""
        value = self.total(select)
        return Figure(value, numbers.span(value), select.query)

    def share(self, part: Select, of: Select) -> Figure:
        """How much of one selection another is; not a number when there is nothing."""
        value = _ratio(self.total(part), self.total(of))
        return Figure(value, numbers.share(value), f"{part.query} / {of.query}")

    def per(self, part: Select, of: Select) -> Figure:
        """How many of one selection for each of another."""
        value = _ratio(self.total(part), self.total(of))
        return Figure(value, numbers.decimal(value), f"{part.query} / {of.query}")


def _ratio(part: float, of: float) -> float:
    return part / of if of else float("nan")
