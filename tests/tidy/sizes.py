"""How long files, functions and lines may be; what is longer is on a list that only shrinks."""

import ast
import json

from tests.tidy.tree import Tree

PYTHON_LINES_MAX = 400
RUST_LINES_MAX = 600
FUNCTION_LINES_MAX = 70  # clippy holds the same bound for Rust, see make check
COLUMNS_MAX = 100

RATCHET = "tests/tidy/ratchet.json"


def sizes(tree: Tree) -> list[str]:
    """Files and Python functions against their bounds, or against the ratchet."""
    measured = {}
    for path, text in tree.having(".py", ".pyi", ".rs"):
        bound = RUST_LINES_MAX if path.endswith(".rs") else PYTHON_LINES_MAX
        measured[path] = (text.count("\n"), bound)
        if path.endswith(".py"):
            measured |= {
                f"{path}::{name}": (lines, FUNCTION_LINES_MAX) for name, lines in _functions(text)
            }
    allowed: dict[str, int] = json.loads(tree.read(RATCHET) or "{}")
    wrong = [f"{RATCHET}: {key} is not there any more" for key in allowed.keys() - measured.keys()]
    for key, (lines, bound) in measured.items():
        if key in allowed:
            if lines <= bound:
                wrong.append(f"{RATCHET}: {key} is within {bound} lines now: take it out")
            elif lines != allowed[key]:
                wrong.append(f"{key}: {lines} lines, {RATCHET} says {allowed[key]}")
        elif lines > bound:
            wrong.append(f"{key}: {lines} lines, at most {bound}")
    return sorted(wrong)


def _functions(text: str) -> list[tuple[str, int]]:
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def columns(tree: Tree) -> list[str]:
    """No line of code is wider than the house allows."""
    return [
        f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"
        for path, text in tree.having(".py", ".pyi", ".rs", ".sh")
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > COLUMNS_MAX
    ]
