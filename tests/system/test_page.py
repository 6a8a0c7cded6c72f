"""The page of a running resolver in a real browser: figures equal ``/metrics``, nothing is cut.

Pictures are kept where ``INLAND_PICTURES`` says, for people to look at.
"""

import math
import os
import re
import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import bcrypt
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from resolver.errors import ControlError
from testbed.clients import ask_all
from testbed.control import Loopback
from testbed.truth import Truth
from tests.system.browser import Browser
from tests.system.mirror_serving import until
from tests.system.serving import Serving, inland
from tests.unit.certificates import Authority
from tests.unit.page_rig import Row, evaluate

FIGURES = """[...document.querySelectorAll('data')].map(
  d => [d.dataset.query, d.getAttribute('value'), d.textContent])"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go."""
    folder = Path(os.environ.get("INLAND_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


ZONE = """
$ORIGIN mirrored.
$TTL 3600
@ SOA ns.mirrored. hostmaster.mirrored. 7 3600 900 604800 300
@ NS ns.mirrored.
ns A 127.11.250.1
"""
RULE = """version: 1
mode: prefer
rules:
  - id: {name}
    match: {{suffix: {suffix}}}
    effect: {{block: {effect}}}
    authority: {{kind: court, name: High Court}}
    reference: WP 123/2026
    from: "2026-01-01"
    until: "2036-12-31"
"""


@pytest.fixture(scope="module")
def busy(world: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A resolver that has answered every question of the world, twice, with a rule and a shadow."""
    folder = tmp_path_factory.mktemp("busy")
    listed = sorted(name for name in world.world.zones if name.count(".") == 3)[:4]
    suffix = sorted(name for name in world.world.zones if name.endswith(".xb."))[0]
    (folder / "live.yaml").write_text(
        RULE.format(name="court-12", suffix=suffix, effect="nxdomain")
    )
    (folder / "draft.yaml").write_text(RULE.format(name="draft", suffix=suffix, effect="refused"))
    (folder / "mirrored.zone").write_text(ZONE)
    mirrors = {"zones": [{"zone": "mirrored.", "file": "mirrored.zone"}]}
    policy = {"files": ["live.yaml"], "shadow": ["draft.yaml"]}
    border = {"zones": [name.rstrip(".") for name in listed]}
    with Serving(world, folder, policy=policy, border=border, mirrors=mirrors) as running:
        running.ask_control("watch", look=True)
        until(lambda: running.total("inland_mirror_serial") == 7, "mirror")
        questions = list(Truth(world.world).questions())
        for _ in range(2):
            trio.run(ask_all, ("127.0.0.1", running.port), questions, lambda heard: None)
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


def address(serving: Serving) -> str:
    """Of the page."""
    url: str = serving.ask_control("status")["metrics"]
    return url.removesuffix("metrics")


def scraped(url: str) -> list[Row]:
    with urlopen(url + "metrics", timeout=20) as reply:
        text = reply.read().decode()
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def test_every_figure_in_the_browser_equals_the_metrics(busy: Serving, browser: Browser) -> None:
    url = address(busy)
    browser.look(1280)
    before = scraped(url)
    browser.open(url)
    samples = scraped(url)
    figures: list[tuple[str, str, str]] = browser.run(FIGURES)
    assert len(figures) > 50
    moved = 0
    for query, value, text in figures:
        expected, shown = evaluate(query, samples), float(value)
        if math.isnan(expected):
            assert math.isnan(shown), query
        elif expected != evaluate(query, before) or "_seconds" in query:
            moved += 1  # it changes by itself: a time, or a renewal under way
            low, high = sorted((evaluate(query, before), expected))
            assert low <= shown <= high, (query, shown, low, high)
        else:
            assert shown == pytest.approx(expected, rel=1e-12), query
        if shown == round(shown) and " / " not in query and "_bytes" not in query:
            assert text.replace(",", "").split()[0] == f"{shown:.0f}" or "_seconds" in query, query
    assert moved <= 12
    total = evaluate("sum(inland_lookups_total)", samples)
    escaped = evaluate("sum(inland_escaped_lookups_total)", samples)
    assert total >= 2 * 100
    assert escaped > 0
    parts = ["escaped", "domestic", "local"]
    sums = [evaluate(f'sum(inland_lookups_total{{route="{p}"}})', samples) for p in parts]
    assert sum(sums) == total
    assert sums[0] == escaped


def test_rules_the_shadow_mirrors_and_delegations_are_shown(
    busy: Serving, browser: Browser
) -> None:
    url = address(busy)
    browser.look(1280)
    browser.open(url)
    samples = scraped(url)
    text: str = browser.run("document.body.innerText")
    acted = evaluate('sum(inland_policy_actions_total{rule="court-12",action="nxdomain"})', samples)
    assert acted > 0
    assert f"court-12\tnxdomain\t{acted:,.0f}" in text
    beside = evaluate("sum(inland_policy_shadow_total)", samples)
    assert beside == acted
    assert f"draft\tnxdomain\trefused\t{beside:,.0f}" in text
    assert "Zones followed" in text
    mirror = r"mirrored\.\s+current\s+in use, its source found current\s+\d+ s\s+7\s+3\s"
    assert re.search(mirror, text)
    assert evaluate("sum(inland_watch_zones)", samples) > 0


def test_the_chart_and_the_zones_add_up_to_the_metrics(busy: Serving, browser: Browser) -> None:
    url = address(busy)
    browser.open(url)
    samples = scraped(url)
    cells = "[...document.querySelectorAll('#time ~ details tbody tr')].map(r => r.innerText)"
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    rows: list[str] = browser.run(cells)
    lookups = sum(int(row.split("\t")[1].replace(",", "")) for row in rows)
    assert lookups == evaluate("sum(inland_lookups_total)", samples)
    zones: list[list[str]] = browser.run(
        "[...document.querySelectorAll('#zones ~ div tbody tr')].map("
        "r => [...r.cells].map(c => c.innerText))"
    )
    escaped = evaluate("sum(inland_escaped_lookups_total)", samples)
    counts = [int(row[1].replace(",", "")) for row in zones]
    assert counts == sorted(counts, reverse=True)
    assert 0 < sum(counts) <= escaped
    if len(zones) < 20:
        assert sum(counts) == escaped
    names = set(busy.world.world.zones)
    assert {row[0] for row in zones} <= {
        name if name.endswith(".") else f"{name}." for name in names
    }


def test_the_browser_has_nothing_to_complain_of_and_asks_for_nothing_more(
    busy: Serving, browser: Browser
) -> None:
    url = address(busy)
    browser.open(url)
    assert browser.complaints() == []
    assert {asked for asked in browser.requests() if not asked.startswith("data:")} == {url}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800, 360, 320])
def test_it_fits_every_screen(
    busy: Serving, browser: Browser, pictures: Path, width: int, scheme: str
) -> None:
    browser.look(width, scheme=scheme)
    browser.open(address(busy))
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.picture(pictures / f"page-{width}-{scheme}.png")
    least = browser.run(CONTRAST)
    assert least["ratio"] >= 4.5, least


CONTRAST = """(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b }
  const ground = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor
      if (!c.endsWith(', 0)')) return c }
    return 'rgb(255, 255, 255)' }
  let least = {ratio: 99}
  for (const e of document.body.querySelectorAll('*')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    if (e.closest("svg") || !own) continue
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < least.ratio) least = {ratio, text: e.textContent.slice(0, 40), tag: e.tagName}
  }
  return least
})()"""
"""The least contrast of a text with its ground, by WCAG 2.2 (1.4.3)."""


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    busy: Serving, browser: Browser
) -> None:
    browser.look(1280)
    browser.open(address(busy))
    reached: list[str] = []
    for _ in range(60):
        for kind in ("keyDown", "keyUp"):
            browser.call(
                "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
            )
        found: dict[str, Any] = browser.run(
            "(e => ({name: e.getAttribute('aria-label') || e.innerText, tag: e.tagName,"
            " outline: getComputedStyle(e).outlineStyle, width: e.getBoundingClientRect().width}))"
            "(document.activeElement)"
        )
        if found["tag"] == "BODY":
            break
        assert found["outline"] != "none", found
        assert found["width"] > 0, found
        reached.append(found["name"])
    assert reached[0] == "To the figures"
    wanted = browser.run(
        "document.querySelectorAll('a, summary, [tabindex=\"0\"]').length"
        " - document.querySelectorAll('details:not([open]) [tabindex=\"0\"]').length"
    )
    assert len(reached) == wanted


def test_a_screen_reader_finds_names_for_all(busy: Serving, browser: Browser) -> None:
    browser.open(address(busy))
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            role = node["role"]["value"]
            roles.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert {"main", "navigation", "banner", "contentinfo"} <= roles.keys()
    assert len([name for name in roles["heading"] if name]) >= 9
    assert all(roles["heading"])
    assert all(roles["region"])
    assert all(roles["table"])
    (chart,) = [name for role in ("image", "img") for name in roles.get(role, [])]
    assert "Escaped were between" in chart


def test_it_prints(busy: Serving, browser: Browser, pictures: Path) -> None:
    browser.look(1280, scheme="dark")
    browser.open(address(busy))
    browser.paper(pictures / "page.pdf")
    pages = (pictures / "page.pdf").read_bytes()
    assert pages.startswith(b"%PDF-")
    browser.look(794, scheme="dark", media="print")
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    table = "document.querySelector('details table').getBoundingClientRect().height"
    assert browser.run(table) > 20
    to_text = shutil.which("pdftotext")
    if to_text is not None:
        done = subprocess.run(
            [to_text, "-layout", str(pictures / "page.pdf"), "-"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "Lookups in each interval by route" in done.stdout
        assert "Worst zones" in done.stdout
    browser.look(1280)


@pytest.fixture
def protected(world: Loopback, tmp_path: Path) -> Iterator[Serving]:
    """Behind TLS and a password."""
    Authority(tmp_path).sign("server")
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        f"basic_auth_users: {{alice: '{hashed}'}}\n"
    )
    with Serving(world, tmp_path, metrics={"web_config": "web.yml"}) as running:
        yield running


def get(serving: Serving, path: str, password: str = "secret") -> tuple[int, str, int]:
    """Status, text, and the serial number of the certificate."""
    trusting = ssl.create_default_context(cafile=serving.folder / "ca.pem")
    request = Request(address(serving) + path)
    credentials = b64encode(f"alice:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urlopen(request, timeout=20, context=trusting) as reply:
            return reply.status, reply.read().decode(), 0
    except HTTPError as error:
        with error:
            return error.code, error.read().decode(), 0


def test_tls_and_passwords_protect_page_and_metrics(protected: Serving) -> None:
    assert address(protected).startswith("https://127.0.0.1:")
    for path in ("", "metrics"):
        status, text, _ = get(protected, path)
        assert status == 200
        assert "inland_lookups_total" in text
        status, text, _ = get(protected, path, "wrong")
        assert (status, "inland_" in text) == (401, False)
    assert get(protected, "readyz", "wrong")[:2] == (200, "ok\n")


def test_a_reload_takes_a_new_certificate_and_a_bad_file_changes_nothing(
    protected: Serving,
) -> None:
    web = protected.folder / "web.yml"
    good = web.read_text()
    web.write_text(good + "rate_limit: {burst: 1}\n")
    with pytest.raises(ControlError, match=r"web\.yml: line 3: rate_limit: not supported here"):
        protected.ask_control("reload")
    checked = inland("check", str(protected.file))
    assert checked.returncode == 1
    assert "web.yml: line 3: rate_limit: not supported here" in checked.stdout + checked.stderr
    assert get(protected, "metrics")[0] == 200
    (protected.folder / "ca.pem").rename(protected.folder / "old.pem")
    Authority(protected.folder).sign("server")
    web.write_text(good)
    protected.ask_control("reload")
    assert get(protected, "metrics")[0] == 200  # trusting the new authority only


def test_a_start_with_a_bad_web_configuration_says_why(world: Loopback, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("basic_auth_users: {alice: plain}\n")
    serving = Serving(world, tmp_path, metrics={"web_config": "web.yml"})
    done = inland("serve", "-c", str(serving.file))
    assert done.returncode == 1
    assert "web.yml: line 1: basic_auth_users.alice: expected a bcrypt hash" in done.stderr
    assert "plain" not in done.stderr
    assert "Traceback" not in done.stderr


def test_health_follows_the_life_of_the_process(serving: Serving) -> None:
    url = address(serving)
    for path in ("healthz", "readyz"):
        with urlopen(url + path, timeout=20) as reply:
            assert reply.read() == b"ok\n"
