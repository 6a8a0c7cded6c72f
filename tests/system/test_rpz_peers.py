"""The same response policy zones, the same names: Inland beside BIND, PowerDNS Recursor and
Unbound.

Each server runs in a network namespace of its own with the world of :mod:`tests.system.rpz_world`,
and is asked all its rows. What differs from ours is listed here with its reason; nothing else may.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.system.rpz_in_namespace import UNBOUND_ENDS_AT
from tests.system.rpz_world import ROWS

WILDCARD = "a name that exists hides the wildcards above it (RFC 4592), read as for any zone"
NAME_FIRST = "names of all zones are looked at before addresses of any"
NO_ALIASES = "the aliases before it are left out"
NO_SYNTHESIS = "the asterisk of the target is not replaced, or the alias is not followed (1.17.1)"

DIFFERENT = {
    ("named", "below that exact name"): WILDCARD,
    ("named", "name of the longer wildcard"): WILDCARD,
    ("pdns_recursor", "address in the first, name in the second"): NAME_FIRST,
    ("pdns_recursor", "target of an alias"): NO_ALIASES,
    ("pdns_recursor", "nsdname CNAME rpz-tcp-only."): "over TCP it closes the connection",
    ("pdns_recursor", "nsip CNAME rpz-tcp-only."): "over TCP it closes the connection",
    ("unbound", "below that exact name"): WILDCARD,
    ("unbound", "address in the first, name in the second"): NAME_FIRST,
    **{
        ("unbound", f"{trigger} CNAME {target}"): NO_SYNTHESIS
        for trigger in ("nsdname", "nsip", "client-ip")
        for target in ("walled.garden.org.", "*.garden.org.")
    },
    ("unbound", "ip CNAME *.garden.org."): NO_SYNTHESIS,
    **{("unbound", row): "not asked: it says nothing more after it" for row in UNBOUND_ENDS_AT},
}
ROOT = Path(__file__).resolve().parents[2]


def need(kind: str) -> None:
    """Skip, saying what is missing."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for program in ("unshare", "ip", "knotd", *([] if kind == "inland" else [kind])):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@functools.cache
def said(kind: str) -> tuple[str, ...]:
    """What a server says to each row."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        done = subprocess.run(
            ["unshare", "--net", sys.executable, "-m", "tests.system.rpz_in_namespace", kind, made],
            capture_output=True, text=True, timeout=240, cwd=ROOT, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        if done.returncode and "cannot open /proc/self/ns" in done.stderr:
            pytest.skip("no network namespaces here")
        assert done.returncode == 0, done.stderr[-4000:]
    return tuple(json.loads(done.stdout))


def test_ours_says_what_each_trigger_and_action_is_for() -> None:
    need("inland")
    ours = dict(zip((row.about for row in ROWS), said("inland"), strict=True))
    for trigger in ("qname", "ip", "nsdname", "nsip", "client-ip"):
        assert ours[f"{trigger} CNAME ."] == "NXDOMAIN"
        assert ours[f"{trigger} CNAME *."] == "NOERROR"
        assert ours[f"{trigger} CNAME rpz-drop."] == "silent"
        assert ours[f"{trigger} CNAME rpz-tcp-only."].startswith("truncated, then NOERROR")
        assert ours[f"{trigger} A 10.0.0.1"].endswith("A 10.0.0.1")
        assert "192.0.2.200" in ours[f"{trigger} CNAME *.garden.org."]
    assert ours["both zones list the name"] == "NOERROR"
    assert ours["below that exact name"] == "NXDOMAIN"


def test_a_client_that_is_listed_is_not_answered_by_a_plan() -> None:
    need("inland")
    words = said("inland-clients")
    assert all("192.0.2.200" in one for one in (*words[:8], words[9]))
    assert words[8] == "NXDOMAIN"


@pytest.mark.parametrize("kind", ["named", "pdns_recursor", "unbound"])
def test_a_peer_says_the_same(kind: str) -> None:
    need("inland")
    need(kind)
    differ = {}
    for row, ours, theirs in zip(ROWS, said("inland"), said(kind), strict=True):
        if ours != theirs and (kind, row.about) not in DIFFERENT:
            differ[row.about] = (ours, theirs)
    assert not differ
