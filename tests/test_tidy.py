"""House rules: the import table, sizes, dead files, true documents, no traces of a workplace.

Each rule is tried twice: on this tree, where it must find nothing, and on a small tree with one
thing wrong, where it must find exactly that.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tidy import imports, sizes, texts
from tests.tidy.tree import Tree

HERE = Path(__file__).resolve().parent.parent

Rule = Callable[[Tree], list[str]]

RULES: list[Rule] = [
    imports.import_table,
    imports.dead_files,
    sizes.sizes,
    sizes.columns,
    texts.listed_files,
    texts.workplace,
    texts.leftovers,
    texts.docstrings,
    texts.present,
    texts.rfc_table,
    texts.metrics_table,
]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(HERE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_this_tree_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    wrong = rule(tree)
    assert not wrong, "\n" + "\n".join(wrong)


ARCHITECTURE = """# Life of a query

| layer | modules | may import | traits |
|---|---|---|---|
| words | `resolver` `resolver.words` | | pure |
| core | `resolver.core` | words | pure |
| doors | `resolver.door` | words | native sockets |
| top | `resolver.app` | words core doors | |
"""

TIDY = {
    "README.md": "# Readme, see `docs/rfcs.md`\n",
    "LICENSE": "Apache\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n",
    "pyproject.toml": '[project.scripts]\ninland = "resolver.app:main"\n',
    "docs/architecture.md": ARCHITECTURE,
    "docs/rfcs.md": "| RFC | about | status | files | tests |\n|---|---|---|---|---|\n"
    "| 1035 | names | done | `resolver/core.py` | `tests/test_core.py` |\n",
    "resolver/__init__.py": '"""Package."""\n',
    "resolver/words.py": '"""Words."""\n\nA = 1\n',
    "resolver/core.py": '"""Core (RFC 1035)."""\n\nfrom resolver.words import A\n\nB = A\n',
    "resolver/door.py": '"""Door."""\n\nfrom resolver import _native, words\n\nC = words\n',
    "resolver/app.py": '"""Top."""\n\nfrom resolver import core, door\n\nD = core, door\n',
    "tests/test_core.py": '"""Tests."""\n',
}


def plant(root: Path, changes: dict[str, str]) -> Tree:
    for path, text in (TIDY | changes).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return Tree(root)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_tidy_tree_passes(rule: Rule, tmp_path: Path) -> None:
    assert rule(plant(tmp_path, {})) == []


CORE = TIDY["resolver/core.py"]
LONG_FUNCTION = "def f() -> None:\n" + "    a = 1\n" * 70

FAULTS: list[tuple[Rule, dict[str, str], str]] = [
    (imports.import_table, {"resolver/core.py": CORE + "import resolver.door\n"}, "core imports"),
    (imports.import_table, {"resolver/core.py": CORE + "from . import app\n"}, "core imports"),
    (imports.import_table, {"resolver/core.py": CORE + "from random import random\n"}, "pure"),
    (imports.import_table, {"resolver/core.py": CORE + "import trio.lowlevel\n"}, "pure"),
    (
        imports.import_table,
        {"resolver/core.py": CORE + "def f() -> None:\n    import time\n"},
        "pure",
    ),
    (imports.import_table, {"resolver/core.py": CORE + "X = open('x')\n"}, "open() in a pure"),
    (imports.import_table, {"resolver/app.py": CORE + "from resolver._native import X\n"}, "doors"),
    (imports.import_table, {"resolver/app.py": CORE + "from resolver import _native\n"}, "doors"),
    (imports.import_table, {"resolver/app.py": CORE + "import socket\n"}, "sockets"),
    (imports.import_table, {"resolver/app.py": CORE + "import tests.x\n"}, "product imports"),
    (imports.import_table, {"resolver/new.py": CORE}, "in no row"),
    (imports.import_table, {"docs/architecture.md": "# Empty\n"}, "no line"),
    (
        imports.import_table,
        {"docs/architecture.md": ARCHITECTURE.replace("`resolver.core`", "`resolver.core` `a.b`")},
        "a.b is not there",
    ),
    (
        imports.import_table,
        {"docs/architecture.md": ARCHITECTURE.replace("words core doors", "words core doors x")},
        "no layer x",
    ),
    (imports.dead_files, {"resolver/forgotten.py": CORE}, "nothing imports it"),
    (
        imports.dead_files,
        {"resolver/forgotten.py": CORE, "tests/test_f.py": "import resolver.forgotten\n"},
        "nothing imports it",
    ),
    (
        imports.dead_files,
        {"testbed/script.py": 'if __name__ == "__main__":\n    pass\n'},
        "nothing imports it",
    ),
    (sizes.sizes, {"resolver/core.py": CORE + "B = 1\n" * 400}, "at most 400"),
    (sizes.sizes, {"resolver/native/src/a.rs": "// a\n" * 601}, "at most 600"),
    (sizes.sizes, {"resolver/core.py": CORE + LONG_FUNCTION}, "::f: 71 lines, at most 70"),
    (sizes.sizes, {"tests/tidy/ratchet.json": '{"gone.py": 500}'}, "not there any more"),
    (sizes.sizes, {"tests/tidy/ratchet.json": '{"resolver/core.py": 500}'}, "take it out"),
    (
        sizes.sizes,
        {
            "resolver/core.py": CORE + "B = 1\n" * 400,
            "tests/tidy/ratchet.json": '{"resolver/core.py": 402}',
        },
        "405 lines, tests/tidy/ratchet.json says 402",
    ),
    (sizes.columns, {"resolver/core.py": CORE + "#" * 101 + "\n"}, "101 columns"),
    (texts.listed_files, {"README.md": "see `resolver/gone.py`\n"}, "resolver/gone.py"),
    (texts.workplace, {"README.md": f"cd /{'root'}/x\n"}, f"/{'root'}/x"),
    (texts.workplace, {"deploy/a.sh": f"wget deb.{'debian'}.org\n"}, "debian"),
    (texts.leftovers, {"resolver/core.py": CORE + f"# {'TO'}DO: more\n"}, "core.py:6"),
    (texts.leftovers, {"resolver/native/src/a.rs": f"{'to'}do!()\n"}, "a.rs:1"),
    (texts.docstrings, {"resolver/core.py": "A = 1\n"}, "no module docstring"),
    (texts.present, {"CHANGELOG.md": "# Changelog\n"}, "Unreleased"),
    (texts.rfc_table, {"resolver/core.py": CORE + "# RFC 9156\n"}, "RFC 9156 is cited"),
    (texts.rfc_table, {"docs/rfcs.md": TIDY["docs/rfcs.md"].replace("done", "good")}, "'good'"),
    (texts.metrics_table, {"docs/metrics.md": "`inland_a_total`\n"}, "inland_a is not exported"),
    (texts.metrics_table, {"resolver/metrics.py": '"inland_b"\n'}, "inland_b is missing"),
    (
        texts.rfc_table,
        {"docs/rfcs.md": TIDY["docs/rfcs.md"].replace("`tests/test_core.py`", "")},
        "names no test",
    ),
]


@pytest.mark.parametrize(
    ("rule", "changes", "expected"), FAULTS, ids=[f"{r.__name__}-{e}" for r, _, e in FAULTS]
)
def test_a_fault_is_found(
    rule: Rule, changes: dict[str, str], expected: str, tmp_path: Path
) -> None:
    wrong = rule(plant(tmp_path, changes))
    assert len(wrong) == 1, wrong
    assert expected in wrong[0]


def test_imports_for_the_type_checker_may_be_impure(tmp_path: Path) -> None:
    guarded = (
        CORE.replace("from resolver", "from typing import TYPE_CHECKING\n\nfrom resolver")
        + "if TYPE_CHECKING:\n    from random import Random\n"
    )
    assert imports.import_table(plant(tmp_path, {"resolver/core.py": guarded})) == []


def test_what_the_ratchet_allows_passes(tmp_path: Path) -> None:
    changes = {
        "resolver/core.py": CORE + "B = 1\n" * 400,
        "tests/tidy/ratchet.json": '{"resolver/core.py": 405}',
    }
    assert sizes.sizes(plant(tmp_path, changes)) == []


def test_a_missing_licence_is_found(tmp_path: Path) -> None:
    planted = plant(tmp_path, {})
    (tmp_path / "LICENSE").unlink()
    assert texts.present(planted) == ["LICENSE is missing"]
