"""What the documents say is true of the tree, and nothing in the tree tells where it was made."""

import ast
import re

from tests.tidy.tree import PRODUCT, Tree

RFCS = "docs/rfcs.md"
RFC_HEADER = "| RFC | about | status | files | tests |"
STATUSES = {"done", "partly", "planned", "not planned"}

# A path in backticks: it has a folder or is a well-known file, and a suffix.
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|pyi|rs|md|yaml|json|toml|sh|txt|rpl))`")
ABSOLUTE = re.compile(r"(?<![\w.$}~*-])/(?:root|home|Users|work|farm)/[\w.]+")
HOSTS = re.compile(r"deb\.debian\.[o]rg|pypi\.[o]rg/simple|index\.crates\.[i]o")
# Spelt so that this file does not find itself.
LEFTOVERS = re.compile(
    r"\b(?:TO[D]O|FIX[M]E|XX[X])\b|NotImplemented[E]rror|\bto[d]o!\(|\bunimplement[e]d!\("
)


def listed_files(tree: Tree) -> list[str]:
    """Every file that a document names in backticks is there."""
    there = set(tree.files)
    endings = {part for path in there for part in _endings(path)}
    return [
        f"{path}: names {name}, which is not there"
        for path, text in tree.having(".md")
        for name in sorted(set(PATH.findall(text)))
        if name not in there and name not in endings
    ]


def _endings(path: str) -> list[str]:
    """``a/b/c.py``: also ``b/c.py`` and ``c.py``, for a document that has said the folder."""
    parts = path.split("/")
    return ["/".join(parts[at:]) for at in range(1, len(parts))]


def workplace(tree: Tree) -> list[str]:
    """No absolute path of a machine and no package host stands in any text."""
    return [
        f"{path}:{number}: {found.group()}"
        for path in tree.files
        if path != "LICENSE"
        for number, line in enumerate(tree.read(path).splitlines(), 1)
        for found in [ABSOLUTE.search(line) or HOSTS.search(line)]
        if found
    ]


def leftovers(tree: Tree) -> list[str]:
    """No stub and no note to self."""
    return [
        f"{path}:{number}: {found.group()}"
        for path, text in tree.having(".py", ".rs", ".sh", "Makefile")
        for number, line in enumerate(text.splitlines(), 1)
        for found in [LEFTOVERS.search(line)]
        if found
    ]


def docstrings(tree: Tree) -> list[str]:
    """Every module says in a sentence what it is for."""
    return [
        f"{module.path}: no module docstring"
        for module in tree.modules.values()
        if not ast.get_docstring(module.syntax)
        and not (module.path.endswith("__init__.py") and not module.text.strip())
    ]


def present(tree: Tree) -> list[str]:
    """The files that a reader expects are there and have their form."""
    wrong = [
        f"{name} is missing"
        for name in ("README.md", "LICENSE", "CHANGELOG.md", RFCS, "docs/architecture.md")
        if name not in tree.files
    ]
    if "## [Unreleased]" not in tree.read("CHANGELOG.md"):
        wrong.append("CHANGELOG.md: no section [Unreleased]")
    return wrong


def rfc_table(tree: Tree) -> list[str]:
    """Each row has a known status and real files; each RFC that the code cites has a row."""
    lines = tree.read(RFCS).splitlines()
    if RFC_HEADER not in lines:
        return [f"{RFCS}: no line {RFC_HEADER!r}"]
    wrong: list[str] = []
    rows: set[str] = set()
    for line in lines[lines.index(RFC_HEADER) + 2 :]:
        if not line.startswith("|"):
            break
        number, _, status, files, tests = (cell.strip() for cell in line.strip("|").split("|"))
        numbers = set(number.split())  # a row may stand for several of one kind
        wrong += [f"{RFCS}: RFC {one} has two rows" for one in sorted(numbers & rows)]
        rows |= numbers
        if status not in STATUSES:
            wrong.append(f"{RFCS}: RFC {number}: status {status!r}, not one of {sorted(STATUSES)}")
        if status in ("done", "partly"):
            if "`" not in files:
                wrong.append(f"{RFCS}: RFC {number} is {status} but names no file")
            if "`" not in tests:
                wrong.append(f"{RFCS}: RFC {number} is {status} but names no test")
    cited = {
        number
        for path, text in tree.having(".py", ".rs", ".pyi")
        if path.startswith(PRODUCT)
        for number in re.findall(r"\bRFC (\d{3,5})\b", text)
    }
    return wrong + [f"{RFCS}: RFC {n} is cited but has no row" for n in sorted(cited - rows)]


METRICS = "docs/metrics.md"
METRICS_CODE = re.compile(r"resolver/metrics\w*\.py")
METRIC = re.compile(r"\binland_[a-z_]*[a-z]\b")


def metrics_table(tree: Tree) -> list[str]:
    """The page on metrics names those that the exporter has, and no others."""
    listed = {name.removesuffix("_total") for name in METRIC.findall(tree.read(METRICS))}
    code = "".join(map(tree.read, filter(METRICS_CODE.fullmatch, tree.files)))
    made = {name.removesuffix("_total") for name in METRIC.findall(code)}
    return [f"{METRICS}: {name} is not exported" for name in sorted(listed - made)] + [
        f"{METRICS}: {name} is missing" for name in sorted(made - listed)
    ]
