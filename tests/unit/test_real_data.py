"""Real data of others as the readers meet them, a few lines of each: registries, keys, digests.

Lines of the registries are those of their files of 2026-09-28, picked for how they differ, with
numbers of records to fit; the root's keys and SOA with their signatures are those of 2026-08-22;
zones and digests are those of RFC 8976 appendix A (A.1, A.3, and root-servers.net of A.5).
"""

from calendar import timegm
from pathlib import Path

import pytest

from policy.delegated import read_delegated
from resolver.mirrors.check import Checks, check
from resolver.mirrors.intake import read_zone
from resolver.mirrors.refusal import Refused, Why
from resolver.mirrors.wanted import ROOT_ANCHORS, Terms
from resolver.names import ROOT, from_text

REGISTRIES = {
    "afrinic": """\
2|afrinic|20260928|6|00000000|20260928|00000
afrinic|*|asn|*|2|summary
afrinic|*|ipv4|*|3|summary
afrinic|*|ipv6|*|1|summary
afrinic|ZA|asn|1228|1|19910301|allocated|F36B9F4B
afrinic|ZZ|asn|8770|1||available|
afrinic|ZA|ipv4|164.146.0.0|393216|19930312|allocated|F363E51A
afrinic|ZA|ipv4|196.4.20.0|2560|19930831|allocated|F369838C
afrinic|ZZ|ipv4|41.57.112.0|2048||reserved|
afrinic|ZA|ipv6|2001:4200::|32|20051021|allocated|F36B9F4B
""",
    "apnic": """\
2.3|apnic|20260929|5||20260928|+1000
apnic|*|asn|*|1|summary
apnic|*|ipv4|*|3|summary
apnic|*|ipv6|*|1|summary
apnic|AU|ipv4|1.0.0.0|256|20110811|assigned|A91872ED
apnic||ipv4|14.102.240.0|4096||available|
apnic||ipv4|163.61.160.0|64||available|
apnic||ipv6|2001:7fa::|64||reserved|
apnic|TW|asn|1768|2|20020801|allocated|A91BDB29
""",
    "arin": """\
2.3|arin|1790600421096|4|19700101|20260928|-0400
arin|*|asn|*|2|summary
arin|*|ipv4|*|1|summary
arin|*|ipv6|*|1|summary
arin|US|asn|3|1|00000000|assigned|d98c567cda2db06e693f2b574eafe848
arin||asn|212|1||reserved|
arin||ipv4|23.128.1.0|768||reserved|
arin|US|ipv6|2001:4:112::|48|20240912|allocated|9064d089391b6dcc310a2188da60c437
""",
    "ripencc": """\
2|ripencc|1790632799|5|19700101|20260928|+0200
ripencc|*|asn|*|1|summary
ripencc|*|ipv4|*|2|summary
ripencc|*|ipv6|*|2|summary
ripencc|RU|ipv4|62.122.208.0|1280|20090417|allocated|fa4615bf-0770-4e9a-8002-e125f84d6794
ripencc|DE|ipv4|156.67.6.0|8|19920327|assigned|f7b5eb5d-2252-4fcc-97fa-2efcd27631a5
ripencc||asn|1877|1||available
ripencc|NL|ipv6|2001:600::|29|19990826|allocated|a71dd866-c717-4529-950b-2040370c754a
ripencc||ipv6|2001:609::|32||reserved
""",
    "lacnic": """\
2.3|lacnic|20260927|6|19870101|20260925|-0300
lacnic|*|ipv4|*|2|summary
lacnic|*|ipv6|*|2|summary
lacnic|*|asn|*|2|summary
lacnic||ipv4|45.68.105.0|256||reserved|
lacnic|BR|ipv4|45.171.60.0|1024|20190211|allocated|258500
lacnic||ipv6|2001:1201:20::|43||available
lacnic|BR|ipv6|2804:5964::|32|20190211|allocated|258500
lacnic||asn|28003|3||available
lacnic|BR|asn|61613|1|20230505|allocated|258500
""",
}


@pytest.mark.parametrize(
    ("registry", "date", "records", "held"),
    [
        ("afrinic", "2026-09-28", 6, {"ZA"}),
        ("apnic", "2026-09-28", 5, {"AU"}),
        ("arin", "2026-09-28", 4, {"US"}),
        ("ripencc", "2026-09-28", 5, {"RU", "DE", "NL"}),
        ("lacnic", "2026-09-25", 6, {"BR"}),
    ],
)
def test_lines_of_every_registry_are_read(
    registry: str, date: str, records: int, held: set[str]
) -> None:
    text = REGISTRIES[registry]
    found = read_delegated(text)
    assert found.faults == []
    assert found.date == date
    assert sum(line.count("|") > 5 for line in text.splitlines()[1:]) == records
    assert {said.country for said in found.said if said.country} == held


