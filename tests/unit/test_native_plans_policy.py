"""What is under way under a plan when the policy is replaced."""

import dataclasses
import threading
from ipaddress import ip_network

import dns.rcode
import pytest

from policy.govern import with_zones
from policy.inputs import Stated
from policy.load import load_policy
from policy.rpz_client import client_classes
from policy.rpz_set import ZoneSet
from resolver.decide import decider_of
from resolver.model import Question, Route, Type
from resolver.tags import Tags
from tests.unit.plan_rig import HOME, ZONE, PlanRig
from tests.unit.plan_zone import APEX, WWW, ask, script, sound, tcp
from tests.unit.rpz_rig import zone
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


def rule(rig: PlanRig, text: str) -> None:
    """Put a response policy zone with these lines in force."""
    made = zone(text)
    zones = ZoneSet((made,), client_classes([made.content.clients]), text)
    policy = with_zones(rig.policy, zones, validating=False)
    rig.core.policy = policy
    decider = rig.core.decider = decider_of(rig.core, policy, Tags())
    rig.core.planner.restart()
    assert decider is not None
    rig.plans.set_policy(policy, decider.concern)
    rig.service.set_policy(policy, decider)


def test_answers_with_addresses_that_a_zone_names_are_pythons() -> None:
    with PlanRig(script(None), tcp) as rig:
        rule(rig, "32.1.2.0.192.rpz-ip CNAME .\n")
        rig.plan()
        assert rig.ask(ask(f"inner.{APEX}"), turning=False).answer
        assert rig.ask(ask(f"nothing.{APEX}"), turning=False).rcode() == dns.rcode.NXDOMAIN
        assert rig.ask(ask(WWW, "TXT"), turning=False).answer
        assert not rig.punts
        reply = rig.ask(ask(WWW))
        assert (reply.rcode(), reply.answer) == (dns.rcode.NXDOMAIN, [])
        assert len(rig.punts) == 1
        assert rig.sent() == 4, "Python goes on with the reply that native has got"
        assert rig.ask(ask(WWW), turning=False).rcode() == dns.rcode.NXDOMAIN


def test_there_is_no_plan_for_a_cut_whose_servers_a_zone_names() -> None:
    with PlanRig(script(None), tcp) as rig:
        for text in ("32.2.0.0.127.rpz-nsip CNAME .\n", "ns1.example.xa.rpz-nsdname CNAME .\n"):
            rule(rig, text)
            with pytest.raises(AssertionError):
                rig.plan()
            assert rig.core.planner.current(ZONE) is None
        rule(rig, "32.3.0.0.127.rpz-nsip CNAME .\nns1.other.xa.rpz-nsdname CNAME .\n")
        rig.plan()
        assert rig.ask(ask(WWW), turning=False).answer
        plan = rig.core.planner.current(ZONE)
        cut = rig.core.cuts.get(name("xa."), rig.clock.now())
        assert plan is not None and cut is None
        rig.cut(name("xa."))  # what is above is known now, too: held against the zone again
        rig.core.planner.settle(rig.core, rig.clock.now())
        renewed = rig.core.planner.current(ZONE)
        assert renewed is not None and renewed.above is not None
        assert set(renewed.above) == {name("ns1.xa."), name("ns2.xa.")}
