"""What makes values from plain tuples knows every field of them, in order and by type."""

import importlib
import typing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.interpreted import interpreted

MODULES = ("cache", "compose", "listen", "quick", "response")
pytestmark = interpreted


def makers() -> Iterator[tuple[str, partial[Any], Any]]:
    """What makes a value of a tuple's class, and how it is typed."""
    for name in MODULES:
        module = importlib.import_module(f"resolver.{name}")
        for variable, hint in vars(module).get("__annotations__", {}).items():
            value = vars(module).get(variable)
            if isinstance(value, partial) and value.func is tuple.__new__:
                assert typing.get_origin(hint) is typing.Final
                yield f"{name}.{variable}", value, typing.get_args(hint)[0]


FOUND = {name: (maker, hint) for name, maker, hint in makers()}


def test_they_are_found() -> None:
    assert {name.partition(".")[0] for name in FOUND} == set(MODULES)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_maker_takes_the_fields_of_its_type(name: str) -> None:
    maker, hint = FOUND[name]
    assert typing.get_origin(hint) is Callable
    (taken,), made = typing.get_args(hint)
    assert maker.args == (made,)
    fields = typing.get_type_hints(made)
    assert typing.get_args(taken) == tuple(fields[field] for field in made._fields)
    values = tuple(range(len(made._fields)))
    assert tuple(maker(values)) == values
    assert type(maker(values)) is made
