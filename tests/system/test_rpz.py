"""Response policy zones of a running resolver: by transfer from Knot DNS and NSD, by notice, from
files, over restarts and reloads."""

from pathlib import Path
from typing import Any, cast

import dns.edns
import dns.message
import dns.rcode
import pytest

from resolver.errors import ControlError
from testbed.control import Loopback
from tests.ports import free_port
from tests.system.mirror_serving import AT_HOME, BOTH, Nowhere, primary, until
from tests.system.primaries import KEY_NAME, secret_file
from tests.system.serving import Serving, query
from tests.unit.rpz_rig import HEAD

OWNER = {"authority": {"kind": "regulator", "name": "Authority"}, "reference": "Order 7"}


def text(lines: str, serial: int = 1) -> str:
    """A version of ``shop.`` as a policy zone."""
    soa = f"shop. 60 IN SOA ns.shop. admin.shop. {serial} 3600 600 86400 60\n"
    return soa + "shop. 60 IN NS ns.shop.\nns.shop. 60 IN A 11.9.9.9\n" + lines


def serving_with(
    nowhere: Nowhere, folder: Path, closing: list[Any], entries: list[Any], port: int = 0
) -> Serving:
    keys = [{"name": KEY_NAME, "secret_file": str(secret_file(folder))}]
    listen = {"dns": [f"127.0.0.1:{port}"]}
    serving = Serving(
        cast(Loopback, nowhere), folder, policy={"rpz": entries}, mirrors={"keys": keys},
        listen=listen,
    )  # fmt: skip
    closing.append(serving)
    serving.start()
    return serving


def zone(serving: Serving, name: str = "shop") -> dict[str, Any]:
    found: dict[str, Any] = serving.ask_control("status")["rpz"][name]
    return found


def said(serving: Serving, name: str) -> str:
    return dns.rcode.to_text(query(serving, name).rcode())


@BOTH
def test_a_zone_is_transferred_and_its_differences_come_into_force(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str
) -> None:
    port = free_port()
    server = primary(nowhere, tmp_path, kind, closing, keyed=True, notify=port)
    many = "".join(f"n{at}.example.shop. 60 IN CNAME .\n" for at in range(2000))
    server.publish(text("bad.example.shop. 60 IN CNAME .\n" + many))
    entry = {"zone": "shop", "primaries": [{"address": AT_HOME, "key": KEY_NAME}], **OWNER}
    serving = serving_with(nowhere, tmp_path, closing, [entry], port)
    until(lambda: zone(serving).get("serial") == 1, "serial 1")
    assert zone(serving)["entries"]["qname"] == 2002
    reply = query(serving, "bad.example.")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    told = [option for option in reply.options if isinstance(option, dns.edns.EDEOption)]
    assert (int(told[0].code), told[0].text) == (16, "Order 7 (Authority, shop.)")
    assert said(serving, "new.example.") == "SERVFAIL"
    generation = serving.ask_control("status")["generation"]

    more = "new.example.shop. 60 IN CNAME *.\n33.1.2.0.192.rpz-ip.shop. 60 IN CNAME .\n"
    server.publish(text(more + many, 2))  # a notice tells of it
    until(lambda: zone(serving).get("serial") == 2, "serial 2")
    assert (said(serving, "bad.example."), said(serving, "new.example.")) == ("SERVFAIL", "NOERROR")
    assert serving.ask_control("status")["generation"] != generation
    assert zone(serving)["not_applied"] == 1
    serving.wait_for("33 in IPv4")
    if kind == "knot":
        assert "IXFR, outgoing" in server.words()
    assert serving.total("inland_rpz_entries", zone="shop", trigger="qname") == 2002
    hits = {"zone": "shop", "trigger": "qname"}
    assert serving.total("inland_rpz_hits_total", **hits, action="nxdomain") == 1
    assert said(serving, "new.example.") == "NOERROR"  # from the answer cache
    assert serving.total("inland_rpz_hits_total", **hits, action="nodata") == 2
    assert serving.total("inland_needless_escapes_total") == 0


def test_the_last_good_copy_blocks_from_the_start_when_the_primary_is_gone(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    server = primary(nowhere, tmp_path, "knot", closing)
    server.publish(text("bad.example.shop. 60 IN CNAME .\n"))
    entry = {"zone": "shop", "primaries": [AT_HOME], **OWNER}
    serving = serving_with(nowhere, tmp_path, closing, [entry])
    until(lambda: zone(serving).get("serial") == 1, "serial 1")
    server.stop()
    serving.end()
    serving.log = ""
    serving.start()
    assert said(serving, "bad.example.") == "NXDOMAIN"


def test_a_reload_takes_a_file_whole_or_not_at_all(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    file = tmp_path / "local.zone"
    file.write_text(HEAD + "bad.example CNAME .\n")
    entry = {"zone": "local.rpz", "name": "local", "file": str(file), **OWNER}
    serving = serving_with(nowhere, tmp_path, closing, [entry])
    assert (said(serving, "bad.example."), said(serving, "new.example.")) == (
        "NXDOMAIN",
        "SERVFAIL",
    )
    before = serving.ask_control("status")["generation"]
    file.write_text(HEAD + "new.example CNAME .\n24.1.2.0.192.rpz-ip CNAME .\n")
    with pytest.raises(ControlError) as refused:
        serving.ask_control("reload")
    error = str(refused.value)
    assert f"policy.rpz[0].file: {file}: line 5: " in error
    assert "bits set beyond" in error
    assert serving.ask_control("status")["generation"] == before
    assert said(serving, "bad.example.") == "NXDOMAIN"
    file.write_text(HEAD + "new.example CNAME .\n")
    assert serving.ask_control("reload")["changed"]
    assert (said(serving, "bad.example."), said(serving, "new.example.")) == (
        "SERVFAIL",
        "NXDOMAIN",
    )
    serving.configure(policy={"rpz": []})
    serving.ask_control("reload")
    assert said(serving, "new.example.") == "SERVFAIL"
