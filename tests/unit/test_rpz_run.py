"""Response policy zones of a running resolver: from files and from disk, past their time, under a
policy; a version comes into force whole, and a broken one not at all."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from policy.border import Policy
from policy.decision import Asked
from policy.govern import with_zones
from policy.inputs import PolicyInputs
from policy.rpz_zone import Terms
from resolver.cli.check import examine
from resolver.config import parse
from resolver.errors import ConfigError
from resolver.limits_rpz import RPZ_LOG_LINES
from resolver.metrics_rpz import rpz_metrics
from resolver.mirrors.policy_file import ZoneFiles
from resolver.mirrors.refusal import Refused
from resolver.mirrors.wanted import Terms as Checks
from resolver.mirrors.wanted import Wanted
from resolver.names import from_text
from resolver.rpz_of import RpzZone
from resolver.rpz_run import ResponseZones, read_files
from resolver.tags import Effect, Tags
from resolver.tally import Tally
from tests.unit.evidence import policy_from
from tests.unit.mirror_rig import MirrorRig
from tests.unit.rpz_rig import HEAD, said

ZONE = from_text("one.rpz.test")
PLAIN = policy_from(PolicyInputs(home=frozenset({"XA"})))
OFF = Checks("check", "off", (), 100, public=False)


class Rig(MirrorRig):
    """Zones with what they stand on; ``changes`` counts what they told of."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.changes = 0
        self.zones = self.begun()

    def begun(self) -> ResponseZones:
        """As after a start."""
        self.zones = ResponseZones(
            self.tools, self.clock, self.folder / "rpz", lambda *_: None, self.changed
        )
        return self.zones

    def changed(self) -> None:
        self.changes += 1

    def zone(self, text: str, **more: Any) -> RpzZone:
        """A zone in a file with these lines."""
        path = self.folder / "zone"
        path.write_text(HEAD + text)
        wanted = Wanted(ZONE, (), OFF, file=path)
        keep = more.pop("keep_expired", True)
        return RpzZone(wanted, Terms("one", ZONE, **more), keep)

    def policy(self) -> Policy:
        return self.zones.over(PLAIN)

    def said(self, name: str) -> str:
        return said(self.policy().rules.on_question(Asked(0, from_text(name), 1, 1000.0)))

    def look(self) -> None:
        """Look at the sources, and have what came compiled, as the loop would."""
        trio.run(self._look)

    async def _look(self) -> None:
        before = self.changes
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.zones.shelf.run)
            status = await self.zones.keeper.refresh(ZONE, False)
            del status
            with trio.move_on_after(10):
                while self.changes == before and self.zones.shelf.coming:
                    await trio.sleep(0.005)
            nursery.cancel_scope.cancel()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.door.close()


def begin(rig: Rig, zone: RpzZone) -> None:
    copies, findings = read_files([zone], ZoneFiles())
    assert not findings
    rig.zones.begin([zone], copies)


def test_a_file_is_in_force_from_the_start(rig: Rig) -> None:
    begin(rig, rig.zone("bad.example CNAME .\n"))
    assert rig.said("bad.example") == "nxdomain one:qname"
    assert rig.said("good.example") == "none"
    assert rig.policy().generation != PLAIN.generation
    status = rig.zones.status()["one"]
    assert (status["serial"], status["entries"]["qname"], status["state"]) == (1, 1, "current")


def test_a_file_that_changes_is_in_force_at_the_next_look_whatever_its_serial(rig: Rig) -> None:
    begin(rig, rig.zone("bad.example CNAME .\n"))
    generation = rig.policy().generation
    rig.look()
    assert (rig.changes, rig.policy().generation) == (0, generation)
    rig.zone("worse.example CNAME *.\n")
    rig.look()
    assert (rig.said("bad.example"), rig.said("worse.example")) == ("none", "nodata one:qname")
    assert rig.changes == 1
    assert rig.policy().generation != generation


