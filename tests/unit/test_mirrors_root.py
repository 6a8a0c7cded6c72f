"""The root zone of a day (signatures stripped) as a mirror: every delegation, small and quick."""

import os
import time
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest

from resolver.mirrors.answer import reply
from resolver.mirrors.copy import ZoneCopy, name_of
from resolver.mirrors.intake import read_zone
from resolver.model import Question, Rcode, Type
from resolver.names import ROOT, Name, from_text

SHARED = os.environ.get("INLAND_SHARED")
pytestmark = pytest.mark.skipif(SHARED is None, reason="INLAND_SHARED is not set")


@pytest.fixture(scope="module")
def octets() -> bytes:
    return (Path(SHARED or ".") / "data" / "root.zone").read_bytes()


@pytest.fixture(scope="module")
def copy(octets: bytes) -> ZoneCopy:
    return read_zone(ROOT, octets)


def test_every_delegation_is_that_of_another_reader(copy: ZoneCopy, octets: bytes) -> None:
    zone = dns.zone.from_text(octets.decode(), origin=".", relativize=False)
    cuts = [
        (owner, rdataset)
        for owner, rdataset in zone.iterate_rdatasets("NS")
        if owner != dns.name.root
    ]
    assert len(cuts) > 1400
    assert len(copy.offsets) == len(zone.nodes)
    assert copy.records == sum(len(rds) for _, rds in zone.iterate_rdatasets())
    for owner, rdataset in cuts:
        below = from_text("www." + owner.to_text())
        said = reply(copy, Question(below, Type.A))
        ns = said.authority[0]
        assert sorted(ns.rdatas) == sorted(rdata.to_wire() for rdata in rdataset)
        ds = zone.get_rdataset(owner, "DS")
        assert (Type.DS in {found.rtype for found in said.authority}) == (ds is not None)
        glue = {(found.name, rdata) for found in said.additional for rdata in found.rdatas}
        expected = {
            (Name(target.target.to_digestable()), rdata.to_wire())
            for target in rdataset
            for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
            for rdata in zone.get_rdataset(target.target, kind) or ()
        }
        assert glue == expected


def test_it_is_small_and_quick(copy: ZoneCopy) -> None:
    assert copy.size < 1 << 20
    names = [name_of(copy.keys[at]) for at in range(0, len(copy.offsets), 7)]
    began = time.perf_counter()
    for name in names:
        reply(copy, Question(name, Type.A))
    assert (time.perf_counter() - began) / len(names) < 0.002
    assert reply(copy, Question(from_text("no-such-tld."), Type.A)).rcode == Rcode.NXDOMAIN
