"""Compile the modules on the path of a lookup with mypyc: ``deploy/compile.py``.

Their directory appears whole or not at all: it is made beside its place and moved there. Others
beside it, of older sources, are taken away. Raises what mypyc or the C compiler raise; then there
is no directory and everything runs interpreted.
"""

import os
import shutil
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution

from resolver import compiled

GROUP = compiled.GROUP.removesuffix("__mypyc")
OPTIMISE = "1"
"""Of the C compiler. A higher level takes twice the time to build for some percent of speed."""


def build(place: Path) -> None:
    """Make ``place``, with a shared library and, for each module, a file that names it."""
    modules = [name.replace(".", "/") + ".py" for name in compiled.MODULES]
    work = place.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    extensions = mypycify(
        ["--config-file", "pyproject.toml", *modules],
        opt_level=OPTIMISE,
        debug_level="0",
        multi_file=True,
        group_name=GROUP,
        target_dir=str(work / "c"),
    )
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(work / "lib"), str(work / "o")
    command.parallel = len(os.sched_getaffinity(0))
    command.ensure_finalized()
    command.run()
    for older in place.parent.glob("*"):
        if older != work:
            shutil.rmtree(older)
    (work / "lib").rename(place)
    shutil.rmtree(work)


if __name__ == "__main__":
    build(compiled.BUILT / compiled.key())
