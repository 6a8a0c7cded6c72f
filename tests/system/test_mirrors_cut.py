"""A start with the border cut: what can be resolved inside is resolved, from the mirror on disk."""

import time
from pathlib import Path

import trio

from testbed.clients import Heard, ask_all
from testbed.control import Loopback
from testbed.knot import zone_text
from testbed.truth import State, Truth
from testbed.zones import SERVFAIL
from tests.system.serving import Serving


def held(serving: Serving, zone: str = ".") -> dict[str, object]:
    """How a mirror stands."""
    found: dict[str, object] = serving.ask_control("status")["mirrors"][zone]
    return found


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

            began = time.monotonic()
            trio.run(ask_all, ("127.0.0.1", serving.port), inside, done)
            assert not wrong
            assert time.monotonic() - began < 60
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