@pytest.mark.parametrize("registry", REGISTRIES)
def test_a_line_that_is_missing_is_found(registry: str) -> None:
    lines = REGISTRIES[registry].splitlines()
    for at in range(len(lines)):
        if at and "|summary" in lines[at]:
            continue  # nobody says how many of them there must be
        assert read_delegated("\n".join(lines[:at] + lines[at + 1 :])).faults, lines[at]


ROOT_KEYS = """
. 86400 IN SOA a.root-servers.net. nstld.verisign-grs.com. 2026082201 1800 900 604800 86400
. 86400 IN RRSIG SOA 8 0 86400 20260904170000 20260822160000 57780 . (
    A9sK9Ia+JewtBN8HpFgG4bBsUAE5nlEh4BIS1w3uXHzfXW8nr7ubMg7wQw5TUbi5Dwofp/yqlC0Nv71hELCRcnRca1
    KNvgOgH8oizsk93waV4wKWrNl1zksSlZQ6kK3mByHmt1tmQ56kQgjuNsYclZM5zs0s8Yfzw1dXsZfrReY/kOpZCvMk
    ujo9qvAth68W3C+sB7S/WZT44pQNuNc3iGdby0X24taKcrVC4D4+vElKOfQQllNxz9mN9d8bhGr7/asG6zKRSPW+S0
    sRJWrIB/FxTSaunTdlNfSLKV7iocXLJOFd6Fw/hXXJTEbJ/kIAQPJmBfB1Ddncdo9OfltkGg== )
. 172800 IN DNSKEY 256 3 8 (
    AwEAAeCYD6Z7WWKVLeuWgowKP+3g+Gs1cnLKq7a3CaQxQpv8bfuFVI0WnG33qaSH/Mw9IBgifrdzf4XY/DQLnyBJ9M
    faOyAWuEaEmYJ+GQPiwVVfstGwSA1McfFJUttTgq2Huu74KARhtA8wPo/N3XcyYQtNhz+qCM5NBb3ecx/naw6sYab9
    LxS6f2cU0q03++BP5Ks0Uef8WJCa/1izCYE+vMkwoltV+tENa3hpXiZ7jle/xdgaZrPi5ZGmyLVI34g1XVYrNlsCCT
    mNvFQIfzW5STFQFsQpizczyFn9r3LzSxxPCNwdlCG84bER0BmdwqbF6Tanv+FxMOavrahkj4wIy5k= )
. 172800 IN DNSKEY 257 3 8 (
    AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7S
    WXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3
    rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilB
    mSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU= )
. 172800 IN DNSKEY 257 3 8 (
    AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHsp
    aQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qy
    JNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNa
    tX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc= )
. 172800 IN RRSIG DNSKEY 8 0 172800 20260910000000 20260820000000 20326 . (
    hQqYrSY1hgaqax9ke/8SFj0ZozkRgdHJJlXvIU5t2Bsrcmu3J87WkgjeMLeMiKK/TsFIlpb+XCl33T8C3Ja04IyZ2i
    fVGuMlrDAp7qg3lkO6gXmQ9V7DQscPFbUmicFX0SyhR9wy3JxDQ/tVQx11sMlxphdhRx5kBobY2DeRG0SS2WODJi4q
    CFLk7bvQ0uRQ3adCI7MS8F6QX5NZEy7oHnmERYF1vosrJhTTw/lDOL6qx6k2LklIWnJI8gvAlhwqOWlQZk8hjkYkkr
    mgAW2s+pwGqeeYmz1Ttfs7yY2yreKEnJhdeg08q4NURPM1FrNeR5F4k38P3Es8vAIn5r/xYw== )
"""
KEYS_ONLY = Terms("off", "require", ROOT_ANCHORS, public=False)


def at(year: int, month: int, day: int) -> float:
    return timegm((year, month, day, 12, 0, 0))


def test_the_keys_of_the_root_are_those_of_the_built_in_anchors() -> None:
    copy = read_zone(ROOT, ROOT_KEYS.encode())
    for day in ((2026, 8, 23), (2026, 9, 4)):
        assert check(copy, None, KEYS_ONLY, at(*day)) == Checks("unchecked", "verified")


