"""Mirrors of real primaries, Knot DNS and NSD: transfers, differences, signatures, refusals."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from testbed.control import Loopback, make_world
from tests.signed_zones import SHOP, signed, signer, text_of, written
from tests.system.liar import Liar
from tests.system.primaries import KEY_NAME, Primary, need, secret_file
from tests.system.serving import Serving, query


class Nowhere:
    """A world that nobody serves: what a mirror does not answer fails."""

    def __init__(self, folder: Path) -> None:
        self.world = make_world("small")
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]


@pytest.fixture
def nowhere(tmp_path: Path) -> Nowhere:
    return Nowhere(tmp_path)


AT_HOME, ABROAD = "127.11.250.1", "127.12.250.1"
WAIT_SECONDS = 30.0
BOTH = pytest.mark.parametrize("kind", ["knot", "nsd"])


@pytest.fixture
def closing() -> Iterator[list[Any]]:
    """Things that are stopped at the end."""
    made: list[Any] = []
    yield made
    for thing in reversed(made):
        thing.__exit__(None, None, None)


def until(true: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < ends, f"no {what}"
        time.sleep(0.05)


def held(serving: Serving, zone: str = "shop.") -> dict[str, Any]:
    found: dict[str, Any] = serving.ask_control("status")["mirrors"][zone]
    return found


def look(serving: Serving, zone: str = "shop.", **more: Any) -> dict[str, Any]:
    return serving.ask_control("mirror", zone=zone, **more)


def exchanges(serving: Serving, **labels: str) -> float:
    return serving.total("inland_exchanges_total", purpose="mirror_refresh", **labels)


def primary(nowhere: Nowhere, folder: Path, kind: str, closing: list[Any], **more: Any) -> Primary:
    need(kind)
    address = more.pop("address", AT_HOME)
    made = Primary(kind, folder, "shop.", address, nowhere.port, **more)
    closing.append(made)
    return made


def mirroring(
    nowhere: Nowhere,
    folder: Path,
    closing: list[Any],
    primaries: list[Any],
    secret: str | None = None,
    port: int = 0,
    **terms: Any,
) -> Serving:
    """A resolver that mirrors ``shop.``, and has looked at its sources."""
    entry = {"zone": "shop.", "primaries": primaries, **terms}
    keys = [{"name": KEY_NAME, "secret_file": str(secret_file(folder, secret))}]
    mirrors = {"zones": [entry], "keys": keys}
    listen = {"dns": [f"127.0.0.1:{port}"]}
    serving = Serving(cast(Loopback, nowhere), folder, mirrors=mirrors, listen=listen)
    closing.append(serving)
    serving.start()
    serving.wait_for("mirror of shop.:")
    return serving


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


def liar(nowhere: Nowhere, closing: list[Any], *args: Any, address: str = AT_HOME) -> Liar:
    made = Liar(address, nowhere.port, "shop.", *args)
    closing.append(made)
    return made


MANY = "".join(f"n{number}.shop. 300 IN A 11.1.1.1\n" for number in range(100))


def test_a_torn_transfer_changes_nothing(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    server = liar(nowhere, closing, text_of(SHOP) + MANY, 1, 6)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    found = held(serving)
    assert found["state"] == "absent"
    assert "broke off after 6 messages" in found["refusals"][0]
    server.messages = None
    assert look(serving)["serial"] == 1
    server.text, server.announced, server.messages = text_of(SHOP, 2) + MANY, 2, 3
    found = look(serving)
    assert (found["serial"], found["state"]) == (1, "retrying")
    assert serving.total("inland_mirror_refusals_total", why="torn") >= 2
    assert query(serving, "n7.shop.").rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize("sent", [1, 0])
def test_a_primary_that_lies_about_its_serial_is_refused_without_a_loop(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], sent: int
) -> None:
    server = liar(nowhere, closing, text_of(SHOP, 1), 1)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    server.announced, server.text = 9, text_of(SHOP, sent)
    before = server.transfers
    found = look(serving)
    assert (found["serial"], found["state"]) == (1, "retrying")
    assert serving.total("inland_mirror_refusals_total", why="serial") == 1
    transfers = server.transfers - before
    assert 1 <= transfers <= 2
    for _ in range(5):
        look(serving)
    assert server.transfers - before == transfers  # the same lie is not followed again
    server.announced, server.text = 10, text_of(SHOP, 10)
    assert look(serving)["serial"] == 10


def test_an_older_serial_is_refused_and_the_next_primary_looked_at(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    first = liar(nowhere, closing, text_of(SHOP, 5), 5)
    second = liar(nowhere, closing, text_of(SHOP, 5), 5, address="127.11.250.2")
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME, "127.11.250.2"])
    first.announced = 3
    assert look(serving)["source"] == "127.11.250.2"
    assert second.transfers == 0
    assert serving.total("inland_mirror_refusals_total", why="serial") == 1


def test_foreign_primaries_are_for_when_domestic_ones_fail(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any]
) -> None:
    home = liar(nowhere, closing, text_of(SHOP, 1), 1)
    abroad = liar(nowhere, closing, text_of(SHOP, 7), 7, address=ABROAD)
    serving = mirroring(nowhere, tmp_path, closing, [ABROAD, AT_HOME])
    assert held(serving)["source"] == AT_HOME
    assert abroad.polls == 0  # not even to find out that it has news
    assert exchanges(serving, verdict="foreign") == 0
    home.__exit__()
    found = look(serving)
    assert (found["serial"], found["source"]) == (7, ABROAD)
    assert exchanges(serving, verdict="foreign", reason="domestic_failed") == 2
    assert serving.total("inland_needless_escapes_total") == 0
    assert serving.total(
        "inland_lookups_total", transport="internal", route="escaped"
    ) == serving.total("inland_escaped_lookups_total", reason="domestic_failed")


def test_an_expired_copy_is_not_used_also_after_a_restart(
    nowhere: Nowhere, tmp_path: Path, closing: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("CONFORMANCE_CLOCK", str(clock))
    server = liar(nowhere, closing, text_of(SHOP, expire=7200), 1)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    server.__exit__()
    closing.remove(server)
    clock.write_text("7000")
    until(lambda: held(serving)["age_seconds"] > 6900, "age")
    assert query(serving, "www.shop.").rcode() == dns.rcode.NOERROR
    clock.write_text("7300")
    until(lambda: held(serving)["state"] == "expired", "expiry")
    assert query(serving, "mail.shop.", "MX").rcode() == dns.rcode.SERVFAIL
    assert serving.total("inland_mirror_state", state="expired") == 1
    serving.end()
    serving.log = ""
    serving.start()
    assert "expired" in serving.log
    assert query(serving, "www.shop.").rcode() == dns.rcode.SERVFAIL
    liar(nowhere, closing, text_of(SHOP, expire=7200), 1)
    assert look(serving)["state"] == "current"
    assert query(serving, "alias.shop.", "CNAME").rcode() == dns.rcode.NOERROR


def test_a_reload_swaps_the_mirrors(nowhere: Nowhere, tmp_path: Path, closing: list[Any]) -> None:
    server = liar(nowhere, closing, text_of(SHOP, 1), 1)
    serving = mirroring(nowhere, tmp_path, closing, [AT_HOME])
    entry = {"zone": "shop.", "primaries": [AT_HOME]}
    serving.configure(mirrors={"zones": [entry | {"shrink_max": 10}]})
    serving.ask_control("reload")
    assert query(serving, "www.shop.").rcode() == dns.rcode.NOERROR
    serving.configure(mirrors={"zones": [entry | {"signatures": "require"}]})
    serving.ask_control("reload")
    until(lambda: "refusals" in held(serving), "refusal")
    assert held(serving)["state"] == "absent"
    serving.configure(mirrors={"zones": []})
    serving.ask_control("reload")
    assert serving.ask_control("status")["mirrors"] == {}
    assert server.polls > 1


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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
