"""Neutrality: with no blocking rule every name is answered as the four peers answer it.

The peers run in the resolver's place in the same world, one after the other, each asked the same
names: every tag of question at every kind of zone of a simulated country, served by Knot DNS and,
where something is wrong with a server, by the embedded ones. Ours runs with all that policy has
short of blocking: rules that prefer and that let pass, views, a shadow policy that would block, a
response policy zone that lets pass. Compared are the code and the RRsets of the answer, TTLs apart.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.subjects import SUBJECTS, Kind, Place, Subject, command, configuration
from testbed.model import Question
from testbed.netns import Netns
from testbed.truth import Expected, Truth
from tests.border.rig import PORT as RIG_PORT
from tests.border.rig import ROOT, Rig, netns_or_skip

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PORT = 5301
METRICS = "127.0.0.1:9153"
CLIENTS = 20
START_SECONDS = 30.0
PEERS = tuple(s for s in SUBJECTS.values() if s.kind is Kind.RESOLVER and s.name != "inland")
EACH = 2
"""Questions of each tag at each kind of zone."""

ROUNDS = 3
"""How often a failure is asked for again that need not have been one: servers that say nothing are
found out one by one, and a stub resolver asks again too."""

ALIASES_OF_A_FAILURE = "beside SERVFAIL it gives aliases that led to what has failed"
KNOWN = {"pdns-recursor": ALIASES_OF_A_FAILURE, "knot-resolver": ALIASES_OF_A_FAILURE}
"""In what peers differ, from us and from each other: Unbound and BIND give the failure alone."""

Told = tuple[int, tuple[tuple[str, int, tuple[bytes, ...]], ...]]
"""Code and RRsets of an answer."""

SILENT: Told = (int(dns.rcode.SERVFAIL), ())
"""What a client makes of no reply at all."""


CNAME = int(dns.rdatatype.CNAME)
SCRAPE = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
AT_WORK: tuple[tuple[str, dict[str, str]], ...] = (
    ("inland_policy_actions_total", {"rule": "let", "action": "pass"}),
    ("inland_policy_actions_total", {"rule": "near", "action": "prefer"}),
    ("inland_policy_shadow_total", {"rule": "no", "live": "pass", "shadow": "nxdomain"}),
    ("inland_policy_shadow_total", {"rule": "far", "shadow": "refused"}),
    ("inland_rpz_hits_total", {"zone": "let.rpz", "trigger": "qname", "action": "pass"}),
)
"""What our metrics have to show, so that it is known that policy was at work."""


@pytest.fixture(scope="module")
def net() -> Iterator[Netns]:
    with netns_or_skip("country:1", "knot") as net:
        yield net


def chosen(truth: Truth) -> list[tuple[Question, Expected]]:
    """Some questions of each tag at each kind of zone."""
    found: dict[tuple[str, str], list[tuple[Question, Expected]]] = {}
    for question, expected in truth.questions():
        kind = truth.world.zone_of(question.name, question.rtype).kind
        found.setdefault((question.tag, kind), []).append((question, expected))
    return [one for row in found.values() for one in row[:EACH]]


def told(reply: bytes | None) -> Told:
    """A reply as it is compared: order and TTLs apart, names without case."""
    if reply is None:
        return SILENT
    message = dns.message.from_wire(reply)
    rrsets = sorted(
        (r.name.to_text().lower(), int(r.rdtype), tuple(sorted(d.to_digestable() for d in r)))
        for r in message.answer
    )
    return int(message.rcode()), tuple(rrsets)


def ask_once(
    net: Netns, folder: Path, port: int, asked: list[tuple[Question, Expected]]
) -> list[Told]:
    """What a server says to each question, to a crowd of stub resolvers."""
    plan = folder / "plan.json"
    crowd = {
        "server": ["127.0.0.1", port],
        "questions": [(question.name, question.rtype) for question, _ in asked],
        "clients": CLIENTS, "cancel": 0.0, "stream": 0.0, "repeat": 1, "seconds": 10.0, "seed": 1,
    }  # fmt: skip
    plan.write_text(json.dumps(crowd))
    words = [sys.executable, "-m", "tests.border.load", str(plan)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert net.exec_in(words, cwd=ROOT, env=env).wait(300) == 0
    rows = json.loads(Path(f"{plan}.out").read_text())
    assert len(rows) == len(asked)
    replies = {at: bytes.fromhex(reply) if reply else None for at, _, reply in rows}
    return [told(replies[at]) for at in range(len(asked))]


def ask(net: Netns, folder: Path, port: int, asked: list[tuple[Question, Expected]]) -> list[Told]:
    """What a server says to each question in the end."""
    said = ask_once(net, folder, port, asked)
    for _ in range(ROUNDS - 1):
        again = [
            at
            for at, (_, expected) in enumerate(asked)
            if said[at][0] == SILENT[0] != expected.rcode
        ]
        if not again:
            break
        for at, one in zip(
            again, ask_once(net, folder, port, [asked[a] for a in again]), strict=True
        ):
            said[at] = one
    return said


def policy(folder: Path, truth: Truth) -> dict[str, object]:
    """All that policy has, short of blocking: what it would block stands in the shadow."""
    zones = sorted({truth.world.zone_of(q.name, q.rtype).name for q, _ in truth.questions()})
    zones = [zone.rstrip(".") for zone in zones if zone != "."]
    account = {
        "authority": {"kind": "law", "name": "Test"}, "reference": "T-1",
        "from": "2020-01-01", "until": "2099-12-31",
    }  # fmt: skip
    live = {
        "version": 1,
        "mode": "prefer",
        "views": [
            {"name": "desk", "clients": ["127.0.0.0/8"], "explain": True},
            {"name": "away", "clients": ["10.0.0.0/8"]},
        ],
        "rules": [
            {"id": "let", "match": {"suffix": zones[::3]}, "effect": "pass"},
            {"id": "near", "match": {"suffix": zones[1::3], "view": "desk"}, "effect": "prefer"},
            {"id": "rest", "match": {"security": "bogus"}, "effect": "pass"},
        ],
    }
    shadow = {
        "version": 1,
        "mode": "prefer",
        "rules": [
            {"id": "no", "match": {"suffix": zones[::2]}, "effect": {"block": "nxdomain"}}
            | account,
            {"id": "far", "match": {"answer_country": ["XB"]}, "effect": {"block": "refused"}}
            | account,
        ],
    }
    (folder / "live.yaml").write_text(json.dumps(live))
    (folder / "shadow.yaml").write_text(json.dumps(shadow))
    owners = [f"{one} CNAME rpz-passthru." for zone in zones for one in (zone, f"*.{zone}")]
    head = ["$TTL 60", "$ORIGIN let.rpz.", "@ SOA ns.let.rpz. h.let.rpz. 1 60 60 600 60", "@ NS ."]
    (folder / "let.zone").write_text("\n".join([*head, *owners, ""]))
    return {
        "files": [str(folder / "live.yaml")],
        "shadow": [str(folder / "shadow.yaml")],
        "rpz": [
            {
                "zone": "let.rpz",
                "file": str(folder / "let.zone"),
                "authority": account["authority"],
                "reference": "T-2",
            }
        ],
    }


@pytest.fixture(scope="module")
def asked(net: Netns) -> list[tuple[Question, Expected]]:
    """The questions."""
    return chosen(Truth(net.world))


@pytest.fixture(scope="module")
def ours(
    net: Netns, asked: list[tuple[Question, Expected]], tmp_path_factory: pytest.TempPathFactory
) -> list[Told]:
    """What Inland says, and that its rules were at work."""
    folder = tmp_path_factory.mktemp("inland")
    rules = policy(folder, Truth(net.world))
    with Rig(net, folder, policy=rules, metrics={"listen": METRICS}):
        said = ask(net, folder, RIG_PORT, asked)
        scrape = folder / "metrics"
        with scrape.open("wb") as out:
            words = [sys.executable, "-c", SCRAPE, f"http://{METRICS}/metrics"]
            assert net.exec_in(words, stdout=out).wait(30) == 0
    for metric, labels in AT_WORK:
        assert counted(scrape.read_text(), metric, labels) > 0, (metric, labels)
    return said


def counted(text: str, metric: str, labels: dict[str, str]) -> float:
    """Sum over the samples of a metric that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == metric and labels.items() <= sample.labels.items()
    )


