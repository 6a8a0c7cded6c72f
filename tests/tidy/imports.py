"""Who may import whom: the table in docs/architecture.md, enforced.

The table has a row for each layer: its modules, the layers that they may import (their own
always), and traits. ``pure``: neither I/O nor a clock nor chance. ``native``: may import
``resolver._native``. ``sockets``: may open sockets.
"""

import ast
import re
from dataclasses import dataclass

from tests.tidy.tree import Module, Tree

TABLE = "docs/architecture.md"
HEADER = "| layer | modules | may import | traits |"
TRAITS = {"pure", "native", "sockets"}
NATIVE = "resolver._native"

IMPURE = {
    "asyncio",
    "http",
    "logging",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "trio",
    "urllib",
}
IMPURE_CALLS = {"open", "print", "input"}
SOCKETS = {"asyncio", "http", "select", "selectors", "socket", "socketserver", "ssl", "trio.socket"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the table."""

    name: str
    modules: frozenset[str]
    may_import: frozenset[str]
    traits: frozenset[str]


def read_table(tree: Tree) -> list[Layer]:
    """The rows below the header. Raises ``ValueError`` when there is no such table."""
    lines = tree.read(TABLE).splitlines()
    if HEADER not in lines:
        raise ValueError(f"{TABLE}: no line {HEADER!r}")
    rows = []
    for line in lines[lines.index(HEADER) + 2 :]:
        if not line.startswith("|"):
            break
        name, modules, may_import, traits = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append(
            Layer(
                name,
                frozenset(re.findall(r"`([^`]+)`", modules)),
                frozenset(re.findall(r"[\w-]+", may_import)) | {name},
                frozenset(re.findall(r"\w+", traits)),
            )
        )
    return rows


def import_table(tree: Tree) -> list[str]:
    """Every product module stands in the table and keeps to its row."""
    try:
        layers = read_table(tree)
    except ValueError as error:
        return [str(error)]
    wrong = _table_itself(layers, tree)
    home = {name: layer for layer in layers for name in layer.modules}
    for module in tree.product():
        layer = home.get(module.name)
        if layer is None:
            wrong.append(f"{module.path}: {module.name} is in no row of the table in {TABLE}")
            continue
        wrong += _layer_imports(module, layer, home)
        wrong += _traits(module, layer)
    return wrong


def _table_itself(layers: list[Layer], tree: Tree) -> list[str]:
    wrong = []
    names = [layer.name for layer in layers]
    listed = [name for layer in layers for name in layer.modules]
    wrong += [f"{TABLE}: {name} has two rows" for name in set(names) if names.count(name) > 1]
    wrong += [f"{TABLE}: {name} stands twice" for name in set(listed) if listed.count(name) > 1]
    wrong += [f"{TABLE}: {name} is not there" for name in listed if name not in tree.modules]
    for layer in layers:
        wrong += [f"{TABLE}: no layer {name}" for name in layer.may_import - set(names)]
        wrong += [f"{TABLE}: no trait {name}" for name in layer.traits - TRAITS]
    return wrong


def _layer_imports(module: Module, layer: Layer, home: dict[str, Layer]) -> list[str]:
    wrong = []
    for item in module.imports:
        if item.name.partition(".")[0] in ("tests", "benchmarks", "deploy"):
            wrong.append(f"{module.path}:{item.line}: the product imports {item.name}")
        other = home.get(item.name)
        if other is not None and other.name not in layer.may_import:
            wrong.append(
                f"{module.path}:{item.line}: {layer.name} imports {item.name} ({other.name})"
            )
    return wrong


def _traits(module: Module, layer: Layer) -> list[str]:
    wrong = []
    for item in module.imports:
        where = f"{module.path}:{item.line}: "
        if item.name == NATIVE and "native" not in layer.traits:
            wrong.append(f"{where}{layer.name} imports {NATIVE}; only the doors may")
        if item.types_only:
            continue
        if "pure" in layer.traits and item.name.partition(".")[0] in IMPURE:
            wrong.append(f"{where}{item.name} in a pure file")
        if "sockets" not in layer.traits and _opens_sockets(item.name):
            wrong.append(f"{where}{item.name} outside the files that may open sockets")
    if "pure" in layer.traits:
        wrong += [
            f"{module.path}:{node.lineno}: {node.func.id}() in a pure file"
            for node in ast.walk(module.syntax)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in IMPURE_CALLS
        ]
    return wrong


def _opens_sockets(name: str) -> bool:
    return name in SOCKETS or name.partition(".")[0] in SOCKETS or name == "urllib.request"


def dead_files(tree: Tree) -> list[str]:
    """Every module is imported, is a test, or is started by name from somewhere."""
    wrong = []
    for module in tree.modules.values():
        if _is_entry(module, tree):
            continue
        inner = module.top in ("resolver", "policy")
        if not any(
            _uses(other, module) and not (inner and other.top == "tests")
            for other in tree.modules.values()
            if other is not module
        ):
            wrong.append(f"{module.path}: nothing imports it, and it is no entry point")
    return wrong


def _uses(other: Module, module: Module) -> bool:
    # Importing a.b runs a/__init__.py as well.
    package = module.path.endswith("__init__.py")
    return any(
        item.name == module.name or (package and item.name.startswith(module.name + "."))
        for item in other.imports
    )


def _is_entry(module: Module, tree: Tree) -> bool:
    file = module.path.rpartition("/")[2]
    if file.startswith("test_") or file == "conftest.py":
        return True
    if file == "__main__.py":
        return True
    if file == "__init__.py" and module.top in ("tests", "benchmarks"):
        return True
    if module.name in re.findall(r'"([\w.]+):\w+"', tree.read("pyproject.toml")):
        return True
    if '__name__ == "__main__"' not in module.text:
        return False
    return any(
        re.search(rf"\b{re.escape(module.name)}\b", text) or module.path in text
        for path, text in tree.having("Makefile", ".sh", ".md", ".yaml", ".py")
        if path != module.path
    )
