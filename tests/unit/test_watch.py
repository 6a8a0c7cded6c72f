"""The watch over delegations in virtual time: found within a TTL, at home, within its budget."""

import hashlib
import json
import logging
from pathlib import Path

import pytest
import trio

from resolver import limits_watch
from resolver.errors import ControlError, StateError
from resolver.metrics_watch import watch_metrics
from resolver.model import Purpose
from resolver.names import to_text
from resolver.watch import store
from resolver.watch.changes import Kind
from tests.unit.watch_rig import ABROAD, AT_HOME, TTL, ZONE, WatchRig
from tests.virtual_servers import address, name

FIRST = limits_watch.WATCH_START_SECONDS + 2


@pytest.fixture
def rig(tmp_path: Path) -> WatchRig:
    made = WatchRig(tmp_path)
    made.follow("deleg.xa")
    made.run(FIRST)
    return made


def test_the_first_look_is_no_change(rig: WatchRig) -> None:
    watched = rig.watched()
    assert (watched.state, rig.kinds()) == ("followed", [])
    assert watched.kept is not None
    seen = watched.kept.seen
    assert [to_text(n) for n in seen.parent or ()] == ["ns1.deleg.xa.", "ns2.deleg.xa."]
    assert seen.child == seen.parent
    assert seen.places() == {address("11.0.7.1"), address("11.0.7.2")}
    assert seen.ds == ()
    assert watched.verdicts == {"domestic": 2, "foreign": 0, "unknown": 0}


def test_each_exchange_is_told_as_work_without_a_client(rig: WatchRig) -> None:
    told = sum(books.exchanges for _, _, _, books in rig.work)
    assert told == len(rig.net.door.sent) == rig.watcher.exchanges > 0
    assert {purpose for _, purpose, _, _ in rig.work} == {Purpose.VERIFICATION}
    asked = {ask.label.purpose for ask in rig.net.door.sent if ask.question.name == ZONE}
    assert asked == {Purpose.VERIFICATION}


CHANGES = [
    ({"servers": ABROAD}, ["moved_abroad"]),
    ({"servers": {"ns1.deleg.xa": "11.0.7.1"}}, ["shrunk"]),
    ({"servers": {"ns1.deleg.xa": "11.0.7.1", "ns2.deleg.xa": "12.0.7.2"}}, ["foreign_added"]),
    ({"servers": {"ns1.deleg.xa": "11.0.7.1", "ns.home.xa": "11.0.3.1"}}, ["operator_changed"]),
    ({"servers": AT_HOME, "ds": "0001"}, ["ds_added"]),
    ({"servers": None}, ["removed"]),
]


@pytest.mark.parametrize(("more", "kinds"), CHANGES, ids=[kinds[0] for _, kinds in CHANGES])
@pytest.mark.parametrize("after", [1.0, 200.0, 599.0])
def test_a_change_is_told_within_one_ttl(
    rig: WatchRig, more: dict[str, object], kinds: list[str], after: float
) -> None:
    rig.run(after)
    changed = rig.net.now
    rig.delegate(**more)  # type: ignore[arg-type]
    rig.run(2 * TTL + 5)
    assert set(rig.kinds()) >= set(kinds)
    first = min(told.time - 1000.0 for told in rig.changes)
    assert changed < first <= changed + TTL + limits_watch.WATCH_TICK_SECONDS + 1
    assert rig.changes[0].zone == ZONE
    assert rig.changes[0].generation == "generation"
    assert rig.changes[0].before != rig.changes[0].after


def test_a_signed_delegation(rig: WatchRig) -> None:
    rig.delegate(AT_HOME, ds="0001")
    rig.run(TTL + 65)
    rig.delegate(AT_HOME, ds="0002")
    rig.run(TTL + 65)
    rig.delegate(AT_HOME)
    rig.run(TTL + 65)
    assert rig.kinds() == ["ds_added", "ds_changed", "ds_removed"]


def test_a_change_is_counted_logged_recorded_and_shown(
    rig: WatchRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.delegate(ABROAD)
    with caplog.at_level(logging.INFO, "inland.watch"):
        rig.run(TTL + 5)
    (line,) = (record for record in caplog.records if "moved_abroad" in record.message)
    assert line.levelno == logging.WARNING
    assert "deleg.xa.: moved_abroad: at home were 11.0.7.1" in line.message
    assert rig.watcher.changed[Kind.MOVED_ABROAD] == 1
    reply = trio.run(rig.watcher.command, {"zone": "deleg.xa"})
    assert reply["zones"]["deleg.xa."]["changes"][-1]["kind"] == "moved_abroad"
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in watch_metrics(rig.watcher)
        for sample in family.samples
    }
    assert found["inland_watch_changes_total", "moved_abroad"] == 1
    assert found["inland_watch_changes_total", "shrunk"] == 0
    assert found["inland_watch_zone_changes_total", "deleg.xa."] == 1
    assert found["inland_watch_zone_addresses", "deleg.xa.", "foreign"] == 2
    assert found["inland_watch_zone_changed_timestamp_seconds", "deleg.xa."] > 1000
    assert found["inland_watch_zones", "followed"] == 1


