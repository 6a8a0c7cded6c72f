"""What is under way under a plan when the policy is replaced."""

import dataclasses
import threading
from ipaddress import ip_network

import pytest

from policy.inputs import Stated
from policy.load import load_policy
from resolver.model import Question, Route, Type
from tests.unit.plan_rig import HOME, PlanRig
from tests.unit.plan_zone import APEX, WWW, ask, sound, tcp
from tests.virtual_servers import address, name


@pytest.mark.parametrize("text", [WWW, f"nothing.{APEX}"])
def test_what_ends_under_another_policy_has_its_destination(text: str) -> None:
    """An answer without addresses, too, of which the plan had said one."""
    held: list[bytes] = []

    def reply(query: bytes) -> list[bytes]:
        held.append(query)
        if len(held) == 1:
            swapped.wait(10)
        return [sound(query).to_wire()]

    swapped = threading.Event()
    with PlanRig(reply, tcp) as rig:
        rig.plan()
        rig.client.send(ask(text).to_wire())
        rig.turn_until(lambda: bool(held))
        inputs = dataclasses.replace(
            HOME, home=frozenset({"XB"}), domestic=(Stated(ip_network("203.0.113.0/24"), "XB"),)
        )
        policy = load_policy(inputs)
        rig.core.policy = policy
        rig.core.planner.restart()
        rig.plans.set_policy(policy)
        rig.service.set_policy(policy)
        swapped.set()
        rig.reply()  # it is Python that answers under the new policy
        (record,) = rig.told(1)
        question = Question(name(text), Type.A)
        addresses = [address("192.0.2.1")] if text == WWW else []
        assert record.destination is policy.destination(addresses, question.name)
        assert record.destination is not rig.policy.destination([], question.name)
        assert record.generation == policy.generation
        assert record.route is Route.DOMESTIC, "where the server was when it was asked"
