"""``inland serve`` with a signed country pack: start, reload with a bad one, start after that."""

from pathlib import Path

from testbed.control import Loopback
from tests.system.serving import Serving, query, tagged
from tests.unit.test_pack_store import KEY, OTHER, version, write


def test_a_refused_pack_leaves_the_last_good_one_in_force(world: Loopback, tmp_path: Path) -> None:
    folder = tmp_path / "packs-from-elsewhere"
    write(folder)
    serving = Serving(world, tmp_path)
    home = serving.base.pop("home")
    assert home == ["XA"]  # what the pack of the tests is about
    keys = {"pack": "XA", "packs": {"path": str(folder), "keys": [str(KEY.public)]}}
    serving.configure(**keys)
    with serving:
        assert "home XA" in serving.log
        assert "pack:" not in serving.log
        assert (tmp_path / "packs/XA.pack").exists()
        assert query(serving, tagged(world, "positive", "A")).answer
        before = serving.ask_control("status")["generation"]
        write(folder, version(8), OTHER)
        assert serving.ask_control("reload")["changed"] is False
        assert serving.ask_control("status")["generation"] == before
        serving.wait_for("not by a key that is trusted here; in use is version 7 (kept, signed by")
        assert serving.total("inland_pack_stood_in") == 1
        write(folder, version(8).replace("gov.xa", "gob.xa"))
        assert serving.ask_control("reload")["changed"] is True
        assert serving.total("inland_pack_stood_in") == 0
        serving.end()
    write(folder, version(7))
    again = Serving(world, tmp_path)
    again.base.pop("home")
    again.configure(**keys)
    with again:
        assert "version 7 is older than 8, seen before; in use is version 8" in again.log
        assert query(again, tagged(world, "positive", "A")).answer
