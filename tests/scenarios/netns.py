"""Private network namespace in which every address is local.

A ``local default`` route on the loopback device makes any destination reach
this namespace, so one wildcard socket stands in for all simulated servers
and no packet can leave.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000


def enter() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNET if uid == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        err = ctypes.get_errno()
        raise OSError(err, "unshare: " + os.strerror(err))
    if flags & CLONE_NEWUSER:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    commands = (
        "\n".join(
            [
                "link set lo up",
                "route add local 0.0.0.0/0 dev lo",
                "-6 route add local ::/0 dev lo",
            ]
        )
        + "\n"
    )
    for line in commands.splitlines():
        subprocess.run(["ip", *line.split()], check=True, capture_output=True)


def why_not() -> str | None:
    """Why this process cannot make namespaces; ``None`` when it can."""
    if shutil.which("ip") is None:
        return "needs the ip command (Debian: iproute2)"
    probe = [sys.executable, "-c", "from tests.scenarios.netns import enter; enter()"]
    run = subprocess.run(probe, capture_output=True, text=True, check=False)
    if run.returncode:
        return f"cannot make a network namespace: {run.stderr.strip().splitlines()[-1]}"
    return None
