"""Mirrors of real primaries, Knot DNS and NSD: transfers, differences, signatures, notices."""

import json
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from tests.ports import free_port
from tests.signed_zones import SHOP, signed, signer, text_of, written
from tests.system.mirror_serving import (
    AT_HOME,
    BOTH,
    Nowhere,
    exchanges,
    held,
    liar,
    look,
    mirroring,
    primary,
    until,
)
from tests.system.primaries import KEY_NAME
from tests.system.serving import Serving, inland, query


@BOTH
def test_a_zone_comes_whole_and_then_by_differences(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str
) -> None:
    server = primary(nowhere, tmp_path, kind, closing)
    server.publish(text_of(SHOP))
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    assert held(serving)["serial"] == 1
    reply = query(serving, "www.shop.")
    assert [rrset.to_text() for rrset in reply.answer] == ["www.shop. 300 IN A 11.9.9.9"]
    assert query(serving, "no.such.shop.").rcode() == dns.rcode.NXDOMAIN
    assert exchanges(serving, transport="udp") == exchanges(serving, transport="tcp") == 1
    assert exchanges(serving, verdict="domestic", reason="none") == 2
    assert serving.total("inland_lookups_total", transport="internal", route="domestic") == 1
    assert serving.total("inland_lookups_total", transport="udp", route="local") == 2

    changed = text_of(SHOP, 2).replace("11.9.9.9", "11.9.9.1") + "new.shop. 60 IN A 11.9.9.2\n"
    server.publish(changed)
    until(lambda: look(serving)["serial"] == 2, "serial 2")
    until(lambda: kind == "nsd" or "IXFR, outgoing" in server.words(), "IXFR")
    assert query(serving, "new.shop.").answer[0].to_text() == "new.shop. 60 IN A 11.9.9.2"
    assert serving.total("inland_mirror_records", zone="shop.") == changed.count(" IN ")
    assert serving.total("inland_mirror_looks_total", result="updated") == 2
    assert serving.total("inland_needless_escapes_total") == 0


@BOTH
def test_transfers_are_signed_where_the_primary_wants_it(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str
) -> None:
    server = primary(nowhere, tmp_path, kind, closing, keyed=True)
    many = "".join(f"n{number}.shop. 300 IN TXT {'x' * 200}\n" for number in range(800))
    server.publish(text_of(SHOP) + many)  # several messages
    keyed = {"address": AT_HOME, "key": KEY_NAME}
    serving = mirroring(nowhere, tmp_path, closing, [keyed])
    assert held(serving)["serial"] == 1
    server.publish(text_of(SHOP, 2) + many)
    until(lambda: look(serving)["serial"] == 2, "serial 2")


@pytest.mark.parametrize("secret", [None, "d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldA=="])
@BOTH
def test_without_the_right_key_nothing_is_taken(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str, secret: str | None
) -> None:
    primary(nowhere, tmp_path, kind, closing, keyed=True).publish(text_of(SHOP))
    entry = {"address": AT_HOME} | ({"key": KEY_NAME} if secret else {})
    serving = mirroring(nowhere, tmp_path, closing, [entry], secret=secret)
    found = held(serving)
    assert found["state"] == "absent"
    why = serving.total("inland_mirror_refusals_total", why="tsig" if secret else "refused")
    assert why == 1, found


@BOTH
def test_a_forged_record_is_refused_and_the_good_version_stays(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str
) -> None:
    terms: dict[str, Any] = {
        "zonemd": "require",
        "signatures": "require",
        "anchors": [signer().anchor("shop.")],
    }
    server = primary(nowhere, tmp_path, kind, closing)
    server.publish(written(signed("shop.", text_of(SHOP))))
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME], **terms)
    found = held(serving)
    assert (found["zonemd"], found["signatures"]) == ("verified", "verified")
    signatures = query(serving, "www.shop.", do=True).answer
    assert [rrset.rdtype for rrset in signatures] == [dns.rdatatype.A, dns.rdatatype.RRSIG]
    proof = query(serving, "nosuch.shop.", do=True).authority
    assert {rrset.rdtype for rrset in proof} == {
        dns.rdatatype.SOA, dns.rdatatype.NSEC, dns.rdatatype.RRSIG,
    }  # fmt: skip

    forged = written(signed("shop.", text_of(SHOP, 2))).replace("11.9.9.9", "12.6.6.6")
    server.publish(forged)
    until(lambda: "refusals" in look(serving), "refusal")
    found = held(serving)
    assert (found["serial"], found["state"]) == (1, "retrying")
    assert "digest" in found["refusals"][0]
    assert query(serving, "www.shop.").answer[0][0].address == "11.9.9.9"
    assert serving.total("inland_mirror_refusals_total", why="zonemd") >= 1

    server.publish(written(signed("shop.", text_of(SHOP, 3))))
    until(lambda: look(serving)["serial"] == 3, "serial 3")
    assert held(serving)["state"] == "current"