@pytest.mark.parametrize(
    ("day", "old", "new"),
    [
        ((2026, 8, 19), "", ""),  # before the signature of the keys
        ((2026, 9, 7), "", ""),  # after that of the SOA
        ((2026, 8, 23), "2026082201 1800", "2026082202 1800"),
        ((2026, 8, 23), "AwEAAeCYD6Z7", "AwEAAeCYD6Z8"),
    ],
)
def test_another_day_or_another_octet_is_refused(
    day: tuple[int, int, int], old: str, new: str
) -> None:
    assert old in ROOT_KEYS
    copy = read_zone(ROOT, ROOT_KEYS.replace(old, new).encode())
    with pytest.raises(Refused) as refused:
        check(copy, None, KEYS_ONLY, at(*day))
    assert refused.value.why is Why.SIGNATURES


def test_a_debian_machine_has_the_same_anchors() -> None:
    """Package ``dns-root-data``."""
    file = Path("/usr/share/dns/root.ds")
    if not file.exists():
        pytest.skip("dns-root-data is not installed")
    theirs = {line.split(" DS ")[1].upper() for line in file.read_text().splitlines()}
    assert theirs == set(map(str.upper, ROOT_ANCHORS))


A1 = """
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
example. 86400 IN ZONEMD 2018031900 1 1 (
    c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9
    a9713b3c9ae5cc27777f98b8e730044c )
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 3600 IN AAAA 2001:db8::63
"""
A3 = """
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
example. 86400 IN ZONEMD 2018031900 1 1 (
    62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637493daaf401c92c27
    9dd10f0edb1c56f8080211f8480ee306 )
example. 86400 IN ZONEMD 2018031900 1 2 (
    08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a
    4e114d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27 )
example. 86400 IN ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 86400 IN TXT "This example has multiple digests"
NS2.EXAMPLE. 3600 IN AAAA 2001:db8::63
"""
LETTERS = {
    "a": ("198.41.0.4", "2001:503:ba3e::2:30"),
    "b": ("199.9.14.201", "2001:500:200::b"),
    "c": ("192.33.4.12", "2001:500:2::c"),
    "d": ("199.7.91.13", "2001:500:2d::d"),
    "e": ("192.203.230.10", "2001:500:a8::e"),
    "f": ("192.5.5.241", "2001:500:2f::f"),
    "g": ("192.112.36.4", "2001:500:12::d0d"),
    "h": ("198.97.190.53", "2001:500:1::53"),
    "i": ("192.36.148.17", "2001:7fe::53"),
    "j": ("192.58.128.30", "2001:503:c27::2:30"),
    "k": ("193.0.14.129", "2001:7fd::1"),
    "l": ("199.7.83.42", "2001:500:9f::42"),
    "m": ("202.12.27.33", "2001:dc3::35"),
}
A5 = (
    "b.root-servers.net. 3600000 IN MX 20 mail.isi.edu.\n"
    "i.root-servers.net. 3600000 IN MX 10 mx.i.root-servers.org.\n"
    "root-servers.net. 3600000 IN SOA a.root-servers.net. nstld.verisign-grs.com. "
    "2018091100 14400 7200 1209600 3600000\n"
    "root-servers.net. 3600000 IN ZONEMD 2018091100 1 1 "
    "f1ca0ccd91bd5573d9f431c00ee0101b2545c97602be0a978a3b11dbfc1c776d"
    "5b3e86ae3d973d6b5349ba7f04340f79\n"
) + "".join(
    f"root-servers.net. 3600000 IN NS {letter}.root-servers.net.\n"
    f"{letter}.root-servers.net. 3600000 IN A {a}\n"
    f"{letter}.root-servers.net. 3600000 IN AAAA {aaaa}\n"
    for letter, (a, aaaa) in LETTERS.items()
)


@pytest.mark.parametrize(
    ("origin", "text"), [("example.", A1), ("example.", A3), ("root-servers.net.", A5)]
)
def test_digests_are_those_of_rfc_8976_appendix_a(origin: str, text: str) -> None:
    """Without one record of A.3, of a scheme for private use with a digest that is shorter than its
    hash: dnspython refuses it, and so the zone (``docs/mirrors.md``)."""
    terms = Terms("require", "off")
    copy = read_zone(from_text(origin), text.encode())
    assert check(copy, None, terms, 0.0).zonemd == "verified"
    other = read_zone(from_text(origin), text.replace("::", ":1::").encode())
    with pytest.raises(Refused) as refused:
        check(other, None, terms, 0.0)
    assert refused.value.why is Why.ZONEMD
