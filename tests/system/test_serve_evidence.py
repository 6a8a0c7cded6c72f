"""``inland serve`` with files of evidence: bad ones at a reload, torn ones at a start, metrics."""

import hashlib
from pathlib import Path

import pytest

from resolver.errors import ControlError
from testbed.control import Loopback
from tests.system.serving import Serving, query, tagged


def feed(rows: int) -> str:
    return "".join(f"15.{at >> 8}.{at & 255}.0/24,XA\n" for at in range(rows))


def test_a_bad_file_changes_nothing_and_a_torn_one_is_stood_in_for(
    world: Loopback, tmp_path: Path
) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(feed(1_500))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    keys = {"border": {"geofeeds": [str(path)]}}
    with Serving(world, tmp_path, **keys) as serving:
        before = serving.ask_control("status")["generation"]
        assert _shown(serving) == {digest}
        for text, words in (
            (feed(1_500) + "nonsense\n", f"{path} line 1501: 'nonsense' is not an address"),
            (feed(1_000), "1000 records, 33 % fewer than the last good one (1500)"),
        ):
            path.write_text(text)
            with pytest.raises(ControlError) as refused:
                serving.ask_control("reload")
            assert words in str(refused.value)
            assert serving.ask_control("status")["generation"] == before
            assert _shown(serving) == {digest}
            assert query(serving, tagged(world, "positive", "A")).answer
        path.write_text(feed(1_400))
        assert serving.ask_control("reload")["changed"] is True
        assert serving.total("inland_evidence_stood_in") == 0
        serving.end()
    good = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(feed(1_400)[:-9])
    with Serving(world, tmp_path, **keys) as again:
        assert "the last good copy of feed.csv stands in" in again.log
        assert _shown(again) == {good}
        assert again.total("inland_evidence_stood_in") == 1
        assert query(again, tagged(world, "positive", "A")).answer


def _shown(serving: Serving) -> set[str]:
    """Hashes of the feed in the metrics."""
    return {
        labels["sha256"]
        for (name, pairs), value in serving.metrics().items()
        for labels in [dict(pairs)]
        if name == "inland_evidence_info" and labels["source"] == "geofeed feed" and value == 1
    }
