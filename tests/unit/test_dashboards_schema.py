"""The dashboards are what Grafana's own schema says a dashboard is.

Grafana publishes its types of a dashboard as a Python package, made from the schema that its own
code is made from. Each file is read into them and written out again: a key that they do not know
is lost on the way, a word that is none of an enumeration is refused, and what is of another type
than theirs is found by walking through both. Limitations: whether Grafana draws what we mean is
not seen; of the panels' queries only the form is.
"""

import copy
import json
import types
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

sdk = pytest.importorskip(
    "grafana_foundation_sdk", reason="no types of Grafana: see pyproject.toml"
)

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: E402
from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: E402

FILES = sorted((Path(__file__).resolve().parents[2] / "deploy" / "grafana").glob("*.json"))

# Grafana's editor writes it for variables made by a query, to show it in lists of variables.
NOT_IN_THE_SCHEMA = ("definition",)


@pytest.fixture(scope="module", autouse=True)
def panels_known() -> None:
    register_default_plugins()


def faults(tree: dict[str, Any]) -> list[str]:
    """What of a dashboard is not of the schema."""
    try:
        model = Dashboard.from_json(tree)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return [f"not read: {error}"]
    return [*lost(tree, written(model), ""), *mistyped(model, type(model), "")]


def written(model: object) -> Any:
    """As plain values."""
    return json.loads(json.dumps(model, cls=JSONEncoder))


def lost(ours: object, theirs: object, at: str) -> Iterator[str]:
    """What they do not give back as it was; ``null`` is the same as nothing."""
    match ours, theirs:
        case dict(), dict():
            for name, value in ours.items():
                if name not in theirs and value is not None and name not in NOT_IN_THE_SCHEMA:
                    yield f"{at}.{name}: unknown"
                elif name in theirs:
                    yield from lost(value, theirs[name], f"{at}.{name}")
        case list(), list() if len(ours) == len(theirs):
            for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                yield from lost(one, other, f"{at}[{index}]")
        case _ if ours != theirs:
            yield f"{at}: {ours!r} became {theirs!r}"


def mistyped(value: object, hint: Any, at: str) -> Iterator[str]:
    """Where a value is not of the type that is written for it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [list(mistyped(value, one, at)) for one in inner]
        if all(found):
            yield max((one for each in found for one in each), key=lambda fault: fault.index(": "))
    elif origin is typing.Literal:
        if value not in inner:
            yield f"{at}: {value!r} is none of {inner}"
    elif origin in (list, dict):
        if not isinstance(value, origin):
            yield f"{at}: {value!r} is no {origin.__name__}"
            return
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in members:
            yield from mistyped(one, inner[-1], f"{at}.{name}")
    elif isinstance(hint, type):
        yield from _of_class(value, hint, at)


def _of_class(value: object, hint: type, at: str) -> Iterator[str]:
    if isinstance(value, dict) and hasattr(hint, "from_json"):  # some are left as they came
        model = hint.from_json(value)
        yield from lost(value, written(model), at)
        yield from mistyped(model, hint, at)
    elif issubclass(hint, Enum):
        if value not in [member.value for member in hint]:
            yield f"{at}: {value!r} is no {hint.__name__}"
    elif not isinstance(value, (int, float) if hint is float else hint) or (
        isinstance(value, bool) and hint in (int, float)
    ):
        yield f"{at}: {value!r} is no {hint.__name__}"
    elif type(value).__module__.startswith(sdk.__name__):
        for name, below in typing.get_type_hints(type(value)).items():
            if hasattr(value, name):
                yield from mistyped(getattr(value, name), below, f"{at}.{name}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_is_of_the_schema(path: Path) -> None:
    tree = json.loads(path.read_text())
    assert len(tree["panels"]) > 10
    assert faults(tree) == []


def first(tree: dict[str, Any], kind: str) -> dict[str, Any]:
    panel: dict[str, Any] = next(panel for panel in tree["panels"] if panel["type"] == kind)
    return panel


def test_what_is_not_of_the_schema_is_found() -> None:
    good = json.loads(FILES[0].read_text())

    def broken(change: Any) -> list[str]:
        tree = copy.deepcopy(good)
        change(tree)
        return faults(tree)

    def panel(**keys: object) -> list[str]:
        return broken(lambda tree: first(tree, "timeseries").update(keys))

    assert broken(lambda tree: None) == []
    assert broken(lambda tree: tree.update(titel="x")) == [".titel: unknown"]
    assert broken(lambda tree: tree.update(title=3)) == [".title: 3 is no str"]
    assert broken(lambda tree: tree.update(graphTooltip=7))
    assert broken(lambda tree: tree.update(style="bright"))
    assert panel(gridPos={"x": 0, "y": 0, "w": 8, "height": 4})
    assert panel(targets=[{"refId": "A", "expression": "up"}])
    assert panel(options={"legend": {"displayMode": "none", "showLegend": True}})
    assert panel(options={"legend": {"placement": "middle"}})
    assert panel(fieldConfig={"defaults": {"thresholds": {"mode": "absolut", "steps": []}}})
    assert panel(fieldConfig={"defaults": {"custom": {"fillOpacity": "ten"}}})
    assert panel(fieldConfig={"defaults": {"custom": {"fillOpaqueness": 10}}})
