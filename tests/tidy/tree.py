"""A source tree as the rules see it: its files, its Python modules, parsed once."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PRODUCT = ("resolver", "policy", "testbed")
CODE = (*PRODUCT, "deploy", "benchmarks", "tests")

# Made by tools, never by hand; .git is a file in a worktree.
MADE = {
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".run",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "target",
}


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module: its dotted name, the line, whether only the type checker sees it."""

    name: str
    line: int
    types_only: bool


@dataclass
class Module:
    """One Python file, parsed."""

    name: str  # dotted
    path: str  # from the root, with slashes
    text: str
    imports: list[Import] = field(default_factory=list)

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


class Tree:
    """All files below a root, tools' output left out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> list[str]:
        """Paths from the root, sorted."""
        out = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(set(folders) - MADE)
            here = Path(folder).relative_to(self.root)
            out += [(here / name).as_posix() for name in names if name not in MADE]
        return sorted(out)

    def read(self, path: str) -> str:
        """The text of a file; empty when it is not text or not there."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            return ""

    def having(self, *suffixes: str) -> Iterator[tuple[str, str]]:
        """(path, text) of the files that end so."""
        for path in self.files:
            if path.endswith(suffixes):
                yield path, self.read(path)

    @cached_property
    def modules(self) -> dict[str, Module]:
        """Python files of the product, set-up, benchmarks and tests, by dotted name."""
        found = {}
        for path, text in self.having(".py"):
            parts = path.removesuffix(".py").split("/")
            if parts[0] not in CODE:
                continue
            if parts[-1] == "__init__":
                parts.pop()
            name = ".".join(parts)
            found[name] = Module(name, path, text)
        for module in found.values():
            module.imports = list(_imports(module, found))
        return found

    def product(self) -> Iterator[Module]:
        """The modules that are installed."""
        return (module for module in self.modules.values() if module.top in PRODUCT)


def _imports(module: Module, known: dict[str, Module]) -> Iterator[Import]:
    types_only = _type_checking_lines(module.syntax)
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            names = [_target(base, alias.name, known) for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(name, node.lineno, node.lineno in types_only)


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    if not module.path.endswith("__init__.py"):
        package.pop()
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _target(base: str, name: str, known: dict[str, Module]) -> str:
    """``from package import module`` names the module, ``from module import thing`` too."""
    inner = f"{base}.{name}"
    return inner if inner in known or name == "_native" else base


def _type_checking_lines(syntax: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(syntax):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                lines.update(range(child.lineno, (child.end_lineno or child.lineno) + 1))
    return lines
