"""A start with the border cut: what can be resolved inside is resolved, from the mirror on disk."""

from pathlib import Path

import trio

from testbed.clients import Heard, ask_all
from testbed.control import Loopback
from testbed.knot import zone_text
from testbed.model import Fault
from testbed.truth import State, Truth
from testbed.zones import SERVFAIL, ancestors
from tests.system.serving import Serving


def held(serving: Serving, zone: str = ".") -> dict[str, object]:
    """How a mirror stands."""
    found: dict[str, object] = serving.ask_control("status")["mirrors"][zone]
    return found


def lookups(serving: Serving, within: str) -> float:
    """Lookups that took at most so many seconds."""
    return sum(
        value
        for (name, labels), value in serving.metrics().items()
        if name == "inland_lookup_seconds_bucket" and ("le", within) in labels
    )


def is_well(truth: Truth, holders: tuple[str, ...]) -> bool:
    """Whether no server at home that has a part in these zones is slow, dead or ill otherwise."""
    world, zones = truth.world, {above for zone in holders for above in ancestors(zone)}
    servers = {
        server
        for zone in zones & world.delegations.keys()
        for server in world.delegations[zone].all()
    }
    zones = {above for name, _ in servers for above in ancestors(name)} & world.delegations.keys()
    servers |= {server for zone in zones for server in world.delegations[zone].all()}
    return all(
        world.servers[address].fault is Fault.NONE
        for _, address in servers
        if world.servers[address].domestic
    )


def test_a_cold_start_without_border_and_root(tmp_path: Path) -> None:
    with Loopback("small") as world:
        file = tmp_path / "root.text"
        file.write_text(zone_text(world.world.zones["."]))
        source = {"zone": ".", "file": str(file), "signatures": "off"}
        with Serving(world, tmp_path, mirrors={"zones": [source]}) as serving:
            serving.wait_for("mirror of .: serial")
            assert held(serving)["state"] == "current"
            serving.end()

        file.unlink()
        truth = Truth(world.world)
        roots = {address for _, address in world.world.delegations["."].parent_set}
        world.cut()
        world.down(roots)
        world.reset()
        state = State(True, frozenset(roots), frozenset({"."}))
        inside = [
            (question, expected)
            for question in world.world.questions
            if (expected := truth.expected(question.name, question.rtype, state)).rcode != SERVFAIL
        ]
        assert len(inside) > 50
        with Serving(world, tmp_path, mirrors={"zones": [source]}) as serving:
            assert "mirror of .: serial" in serving.log
            wrong: list[Heard] = []

            def done(heard: Heard) -> None:
                if heard.wrong:
                    wrong.append(heard)

            well = [asked for asked in inside if is_well(truth, asked[1].zones)]
            ill = [asked for asked in inside if asked not in well]
            trio.run(ask_all, ("127.0.0.1", serving.port), well, done)
            counted = {limit: lookups(serving, limit) for limit in ("0.5", "+Inf")}
            assert len(well) > 50
            assert counted["+Inf"] >= len(well)
            # Fewer than a hundred names: one may be the machine's, which does more than this. In
            # virtual time none is late (tests/property/test_cut_worlds.py).
            assert counted["+Inf"] - counted["0.5"] <= 1, counted
            trio.run(ask_all, ("127.0.0.1", serving.port), ill, done)
            assert not wrong
            assert serving.total("inland_needless_escapes_total") == 0
            assert serving.total("inland_faults_total") == 0
            assert 0 <= serving.total("inland_mirror_age_seconds", zone=".") < 300
        asked = {address for address, _, _ in world.roles()}
        assert not asked & roots
        assert truth.avoidable_exchanges(world.roles(), state) == []


def test_without_a_mirror_nothing_resolves_from_a_cold_start(tmp_path: Path) -> None:
    """The control of the test above: it is the mirror that carries it."""
    with Loopback("small") as world:
        roots = {address for _, address in world.world.delegations["."].parent_set}
        world.cut()
        world.down(roots)
        truth = Truth(world.world)
        state = State(True, frozenset(roots))
        assert not any(
            truth.expected(question.name, question.rtype, state).rcode != SERVFAIL
            for question in world.world.questions
        )