@contextmanager
def peer(net: Netns, subject: Subject, folder: Path) -> Iterator[None]:
    """A peer in the resolver's place, with an empty cache, as it is configured for the benchmarks
    beside Inland."""
    hints = folder / "root.hints"
    rows = net.world.delegations["."].parent_set
    hints.write_text("".join(f". 3600000 NS {ns}\n{ns} 3600000 A {a}\n" for ns, a in rows))
    place = Place(folder / "run", hints, folder / "floor", 1, None, None)
    place.folder.mkdir()
    name = "recursor-bench.conf" if subject.name == "pdns-recursor" else subject.configuration
    configured = place.folder / name
    configured.write_text(configuration(subject, place, PORT))
    with (folder / "log").open("wb") as log:
        process = net.exec_in(command(subject, place, configured, ""), stdout=log, stderr=log)
        try:
            end = time.monotonic() + START_SECONDS
            probe = ["dig", "@127.0.0.1", "-p", str(PORT), "+tries=1", "+time=1", ".", "NS"]
            while net.exec_in(probe, stdout=subprocess.DEVNULL).wait(10):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < end, f"{subject.name} does not answer"
                time.sleep(0.1)
            yield
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One with a short name: a peer has a socket some levels down, whose path may have 107 octets
    (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="inland-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize("subject", PEERS, ids=lambda subject: subject.name)
def test_every_name_is_answered_as_a_peer_answers_it(
    net: Netns,
    asked: list[tuple[Question, Expected]],
    ours: list[Told],
    folder: Path,
    subject: Subject,
) -> None:
    if not subject.found():
        pytest.skip(f"{subject.program} is not installed: package {subject.package}")
    with peer(net, subject, folder):
        theirs = ask(net, folder, PORT, asked)
    differ = [
        (question, here, there)
        for (question, _), here, there in zip(asked, ours, theirs, strict=True)
        if here != there and explained(subject, here, there) is None
    ]
    assert not differ, f"{len(differ)} of {len(asked)}"


def test_the_names_are_of_every_tag_and_end_in_every_way(
    asked: list[tuple[Question, Expected]], ours: list[Told]
) -> None:
    assert len(asked) > 500
    assert Counter(code for code, _ in ours).keys() == {0, 2, 3}
    assert {"dname", "wildcard", "tcp", "alias_across", "empty_non_terminal", "nodata"} <= {
        question.tag for question, _ in asked
    }
    for (question, expected), (code, _) in zip(asked, ours, strict=True):
        assert code == expected.rcode, question


def explained(subject: Subject, here: Told, there: Told) -> str | None:
    """Why a peer's answer may differ from ours; ``None``: nothing is known that explains it."""
    failed = here == SILENT and there[0] == SILENT[0]
    if failed and there[1] and all(rtype == CNAME for _, rtype, _ in there[1]):
        return KNOWN.get(subject.name)
    return None
