"""Mirrors of primaries that misbehave: torn, lying, older, foreign, gone; and of a reload."""

from pathlib import Path
from typing import Any

import dns.rcode
import pytest

from tests.signed_zones import SHOP, text_of
from tests.system.mirror_serving import (
    ABROAD,
    AT_HOME,
    MANY,
    Nowhere,
    exchanges,
    held,
    liar,
    look,
    mirroring,
    until,
)
from tests.system.serving import query


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