def test_nothing_is_asked_abroad_that_a_lookup_would_not_ask(rig: WatchRig) -> None:
    """Two servers at home, one abroad whose address nobody has asked for."""
    rig.follow("deleg.xa", "glueless.xa", "mixed.xa", "home.xa")
    rig.run(4000)
    assert all(w.state == "followed" for w in rig.watcher.zones.values())
    assert rig.asked_abroad() == []
    seen = rig.watched(name("glueless.xa")).kept
    assert seen is not None
    assert name("ns.hoster.comx") in seen.seen.names()
    assert name("ns.hoster.comx") not in dict(seen.seen.addresses)


def test_without_a_server_at_home_its_servers_are_looked_up(rig: WatchRig) -> None:
    rig.follow("out.xa")
    rig.run(FIRST)
    watched = rig.watched(name("out.xa"))
    assert watched.verdicts == {"domestic": 0, "foreign": 1, "unknown": 0}
    reasons = {a.label.reason.value for a in rig.net.door.sent if a.address[0] == 12}
    assert reasons == {"no_domestic_server"}
    assert rig.net.scheduler.needless == 0


def test_questions_keep_to_ttls(tmp_path: Path) -> None:
    rig = WatchRig(tmp_path)
    rig.delegate(AT_HOME, ds="0001")  # without it, that there is none would end sooner
    rig.follow("deleg.xa")
    rig.run(FIRST)
    sent = len(rig.net.door.sent)
    rig.run(TTL - FIRST - 5)
    assert len(rig.net.door.sent) == sent
    rig.run(TTL)
    once = len(rig.net.door.sent) - sent
    assert 0 < once <= 8


def test_short_ttls_are_followed_no_faster_than_the_gap(tmp_path: Path) -> None:
    rig = WatchRig(tmp_path)
    rig.delegate(AT_HOME, ttl=1)
    rig.follow("deleg.xa", gap=100.0)
    rig.run(1000)
    assert 8 <= rig.watcher.looks["done"] <= 11


def test_parent_and_zone_that_disagree_get_a_word(rig: WatchRig) -> None:
    rig.delegate(AT_HOME, own={"ns1.deleg.xa": "11.0.7.1", "ns3.deleg.xa": "11.0.7.2"})
    rig.run(TTL + 5)
    assert "differs" in rig.kinds()
    assert rig.watcher.status_of(rig.watched())["parent_and_zone_differ"]
    rig.delegate(AT_HOME)
    rig.run(TTL + 65)
    assert rig.kinds()[-1] == "agrees"


def test_silence_is_told_at_the_second_look_and_its_end(rig: WatchRig) -> None:
    rig.set_up(False)
    rig.run(TTL + 5)
    assert rig.kinds() == []
    rig.run(limits_watch.WATCH_RETRY_SECONDS + 15)
    assert rig.kinds() == ["unreachable"]
    assert rig.watched().state == "unreachable"
    rig.run(600)
    assert rig.kinds() == ["unreachable"]
    rig.set_up(True)
    rig.run(200)
    assert rig.kinds() == ["unreachable", "reachable"]


def test_a_zone_that_comes_to_be(tmp_path: Path) -> None:
    rig = WatchRig(tmp_path)
    rig.delegate(None)
    rig.follow("deleg.xa")
    rig.run(FIRST)
    assert rig.watched().state == "not_delegated"
    rig.delegate(AT_HOME)
    rig.run(200)
    assert rig.kinds() == ["delegated"]


