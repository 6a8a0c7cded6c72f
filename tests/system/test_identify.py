"""``inland where --ask``: the running server asks others who they are (RFC 4892, RFC 5001)."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from testbed.control import Loopback
from tests.signed_zones import SHOP, text_of
from tests.system.mirror_serving import AT_HOME, BOTH, Nowhere
from tests.system.primaries import Primary, need
from tests.system.serving import Serving, inland

NAME = "site-7.example"
_LINES = {
    "knot": ("server:\n", f"server:\n    identity: {NAME}\n    nsid: {NAME}\n"),
    "nsd": ("server:\n", f'server:\n    identity: "{NAME}"\n    nsid: "ascii_{NAME}"\n'),
}


@pytest.fixture
def serving(nowhere: Nowhere, tmp_path: Path) -> Serving:
    return Serving(cast(Loopback, nowhere), tmp_path)


@BOTH
def test_a_server_says_who_it_is(
    kind: str, nowhere: Nowhere, serving: Serving, tmp_path: Path, closing: list[Any]
) -> None:
    need(kind)
    primary = Primary(kind, tmp_path, "shop.", AT_HOME, nowhere.port)
    closing.append(primary)
    primary.file.write_text(primary.file.read_text().replace(*_LINES[kind]))
    primary.publish(text_of(SHOP))
    with serving:
        words = ("where", AT_HOME, "--ask", "--socket", str(serving.socket))
        (row,) = json.loads(inland(*words, "--json").stdout)
        said = {one["asked"]: one for one in row["proof"]["said"]}
        assert said["id.server. TXT CH"]["text"] == NAME
        assert said["hostname.bind. TXT CH"]["text"] == NAME
        assert said[". SOA IN"]["nsid"] == NAME
        assert row["verdict"] == "domestic"
        assert serving.total("inland_exchanges_total", purpose="verification") == 3
        assert serving.total("inland_lookups_total", transport="internal") == 1
        assert NAME in inland("where", AT_HOME, "--ask", "-c", str(serving.file)).stdout


def test_silence_and_what_must_not_be_asked(serving: Serving) -> None:
    serving.configure(resolution={"never_ask": ["127.13.0.0/16"]})
    with serving:
        said = serving.ask_control("where", address="127.12.250.9", ask=True)["said"]
        assert {one["outcome"] for one in said} == {"unreachable"}
        refused = inland("where", "127.13.0.1", "--ask", "--socket", str(serving.socket))
        assert refused.returncode == 1
        assert "never asked" in refused.stderr
    gone = inland("where", "127.12.250.9", "--ask", "-c", str(serving.file))
    assert gone.returncode == 3