def test_a_zone_that_shrinks_by_half_is_refused_until_the_operator_takes_it(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    server = primary(nowhere, tmp_path, "knot", closing)
    many = "".join(f"n{number}.shop. 300 IN A 11.1.1.1\n" for number in range(100))
    server.publish(text_of(SHOP) + many)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    server.publish(text_of(SHOP, 2))
    until(lambda: "refusals" in look(serving), "refusal")
    found = held(serving)
    assert found["serial"] == 1
    assert "shrinks from" in found["refusals"][0]
    assert query(serving, "n5.shop.").rcode() == dns.rcode.NOERROR
    assert look(serving, force=True)["serial"] == 2
    assert query(serving, "n6.shop.").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("keyed", [False, True])
@BOTH
def test_a_notice_of_a_primary_brings_the_new_version(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], kind: str, keyed: bool
) -> None:
    port = free_port()
    server = primary(nowhere, tmp_path, kind, closing, keyed=keyed, notify=port)
    server.publish(text_of(SHOP))
    entry = {"address": AT_HOME} | ({"key": KEY_NAME} if keyed else {})
    serving = mirroring(nowhere, tmp_path, closing, [entry], port=port)
    assert held(serving)["serial"] == 1
    server.publish(text_of(SHOP, 2))
    until(lambda: held(serving)["serial"] == 2, "serial 2")
    serving.wait_for(f"notice from {AT_HOME}")
    words = server.words()
    assert "bad TSIG" not in words
    assert "notify failed" not in words


def notify(serving: Serving, source: str, zone: str = "shop.", tcp: bool = False) -> int:
    """The RCODE of the reply to a NOTIFY."""
    notice = dns.message.make_query(zone, "SOA", flags=dns.flags.AA)
    notice.set_opcode(dns.opcode.NOTIFY)
    send = dns.query.tcp if tcp else dns.query.udp
    reply = send(notice, "127.0.0.1", 10, serving.port, source=source)
    assert reply.opcode() == dns.opcode.NOTIFY
    return int(reply.rcode())


@pytest.mark.parametrize("tcp", [False, True])
def test_notices_are_taken_from_primaries_of_the_zone_only(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], tcp: bool
) -> None:
    server = liar(nowhere, closing, text_of(SHOP), 1)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    polls = server.polls
    assert notify(serving, "127.0.0.1", tcp=tcp) == dns.rcode.NOTIMP
    assert notify(serving, AT_HOME, "other.", tcp=tcp) == dns.rcode.NOTAUTH
    assert server.polls == polls
    assert notify(serving, AT_HOME, tcp=tcp) == dns.rcode.NOERROR
    until(lambda: server.polls == polls + 1, "look after a notice")
    for _ in range(20):  # a flood of notices is no flood of looks
        notify(serving, AT_HOME, tcp=tcp)
    assert server.polls <= polls + 2


def test_the_command_line_shows_mirrors_and_looks_at_their_sources(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    server = liar(nowhere, closing, text_of(SHOP), 1)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    until((tmp_path / "mirrors" / "shop..state").exists, "copy on disk")
    explained = inland("explain", "-c", str(serving.file), "www.shop.")
    assert explained.returncode == 0, explained.stderr
    assert "(mirror)" in explained.stdout
    assert "serial 1" in explained.stdout
    assert "route local" in explained.stdout
    told = json.loads(inland("explain", "-c", str(serving.file), "--json", "www.cut.shop.").stdout)
    assert told["mirrors"] == [
        {
            "zone": "shop.",
            "serial": 1,
            "question": "www.cut.shop. A",
            "outcome": "referral",
            "after": 0,
        }
    ]
    server.text, server.announced = text_of(SHOP, 2), 2
    words = ("control", "mirror", "refresh", "shop.", "--socket", str(serving.socket))
    refreshed = inland(*words)
    assert refreshed.returncode == 0, refreshed.stderr
    assert "serial" in refreshed.stdout
    shown = inland("control", "status", "--socket", str(serving.socket)).stdout
    assert "shop. state current, serial 2" in shown
    unknown = inland("control", "mirror", "refresh", "other.", "--socket", str(serving.socket))
    assert unknown.returncode == 1
    assert "other. is not mirrored" in unknown.stderr