class TestRestart:
    def test_a_change_while_it_was_down_is_told(self, rig: WatchRig) -> None:
        trio.run(rig.watcher.save)
        rig.restart()
        rig.delegate(ABROAD)
        rig.follow("deleg.xa")
        assert rig.watched().state == "followed"
        rig.run(FIRST)
        assert rig.kinds() == ["moved_abroad"]

    def test_without_a_change_nothing_is_told(self, rig: WatchRig) -> None:
        trio.run(rig.watcher.save)
        rig.restart()
        rig.follow("deleg.xa")
        rig.run(FIRST)
        assert (rig.kinds(), rig.watcher.looks["done"]) == ([], 1)

    def test_what_was_told_is_shown_afterwards(self, rig: WatchRig) -> None:
        rig.delegate(ABROAD)
        rig.run(TTL + 5)
        trio.run(rig.watcher.save)
        rig.restart()
        rig.follow("deleg.xa")
        kept = rig.watched().kept
        assert kept is not None
        assert [told.change.kind for told in kept.told] == [Kind.MOVED_ABROAD]

    def test_it_is_written_when_something_is_new_only(self, rig: WatchRig, tmp_path: Path) -> None:
        trio.run(rig.watcher.save)
        file = tmp_path / store.FILE
        file.unlink()
        rig.run(TTL + 5)
        trio.run(rig.watcher.save)
        assert not file.exists()

    @pytest.mark.parametrize(
        "damage",
        [
            lambda octets: octets[:-20],
            lambda octets: octets.replace(b"11.0.7.1", b"11.0.7.9"),
            lambda octets: octets.replace(b'"version": 1', b'"version": 2'),
            lambda octets: b"",
            lambda octets: b"[]",
            lambda octets: b"[" * 100_000,
        ],
    )
    def test_a_damaged_file_is_said_and_not_used(
        self, rig: WatchRig, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
    ) -> None:
        trio.run(rig.watcher.save)
        file = tmp_path / store.FILE
        file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
        with pytest.raises(StateError, match=r"watch\.json"):
            store.load(tmp_path)
        rig.restart()
        assert "what was known is not used" in caplog.text
        rig.follow("deleg.xa")
        assert rig.watched().state == "new"

    def test_octets_that_fit_but_make_no_sense_are_refused(self, tmp_path: Path) -> None:
        store.save(tmp_path, {})
        assert store.load(tmp_path) == {}
        body = json.dumps({"xa.": {"seen": {}, "told": []}}).encode()
        (tmp_path / store.FILE).write_bytes(sealed(body))
        with pytest.raises(StateError, match="cannot be read"):
            store.load(tmp_path)


def sealed(body: bytes) -> bytes:

    digest = hashlib.sha256(body).hexdigest()
    head = {"format": "inland watch", "version": 1, "sha256": digest}
    return json.dumps(head).encode() + b"\n" + body + b"\n"


class TestReload:
    def test_what_stays_is_kept_and_what_goes_is_dropped(self, rig: WatchRig) -> None:
        before = rig.watched()
        rig.follow("mixed.xa", "deleg.xa")
        assert rig.watched() is before
        assert rig.watched(name("mixed.xa")).state == "new"
        rig.follow("mixed.xa")
        assert ZONE not in rig.watcher.zones
        rig.run(TTL + 5)
        assert rig.kinds() == []

    def test_zones_beyond_the_bound_are_told(
        self, rig: WatchRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        rig.follow("deleg.xa", left_out=7)
        assert rig.watcher.status()["left_out"] == 7
        assert "7 listed zones are not followed" in caplog.text

    def test_new_evidence_is_no_change(self, rig: WatchRig) -> None:
        rig.net.border.domestic, rig.net.border.foreign = 12, 11
        rig.run(TTL + 5)
        assert rig.kinds() == []
        assert rig.watched().verdicts == {"domestic": 0, "foreign": 2, "unknown": 0}


class TestBudget:
    def test_exchanges_are_bounded_and_lateness_is_shown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits_watch, "WATCH_EXCHANGES_BURST", 5.0)
        monkeypatch.setattr(limits_watch, "WATCH_EXCHANGES_PER_SECOND", 0.05)
        monkeypatch.setattr(limits_watch, "WATCH_AT_ONCE", 1)
        rig = WatchRig(tmp_path)
        rig.follow("deleg.xa", "mixed.xa", "home.xa", "glueless.xa", "xa")
        rig.run(200)
        # A look that has begun is finished.
        assert rig.watcher.exchanges <= 5 + 0.05 * 200 + 12
        assert rig.watcher.behind() > 30
        rig.run(3000)
        assert rig.watcher.looks["done"] >= 5

    def test_no_more_zones_at_once_than_it_may(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits_watch, "WATCH_AT_ONCE", 2)
        rig = WatchRig(tmp_path)
        rig.follow("deleg.xa", "mixed.xa", "home.xa", "glueless.xa", "xa")
        most = 0
        for _ in range(60):
            rig.run(0.25)
            most = max(most, sum(w.steps is not None for w in rig.watcher.zones.values()))
        assert most <= 2
        assert rig.watcher.looks["done"] == 5

    def test_after_stop_it_looks_no_more(self, rig: WatchRig) -> None:
        rig.watcher.stop()
        sent = len(rig.net.door.sent)
        rig.run(2 * TTL)
        assert len(rig.net.door.sent) == sent


class TestCommand:
    def test_a_look_on_demand(self, rig: WatchRig) -> None:
        rig.delegate({"ns1.deleg.xa": "11.0.7.1", "ns2.deleg.xa": "12.0.7.2"})

        async def ask() -> dict[str, object]:
            reply: dict[str, object] = {}

            async def command() -> None:
                reply.update(await rig.watcher.command({"zone": "deleg.xa.", "look": True}))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(command)
                while not reply:
                    await trio.lowlevel.checkpoint()
                    rig.run(0.1)
            return reply

        assert "foreign_added" in str(trio.run(ask))

    @pytest.mark.parametrize("zone", ["comx", "a..b"])
    def test_other_zones_are_refused(self, rig: WatchRig, zone: str) -> None:
        with pytest.raises(ControlError, match="watch"):
            trio.run(rig.watcher.command, {"zone": zone})
