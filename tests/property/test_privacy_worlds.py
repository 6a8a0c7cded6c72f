"""The border's privacy rule in seeded worlds: lookups and surveys show no more than it allows."""

import pytest

from resolver.audit.survey import Survey
from resolver.names import from_text, label_count
from testbed.truth import Truth
from testbed.world import make_world
from tests.audit_world import audited_names
from tests.virtual_world import world_internet
from tests.witness import Witness


@pytest.mark.parametrize("loss", [0.0, 0.1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lookups_keep_to_the_rule(seed: int, loss: float) -> None:
    truth = Truth(make_world("country", seed))
    net = world_internet(truth.world, seed, loss)
    witness = Witness(net)
    for question, _ in truth.questions():
        net.ask(question.name, question.rtype)
    assert witness.wrong == []
    assert len(witness.abroad) > 100
    beyond = [max(0, label_count(a.question.name) - a.needed) for a in witness.abroad]
    # Most names are one label below their zone.
    assert sum(beyond) < len(beyond) / 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_survey_keeps_to_the_rule(seed: int) -> None:
    truth = Truth(make_world("small", seed))
    net = world_internet(truth.world, seed)
    witness = Witness(net)
    survey = Survey(net.scheduler.core)
    for name in audited_names(truth.world):
        survey.add(from_text(name))
        survey.add(from_text(f"very.far.below.{name}".replace("..", ".")))
    while True:
        net.door.submit(survey.advance())
        arrival = net.door.next_arrival()
        if arrival is None:
            break
        net.door.now = max(net.door.now, arrival)
        for ticket, outcome in net.door.take():
            survey.deliver(ticket, outcome)
    assert survey.over
    assert witness.wrong == []
    assert len(witness.abroad) > 20
