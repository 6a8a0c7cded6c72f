"""Plans of zones that must be validated: native answers what proves itself, the rest is punted."""

import dataclasses
import select
import time
from collections.abc import Callable, Sequence

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from dns.rdtypes.ANY.RRSIG import RRSIG

from resolver import limits_verify
from resolver.model import Security, Type
from resolver.names import Name
from resolver.plan import make
from resolver.proven import Proven, ProvenKey
from tests.signed_zones import Signer, signer
from tests.unit.plan_rig import SECONDS, ZONE, PlanRig
from tests.unit.plan_zone import APEX, WWW, ask, records, sound, tcp
from tests.virtual_servers import name

RIGHT = records(f"{WWW} 300 IN A 192.0.2.1")
Bend = Callable[[dns.message.Message], None]


class Known:
    """The proven keys of our zone; of others nothing need be validated."""

    def __init__(self, keys: Proven) -> None:
        self._keys = keys

    def keys(self, zone: Name, now: float) -> Proven:
        return self._keys if zone == ZONE else None


def key(until: float, by: Signer | None = None) -> ProvenKey:
    dnskey = (by or signer()).dnskey
    return ProvenKey(int(dnskey.algorithm), dns.dnssec.key_id(dnskey), dnskey.key, until)


def sign(
    rrset: dns.rrset.RRset,
    owner: str | None = None,
    begins: float = -60,
    ends: float = 600,
    apex: str = APEX,
) -> RRSIG:
    """A signature; ``owner``: as if it were over that name."""
    if owner is not None:
        rrset = dns.rrset.from_rdata_list(dns.name.from_text(owner), rrset.ttl, list(rrset))
    now = int(time.time())
    return dns.dnssec.sign(
        rrset,
        signer().private,
        dns.name.from_text(apex),
        signer().dnskey,
        inception=now + begins,
        expiration=now + ends,
    )


def signed(bend: Bend | None = None, **how: object) -> Callable[[bytes], Sequence[bytes]]:
    """Sound replies with signatures over all that is in the answer, then bent."""

    def reply(query: bytes) -> list[bytes]:
        made = sound(query)
        made.answer += [with_signature(rrset, **how) for rrset in tuple(made.answer)]
        if bend is not None:
            bend(made)
        return [made.to_wire(max_size=65535)]

    return reply


def with_signature(rrset: dns.rrset.RRset, **how: object) -> dns.rrset.RRset:
    return dns.rrset.from_rdata(rrset.name, rrset.ttl, sign(rrset, **how))  # type: ignore[arg-type]


def planned(rig: PlanRig, *keys: ProvenKey) -> PlanRig:
    rig.core.trust = Known(keys or (key(rig.clock.now() + 1000),))
    return patient(rig.plan())


def patient(rig: PlanRig) -> PlanRig:
    """The same plan with servers that are waited for, however busy the machine is."""
    plan = rig.core.planner.current(ZONE)
    assert plan is not None
    servers = tuple(dataclasses.replace(server, wait=SECONDS) for server in plan.servers)
    rig.plans.publish(dataclasses.replace(plan, servers=servers))
    return rig


@pytest.mark.parametrize("do", [False, True])
def test_what_proves_itself_is_answered_while_python_sleeps(do: bool) -> None:
    with PlanRig(signed(), tcp) as rig:
        planned(rig)
        reply = rig.ask(ask(do=do), turning=False)
        assert reply.answer[:1] == RIGHT
        assert [rrset.rdtype for rrset in reply.answer[1:]] == [dns.rdatatype.RRSIG] * do
        assert [e.outcome for e in rig.told(1)[0].exchanges] == ["positive"]
        assert rig.punts == []
        cached = rig.records.get(name(WWW), Type.A, rig.clock.now())
        assert cached is not None
        assert cached.security is Security.SECURE
        ((query, _),) = [*rig.upstreams[0].datagrams, *rig.upstreams[1].datagrams]
        assert dns.message.from_wire(query).ednsflags & dns.flags.DO


def test_it_lives_no_longer_than_its_signature() -> None:
    with PlanRig(signed(ends=40), tcp) as rig:
        reply = planned(rig).ask(ask(), turning=False)
        assert 30 <= reply.answer[0].ttl <= 40
        rig.told(1)
        cached = rig.records.get(name(WWW), Type.A, rig.clock.now())
        assert cached is not None
        assert cached.rrset is not None
        assert cached.rrset.ttl <= 40


def forged(reply: dns.message.Message) -> None:
    reply.answer[0] = records(f"{WWW} 300 IN A 192.0.2.66")[0]


def unsigned(reply: dns.message.Message) -> None:
    del reply.answer[1:]


def stranger(reply: dns.message.Message) -> None:
    reply.answer += records(f"inner.{APEX} 300 IN A 192.0.2.2")


