"""The pieces of HTML that the sections are made of. Every text from outside is escaped here."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import NamedTuple

from resolver.page.samples import Figure


class Column(NamedTuple):
    """A column of a table. ``kind``: ``t`` text, ``s`` a short word, ``n`` numbers, ``b`` bars that
    repeat a number."""

    title: str
    kind: str = "t"


def text(value: str) -> str:
    """A text as HTML."""
    return escape(value)


def figure(made: Figure) -> str:
    """A figure, with its value for machines and the query that gives the same."""
    value = repr(made.value) if isfinite(made.value) else "NaN"
    if made.value == round(made.value, 0) if isfinite(made.value) else False:
        value = f"{made.value:.0f}"
    return f'<data value="{value}" data-query="{escape(made.query)}">{escape(made.text)}</data>'


def section(key: str, title: str, *parts: str) -> str:
    """A part of the page with its heading."""
    inner = "".join(parts)
    return f'<section aria-labelledby="{key}"><h2 id="{key}">{escape(title)}</h2>{inner}</section>'


def soft(words: str) -> str:
    """A paragraph of explanation; ``words`` are HTML."""
    return f'<p class="soft">{words}</p>'


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are HTML, the first of a row is its heading. It scrolls by itself where it is
    wider than the page, and the keyboard reaches it."""
    head = "".join(f'<th scope="col" class="{c.kind}">{escape(c.title)}</th>' for c in columns)
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    name = escape(caption)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{name}"><table>'
        f"<caption><span>{name}</span></caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(columns: Sequence[Column], row: Sequence[str]) -> str:
    first, *rest = row
    cells = "".join(
        f'<td class="{column.kind}">{cell}</td>'
        for column, cell in zip(columns[1:], rest, strict=True)
    )
    return f'<th scope="row" class="{columns[0].kind}">{first}</th>{cells}'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names with their values; the values are HTML."""
    inner = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{inner}</dl>'


def folded(title: str, inner: str) -> str:
    """What is shown on demand; printed always."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"
