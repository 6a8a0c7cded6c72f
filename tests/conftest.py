"""How tests of whole systems share the cores (``make test``): who goes with whom to one worker.

Most of them wait for servers, timers and packets, so several run side by side. Each has worlds of
its own: network namespaces, or free ports on loopback. What one file sets up for all of its tests
stays with one worker, and so do the files that share an image.
"""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {f"test_deploy_{name}.py" for name in ("compose", "container", "systemd", "wheel")}
APART = {"border"}
"""Folders whose tests share nothing: each may go to another worker, the long ones above all."""


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Work is handed out by file, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.split("::", 1)[0])
        if path.name in TOGETHER:
            return "image"
        return nodeid if path.parent.name in APART else str(path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing | None:
    """Ours for ``--dist loadscope``."""
    return Sharing(config, log) if config.getvalue("dist") == "loadscope" else None