def test_a_broken_file_changes_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    zone = rig.zone("bad.example CNAME .\n")
    begin(rig, zone)
    generation = rig.policy().generation
    rig.zone("bad.example CNAME . .\n")
    _, findings = read_files([zone], ZoneFiles())
    assert [str(one) for one in findings] == [
        f'policy.rpz[0].file: {rig.folder / "zone"}: line 4: "." is too much here'
    ]
    rig.look()
    assert "line 4" in caplog.text
    assert (rig.said("bad.example"), rig.policy().generation) == ("nxdomain one:qname", generation)
    with pytest.raises(Refused):
        ZoneFiles().open(ZONE, rig.folder / "zone")


def test_other_terms_are_another_policy(rig: Rig) -> None:
    zone = rig.zone("bad.example CNAME .\n")
    begin(rig, zone)
    generation = rig.policy().generation
    passing = dataclasses.replace(zone, terms=zone.terms._replace(ttl_max=5))
    rig.zones.configure([passing], {})
    assert rig.said("bad.example") == "nxdomain one:qname"
    assert rig.policy().generation != generation
    rig.zones.configure([], {})
    assert rig.policy() is PLAIN


def test_the_last_good_copy_is_in_force_after_a_restart(rig: Rig) -> None:
    zone = rig.zone("bad.example CNAME .\n")
    begin(rig, zone)
    rig.zone("worse.example CNAME .\n")
    rig.look()
    (rig.folder / "zone").unlink()
    rig.begun()
    rig.zones.begin([zone], {})
    assert rig.said("worse.example") == "nxdomain one:qname"
    assert rig.zones.status()["one"]["state"] == "current"


@pytest.mark.parametrize("keep", [True, False])
def test_past_its_time_it_is_kept_or_dropped(rig: Rig, keep: bool) -> None:
    zone = rig.zone("bad.example CNAME .\n", keep_expired=keep)
    begin(rig, zone)
    rig.zone("bad.example CNAME .\nx CNAME .\n")
    rig.look()
    (rig.folder / "zone").unlink()
    rig.advance(90_000)
    rig.zones.keeper.expire()
    assert rig.zones.status()["one"]["state"] == "expired"
    assert rig.said("bad.example") == ("nxdomain one:qname" if keep else "none")
    assert rig.changes == (1 if keep else 2)
    rig.begun()
    rig.zones.begin([zone], {})
    assert rig.zones.status()["one"]["state"] == "expired"
    assert rig.said("bad.example") == ("nxdomain one:qname" if keep else "none")


def test_clients_that_zones_tell_apart_are_classes(rig: Rig) -> None:
    text = "24.0.113.0.203.rpz-client-ip CNAME rpz-drop.\n16.0.0.113.203.rpz-client-ip CNAME .\n"
    text = text.replace("16.0.0.113.203", "16.0.0.0.203")
    begin(rig, rig.zone(text))
    policy = rig.policy()
    words = []
    for number, one in enumerate(policy.views, 1):
        asked = Asked(number, from_text("any.example"), 1, 1000.0)
        words.append((str(one.clients[0]), said(policy.rules.on_question(asked))))
    assert sorted(words) == [
        ("203.0.0.0/16", "nxdomain one:client-ip"),
        ("203.0.113.0/24", "drop one:client-ip"),
    ]
    assert said(policy.rules.on_question(Asked(0, from_text("any.example"), 1, 1.0))) == "none"
    assert with_zones(policy, rig.zones.shelf.zone_set(), False).generation == policy.generation


