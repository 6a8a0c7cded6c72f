"""Values of the vocabulary made from plain tuples, without a step of the interpreter.

The class of a named tuple makes its values by a function of Python, which takes five times as long
as the tuple itself, also where the caller is compiled. Where values are made for each lookup or
exchange they are made here, from all their fields in order; what type checkers know of a field
they know of its place. Types of other modules have their maker beside them, named alike.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from resolver.model import (
    Address,
    Ask,
    ClientContext,
    Destination,
    Edns,
    Exchange,
    Failure,
    Label,
    Message,
    Outcome,
    Question,
    Reason,
    Record,
    Route,
    RRset,
    Transport,
)
from resolver.names import Name

Section = tuple[RRset, ...]

new_question: Final[Callable[[tuple[Name, int]], Question]] = partial(tuple.__new__, Question)

new_message: Final[
    Callable[
        [tuple[int, bool, bool, bool, Question | None, Section, Section, Section, Edns | None]],
        Message,
    ]
] = partial(tuple.__new__, Message)

new_outcome: Final[Callable[[tuple[Message | None, Failure | None, float, int]], Outcome]] = (
    partial(tuple.__new__, Outcome)
)

new_ask: Final[
    Callable[
        [tuple[Address, Question, Label, float, Transport, bool, bool, bool, bool, int, bool]], Ask
    ]
] = partial(tuple.__new__, Ask)

new_client: Final[Callable[[tuple[Transport, Address, int]], ClientContext]] = partial(
    tuple.__new__, ClientContext
)

new_exchange: Final[
    Callable[
        [tuple[Name, Name | None, Address, Question, Transport, Label, int, str, float]], Exchange
    ]
] = partial(tuple.__new__, Exchange)

new_record: Final[Callable[
    [
        tuple[
            float, Question, ClientContext, int, Route, Destination, Reason, float, str,
            tuple[Exchange, ...], bool, str, str,
        ]
    ],
    Record,
]] = partial(tuple.__new__, Record)  # fmt: skip
