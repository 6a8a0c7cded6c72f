"""The keeper: timers and their bounds, the disk, expiry, files and HTTP (RFC 1034 4.3.5, 1912)."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio

from resolver.errors import StateError
from resolver.fetch import Fetch, FetchError
from resolver.mirrors import store
from resolver.mirrors.refusal import Why
from resolver.mirrors.wanted import Terms, Wanted
from resolver.names import from_text
from tests.signed_zones import ROOT, SHOP, signed, signer, text_of, written
from tests.unit.mirror_rig import OFF, MirrorRig
from tests.virtual_servers import name

SHOP_ZONE = name("shop.")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[MirrorRig]:
    made = MirrorRig(tmp_path)
    yield made
    made.door.close()


def look(rig: MirrorRig, zone: str = "shop.", forced: bool = False) -> dict[str, Any]:
    return trio.run(rig.keeper.refresh, name(zone), forced)


def test_a_file_is_read_kept_and_read_again_when_it_changes(rig: MirrorRig) -> None:
    wanted = rig.from_file(text_of(SHOP))
    rig.keeper.load([wanted])
    assert look(rig)["serial"] == 1
    assert rig.core.mirrors.get(SHOP_ZONE) is not None
    assert look(rig)["state"] == "current"
    rig.from_file(text_of(SHOP, 22))
    assert look(rig)["serial"] == 22
    assert rig.keeper.mirrors[SHOP_ZONE].looked == {"current": 1, "updated": 2, "failed": 0}
    assert not rig.told  # no exchange, no lookup


@pytest.mark.parametrize(
    ("refresh", "retry", "gaps"),
    [
        (7200, 1800, (7200, 1800)),
        (1, 1, (60, 30)),
        (10**9, 10**9, (86400, 3600)),
    ],
)
def test_timers_are_the_zones_within_bounds(
    rig: MirrorRig, refresh: int, retry: int, gaps: tuple[int, int]
) -> None:
    rig.keeper.load([rig.from_file(text_of(SHOP, refresh=refresh, retry=retry))])
    look(rig)
    mirror = rig.keeper.mirrors[SHOP_ZONE]
    assert mirror.gap == gaps[0]
    assert 0.89 * gaps[0] <= mirror.due - rig.clock.now() <= gaps[0]
    (rig.folder / "source").unlink()
    assert look(rig)["state"] == "retrying"
    assert mirror.gap == gaps[1]


def test_without_a_copy_the_gap_doubles(rig: MirrorRig) -> None:
    rig.keeper.load([Wanted(SHOP_ZONE, (), OFF, file=rig.folder / "none")])
    gaps = []
    for _ in range(9):
        assert look(rig)["state"] == "absent"
        gaps.append(rig.keeper.mirrors[SHOP_ZONE].gap)
    assert gaps == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@pytest.mark.parametrize(("stated", "life"), [(1, 3600), (7200, 7200), (10**9, 4_838_400)])
def test_a_copy_expires_within_bounds_and_over_restarts(
    rig: MirrorRig, stated: int, life: int
) -> None:
    wanted = rig.from_file(text_of(SHOP, expire=stated))
    rig.keeper.load([wanted])
    look(rig)
    rig.advance(life - 100)
    rig.keeper.expire()
    assert rig.core.mirrors.get(SHOP_ZONE) is not None
    rig.core.mirrors.drop(SHOP_ZONE)
    rig.fresh().load([wanted])
    assert rig.core.mirrors.get(SHOP_ZONE) is not None
    rig.advance(200)
    rig.keeper.expire()
    assert rig.core.mirrors.get(SHOP_ZONE) is None
    assert rig.keeper.mirrors[SHOP_ZONE].state == "expired"
    rig.fresh().load([wanted])
    assert rig.keeper.mirrors[SHOP_ZONE].state == "expired"
    assert rig.core.mirrors.get(SHOP_ZONE) is None
    assert look(rig)["state"] == "current"
    assert rig.core.mirrors.get(SHOP_ZONE) is not None


def test_a_clock_that_goes_back_makes_no_copy_last_longer(rig: MirrorRig) -> None:
    wanted = rig.from_file(text_of(SHOP, expire=7200))
    rig.keeper.load([wanted])
    look(rig)
    rig.advance(-(10**6))
    rig.fresh().load([wanted])
    assert look(rig)["expires_in_seconds"] <= 7200


@pytest.mark.parametrize("damage", ["torn", "changed", "version", "zone", "nothing"])
def test_a_damaged_copy_on_disk_is_not_used(rig: MirrorRig, damage: str) -> None:
    wanted = rig.from_file(text_of(SHOP))
    rig.keeper.load([wanted])
    look(rig)
    rig.core.mirrors.drop(SHOP_ZONE)
    path = rig.folder / "mirrors" / "shop..zone"
    octets = path.read_bytes()
    if damage == "torn":
        octets = octets[: len(octets) // 2]
    elif damage == "changed":
        octets = octets[:-1] + bytes([octets[-1] ^ 1])
    elif damage == "version":
        octets = octets.replace(b'"version": 1', b'"version": 9')
    elif damage == "zone":
        octets = octets.replace(b'"zone": "shop."', b'"zone": "chop."')
    else:
        octets = b""
    path.write_bytes(octets)
    with pytest.raises(StateError, match="shop"):
        store.load(rig.folder / "mirrors", SHOP_ZONE)
    rig.fresh().load([wanted])
    assert rig.keeper.mirrors[SHOP_ZONE].state == "absent"
    assert rig.core.mirrors.get(SHOP_ZONE) is None


@pytest.mark.parametrize("state", [None, "{}", "torn", '{"format": "inland mirror"}'])
def test_without_a_note_the_age_is_that_of_the_copy(rig: MirrorRig, state: str | None) -> None:
    wanted = rig.from_file(text_of(SHOP, expire=7200))
    rig.keeper.load([wanted])
    look(rig)
    rig.advance(5000)
    look(rig)  # noted as current then
    path = rig.folder / "mirrors" / "shop..state"
    if state is None:
        path.unlink()
    else:
        path.write_text(state)
    rig.advance(3000)
    rig.core.mirrors.drop(SHOP_ZONE)
    rig.fresh().load([wanted])
    assert rig.keeper.mirrors[SHOP_ZONE].state == "expired"


def test_what_is_on_disk_is_checked_anew_when_more_is_wanted(rig: MirrorRig) -> None:
    text = written(signed("shop.", text_of(SHOP)))
    rig.keeper.load([rig.from_file(text)])
    assert look(rig)["signatures"] == "unchecked"
    anchors = (signer().anchor("shop."),)
    rig.fresh().load([rig.from_file(text, terms=Terms("require", "require", anchors))])
    held = rig.keeper.mirrors[SHOP_ZONE].held
    assert held is not None
    assert (held.checks.zonemd, held.checks.signatures) == ("verified", "verified")
    other = ("4711 13 2 " + "AB" * 32,)
    rig.core.mirrors.drop(SHOP_ZONE)
    # The first check stands in the header; a second key is a second look at the source.
    rig.fresh().load([rig.from_file(text, terms=Terms("require", "require", other))])
    assert look(rig, forced=True)["refusals"]


def test_anchors_come_from_the_mirrored_parent(rig: MirrorRig) -> None:
    digest = signer().anchor("shop.").upper().split()
    root = text_of(ROOT) + f"shop. 60 IN NS ns.shop.\nshop. 60 IN DS {' '.join(digest)}\n"
    (rig.folder / "root").write_text(root)
    parent = Wanted(name("."), (), OFF, file=rig.folder / "root")
    child = rig.from_file(written(signed("shop.", text_of(SHOP))), terms=Terms("check", "require"))
    rig.keeper.load([parent, child])
    assert "nothing says which key" in look(rig)["refusals"][0]
    look(rig, ".")
    assert look(rig)["signatures"] == "verified"


def test_names_of_files_are_safe() -> None:
    assert store.file_stem(name(".")) == "root"
    assert store.file_stem(name("root.")) == "root."
    assert store.file_stem(from_text("a/b\\.c.")) == "a%2Fb%5C.c."


class TestHttp:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[str]:
        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:
                if self.path == "/short":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b"x" * 10)
                elif self.headers.get("If-None-Match") == '"one"':
                    self.send_response(304)
                    self.end_headers()
                elif self.path == "/tagged":
                    self.send_response(200)
                    self.send_header("ETag", '"one"')
                    self.end_headers()
                    self.wfile.write(text_of(SHOP).encode())
                else:
                    super().do_GET()

        made = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        made.server_close()
        thread.join()

    def test_a_zone_file_is_fetched_once_and_asked_about_after(
        self, rig: MirrorRig, server: str
    ) -> None:
        rig.keeper.load([Wanted(SHOP_ZONE, (), OFF, url=f"{server}/tagged")])
        assert look(rig)["serial"] == 1
        assert look(rig)["state"] == "current"
        assert rig.tools.fetch.requests == {"fetched": 1, "unchanged": 1, "failed": 0}
        assert rig.tools.fetch.octets == len(text_of(SHOP))

    def test_what_comes_short_or_not_at_all_is_refused(self, rig: MirrorRig, server: str) -> None:
        for path in ("/short", "/none"):
            rig.keeper = rig.fresh()
            rig.keeper.load([Wanted(SHOP_ZONE, (), OFF, url=server + path)])
            assert look(rig)["state"] == "absent"
            assert rig.keeper.mirrors[SHOP_ZONE].refused[Why.UNREACHABLE] == 1
        assert rig.tools.fetch.requests["failed"] == 2

    def test_too_much_is_cut_off(self, rig: MirrorRig, server: str) -> None:
        (rig.folder / "large").write_bytes(b"x" * 100_000)
        with pytest.raises(FetchError, match="over 1,000 octets"):
            Fetch().get(f"{server}/large", None, 1000, 10)


def test_the_state_on_disk_is_one_line_that_people_can_read(rig: MirrorRig) -> None:
    rig.keeper.load([rig.from_file(text_of(SHOP))])
    look(rig)
    state = json.loads((rig.folder / "mirrors" / "shop..state").read_text())
    assert state["serial"] == 1
    assert state["source"].endswith("source")