def test_metrics_and_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "inland.rpz")
    begin(rig, rig.zone("*.bad.example CNAME .\n24.0.113.0.203.rpz-ip CNAME .\n"))
    name = from_text("x.bad.example")
    hits = rig.policy().rules.on_question(Asked(0, name, 1, 1000.0)).hits
    caplog.clear()
    for at in range(100):
        rig.zones.hits.note(name, hits, at / 1000)
    assert len(caplog.records) == RPZ_LOG_LINES
    assert caplog.messages[0] == "rpz one: qname *.bad.example. for x.bad.example.: nxdomain"
    rig.zones.hits.note(name, hits, 5.0)
    assert caplog.messages[-1].endswith(f"({100 - RPZ_LOG_LINES} more not shown)")
    tags, tally = Tags(), Tally()
    tally.tagged(tags.number(Effect("rpz:one:qname", "nxdomain")), 101)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in rpz_metrics(rig.zones, tags, tally, rig.counters)
        for sample in metric.samples
    }
    assert samples["inland_rpz_entries", "one", "qname"] == 1
    assert samples["inland_rpz_entries", "one", "ip"] == 1
    assert samples["inland_rpz_hits_total", "one", "qname", "nxdomain"] == 101
    assert samples["inland_rpz_hits_not_logged_total",] == 100 - RPZ_LOG_LINES
    assert samples["inland_rpz_state", "one", "current"] == 1


def test_check_tells_what_is_wrong_with_a_file_of_a_zone(tmp_path: Path) -> None:
    file, zone = tmp_path / "inland.yaml", tmp_path / "local.zone"
    entry = {"zone": "local", "file": "local.zone", "reference": "ticket 1",
             "authority": {"kind": "operator", "name": "ISP"}}  # fmt: skip
    file.write_text(json.dumps({"home": ["IN"], "policy": {"rpz": [entry]}}))
    zone.write_text(HEAD + "a A 1.2.3\n33.1.2.0.192.rpz-ip CNAME .\n")
    report = examine(file)
    errors = report["errors"]
    assert isinstance(errors, list)
    (error,) = errors
    assert error["message"] == f'{zone}: line 4: "1.2.3" is not an IPv4 address'
    assert error["path"] == "policy.rpz[0].file"
    generations = []
    for text in ("a CNAME .\n", "b CNAME .\n"):
        zone.write_text(HEAD + text)
        report = examine(file)
        assert report["valid"]
        generations.append(report["generation"])
    assert generations[0] != generations[1]


ENTRIES = [
    ({}, "a file or primaries"),
    ({"file": "x", "override": "cname"}, "target goes with"),
    ({"file": "x", "target": "a.b"}, "target goes with"),
    ({"file": "x", "reference": None}, "needs an authority and a reference"),
    ({"file": "x", "authority": None}, "needs an authority and a reference"),
    ({"file": "x", "from": "2026-02-01", "until": "2026-01-01"}, "until is before from"),
    ({"file": "x", "override": "block"}, "expected one of"),
    ({"file": "x", "authority": {"kind": "me", "name": "x"}}, "expected one of"),
    ({"file": "x", "ttl_max": "2d"}, "out of range"),
    ({"file": "x", "zone": "a..b"}, "domain name"),
    ({"primaries": ["nowhere"]}, "IP address"),
    ({"primaries": [{"address": "192.0.2.1", "key": "none"}]}, "no such key"),
    ({"file": "x", "expired": "yes"}, "expected one of"),
    ({"file": "x", "colour": "red"}, "unknown"),
]


@pytest.mark.parametrize(("entry", "words"), ENTRIES, ids=[row[1] for row in ENTRIES])
def test_an_entry_that_cannot_be_is_told(entry: dict[str, Any], words: str) -> None:
    whole = {"zone": "local", "reference": "ticket 1",
             "authority": {"kind": "operator", "name": "ISP"}} | entry  # fmt: skip
    text = json.dumps({"home": ["IN"], "policy": {"rpz": [whole]}})
    with pytest.raises(ConfigError, match=words):
        parse(text.encode())


def test_zones_stand_once() -> None:
    entry = {"zone": "local", "file": "x", "override": "disabled"}
    for second in (entry, entry | {"zone": "other", "name": "local"}):
        text = json.dumps({"home": ["IN"], "policy": {"rpz": [entry, second]}})
        with pytest.raises(ConfigError, match=r"twice|called local"):
            parse(text.encode())
