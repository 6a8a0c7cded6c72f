"""Policies from written evidence, for tests: sources as text, or as plain maps."""

from collections.abc import Callable, Mapping
from pathlib import Path

from policy.border import Policy
from policy.inputs import PolicyInputs, SourceFile
from policy.load import Opened, assemble, opened_built_in
from policy.sources import Registry
from policy.table import compile_layers
from policy.verdict import Evidence, Origin
from resolver.model import address_from_text

DIGEST = "0" * 64


def registry(get: Callable[[str], str | None], edition: str = "e1") -> Registry:
    """The built-in registry with other data; ``get`` takes an address as text in full."""
    return Registry(Origin("registry", "iptocc", None, edition), get)


def places(of: Mapping[str, str]) -> Registry:
    """A registry that knows these addresses."""
    return registry(of.get)


def policy_from(
    inputs: PolicyInputs,
    *sources: Opened,
    own: Registry | None = None,
    lists: tuple[Opened, ...] = (),
) -> Policy:
    """A policy of these sources; ``own`` is the built-in registry."""
    return assemble(inputs, [opened_built_in(), *lists], list(sources), own)


def written(path: Path, text: str) -> SourceFile:
    """A file of evidence."""
    path.write_text(text, encoding="utf-8")
    return SourceFile(path, path.stem)


def hear(opened: Opened, text: str) -> Evidence:
    """What one source says of an address."""
    table = compile_layers([opened.layer])
    (value,) = table.values(table.find(address_from_text(text)))
    return opened.source.say(value)