def alias(reply: dns.message.Message) -> None:
    reply.answer = records(f"{WWW} 300 IN CNAME inner.{APEX}", f"inner.{APEX} 300 IN A 192.0.2.2")
    reply.answer += [with_signature(rrset) for rrset in tuple(reply.answer)]


CASES: dict[str, tuple[Callable[[bytes], Sequence[bytes]], str]] = {
    "forged": (signed(forged), WWW),
    "without signature": (signed(unsigned), WWW),
    "with another set": (signed(stranger), WWW),
    "an alias": (signed(alias), WWW),
    "ended": (signed(ends=-1), WWW),
    "not begun": (signed(begins=100), WWW),
    "a wildcard's": (signed(owner=f"*.{APEX}"), WWW),
    "signed by the parent": (signed(apex="xa."), WWW),
    "NXDOMAIN": (signed(), f"nothing.{APEX}"),
    "NODATA": (signed(), APEX),
}


@pytest.mark.parametrize("case", CASES)
def test_all_else_is_punted_and_never_answered_by_native(case: str) -> None:
    script, text = CASES[case]
    with PlanRig(script, tcp) as rig:
        planned(rig)
        rig.client.send(ask(text).to_wire())
        assert select.select([rig.plans.fileno()], [], [], SECONDS)[0], "native has done its part"
        assert not select.select([rig.client], [], [], 0)[0], "and has not answered"
        rig.turn_until(lambda: bool(rig.punts))
        (punted,) = rig.punts
        assert punted.punt.outcome is not None
        message = punted.punt.outcome.message
        assert message is not None, "the raw reply"
        expected = dns.message.from_wire(script(ask(text).to_wire())[0]).answer
        rows = [rrset for rrset in expected if rrset.rdtype != dns.rdatatype.RRSIG]
        assert len(message.answer) == len(rows)
        assert len(punted.misses) == 1
        assert sum(rig.tally.lookups.values()) == 1, "Python's own answer, and no other"


@pytest.mark.parametrize("which", ["another key", "two others with the same tag"])
def test_keys_that_did_not_sign_prove_nothing(which: str) -> None:
    with PlanRig(signed(), tcp) as rig:
        right = key(rig.clock.now() + 1000)
        other = right._replace(public=bytes(64))
        keys = (right._replace(tag=right.tag ^ 1),) if which == "another key" else (other, other)
        assert len(keys) <= limits_verify.PLAN_TRIES_MAX
        planned(rig, *keys)
        rig.client.send(ask().to_wire())
        rig.turn_until(lambda: bool(rig.punts))


def test_a_plan_ends_with_the_first_of_its_keys_and_shows_them() -> None:
    with PlanRig(signed(), tcp) as rig:
        now = rig.clock.now()
        soon, late = key(now + 2), key(now + 1000)
        planned(rig, late, soon)
        plan = rig.core.planner.current(ZONE)
        assert plan is not None
        assert (plan.proven, plan.expires) == ((late, soon), soon.until)
        shown = rig.plans.shown(ZONE)
        assert shown is not None
        number, expires, keys = shown
        assert number == plan.number
        assert expires == pytest.approx(soon.until)
        assert keys is not None
        assert [one[:3] for one in keys] == [late[:3], soon[:3]]
        # Native holds to it, too, whatever end is published.
        rig.plans.publish(dataclasses.replace(plan, expires=now + 1000))
        shown = rig.plans.shown(ZONE)
        assert shown is not None
        assert shown[1] == pytest.approx(soon.until)


def test_a_zone_that_need_not_be_validated_is_as_before() -> None:
    with PlanRig(signed(forged), tcp) as rig:
        rig.core.trust = Known(None)
        patient(rig.plan())
        shown = rig.plans.shown(ZONE)
        assert shown is not None
        assert shown[2] is None
        assert rig.ask(ask(), turning=False).answer == records(f"{WWW} 300 IN A 192.0.2.66")
        rig.told(1)
        cached = rig.records.get(name(WWW), Type.A, rig.clock.now())
        assert cached is not None
        assert cached.security is Security.INDETERMINATE


def test_there_is_no_plan_without_keys_or_with_too_many_or_without_edns() -> None:
    with PlanRig(signed(), tcp) as rig:
        now = rig.clock.now()
        cut = rig.core.cuts.get(ZONE, now)
        assert cut is not None
        one = key(now + 1000)

        def made(keys: Proven) -> bool:
            rig.core.trust = Known(keys)
            return make(rig.core, cut, 1, now) is not None

        assert made(None)
        assert made((one,) * limits_verify.PLAN_KEYS_MAX)
        assert not made(())
        assert not made((one,) * (limits_verify.PLAN_KEYS_MAX + 1))
        for addresses in cut.addresses.values():
            rig.core.servers.get(addresses[0]).no_edns_until = now + 100
        assert made(None)
        assert not made((one,))
