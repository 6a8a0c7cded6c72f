"""The modules on the path of a lookup, compiled ahead, when what was compiled is what stands here.

``deploy/compile.py`` compiles them with mypyc, set up by ``deploy/setup.sh``, into a directory
named after a hash of their sources and of the interpreter's ABI. It is used only under that very
name, so an edited source is never hidden by an older binary; without it everything runs
interpreted, and so it does with ``INLAND_COMPILED=0``. See
``docs/decisions/0015-compiled-core.md``.
"""

import hashlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

MODULES = (
    "policy.border", "policy.decision", "policy.engine", "policy.evaluate", "policy.findings",
    "policy.modes", "policy.prefixes", "policy.special", "policy.verdict", "policy.views",
    "policy.windows",
    "resolver.asking", "resolver.board", "resolver.cache", "resolver.carry", "resolver.compose",
    "resolver.concern",
    "resolver.contest", "resolver.core", "resolver.counters", "resolver.decide",
    "resolver.delegation", "resolver.descend", "resolver.exchange", "resolver.failures",
    "resolver.forge", "resolver.forward", "resolver.iterate", "resolver.limits",
    "resolver.limits_servers", "resolver.listen",
    "resolver.local", "resolver.lookups", "resolver.minimise", "resolver.model", "resolver.names",
    "resolver.payers", "resolver.plan", "resolver.quick", "resolver.replies", "resolver.resolve",
    "resolver.response", "resolver.schedule", "resolver.scrub", "resolver.selection",
    "resolver.serve", "resolver.servers", "resolver.stale", "resolver.tags", "resolver.tally",
    "resolver.task", "resolver.wire", "resolver.wishes", "resolver.worst",
)  # fmt: skip
"""What is compiled: on the path of a lookup. A change to any of them makes all interpreted until
they are compiled again, for they know each other's layout."""

ALSO = (
    "resolver/_native.pyi",
    "resolver/_native_plans.pyi",
    "resolver/limits_page.py",
    "resolver/limits_policy.py",
    "resolver/limits_proof.py",
    "resolver/limits_verify.py",
    "resolver/limits_views.py",
    "resolver/proven.py",
    "deploy/compile.py",
)
"""Read when compiling beside the modules themselves."""

GROUP = "inland__mypyc"
"""Name of the library that all the compiled modules share."""

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / ".run" / "compiled"
OFF = os.environ.get("INLAND_COMPILED") == "0"


def sources(root: Path) -> list[Path]:
    """The files that decide what is compiled, in order."""
    return [root / (name.replace(".", "/") + ".py") for name in MODULES] + [
        root / name for name in ALSO
    ]


def key(root: Path = ROOT) -> str:
    """What a compiled directory is named after: the sources as they are now, and the ABI of the
    interpreter. Raises ``OSError`` when a source is not there, as in an installed wheel."""
    summed = hashlib.blake2b(EXTENSION_SUFFIXES[0].encode(), digest_size=8)
    for path in sources(root):
        text = path.read_bytes()
        summed.update(b"%d\n" % len(text))
        summed.update(text)
    return summed.hexdigest()


def _find() -> Path | None:
    """The directory with compiled modules that are those of the sources, loaded as far as its
    shared library; ``None``: there is none, it is switched off, or it does not load."""
    if OFF or not BUILT.is_dir():
        return None
    try:
        built = BUILT / key()
        library = str(built / (GROUP + EXTENSION_SUFFIXES[0]))
        if not os.path.exists(library):  # noqa: PTH110 - at every start, and this is the quicker
            return None
        spec = ModuleSpec(GROUP, ExtensionFileLoader(GROUP, library), origin=library)
        sys.modules[GROUP] = module_from_spec(spec)
    except (OSError, ImportError):
        return None
    return built


USED = _find()


def places(package: str) -> list[str]:
    """What goes before the rest of a package's ``__path__``."""
    return [] if USED is None else [str(USED / package)]
