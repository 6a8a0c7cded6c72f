"""Owners in response policy zones: what is read, and what is told of those that cannot be."""

import pytest

from policy.rpz_trigger import BadTrigger, Trigger, owner_of, read_special
from resolver.model import address_text
from resolver.names import from_text

GOOD = [
    ("32.1.2.0.192.rpz-ip", "ip", "192.0.2.1/32"),
    ("24.0.2.0.192.rpz-ip", "ip", "192.0.2.0/24"),
    ("8.0.0.0.10.rpz-client-ip", "client-ip", "10.0.0.0/8"),
    ("1.0.0.0.128.rpz-ip", "ip", "128.0.0.0/1"),
    ("32.255.255.255.255.rpz-nsip", "nsip", "255.255.255.255/32"),
    ("128.1.zz.db8.2001.rpz-ip", "ip", "2001:db8::1/128"),
    ("48.zz.db8.2001.rpz-nsip", "nsip", "2001:db8::/48"),
    ("128.zz.rpz-client-ip", "client-ip", "::/128"),
    ("128.1.zz.rpz-ip", "ip", "::1/128"),
    ("128.zz.1.rpz-ip", "ip", "1::/128"),
    ("128.8.7.6.5.4.3.2.1.rpz-ip", "ip", "1:2:3:4:5:6:7:8/128"),
    ("64.0.0.0.0.0.0.db8.2001.rpz-ip", "ip", "2001:db8::/64"),
    ("128.c0a8.zz.ffff.0.rpz-ip", "ip", "0:ffff::c0a8/128"),
    ("16.zz.0db8.rpz-ip", "ip", "db8::/16"),
    ("128.ABCD.zz.1.rpz-ip", "ip", "1::abcd/128"),
    ("127.zz.1.0.rpz-ip", "ip", "0:1::/127"),
]

BAD = [
    ("rpz-ip", "no address"),
    ("32.rpz-ip", "neither four parts"),
    ("32.1.2.0.rpz-ip", "neither four parts"),
    ("32.1.2.3.0.192.rpz-ip", "neither four parts"),
    ("33.1.2.0.192.rpz-ip", "33 in IPv4"),
    ("0.0.0.0.0.rpz-ip", "matches everything"),
    ("0.zz.rpz-ip", "matches everything"),
    ("129.1.zz.rpz-ip", "'129' is not a prefix length"),
    ("x.1.2.0.192.rpz-ip", "'x' is not a prefix length"),
    ("032.1.2.0.192.rpz-ip", "'032' is not a prefix length"),
    ("-1.1.2.0.192.rpz-ip", "'-1' is not a prefix length"),
    ("32.256.2.0.192.rpz-ip", "'256' is not a part"),
    ("32.a.2.0.192.rpz-ip", "'a' is not a part"),
    ("32.01.2.0.192.rpz-ip", "'01' is not a part"),
    ("24.1.2.0.192.rpz-ip", "bits set beyond"),
    ("31.1.2.0.192.rpz-client-ip", "bits set beyond"),
    ("48.1.zz.db8.2001.rpz-ip", "bits set beyond"),
    ("128.zz.1.zz.rpz-ip", "more than once"),
    ("128.zz.8.7.6.5.4.3.2.1.rpz-ip", "zz beside eight"),
    ("128.8.7.6.5.4.3.2.rpz-ip", "neither four parts"),
    ("128.9.8.7.6.5.4.3.2.1.rpz-ip", "neither four parts"),
    ("128.1.zz.g.rpz-ip", "'g' is not a group"),
    ("128.1.zz.12345.rpz-ip", "'12345' is not a group"),
    ("128.1.zz.-1.rpz-ip", "'-1' is not a group"),
    ("*.1.2.0.192.rpz-ip", "'\\*' is not a prefix length"),
    ("rpz-nsdname", "no name before"),
    ("rpz-foo", "no such kind"),
    ("example.rpz-ns-dname", "no such kind"),
    ("32.1.2.0.192.rpz-ipv4", "no such kind"),
    ("rpz-", "no such kind"),
]


@pytest.mark.parametrize(("owner", "kind", "prefix"), GOOD, ids=[row[0] for row in GOOD])
def test_prefixes_are_read(owner: str, kind: str, prefix: str) -> None:
    special = read_special(from_text(owner))
    assert special.kind is Trigger(kind)
    assert special.prefix is not None
    assert f"{address_text(special.prefix.address)}/{special.prefix.bits}" == prefix
    # The shortest form is read as the same.
    again = read_special(owner_of(special.kind, special.prefix))
    assert again == special


@pytest.mark.parametrize(("owner", "why"), BAD, ids=[row[0] for row in BAD])
def test_what_cannot_be_read_says_why(owner: str, why: str) -> None:
    with pytest.raises(BadTrigger, match=why):
        read_special(from_text(owner))


def test_names_of_servers_are_read() -> None:
    special = read_special(from_text("ns.bad.example.rpz-nsdname"))
    assert (special.kind, special.name) == (Trigger.NSDNAME, from_text("ns.bad.example"))
    assert read_special(from_text("*.bad.rpz-nsdname")).name == from_text("*.bad")


def test_the_shortest_form_is_that_of_the_specification() -> None:
    texts = ["24.0.2.0.192.rpz-ip", "128.1.zz.db8.2001.rpz-ip", "128.zz.rpz-ip",
             "128.1.0.1.0.1.0.1.0.rpz-ip"]  # fmt: skip
    for text in texts:
        special = read_special(from_text(text))
        assert special.prefix is not None
        assert owner_of(Trigger.IP, special.prefix) == from_text(text)
