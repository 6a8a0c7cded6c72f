"""What the door counts as sent is what an independent counter sees leaving: the conservation law.

Needs root, unshare and nft; skipped without them.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.unit.door_rig import NOT_SENT

ASKS = 5000
HEADERS = 28  # IPv4 and UDP


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("unshare"),
    reason="needs root, unshare and nft",
)
def test_datagrams_sent_equal_those_that_the_firewall_counts() -> None:
    command = ["unshare", "-n", sys.executable, "-m", "tests.system.conservation_in_namespace"]
    told = json.loads(subprocess.check_output([*command, str(ASKS)], timeout=120))
    firewall, books = told["firewall"], told["books"]
    packets, octets = firewall["queries"]
    lost = firewall["lost"][0]
    assert books["intended"] == ASKS
    assert books["sent"] == packets
    assert books["octets_sent"] == octets - HEADERS * packets
    assert ASKS - packets == lost == told["failures"].count(NOT_SENT)
    assert 0 < lost < ASKS / 5
    # No datagram came so late or so unwanted that the kernel had to answer it.
    assert firewall["unreachable"] == [0, 0]
