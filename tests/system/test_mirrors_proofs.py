"""What a mirror says beside what Knot DNS and NSD say of the same signed zone: NSEC and NSEC3."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

from resolver.mirrors.answer import reply
from resolver.mirrors.copy import ZoneCopy
from resolver.mirrors.intake import read_zone
from resolver.model import Message, Question, RRset
from resolver.names import from_text, to_text
from tests.ports import free_port
from tests.signed_zones import SHOP, text_of
from tests.system.primaries import Primary, need

MORE = """
secure.shop. 300 IN NS ns.secure.shop.
secure.shop. 300 IN DS 4711 13 2 {digest}
ns.secure.shop. 300 IN A 11.0.8.2
nods.shop. 300 IN NS ns.elsewhere.
deep.under.cut.shop. 300 IN A 11.0.8.3
"""
QUESTIONS = [
    ("shop.", "SOA"), ("shop.", "NS"), ("shop.", "A"), ("shop.", "DNSKEY"),
    ("www.shop.", "A"), ("www.shop.", "TXT"), ("www.shop.", "AAAA"),
    ("alias.shop.", "CNAME"), ("x.wild.shop.", "TXT"), ("a.b.wild.shop.", "TXT"),
    ("x.wild.shop.", "A"), ("wild.shop.", "TXT"), ("b.c.shop.", "A"), ("c.shop.", "A"),
    ("nosuch.shop.", "A"), ("a.nosuch.shop.", "A"), ("zzz.shop.", "A"), ("below.www.shop.", "A"),
    ("x.a.b.c.shop.", "A"), ("cut.shop.", "A"), ("www.cut.shop.", "A"), ("ns.cut.shop.", "A"),
    ("cut.shop.", "DS"), ("secure.shop.", "DS"), ("www.secure.shop.", "A"), ("nods.shop.", "A"),
    ("x.nods.shop.", "MX"), ("deep.under.cut.shop.", "A"), ("nods.shop.", "DS"),
    ("mail.shop.", "MX"), ("srv.shop.", "SRV"), ("tree.shop.", "DNAME"),
]  # fmt: skip

Told = tuple[int, bool, set[tuple[str, int]], set[tuple[str, int]]]


def sign(folder: Path, *options: str) -> str:
    """The zone signed by BIND's tools."""
    for program in ("dnssec-keygen", "dnssec-signzone"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    keys = [
        subprocess.run(
            ["dnssec-keygen", "-q", "-K", str(folder), "-a", "ECDSAP256SHA256", *more, "shop."],
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for more in ((), ("-f", "KSK"))
    ]  # fmt: skip
    text = text_of(SHOP) + text_of(MORE)
    text += "".join((folder / f"{key}.key").read_text() for key in keys)
    (folder / "plain").write_text(text)
    subprocess.run(
        ["dnssec-signzone", "-q", "-K", str(folder), "-o", "shop.", "-O", "full", *options,
         "-f", str(folder / "signed"), str(folder / "plain")],
        capture_output=True, check=True, cwd=folder,
    )  # fmt: skip
    return (folder / "signed").read_text()


WAYS = {"nsec": (), "nsec3": ("-3", "-", "-H", "0"), "opt-out": ("-3", "AB", "-H", "5", "-A")}


@pytest.fixture(params=list(WAYS))
def text(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sign(tmp_path, *WAYS[request.param])


@pytest.fixture(params=["knot", "nsd"])
def server(request: pytest.FixtureRequest, tmp_path: Path, text: str) -> Iterator[Primary]:
    need(request.param)
    with Primary(request.param, tmp_path, "shop.", "127.0.0.1", free_port()) as made:
        made.publish(text)
        yield made


def ours(copy: ZoneCopy, owner: str, kind: str) -> Told:
    rtype = int(dns.rdatatype.from_text(kind))
    said: Message = reply(copy, Question(from_text(owner), rtype))

    def section(rrsets: tuple[RRset, ...]) -> set[tuple[str, int]]:
        named = {(to_text(rrset.name), int(rrset.rtype)) for rrset in rrsets}
        return named | {(to_text(r.name), 46) for r in rrsets if r.signatures}

    return int(said.rcode), said.authoritative, section(said.answer), section(said.authority)


def theirs(server: Primary, owner: str, kind: str) -> Told:
    query = dns.message.make_query(owner, kind, want_dnssec=True, payload=4096)
    said = dns.query.tcp(query, server.address, 10, server.port)

    def section(rrsets: list[dns.rrset.RRset]) -> set[tuple[str, int]]:
        return {(rrset.name.to_text().lower(), int(rrset.rdtype)) for rrset in rrsets}

    answer, authority = section(said.answer), section(said.authority)
    if answer:  # the zone's own NS beside an answer is the server's courtesy
        authority = {(name, kind) for name, kind in authority if kind not in (2, 46)}
    return int(said.rcode()), bool(said.flags & dns.flags.AA), answer, authority


def test_replies_are_those_of_an_authoritative_server(server: Primary, text: str) -> None:
    copy = read_zone(from_text("shop."), text.encode())
    for owner, kind in QUESTIONS:
        mine, right = ours(copy, owner, kind), theirs(server, owner, kind)
        if right[2]:
            mine = (*mine[:3], {(name, kind) for name, kind in mine[3] if kind != 46})
        assert mine == right, (server.kind, owner, kind)
